"""A recipe's `augment` tuple as one function from a picture to a picture.

The leading steps that draw nothing (a fixed short side, a warp, a central square) are the same in every
epoch; `split` separates them, so that a loader may keep their result.
"""

import random
from collections.abc import Callable

from ilsvrc.errors import SpecError
from ilsvrc.spec import (
    AreaCrop,
    Augmentation,
    CenterSquare,
    ColorJitter,
    Mirror,
    PcaLighting,
    RandomCrop,
    Rotation,
    ShortSide,
    TenCrop,
    Warp,
)
from ilsvrc.transforms import color, geometry
from ilsvrc.transforms.picture import Picture

Transform = Callable[[Picture, random.Random], Picture]


def pipeline(augment: tuple[Augmentation, ...]) -> Transform:
    """All steps, left to right."""

    def transform(picture: Picture, rng: random.Random) -> Picture:
        for step in augment:
            picture = apply(step, picture, rng)
        return picture

    return transform


def split(augment: tuple[Augmentation, ...]) -> tuple[tuple[Augmentation, ...], tuple[Augmentation, ...]]:
    """The leading steps that draw nothing, and the rest."""
    count = 0
    while count < len(augment) and not _draws(augment[count]):
        count += 1
    return augment[:count], augment[count:]


def check(augment: tuple[Augmentation, ...], size: int) -> None:
    """Raise SpecError unless the last cut leaves squares of `size` pixels."""
    sizes = [step.size for step in augment if isinstance(step, Warp | CenterSquare | RandomCrop | TenCrop | AreaCrop)]
    if not sizes or sizes[-1] != size:
        found = f"{sizes[-1]} pixels" if sizes else "whole images"
        raise SpecError(f"the recipe's augmentation ends in {found} and the network takes {size}; add a crop of {size}")


def _draws(step: Augmentation) -> bool:
    if isinstance(step, ShortSide):
        return step.low != step.high
    return not isinstance(step, CenterSquare | Warp)


def apply(step: Augmentation, picture: Picture, rng: random.Random) -> Picture:
    """One step."""
    match step:
        case ShortSide(low, high):
            return geometry.short_side(picture, low if low == high else rng.randint(low, high))
        case Warp(size):
            return geometry.resized(picture, size, size)
        case CenterSquare(size):
            return geometry.center_square(picture, size)
        case RandomCrop(size):
            return geometry.random_crop(picture, rng, size)
        case TenCrop(size):
            return geometry.ten_crop(picture, rng, size)
        case AreaCrop(size, low):
            return geometry.area_crop(picture, rng, size, low)
        case Mirror():
            return geometry.mirror(picture, rng, 0.5)
        case Rotation(degrees):
            return geometry.rotate(picture, rng, degrees)
        case PcaLighting(std, axes):
            return color.pca_lighting(picture, rng, std, axes)
        case ColorJitter(strength):
            return color.color_jitter(picture, rng, strength)
