"""From a data set to batches on the device: where data, transforms and torch meet."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ilsvrc import data
from ilsvrc.data.batch import Batch, Views, Write
from ilsvrc.data.decode import USUAL, Image, Reading
from ilsvrc.data.folders import Folder
from ilsvrc.data.kept import Kept, Prepared
from ilsvrc.data.loader import Epoch, Loader, Treatment
from ilsvrc.data.parquet import Parquet
from ilsvrc.data.sample import Dataset, Sample
from ilsvrc.data.shards import Shards
from ilsvrc.errors import DataError
from ilsvrc.predict.predict import cutter
from ilsvrc.spec import AreaCrop, Augmentation, Crops, Recipe
from ilsvrc.train.loop import Place
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import NO_BOXES, NO_SHIFT, Picture
from ilsvrc.transforms.pipeline import apply, split
from ilsvrc.transforms.resample import alone, by_themselves

SAMPLED = 4096  # images the mean is computed from, evenly spaced; all of a smaller set


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set's two halves: what is learnt from and what is judged on."""

    path: str
    train: Folder | Shards | Parquet
    val: Folder | Shards | Parquet
    fingerprint: str


def open_splits(path: str, *, labelled: bool = True) -> Splits:
    """Both halves of the data set at `path`; labelled: every image to learn from must have a label.

    Raises DataError when they cannot be read or do not fit together.
    """
    train, val = data.open(path, "train"), data.open(path, "val")
    if train.classes.wnids != val.classes.wnids:
        raise DataError(f"{path} has other classes in train than in val; both halves must name the same classes")
    if labelled:
        _check_labels(train, path)
    fingerprint = f"{data.fingerprint(train)}-{data.fingerprint(val)}"
    return Splits(path, train, val, fingerprint)


def _check_labels(train: Folder | Shards | Parquet, path: str) -> None:
    """Raise DataError where an image to learn from has no label."""
    labels = train.table["label"] if isinstance(train, Shards) else train.labels
    lacking = len(train) if labels is None else int((np.asarray(labels) < 0).sum())
    if lacking:
        raise DataError(
            f"{path}: {lacking:,} of {len(train):,} images of train have no label, as in a detection set, where boxes "
            "alone have one; to classify, a class for every image is wanted: give such a set, or leave these images out"
        )


@dataclass(frozen=True, eq=False)
class Normal:
    """What is subtracted from an image and what it is then divided by, on the 0-255 scale.

    mean is (3, S, S) for a mean image or (3, 1, 1); unit is (3, 1, 1); both are RGB. bgr turns the order of the colours
    around behind all that.
    """

    mean: Tensor
    unit: Tensor
    bgr: bool = False

    def fitting(self, size: int | None) -> "Normal":
        """For images of `size` pixels, of any where None: a mean image of another size becomes its mean per channel."""
        if self.mean.shape[-1] in (1, size):
            return self
        return replace(self, mean=self.mean.mean((1, 2), keepdim=True))

    def shown(self, pixels: np.ndarray, device: torch.device) -> Tensor:
        """Pixels (N, H, W, 3) uint8 as the network expects them, (N, 3, H, W) float32."""
        images = torch.from_numpy(pixels).to(device, non_blocking=True).movedim(-1, -3)
        found: Tensor = (images.float() - self.mean.to(device)) / self.unit.to(device)
        return found.flip(-3) if self.bgr else found

    def images(self, batch: Batch, device: torch.device) -> Tensor:
        """(B, 3, S, S), or (B, V, 3, S, S) for several views: float32, channels last in memory."""
        pixels = torch.from_numpy(batch.pixels).to(device, non_blocking=True).movedim(-1, -3)
        if batch.pixels.dtype == np.float32:
            return pixels  # the loader's threads did the rest
        shift = torch.from_numpy(batch.shift).to(device)
        shift = shift.reshape(len(shift), *[1] * (pixels.ndim - 4), 3, 1, 1)
        images: Tensor = (pixels.float() - self.mean.to(device) + shift) / self.unit.to(device)
        return images.flip(-3) if self.bgr else images

    def writer(self, device: torch.device) -> Write | None:
        """What `images` does, image by image while it is in the cache; None for a GPU, which bytes reach sooner.

        The same numbers to the bit: the same operations in the same order. It is one function, however often asked for.
        """
        return self._write if device.type == "cpu" else None

    @cached_property
    def _write(self) -> Write:
        divided = bool((self.unit != 1).any())

        @cache
        def rows(size: int) -> tuple[Tensor, Tensor]:
            # As rows of size * 3, (size, size * 3) or (size * 3,) for one colour: arithmetic on threes would be slow.
            mean, unit = (np.moveaxis(each.numpy(), 0, -1) for each in (self.mean, self.unit))
            row = np.tile(mean.reshape(3), size) if mean.shape[0] == 1 else mean.reshape(size, size * 3)
            return torch.from_numpy(np.ascontiguousarray(row)), torch.from_numpy(np.tile(unit.reshape(3), size))

        def write(views: Views, out: np.ndarray) -> None:
            size = out.shape[-2]
            mean, unit = rows(size)
            flat = torch.from_numpy(out.reshape(*out.shape[:-2], size * 3))  # its loops are quicker than numpy's
            np.copyto(out, views.pixels)
            flat.sub_(mean)
            if views.shift is not NO_SHIFT and views.shift.any():
                flat.add_(torch.from_numpy(np.tile(views.shift, size)))
            if divided:
                flat.div_(unit)
            if self.bgr:
                out[...] = out[..., ::-1].copy()

        return write


