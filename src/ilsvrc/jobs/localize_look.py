"""Boxes of one image from all that is looked at: many windows, each with a box and a score per class, merged.

Used where a protocol has more than one window, or an entry more than one regressor; one centre crop of one regressor is
judged in batches by `localize_judge`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.data.decode import Decoder, Reading
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.machine import Bench
from ilsvrc.models.regressor import stride_of
from ilsvrc.predict.dense import Windows, dense
from ilsvrc.predict.views import View, views
from ilsvrc.spec import Crops, Dense, Regression
from ilsvrc.tasks.localize import edges_of, on_image
from ilsvrc.tasks.merge import surest
from ilsvrc.train.loss import autocast
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture

ALONE = -1.0  # a merging threshold that nothing is below: every window's box stands for itself
Framed = tuple[View, tuple[float, float, float, float]]  # a view, and left, top, right, bottom of its window


@dataclass(frozen=True, eq=False)
class Seen:
    """All that was looked at in one image: W windows."""

    windows: np.ndarray  # (W, 4) left, top, right, bottom in the image's pixels, right and bottom outside
    edges: np.ndarray  # (W, 1 or C, 4) relative to the window
    scores: np.ndarray  # (W, C) what the classifier finds probable there


def together(parts: Sequence[Seen]) -> Seen:
    """All windows of the parts, in their order, as one."""
    return Seen(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("windows", "edges", "scores")))


def boxes_of(seen: Seen, size: tuple[int, int], labels: np.ndarray, regression: Regression) -> np.ndarray:
    """(G, 4) boxes for those labels on an image of `size`, width and height in pixels, both edges inside.

    Of each label the boxes of all windows are merged, where the regression does so, and the surest is its answer.
    """
    threshold = regression.merging.threshold if regression.merging else ALONE
    found = []
    for label in labels.tolist():
        edges = seen.edges[:, label if regression.per_class else 0]
        each = np.array([on_image(e, w, *size) for e, w in zip(edges, seen.windows, strict=True)])
        found.append(surest(each, seen.scores[:, label], threshold)[0])
    return np.array(found).reshape(-1, 4)


def framed(pixels: np.ndarray, protocol: Crops, decoder: Decoder) -> Iterator[tuple[Picture, list[Framed]]]:
    """An image at each short side of the protocol, and every view of it with its window on the image's pixels.

    Left and right of a mirrored view's window are exchanged.
    """
    height, width = pixels.shape[:2]
    for side in protocol.short_sides:
        picture = geometry.at_least(geometry.short_side(Picture(pixels, resampler=decoder), side), protocol.size)
        x, y = width / picture.width, height / picture.height
        found = []
        for view in views(protocol, picture.width, picture.height, min(picture.width, picture.height)):
            left, top, right, bottom = view.box
            left, right = (right, left) if view.mirror else (left, right)
            found.append((view, (left * x, top * y, right * x, bottom * y)))
        yield picture, found


def seen(pixels: np.ndarray, protocol: Crops, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """The views of an image, (V, S, S, 3), and (1 + V, 4): its extent, then each window on it."""
    cuts, windows = [], [(0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))]
    for picture, found in framed(pixels, protocol, reading.decoder):
        for view, window in found:
            left, top, right, bottom = view.box
            cuts.append(_turned(picture.pixels[top:bottom, left:right], view))
            windows.append(window)
    return np.stack(cuts), np.array(windows)


def _turned(pixels: np.ndarray, view: View) -> np.ndarray:
    return pixels[:, ::-1] if view.mirror else pixels


class Looks(Protocol):
    """Whatever looks at one image and says where each of some classes is."""

    def boxes(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(G, 4) boxes for those labels on an image (H, W, 3) uint8, both edges inside."""
        ...


