"""From a data set to batches on the device: where data, transforms and torch meet."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ilsvrc import data
from ilsvrc.data.folders import Folder
from ilsvrc.data.loader import Batch, Epoch, Kept, Loader, Views
from ilsvrc.data.parquet import Parquet
from ilsvrc.data.sample import Dataset, Sample
from ilsvrc.data.shards import Shards
from ilsvrc.errors import DataError
from ilsvrc.predict.predict import cutter
from ilsvrc.spec import Augmentation, Crops, Recipe
from ilsvrc.train.loop import Place
from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.pipeline import apply, split

NO_SHIFT = np.zeros(3, np.float32)
SAMPLED = 4096  # images the mean is computed from, evenly spaced; all of a smaller set


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set's two halves: what is learnt from and what is judged on."""

    path: str
    train: Folder | Shards | Parquet
    val: Folder | Shards | Parquet
    fingerprint: str


def open_splits(path: str) -> Splits:
    """Both halves of the data set at `path`. Raises DataError when they cannot be read or do not fit together."""
    train, val = data.open(path, "train"), data.open(path, "val")
    if train.classes.wnids != val.classes.wnids:
        raise DataError(f"{path} has other classes in train than in val; both halves must name the same classes")
    fingerprint = f"{data.fingerprint(train)}-{data.fingerprint(val)}"
    return Splits(path, train, val, fingerprint)


@dataclass(frozen=True, eq=False)
class Normal:
    """What is subtracted from an image and what it is then divided by, on the 0-255 scale.

    mean is (3, S, S) for a mean image or (3, 1, 1); unit is (3, 1, 1).
    """

    mean: Tensor
    unit: Tensor

    def images(self, batch: Batch, device: torch.device) -> Tensor:
        """(B, 3, S, S), or (B, V, 3, S, S) for several views: float32, channels last in memory."""
        pixels = torch.from_numpy(batch.pixels).to(device, non_blocking=True).movedim(-1, -3)
        shift = torch.from_numpy(batch.shift).to(device)
        shift = shift.reshape(len(shift), *[1] * (pixels.ndim - 4), 3, 1, 1)
        images: Tensor = (pixels.float() - self.mean.to(device) + shift) / self.unit.to(device)
        return images


def training_loader(
    dataset: Dataset,
    recipe: Recipe,
    batch: int,
    seed: int,
    threads: int,
    kept: Kept | None = None,
    part: tuple[int, int] = (0, 1),
) -> Loader:
    """Batches by the recipe: shuffled, augmented, and what needs no draw done once where it fits in memory.

    part (r, n) is the share of process r of n in each of them.
    """
    fixed, drawn = split(recipe.augment)

    def prepare(pixels: np.ndarray) -> np.ndarray:
        return _transformed(Picture(pixels), fixed, random.Random(0)).pixels

    def augment(pixels: np.ndarray, rng: random.Random) -> Views:
        picture = _transformed(Picture(pixels), drawn, rng)
        return Views(picture.pixels, picture.shift)

    loader = Loader(dataset, batch=batch, fixed=prepare, drawn=augment, seed=seed, threads=threads, kept=kept)
    loader.part = part
    return loader


def judging_loader(dataset: Dataset, protocol: Crops, batch: int, threads: int, kept: Kept | None = None) -> Loader:
    """The protocol's views of every image, in the data set's order, nothing drawn."""
    cut = cutter(protocol)

    def look(pixels: np.ndarray) -> np.ndarray:
        return cut(pixels, random.Random(0))

    def same(pixels: np.ndarray, rng: random.Random) -> Views:
        return Views(pixels, NO_SHIFT)

    return Loader(dataset, batch=batch, fixed=look, drawn=same, threads=threads, kept=kept)


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
    return OnDevice(loader.epoch(place.epoch, first=place.step), normal, device)


def normal_of(dataset: Dataset, recipe: Recipe, protocol: Crops, threads: int) -> Normal:
    """Mean and deviation of the central crops of the data set, or of SAMPLED of them evenly spaced."""
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(SAMPLED, len(dataset))).round().astype(int))
    center = Crops(layout="center", short_sides=protocol.short_sides[:1], size=protocol.size)
    loader = judging_loader(Chosen(dataset, chosen), center, 64, threads, Kept(0))
    # Sums of integers up to 255² are exact in float64 whatever the order, so the mean is the same on every machine.
    total, squares, count = np.zeros((center.size, center.size, 3)), np.zeros(3), 0
    for batch in loader.epoch(0):
        pixels = batch.pixels[:, 0].astype(np.float64)
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=(0, 1, 2))
        count += len(pixels)
    image = total / count
    mean = image.mean(axis=(0, 1))
    deviation = np.sqrt(np.maximum(squares / (count * center.size**2) - mean**2, 1e-6))
    subtracted = image if recipe.mean == "pixel" else mean[None, None]
    unit = deviation if recipe.unit == "deviation" else np.ones(3)
    return Normal(
        torch.from_numpy(np.moveaxis(subtracted, -1, 0).astype(np.float32)),
        torch.from_numpy(unit.astype(np.float32)).reshape(3, 1, 1),
    )


class Chosen:
    """Some samples of a data set, as a data set."""

    def __init__(self, dataset: Dataset, indices: np.ndarray) -> None:
        self.classes = dataset.classes
        self._dataset, self._indices = dataset, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[int(self._indices[index])]


def _transformed(picture: Picture, steps: tuple[Augmentation, ...], rng: random.Random) -> Picture:
    for step in steps:
        picture = apply(step, picture, rng)
    return picture
