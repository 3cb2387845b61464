"""Colour noise: the papers' laws, drawn from the passed generator alone."""

import random

import numpy as np
import pytest

from ilsvrc.transforms.color import color_jitter, pca_lighting
from ilsvrc.transforms.picture import Picture

# fb.resnet.torch: RGB, pixels in [0, 1].
VALUES = np.array([0.2175, 0.0188, 0.0045])
VECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])


def noise(seed: int = 0) -> Picture:
    return Picture(np.random.default_rng(seed).integers(0, 256, (12, 10, 3), dtype=np.uint8))


def test_lighting_is_one_colour_per_image_along_the_principal_components():
    # Krizhevsky et al. 2012, section 4.1: [p1 p2 p3][a1 l1, a2 l2, a3 l3], a ~ N(0, 0.1).
    rng = random.Random(0)
    shifts = np.array([pca_lighting(noise(), rng, 0.1).shift for _ in range(4000)]) / 255
    wanted = VECTORS @ np.diag((0.1 * VALUES) ** 2) @ VECTORS.T
    assert shifts.mean(axis=0) == pytest.approx(0, abs=1e-3)
    assert np.cov(shifts.T) == pytest.approx(wanted, rel=0.1, abs=2e-6)


def test_lighting_of_std_one_tenth_is_about_three_grey_levels():
    rng = random.Random(0)
    shifts = np.array([pca_lighting(noise(), rng, 0.1).shift for _ in range(2000)])
    assert shifts.std(axis=0) == pytest.approx([3.16, 3.22, 3.26], abs=0.2)


def test_lighting_leaves_pixels_alone_and_adds_to_what_is_there():
    picture = Picture(noise().pixels, shift=np.array([1, 2, 3], np.float32))
    lit = pca_lighting(picture, random.Random(5), 0.1)
    assert lit.pixels is picture.pixels
    assert lit.shift.dtype == np.float32
    fresh = pca_lighting(noise(), random.Random(5), 0.1)
    assert lit.shift - fresh.shift == pytest.approx([1, 2, 3], abs=1e-5)
    assert picture.shift.tolist() == [1, 2, 3]


def test_no_strength_changes_nothing():
    assert np.array_equal(color_jitter(noise(), random.Random(0), 0.0).pixels, noise().pixels)
    assert pca_lighting(noise(), random.Random(0), 0.0).shift.tolist() == [0, 0, 0]


def test_the_brightness_of_a_flat_grey_is_uniform_within_its_strength():
    # Contrast and saturation leave a flat grey as it is: what is left is brightness.
    grey, rng = Picture(np.full((4, 4, 3), 100, np.uint8)), random.Random(1)
    levels = np.array([color_jitter(grey, rng, 0.4).pixels[0, 0, 0] for _ in range(2000)])
    assert (levels.min(), levels.max()) == (60, 140)
    assert np.quantile(levels, [0.25, 0.5, 0.75]) == pytest.approx([80, 100, 120], abs=4)


def test_values_are_clipped_not_wrapped():
    bright, rng = Picture(np.full((2, 2, 3), 250, np.uint8)), random.Random(3)
    levels = [int(color_jitter(bright, rng, 0.5).pixels[0, 0, 0]) for _ in range(200)]
    assert max(levels) == 255
    assert min(levels) >= 124


class Script(random.Random):
    """Draws what it is told: brightness, contrast, saturation, in this order."""

    def __new__(cls, *draws: float):
        return super().__new__(cls)

    def __init__(self, *draws: float) -> None:
        super().__init__(0)
        self.draws = list(draws)

    def uniform(self, a: float, b: float) -> float:
        return self.draws.pop(0)

    def shuffle(self, x: object) -> None:
        pass


def test_contrast_stretches_every_value_about_the_mean_luma_of_the_image():
    # Lumas: 0.299 * 100 + 0.587 * 60 + 0.114 * 40 = 69.68 and 0; their mean is 34.84.
    half = Picture(np.array([[[100, 60, 40]], [[0, 0, 0]]], np.uint8))
    stretched = color_jitter(half, Script(0.0, 0.5, 0.0), 0.5).pixels
    wanted = [[34.84 + 1.5 * (level - 34.84) for level in row] for row in ((100, 60, 40), (0, 0, 0))]
    assert stretched[:, 0].tolist() == [[round(max(0, level)) for level in row] for row in wanted]


def test_saturation_stretches_every_value_about_the_luma_of_its_pixel():
    half = Picture(np.array([[[100, 60, 40]], [[90, 90, 90]]], np.uint8))
    faded = color_jitter(half, Script(0.0, 0.0, -0.5), 0.5).pixels
    assert faded[:, 0].tolist() == [[round(69.68 + 0.5 * (level - 69.68)) for level in (100, 60, 40)], [90, 90, 90]]
