"""A recipe's augmentation as one function, every draw from the passed generator."""

import random
from typing import get_args

import numpy as np
import pytest

from ilsvrc.entries.recipes import PAPER
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
from ilsvrc.transforms.picture import Picture
from ilsvrc.transforms.pipeline import apply, check, pipeline, split

STEPS: tuple[Augmentation, ...] = (
    ShortSide(20, 30),
    Warp(22),
    CenterSquare(18),
    RandomCrop(16),
    TenCrop(12),
    AreaCrop(24),
    Mirror(),
    Rotation(10),
    PcaLighting(0.1),
    ColorJitter(0.4),
)
RECIPES = {recipe.source: recipe for recipe in PAPER.values()}


def noise(height: int = 40, width: int = 50) -> Picture:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture(pixels, np.array([[3, 4, 30, 20]], np.float32))


def same(one: Picture, other: Picture) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("pixels", "boxes", "shift"))


def test_every_kind_of_augmentation_is_tested_here():
    assert {type(step) for step in STEPS} == set(get_args(Augmentation))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_a_step_is_a_function_of_the_picture_and_the_generator_alone(step: Augmentation):
    everywhere = random.getstate(), np.random.get_state()[1].tolist()
    results = [apply(step, noise(), random.Random(7)) for _ in range(2)]
    assert same(*results)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == everywhere


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_a_step_never_changes_its_input(step: Augmentation):
    picture = noise()
    for array in (picture.pixels, picture.boxes, picture.shift):
        array.flags.writeable = False  # a step that writes in place raises
    for seed in range(5):
        apply(step, picture, random.Random(seed))
    assert same(picture, noise())


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_what_draws_differs_between_generators_and_what_does_not_is_split_off(step: Augmentation):
    results = [apply(step, noise(), random.Random(seed)) for seed in range(8)]
    draws = any(not same(results[0], other) for other in results[1:])
    fixed, drawn = split((step,))
    assert (fixed, drawn) == (((), (step,)) if draws else ((step,), ()))


def test_a_warp_is_the_whole_picture_whatever_its_shape():
    wide = Picture(np.arange(40, dtype=np.uint8)[None, :, None].repeat(20, axis=0).repeat(3, axis=2))
    square = apply(Warp(20), wide, random.Random(0))
    assert square.pixels.shape == (20, 20, 3)
    assert [int(grey) for grey in square.pixels[5, [0, 10, 19], 0]] == pytest.approx([0, 20, 39], abs=1)


def test_a_short_side_of_one_length_draws_nothing():
    assert split((ShortSide(72, 72), CenterSquare(72), RandomCrop(64), CenterSquare(60))) == (
        (ShortSide(72, 72), CenterSquare(72)),
        (RandomCrop(64), CenterSquare(60)),
    )
    assert split((ShortSide(256, 480), CenterSquare(72)))[0] == ()
    assert split(()) == ((), ())


@pytest.mark.parametrize("source", RECIPES)
def test_what_is_split_off_and_the_rest_give_the_whole(source: str):
    augment = RECIPES[source].augment
    fixed, drawn = split(augment)
    once = pipeline(fixed)(noise(), random.Random(0))
    assert same(pipeline(drawn)(once, random.Random(3)), pipeline(augment)(noise(), random.Random(3)))


@pytest.mark.parametrize("source", RECIPES)
def test_a_recipe_makes_squares_of_its_size_from_any_image(source: str):
    size = next(step.size for step in reversed(RECIPES[source].augment) if hasattr(step, "size"))
    assert size in (221, 224, 227, 231, 299)
    for height, width in ((300, 400), (100, 40), (1, 1)):
        made = pipeline(RECIPES[source].augment)(noise(height, width), random.Random(0))
        assert made.pixels.shape == (size, size, 3)
        assert made.pixels.dtype == np.uint8


def test_short_sides_are_drawn_evenly_with_both_ends():
    rng = random.Random(0)
    sides = [min(apply(ShortSide(20, 23), noise(), rng).pixels.shape[:2]) for _ in range(400)]
    assert set(sides) == {20, 21, 22, 23}
    assert min(sides.count(side) for side in set(sides)) > 70


def test_a_recipe_that_ends_in_another_size_is_refused():
    check((ShortSide(256, 256), CenterSquare(256), RandomCrop(224), Mirror()), 224)
    check((AreaCrop(224), Mirror(), ColorJitter(0.4)), 224)
    with pytest.raises(SpecError, match="ends in 224 pixels and the network takes 227; add a crop of 227"):
        check((ShortSide(256, 256), RandomCrop(224)), 227)
    with pytest.raises(SpecError, match="ends in whole images and the network takes 64"):
        check((ShortSide(64, 64), Mirror()), 64)