def reading(reference: bool, bad: Literal["stop", "skip"]) -> Reading:
    """How images are read, from the words of a command line."""
    return Reading("reference" if reference else "fast", bad)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """How images are brought to a network: by how many threads, which share of every batch, how they are read.

    kept has the prepared images of other loaders of the same kind; boxes says whether they are wanted, and beyond
    that they keep what a crop leaves outside.
    """

    threads: int = 2
    part: tuple[int, int] = (0, 1)  # (r, n): the share of process r of n
    reading: Reading = USUAL
    kept: Kept | None = None
    boxes: bool = False
    beyond: bool = False


def training_loader(dataset: Dataset, recipe: Recipe, batch: int, seed: int, feed: Feed) -> Loader:
    """Batches by the recipe: shuffled, augmented, and what needs no draw done once where it fits in memory."""
    fixed, drawn = split(recipe.augment)

    def prepare(image: Image) -> tuple[np.ndarray, np.ndarray | None]:
        picture = _transformed(_picture(image, feed), fixed, random.Random(0))
        return picture.pixels, picture.boxes if feed.boxes and image.boxes is not None else None

    def augment(image: Image | Prepared, rng: random.Random) -> Views:
        picture = _augmented(image, drawn, rng, feed)
        return Views(picture.pixels, picture.shift, picture.boxes if image.boxes is not None else None)

    treatment = Treatment(
        fixed=prepare if fixed else None,
        drawn=augment,
        boxes=feed.boxes,
        reading=feed.reading,
        substitute=True,
        begin=by_themselves,
        alone=alone,
    )
    return _loader(dataset, treatment, batch, seed, feed)


def judging_loader(dataset: Dataset, protocol: Crops, batch: int, feed: Feed) -> Loader:
    """The protocol's views of every image, in the data set's order, nothing drawn."""
    cut = cutter(protocol, feed.reading.decoder)

    def look(image: Image) -> tuple[np.ndarray, None]:
        return cut(image.pixels(), random.Random(0)), None

    def same(image: Image | Prepared, rng: random.Random) -> Views:
        return Views(image.pixels(), NO_SHIFT)

    return _loader(
        dataset, Treatment(fixed=look, drawn=same, reading=feed.reading, begin=by_themselves), batch, None, feed
    )


