"""Networks + protocol + data -> Predictions. Each image is scored once, by name; nothing is padded."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.predict.combine import over_views, settled, told
from ilsvrc.predict.engines import Runner
from ilsvrc.predict.views import Box, count, resized, views
from ilsvrc.spec import Crops, Dense, Protocol, Together
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.resample import Resampler

VIEWS = 64  # crops at a time


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of a split: probabilities is (N, C) float32, rows sum to 1; labels (N,), -1 unknown."""

    names: tuple[str, ...]
    probabilities: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Pass:
    """One image as one part of a protocol sees it: views (V, H, W, 3) uint8, without the mirrors of dense ones."""

    part: int  # the place of the protocol in `parts`
    views: np.ndarray


@dataclass(frozen=True, eq=False)
class Group:
    """Views of one size, to be computed together: images (N, 3, H, W), and the number of the image that each is of."""

    part: int
    images: Tensor
    whose: tuple[int, ...]


def parts(protocol: Protocol) -> tuple[Crops | Dense, ...]:
    """The simple protocols that a protocol is made of."""
    return protocol.of if isinstance(protocol, Together) else (protocol,)


def check(protocol: Protocol, size: int, name: str = "the network") -> None:
    """Raise SpecError where a protocol contradicts itself or is smaller than the network, built for `size` pixels."""
    for part in parts(protocol):
        if isinstance(part, Crops) and min(part.short_sides, default=0) < part.size:
            raise SpecError(
                f"crops of {part.size} pixels are asked for from a short side of "
                f"{', '.join(map(str, part.short_sides)) or 'none'}: an image is smaller than its crop; enlarge it"
            )
        if isinstance(part, Dense):
            sides = [side for pair in part.sizes for side in pair] or list(part.short_sides)
            if min(sides, default=0) < size:
                raise SpecError(
                    f"a dense protocol brings images to a side of {min(sides, default=0)} pixels, and {name} looks at "
                    f"{size} at once; give larger sides"
                )
            if part.places == "probabilities" and part.average == "logits":
                raise SpecError("a dense protocol has probabilities at its places and averages logits; choose one")


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
    cut: dict[Box, np.ndarray] = {}  # a mirror is of the same pixels
    for view in views(protocol, picture.width, picture.height, min(picture.width, picture.height)):
        if view.box not in cut:
            cut[view.box] = _part(picture, view.box, protocol.size)
        yield cut[view.box][:, ::-1] if view.mirror else cut[view.box]


def _part(picture: Picture, box: Box, size: int) -> np.ndarray:
    left, top, right, bottom = box
    if right - left == size:
        return picture.pixels[top:bottom, left:right]
    return geometry.stretched(picture, box, size, size).pixels


def passes(protocol: Protocol, resampler: Resampler = "fast") -> Callable[[np.ndarray], list[Pass]]:
    """A function from the pixels of an image, (H, W, 3), to all that the protocol sees of it."""

    def look(pixels: np.ndarray) -> list[Pass]:
        found = []
        for place, part in enumerate(parts(protocol)):
            if isinstance(part, Crops):
                found.append(Pass(place, cutter(part, resampler)(pixels, random.Random(0))))
                continue
            picture = Picture(pixels, resampler=resampler)
            for width, height in resized(part, picture.width, picture.height):
                found.append(Pass(place, geometry.resized(picture, width, height).pixels[None]))
        return found

    return look


def plain(network: nn.Module, context: Callable[[], torch.autocast]) -> Runner:
    """The network in eval mode as a function of images; context is the precision to compute in."""
    network.eval()

    def run(images: Tensor) -> Tensor:
        with torch.inference_mode(), context():
            answers: Tensor = network(images.contiguous(memory_format=torch.channels_last))
            return answers.float()

    return run


def predict(
    run: Runner, batches: Iterable[tuple[tuple[str, ...], Tensor, np.ndarray]], protocol: Crops
) -> Iterator[Predictions]:
    """The mean prediction over the protocol's crops, a batch at a time.

    batches yields names, images (B, V, 3, S, S) on the network's device, and labels (B,). The mean is taken in float32.
    """
    for names, images, labels in batches:
        logits = torch.cat([run(some) for some in torch.split(images.flatten(0, 1), VIEWS)])
        found = over_views(logits.reshape(*images.shape[:2], -1), protocol.average)
        yield Predictions(names, found.cpu().numpy(), labels)


class Tally:
    """What a protocol's views say of images, added up in float32 until all views of an image have spoken.

    It holds those images alone of which some views are still to come.
    """

    def __init__(self, protocol: Protocol, runs: list[Runner]) -> None:
        self._parts, self._runs = parts(protocol), runs
        self._wanted = [count(part) for part in self._parts]
        self._sums: dict[tuple[int, int], Tensor] = {}
        self._seen: dict[tuple[int, int], int] = defaultdict(int)
        self._done: dict[int, list[Tensor]] = defaultdict(list)

    def add(self, group: Group) -> Iterator[tuple[int, Tensor]]:
        """Compute a group; each image that is complete by it with its probabilities (C,)."""
        part, run = self._parts[group.part], self._runs[group.part]
        yield from self._told(group, told(run(group.images), part).cpu())
        if isinstance(part, Dense) and part.mirror:
            yield from self._told(group, told(run(group.images.flip(-1)), part).cpu())

    def _told(self, group: Group, answers: Tensor) -> Iterator[tuple[int, Tensor]]:
        for image, answer in zip(group.whose, answers, strict=True):
            key = (image, group.part)
            self._sums[key] = self._sums[key] + answer if key in self._sums else answer
            self._seen[key] += 1
            if self._seen[key] == self._wanted[group.part]:
                mean = self._sums.pop(key) / self._seen.pop(key)
                self._done[image].append(settled(mean, self._parts[group.part]))
                if len(self._done[image]) == len(self._parts):
                    yield image, torch.stack(self._done.pop(image)).mean(0)
