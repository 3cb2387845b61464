"""Where a protocol looks: geometry by the papers."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.predict.predict import cutter
from ilsvrc.predict.views import View, center, corners_and_center, count, views
from ilsvrc.spec import Crops


def numbered(height: int, width: int) -> np.ndarray:
    """Pixels that say where they are: column in red, row in green."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(width), np.arange(height)[:, None]
    return pixels


def test_ten_crops_are_four_corners_and_the_centre_of_the_central_square_and_their_mirrors():
    # Krizhevsky et al. 2012, sections 2 and 4.1: the central 256 of 341 columns; crops of 224.
    found = list(views(Crops(layout="ten", short_sides=(256,), size=224), 341, 256, 256))
    boxes = [view.box for view in found]
    left = (341 - 256) // 2
    wanted = [
        (left, 0, left + 224, 224),
        (left + 32, 0, left + 256, 224),
        (left, 32, left + 224, 256),
        (left + 32, 32, left + 256, 256),
        (left + 16, 16, left + 240, 240),
    ]
    assert boxes == wanted * 2
    assert [view.mirror for view in found] == [False] * 5 + [True] * 5


LAYOUTS = {"center": 1, "ten": 10, "twelve": 12, "googlenet": 36, "grid": 50}


@given(st.integers(8, 60), st.integers(8, 60), st.sampled_from(sorted(LAYOUTS)), st.data())
def test_every_view_is_a_square_inside_the_image(width: int, height: int, layout: str, data: st.DataObject):
    side = min(width, height)
    size = data.draw(st.integers(1, side))
    protocol = Crops(layout=layout, short_sides=(side,), size=size)
    found = list(views(protocol, width, height, side))
    assert len(found) == count(protocol) == LAYOUTS[layout]
    for view in found:
        left, top, right, bottom = view.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert right - left == bottom - top
        assert right - left in ((size, side) if layout in ("twelve", "googlenet") else (size,))


def test_the_tenth_crop_is_the_mirrored_centre():
    protocol = Crops(layout="ten", short_sides=(40,), size=32)
    seen = cutter(protocol)(numbered(40, 60), random.Random(0))
    (only,) = cutter(Crops(layout="center", short_sides=(40,), size=32))(numbered(40, 60), random.Random(0))
    assert seen.shape == (10, 32, 32, 3)
    assert np.array_equal(seen[9], only[:, ::-1])
    assert np.array_equal(seen[4], only)


def test_the_sixth_to_tenth_crops_mirror_the_first_five():
    seen = cutter(Crops(layout="ten", short_sides=(40,), size=32))(numbered(40, 60), random.Random(0))
    assert np.array_equal(seen[5:], seen[:5, :, ::-1])


def test_one_crop_is_the_central_square():
    assert list(views(Crops(layout="center", short_sides=(256,), size=224), 341, 256, 256)) == [
        View(256, (58, 16, 282, 240), mirror=False)
    ]
    (only,) = cutter(Crops(layout="center", short_sides=(40,), size=32))(numbered(40, 60), random.Random(0))
    assert (int(only[0, 0, 0]), int(only[0, 0, 1])) == (14, 4)


def test_an_odd_rest_puts_the_spare_row_and_column_behind():
    assert center(7, 6, 4) == (1, 1, 5, 5)
    assert list(corners_and_center((0, 0, 7, 7), 4))[-1] == (1, 1, 5, 5)


def test_several_short_sides_are_looked_at_in_turn():
    protocol = Crops(layout="ten", short_sides=(36, 48), size=32)
    seen = cutter(protocol)(numbered(48, 96), random.Random(0))
    assert seen.shape == (20, 32, 32, 3)
    alone = cutter(Crops(layout="ten", short_sides=(48,), size=32))(numbered(48, 96), random.Random(0))
    assert np.array_equal(seen[10:], alone)


@pytest.mark.parametrize("shape", [(10, 10), (1, 90), (200, 3), (32, 32)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_small_and_narrow_images_are_enlarged_until_the_crop_fits(layout: str, shape: tuple[int, int]):
    seen = cutter(Crops(layout=layout, short_sides=(16,), size=32))(numbered(*shape), random.Random(0))
    assert seen.shape == (LAYOUTS[layout], 32, 32, 3)


def test_looking_draws_nothing_and_changes_nothing():
    pixels = numbered(40, 60)
    pixels.flags.writeable = False
    rng = random.Random(3)
    before = rng.getstate()
    cutter(Crops(layout="ten", short_sides=(40,), size=32))(pixels, rng)
    assert rng.getstate() == before