def _loader(dataset: Dataset, treatment: Treatment, batch: int, seed: int | None, feed: Feed) -> Loader:
    return Loader(dataset, treatment, batch=batch, seed=seed, threads=feed.threads, kept=feed.kept, part=feed.part)


def _picture(image: Image | Prepared, feed: Feed, rows: int | None = None) -> Picture:
    """The decoded image, at least its upper `rows`, with its boxes where they are wanted."""
    boxes = NO_BOXES if image.boxes is None or not feed.boxes else image.boxes.astype(np.float32)
    picture = Picture(image.pixels(rows), boxes, resampler=feed.reading.decoder, beyond=feed.beyond)
    if not feed.beyond or not len(boxes) or isinstance(image, Prepared):
        return picture
    return replace(picture, boxes=geometry.inside(boxes, image.width, image.height))


def _augmented(image: Image | Prepared, steps: tuple[Augmentation, ...], rng: random.Random, feed: Feed) -> Picture:
    """All steps; where the first is a crop of some area, what lies below it is not decoded."""
    if not steps or not isinstance(steps[0], AreaCrop):
        return _transformed(_picture(image, feed), steps, rng)
    part = geometry.area_part(image.width, image.height, rng, steps[0].low)
    picture = geometry.stretched(_picture(image, feed, rows=part[3]), part, steps[0].size, steps[0].size)
    return _transformed(picture, steps[1:], rng)


@dataclass(frozen=True, eq=False)
class OnDevice:
    """An epoch's batches as (images, labels) on the device."""

    epoch: Epoch
    normal: Normal
    device: torch.device

    def __len__(self) -> int:
        return len(self.epoch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self.epoch:
            yield self.normal.images(batch, self.device), torch.from_numpy(batch.labels).to(self.device)


def epochs_on(loader: Loader, normal: Normal, device: torch.device, place: Place) -> OnDevice:
    """The rest of the epoch at `place`."""
    return OnDevice(loader.epoch(place.epoch, place.step, normal.writer(device)), normal, device)


def normal_of(dataset: Dataset, recipe: Recipe, protocol: Crops, feed: Feed) -> Normal:
    """Mean and deviation of the central crops of the data set, or of SAMPLED of them evenly spaced.

    An image that cannot be decoded and is passed over does not count.
    """
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(SAMPLED, len(dataset))).round().astype(int))
    center = Crops(layout="center", short_sides=protocol.short_sides[:1], size=protocol.size)
    loader = judging_loader(Chosen(dataset, chosen), center, 64, replace(feed, kept=Kept(0), part=(0, 1)))
    # Sums of integers up to 255² are exact in float64 whatever the order, so the mean is the same on every machine.
    total, squares, count = np.zeros((center.size, center.size, 3)), np.zeros(3), 0
    for batch in loader.epoch(0):
        pixels = batch.pixels[:, 0].astype(np.float64)  # those missing are 0
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=(0, 1, 2))
        count += len(pixels) - len(batch.missing)
    image = total / count
    mean = image.mean(axis=(0, 1))
    deviation = np.sqrt(np.maximum(squares / (count * center.size**2) - mean**2, 1e-6))
    subtracted = {"pixel": image, "channel": mean[None, None], "middle": np.full((1, 1, 3), 127.5)}[recipe.mean]
    unit = {"grey level": np.ones(3), "deviation": deviation, "half range": np.full(3, 127.5)}[recipe.unit]
    return Normal(
        torch.from_numpy(np.moveaxis(subtracted, -1, 0).astype(np.float32)),
        torch.from_numpy(unit.astype(np.float32)).reshape(3, 1, 1),
    )


class Chosen:
    """Some samples of a data set, as a data set."""

    def __init__(self, dataset: Dataset, indices: np.ndarray) -> None:
        self.classes = dataset.classes
        self.root = getattr(dataset, "root", None)
        self._dataset, self._indices = dataset, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[int(self._indices[index])]


def _transformed(picture: Picture, steps: tuple[Augmentation, ...], rng: random.Random) -> Picture:
    for step in steps:
        picture = apply(step, picture, rng)
    return picture
