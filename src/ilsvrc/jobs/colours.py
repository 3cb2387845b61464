"""Statistics of a data set as a training takes them: its mean, its unit, and the axes of colour noise."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Normal, Splits
from ilsvrc.jobs.statistics import Statistics, of_classes, read_statistics
from ilsvrc.spec import PcaLighting, Recipe


@dataclass(frozen=True, eq=False)
class Colours:
    """Statistics, and the file they are of."""

    path: Path
    found: Statistics

    def taken_by(self, recipe: Recipe) -> Recipe:
        """The recipe with these axes in its colour noise, each as long as the standard deviation along it."""
        found = self.found
        lengths = found.eigenvectors * np.sqrt(found.eigenvalues)
        axes = tuple((float(a), float(b), float(c)) for a, b, c in lengths)
        augment = tuple(replace(each, axes=axes) if isinstance(each, PcaLighting) else each for each in recipe.augment)
        lit = " and axes of colour noise" if augment != recipe.augment else ""
        said = f"mean, deviation{lit} of {self.of}"
        return replace(recipe, augment=augment, gaps=(*recipe.gaps, said))

    @property
    def of(self) -> str:
        """What they were computed from, in a few words."""
        source = self.found.source
        return f"{source.images:,} images of {source.data}, {source.split}"

    def normal(self, recipe: Recipe, size: int) -> Normal:
        """What is subtracted and what is divided by. Raises SpecError where a mean image is wanted and none fits."""
        found = self.found
        subtracted = {"pixel": found.mean_image, "channel": found.mean, "middle": np.full(3, 0.5)}[recipe.mean]
        if subtracted is None or (recipe.mean == "pixel" and subtracted.shape != (size, size, 3)):
            there = "has no mean image" if subtracted is None else f"has one of {len(subtracted)} pixels on a side"
            raise SpecError(
                f"the recipe subtracts a mean image of {size} pixels, and {self.path} {there}; "
                f"write it with ilsvrc statistics --size {size}"
            )
        ones, deviation = np.full(3, 1 / 255), np.maximum(found.deviation, 1e-3 / 255)
        unit = {"grey level": ones, "deviation": deviation, "half range": np.full(3, 0.5)}[recipe.unit]
        return Normal(_planes(subtracted), _planes(unit))

    def check(self, recipe: Recipe, size: int, splits: Splits) -> None:
        """Raise SpecError unless these are statistics that the recipe can take, of the classes it trains on."""
        lit = any(isinstance(each, PcaLighting) for each in recipe.augment)
        if recipe.mean == "middle" and recipe.unit != "deviation" and not lit:
            raise SpecError(f"the recipe takes nothing from a data set's statistics; leave {self.path} out")
        self.normal(recipe, size)
        wnids, source = splits.train.classes.wnids, self.found.source
        if source.classes and source.classes != of_classes(wnids):
            raise SpecError(
                f"{self.path} is of {source.data}, which has other classes than {splits.path}; "
                f"write those of the data to train on with ilsvrc statistics {splits.path}"
            )

    def as_json(self) -> dict[str, Any]:
        """What decides a training, and what it was computed from."""
        said = self.found.as_json()
        image = self.found.mean_image
        digest = {} if image is None else {"mean_image": hashlib.sha256(image.tobytes()).hexdigest()[:12]}
        numbers = {name: said[name] for name in ("mean", "deviation", "eigenvalues", "eigenvectors")}
        return {"computed_from": self.of} | numbers | digest


def read_colours(path: Path) -> Colours:
    """The statistics in a file. Raises DataError when it cannot be read."""
    return Colours(path, read_statistics(path))


def _planes(values: np.ndarray) -> torch.Tensor:
    """(3,) or (S, S, 3) as fractions of 255 -> (3, 1, 1) or (3, S, S) on the 0-255 scale."""
    planes = values.reshape(*(values.shape[:-1] or (1, 1)), 3)
    return torch.from_numpy(np.moveaxis(255.0 * planes.astype(np.float64), -1, 0).astype(np.float32))