class Looker:
    """A box regressor and a classifier, looking at an image by one protocol. `size` is that of their windows."""

    def __init__(
        self,
        networks: tuple[nn.Module, nn.Module],
        normal: Normal,
        protocol: Crops | Dense,
        regression: Regression,
        size: int,
        bench: Bench,
        reading: Reading,
    ) -> None:
        self.regressor, self.classifier = (network.eval() for network in networks)
        self.protocol, self.regression, self.size = protocol, regression, size
        self.bench, self.decoder = bench, reading.decoder
        # A mean image has one size; whatever is looked at has another, and takes its mean.
        self.normal = Normal(normal.mean.mean(dim=(1, 2), keepdim=True), normal.unit)
        if isinstance(protocol, Dense):
            self._dense(protocol)

    def boxes(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(G, 4) boxes for those labels on an image (H, W, 3) uint8, both edges inside."""
        return boxes_of(self.look(pixels), (pixels.shape[1], pixels.shape[0]), labels, self.regression)

    def look(self, pixels: np.ndarray) -> Seen:
        """Every window of the protocol on an image."""
        with torch.inference_mode(), autocast(self.bench.device, self.bench.precision):
            parts = list(self._maps(pixels) if isinstance(self.protocol, Dense) else self._crops(pixels, self.protocol))
        return together(parts)

    def _dense(self, protocol: Dense) -> None:
        self._windows = tuple(
            dense(network, protocol, self.size, name)
            for network, name in ((self.regressor, "the box regressor"), (self.classifier, "the classifier"))
        )
        whole: Windows = self._windows[1]
        if any(isinstance(layer, nn.AdaptiveAvgPool2d) for layer in whole.network.children()):
            raise SpecError(
                "a network that ends in a mean over its last map has no windows on a larger one, so boxes cannot be "
                "found densely; use a protocol of crops"
            )
        self.step = stride_of(whole.network, self.size) / whole.pool

    def _crops(self, pixels: np.ndarray, protocol: Crops) -> Iterator[Seen]:
        for picture, found in framed(pixels, protocol, self.decoder):
            cuts = [
                _turned(geometry.stretched(picture, view.box, self.size, self.size).pixels, view) for view, _ in found
            ]
            images, windows = self._images(np.stack(cuts)), np.array([window for _, window in found], np.float64)
            yield self._said(self.regressor(images), self.classifier(images), windows)

    def _maps(self, pixels: np.ndarray) -> Iterator[Seen]:
        assert isinstance(self.protocol, Dense)
        height, width = pixels.shape[:2]
        for high, wide in sizes_of(self.protocol, height, width, self.size):
            picture = geometry.resized(Picture(pixels, resampler=self.decoder), wide, high)
            for mirror in (False, True) if self.protocol.mirror else (False,):
                images = self._images(picture.pixels[None, :, ::-1] if mirror else picture.pixels[None])
                numbers, logits = (windows.logits(images)[0] for windows in self._windows)
                places, windows = self._places(numbers.shape[0], numbers.shape[1], wide, high)
                if mirror:
                    windows[:, [0, 2]] = wide - windows[:, [0, 2]]
                scale = np.array([width / wide, height / high] * 2)
                yield self._said(numbers.flatten(0, 1)[places], logits.flatten(0, 1)[places], windows * scale)

    def _places(self, rows: int, columns: int, wide: int, high: int) -> tuple[Tensor, np.ndarray]:
        """The places of a map whose window lies in the image (the first ones do), and the windows, (W, 4)."""
        at = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) * self.step
        fits = ((at + self.size <= np.array([wide, high])) | (at == 0)).all(axis=1)
        windows = np.concatenate([at, at + self.size], axis=1)[fits]
        return torch.from_numpy(np.flatnonzero(fits)), windows

    def _images(self, pixels: np.ndarray) -> Tensor:
        """(V, H, W, 3) uint8 to what the networks take."""
        images = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.bench.device).movedim(-1, -3).float()
        taken: Tensor = (images - self.normal.mean.to(images.device)) / self.normal.unit.to(images.device)
        return taken.contiguous(memory_format=torch.channels_last)

    def _said(self, numbers: Tensor, logits: Tensor, windows: np.ndarray) -> Seen:
        coordinates = numbers.float().cpu().unflatten(1, (-1, 4))  # type: ignore[no-untyped-call]
        edges = edges_of(coordinates, self.regression.coordinates)
        return Seen(windows, edges.numpy(), logits.float().softmax(-1).cpu().numpy())


class Fused:
    """The regressors of one entry looking at an image, each by its own protocol.

    The union of their windows' boxes first, then the merging (Simonyan and Zisserman 2014, appendix A).
    """

    def __init__(self, lookers: Sequence[Looker], regression: Regression) -> None:
        self.lookers, self.regression = tuple(lookers), regression

    def boxes(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(G, 4) boxes for those labels on an image (H, W, 3) uint8, both edges inside."""
        seen = together([looker.look(pixels) for looker in self.lookers])
        return boxes_of(seen, (pixels.shape[1], pixels.shape[0]), labels, self.regression)


def sizes_of(protocol: Dense, height: int, width: int, size: int) -> list[tuple[int, int]]:
    """(height, width) of every size an image is looked at; none is smaller than the window.

    Printed sizes are those of a landscape, and exchanged for a portrait.
    """
    if protocol.sizes:
        return [(w, h) if height > width else (h, w) for h, w in protocol.sizes]
    found = []
    for side in protocol.short_sides:
        scale = max(side, size) / min(height, width)
        found.append((max(size, round(height * scale)), max(size, round(width * scale))))
    return found


def one_window(protocol: Crops | Dense) -> bool:
    """Whether the protocol looks at each image once, at its centre."""
    return isinstance(protocol, Crops) and protocol.layout == "center" and len(protocol.short_sides) == 1


def check_merging(regression: Regression, regressors: int, key: str) -> None:
    """Raise SpecError where several regressors' boxes are not put together: merged, or proposals judged again."""
    if regressors < 2 or regression.regions is not None:
        return
    if regression.head == "proposals":
        raise SpecError(
            f"{key} has {regressors} networks that propose boxes and none that judges what others propose; add regions "
            "to its specification, or leave one member"
        )
    if regression.merging is None:
        raise SpecError(f"{key} has {regressors} regressors, whose boxes its specification does not merge; add one")


def check_protocol(protocol: object, regression: Regression, key: str) -> Crops | Dense:
    """The protocol, where boxes can be found by it. Raises SpecError where they cannot."""
    proposes = regression.head == "proposals"
    if regression.regions is not None and not proposes:
        raise SpecError(f"{key} judges proposals again and has none: its head is {regression.head!r}; take 'proposals'")
    if isinstance(protocol, Dense) or (isinstance(protocol, Crops) and not protocol.warp):
        once = one_window(protocol) or (proposes and densely_proposed(protocol))
        if regression.regions is not None and not once:
            raise SpecError(
                f"{key} judges proposals again, which are found in one centre crop or in the whole image, and is "
                f"tested by {protocol}; use one crop or a dense protocol"
            )
        if not once and regression.merging is None:
            raise SpecError(f"{key} looks at many windows, whose boxes its specification does not merge; add one")
        return replace(protocol)
    raise SpecError(f"{key} is tested by {protocol}, by which no boxes are found; use crops or a dense protocol")


def densely_proposed(protocol: Crops | Dense) -> bool:
    """Whether proposals are found in the whole image by it, of any size; its windows are not looked at one by one."""
    return isinstance(protocol, Dense) and protocol.offsets == 1
