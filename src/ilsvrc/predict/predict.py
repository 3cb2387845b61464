"""Networks + protocol + data -> Predictions. Each image is scored once, by name; nothing is padded."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.predict.combine import over_views
from ilsvrc.predict.views import Box, views
from ilsvrc.spec import Crops
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.resample import Resampler


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of a split: probabilities is (N, C) float32, rows sum to 1; labels (N,), -1 unknown."""

    names: tuple[str, ...]
    probabilities: np.ndarray
    labels: np.ndarray


def cutter(protocol: Crops, resampler: Resampler = "fast") -> Callable[[np.ndarray, random.Random], np.ndarray]:
    """A function from pixels (H, W, 3) to the protocol's views, (V, S, S, 3) uint8. It draws nothing."""

    def cut(pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        return np.stack([view for side in protocol.short_sides for view in seen_at(protocol, pixels, side, resampler)])

    return cut


def seen_at(protocol: Crops, pixels: np.ndarray, side: int, resampler: Resampler) -> Iterator[np.ndarray]:
    """The views at one short side, (S, S, 3) each, of pixels (H, W, 3)."""
    picture = Picture(pixels, resampler=resampler)
    picture = geometry.resized(picture, side, side) if protocol.warp else geometry.short_side(picture, side)
    picture = geometry.at_least(picture, protocol.size)
    parts: dict[Box, np.ndarray] = {}  # a mirror is of the same pixels
    for view in views(protocol, picture.width, picture.height, min(picture.width, picture.height)):
        if view.box not in parts:
            parts[view.box] = _part(picture, view.box, protocol.size)
        yield parts[view.box][:, ::-1] if view.mirror else parts[view.box]


def _part(picture: Picture, box: Box, size: int) -> np.ndarray:
    left, top, right, bottom = box
    if right - left == size:
        return picture.pixels[top:bottom, left:right]
    return geometry.stretched(picture, box, size, size).pixels


def predict(
    model: nn.Module,
    batches: Iterable[tuple[tuple[str, ...], Tensor, np.ndarray]],
    protocol: Crops,
    context: Callable[[], torch.autocast],
) -> Predictions:
    """The mean prediction over the protocol's views.

    batches yields names, images (B, V, 3, S, S) on the model's device, and labels (B,).
    context is entered around the network: the precision to compute in. The mean is taken in float32.
    """
    names: list[str] = []
    found: list[Tensor] = []
    labels: list[np.ndarray] = []
    model.eval()
    with torch.inference_mode():
        for batch_names, images, batch_labels in batches:
            flat = images.flatten(0, 1)
            with context():
                logits = model(flat.contiguous(memory_format=torch.channels_last)).float()
            found.append(over_views(logits.unflatten(0, images.shape[:2]), protocol.average).cpu())
            names.extend(batch_names)
            labels.append(batch_labels)
    return Predictions(tuple(names), torch.cat(found).numpy(), np.concatenate(labels))
