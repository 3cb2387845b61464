"""What a network that judges proposals again is shown: regions of images, warped, and what each teaches."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ilsvrc.data.batch import Views
from ilsvrc.data.decode import Image
from ilsvrc.data.kept import Prepared
from ilsvrc.data.loader import Epoch, Loader, Treatment
from ilsvrc.data.sample import Dataset, Sample
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Feed, Normal
from ilsvrc.jobs.localize_propose import Proposed
from ilsvrc.spec import ColorJitter, Mirror, PcaLighting, Recipe, Regions
from ilsvrc.tasks.class_regions import drawn, taught
from ilsvrc.tasks.localize import holds_pixels
from ilsvrc.tasks.warp import warped_levels
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.pipeline import apply
from ilsvrc.transforms.resample import alone, by_themselves

REGION = -1  # the label of a box that is proposed

RegionBatch = tuple[Tensor, Tensor]  # warped regions, and (R, 6): label, 1 for an object, four offsets


class WithProposals:
    """Those samples of a data set that have proposals, which stand behind the boxes of its own label."""

    def __init__(self, dataset: Dataset, proposed: Proposed) -> None:
        self.classes = dataset.classes
        self.root = getattr(dataset, "root", None)
        self._dataset, self._proposed, self._places = dataset, proposed, proposed.some()

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        place = int(self._places[index])
        sample, regions = self._dataset[place], self._proposed.of(place)
        assert sample.boxes is not None
        assert sample.box_labels is not None
        objects = sample.boxes[holds_pixels(sample.boxes) & (sample.box_labels == sample.label)]
        labels = np.r_[np.full(len(objects), sample.label), np.full(len(regions), REGION)]
        return replace(sample, boxes=np.concatenate([objects, regions]).astype(np.float32), box_labels=labels)


@dataclass(frozen=True)
class Warp:
    """How regions are cut: to squares of `size` pixels, `outside` (3 grey levels) where the image ends."""

    size: int
    around: int
    outside: tuple[float, ...]

    def __call__(self, pixels: Tensor, regions: Tensor) -> Tensor:
        """(R, 3, size, size) in whole grey levels, of an image (3, H, W) of 0 to 255 and regions (R, 4)."""
        outside = pixels.new_tensor(self.outside).reshape(3, 1, 1)
        return warped_levels(pixels, regions, self.size, self.around, outside)


def warp_of(size: int, how: Regions, normal: Normal) -> Warp:
    """How regions are cut for a network that is shown what `normal` makes of them. Raises SpecError where it cannot."""
    if size <= 2 * how.around:
        raise SpecError(f"{how.around} pixels around a region leave nothing of {size}; take fewer")
    return Warp(size, how.around, tuple(normal.mean.mean(dim=(1, 2)).tolist()))


def region_loader(dataset: WithProposals, how: Regions, recipe: Recipe, warp: Warp, seed: int, feed: Feed) -> Loader:
    """Batches of `recipe.batch` images, of each `regions_taught` regions; the boxes are those and then their objects.

    Raises SpecError for an augmentation that cuts.
    """
    for step in recipe.augment:
        if not isinstance(step, Mirror | PcaLighting | ColorJitter):
            raise SpecError(f"a recipe of regions has the augmentation {step}, which cuts images; leave it out")

    def augment(image: Image | Prepared, rng: random.Random) -> Views:
        assert image.boxes is not None
        assert image.box_labels is not None
        boxes = image.boxes.astype(np.float32)
        objects = geometry.inside(boxes[image.box_labels != REGION], image.width, image.height)
        boxes = np.concatenate([objects, boxes[len(objects) :]])
        picture = Picture(image.pixels(), boxes, resampler=feed.reading.decoder)
        for step in recipe.augment:
            picture = apply(step, picture, rng)
        moved = torch.from_numpy(np.ascontiguousarray(picture.boxes))
        own, regions = moved[: len(objects)], moved[len(objects) :]
        rows, nearest = drawn(regions, own, how, rng)
        pixels = torch.from_numpy(np.ascontiguousarray(picture.pixels)).movedim(-1, 0).float()
        cut = warp(pixels, regions[rows]).movedim(1, -1).to(torch.uint8).numpy()
        return Views(cut, picture.shift, torch.cat([regions[rows], own[nearest]]).numpy())

    treatment = Treatment(
        drawn=augment, boxes=True, reading=feed.reading, substitute=True, begin=by_themselves, alone=alone
    )
    return Loader(dataset, treatment, batch=recipe.batch, seed=seed, threads=feed.threads, kept=feed.kept)


class TaughtRegions:
    """An epoch's batches as warped regions and, (R, 6), what they teach."""

    def __init__(self, epoch: Epoch, normal: Normal, device: torch.device, how: Regions) -> None:
        self._epoch, self._normal, self._device, self._how = epoch, normal, device, how

    def __len__(self) -> int:
        return len(self._epoch)

    def __iter__(self) -> Iterator[RegionBatch]:
        for batch in self._epoch:
            assert batch.boxes is not None
            pairs = np.stack([boxes.reshape(2, -1, 4) for boxes in batch.boxes if boxes is not None], axis=1)
            regions, objects = (torch.from_numpy(each).flatten(0, 1) for each in pairs)
            is_object, offsets = taught(regions, objects, self._how)
            labels = torch.from_numpy(batch.labels).repeat_interleave(pairs.shape[2])
            said = torch.cat([labels[:, None].float(), is_object[:, None], offsets], dim=1)
            yield self._normal.images(batch, self._device).flatten(0, 1), said.to(self._device)
