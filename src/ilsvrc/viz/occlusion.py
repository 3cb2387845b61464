"""Occlusion: what a network says while a grey square covers each part of an image. Zeiler and Fergus 2013, figure 7."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import isqrt

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.viz.layers import listening, peaks

BATCH = 32  # images at a time, however fine the steps


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What was recorded with the square at each of its places, (rows, columns).

    The paper's panels: activation is (b), the sum over space of the map that was strongest in the clean image;
    probability is (d), of the true class; best is (e), the logit of the most probable class.
    centres are those of the square, in pixels, along both sides.
    """

    map: int
    label: int  # the logit that `probability` is of
    activation: np.ndarray
    probability: np.ndarray
    best: np.ndarray
    centres: tuple[int, ...]
    clean_activation: float
    clean_probability: float
    clean_best: int


def occlude(
    network: nn.Module,
    image: Tensor,
    layer: str,
    label: int | None = None,
    *,
    side: int,
    stride: int,
    moved: Callable[[float], None] = lambda share: None,
) -> Occlusion:
    """Slide a square of `side` pixels by `stride` over an image (3, S, S) as the network takes it.

    It is filled with zero, the mean colour. Its centre goes from one edge to the other, so that every pixel is
    covered about as often. label is the logit of the true class, None for the most probable of the clean image.
    The paper gives neither size nor step. Raises SpecError for a square that covers the whole image, or none.
    """
    size = image.shape[-1]
    if not 0 < side < size or stride < 1:
        raise SpecError(
            f"a square of {side} pixels in steps of {stride} is to slide over an image of {size}; "
            f"give a side from 1 to {size - 1} and a step of at least 1"
        )
    clean_maps, clean = _seen(network, image[None], layer)
    chosen = int(peaks(clean_maps)[0][0].argmax())
    label = int(clean[0].argmax()) if label is None else label
    centres = tuple(range((size - 1) % stride // 2, size, stride))
    sums, shares, best = [], [], []
    parts = [centres[start : start + BATCH] for start in range(0, len(centres), BATCH)]
    for number, (row, columns) in enumerate(product(centres, parts)):
        maps, probabilities = _seen(network, _covered(image, row, columns, side), layer)
        sums.append(maps[:, chosen].flatten(1).sum(1))
        shares.append(probabilities[:, label])
        best.append(probabilities.argmax(1))
        moved((number + 1) / (len(centres) * len(parts)))
    return Occlusion(
        map=chosen,
        label=label,
        activation=_square(sums),
        probability=_square(shares),
        best=_square(best),
        centres=centres,
        clean_activation=float(clean_maps[0, chosen].sum()),
        clean_probability=float(clean[0, label]),
        clean_best=int(clean[0].argmax()),
    )


def _covered(image: Tensor, row: int, columns: tuple[int, ...], side: int) -> Tensor:
    """The image once per column, with the square at each of them, cut off at the edges."""
    batch = image.repeat(len(columns), 1, 1, 1)
    top = max(0, row - side // 2)
    for one, column in zip(batch, columns, strict=True):
        left = max(0, column - side // 2)
        one[:, top : row - side // 2 + side, left : column - side // 2 + side] = 0
    return batch


def _square(rows: list[Tensor]) -> np.ndarray:
    """All values in reading order as a square."""
    flat = torch.cat(rows).cpu().numpy()
    side = isqrt(len(flat))
    found: np.ndarray = flat.reshape(side, side)
    return found


def _seen(network: nn.Module, images: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The layer's maps above zero, and the probabilities."""
    with torch.inference_mode(), listening(network, layer, stop=False) as heard:
        logits = network(images)
    return heard[-1].relu(), logits.softmax(1)
