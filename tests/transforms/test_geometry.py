"""Resizing, cutting and mirroring: boxes go where their pixels go."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture


def painted(height: int, width: int, box: tuple[int, int, int, int]) -> Picture:
    """Black, with a white rectangle whose box, both edges inside, is the picture's one box."""
    xmin, ymin, xmax, ymax = box
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[ymin : ymax + 1, xmin : xmax + 1] = 255
    return Picture(pixels, np.array([box], np.float32))


def seen(pixels: np.ndarray) -> tuple[int, int, int, int] | None:
    """The box of the white pixels: what a person would draw round them."""
    rows, columns = np.nonzero(pixels[..., 0] >= 128)
    if len(rows) == 0:
        return None
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


@st.composite
def pictures(draw: st.DrawFn, least: int = 12, most: int = 40) -> Picture:
    height, width = draw(st.integers(least, most)), draw(st.integers(least, most))
    xmin, ymin = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    xmax, ymax = draw(st.integers(xmin, width - 1)), draw(st.integers(ymin, height - 1))
    return painted(height, width, (xmin, ymin, xmax, ymax))


def drawn_box(picture: Picture) -> tuple[float, ...] | None:
    """The picture's one box as a tuple, or None where it is empty."""
    xmin, ymin, xmax, ymax = picture.boxes[0].tolist()
    return None if xmax < xmin or ymax < ymin else (xmin, ymin, xmax, ymax)


@given(pictures())
def test_a_mirrored_box_lies_on_the_mirrored_pixels(picture: Picture):
    mirrored = geometry.mirror(picture, random.Random(0), 1.0)
    assert drawn_box(mirrored) == seen(mirrored.pixels)


@given(pictures())
def test_mirroring_twice_changes_nothing(picture: Picture):
    once = geometry.mirror(picture, random.Random(0), 1.0)
    twice = geometry.mirror(once, random.Random(0), 1.0)
    assert np.array_equal(twice.pixels, picture.pixels)
    assert np.array_equal(twice.boxes, picture.boxes)


def test_column_x_goes_to_width_less_one_less_x():
    pixels = np.zeros((1, 5, 3), np.uint8)
    pixels[0, :, 0] = [10, 11, 12, 13, 14]
    mirrored = geometry.mirror(Picture(pixels, np.array([[0, 0, 1, 0]])), random.Random(0), 1.0)
    assert mirrored.pixels[0, :, 0].tolist() == [14, 13, 12, 11, 10]
    assert mirrored.boxes.tolist() == [[3, 0, 4, 0]]


def test_about_half_of_many_pictures_are_mirrored():
    picture = painted(2, 4, (0, 0, 0, 0))
    rng = random.Random(1)
    mirrored = sum(seen(geometry.mirror(picture, rng, 0.5).pixels) == (3, 0, 3, 0) for _ in range(1000))
    assert 450 < mirrored < 550


@given(pictures(), st.data())
def test_a_cut_box_lies_on_the_pixels_that_are_left(picture: Picture, data: st.DataObject):
    width, height = data.draw(st.integers(1, picture.width)), data.draw(st.integers(1, picture.height))
    left, top = data.draw(st.integers(0, picture.width - width)), data.draw(st.integers(0, picture.height - height))
    part = geometry.cut(picture, left, top, width, height)
    assert part.pixels.shape == (height, width, 3)
    assert drawn_box(part) == seen(part.pixels)


@given(pictures(), st.integers(4, 90), st.integers(4, 90))
def test_a_resized_box_lies_on_the_resized_pixels_to_within_a_pixel(picture: Picture, width: int, height: int):
    xmin, ymin, xmax, ymax = picture.boxes[0]
    resized = geometry.resized(picture, width, height)
    assert resized.pixels.shape == (height, width, 3)
    wide = (xmax + 1 - xmin) * width / picture.width
    high = (ymax + 1 - ymin) * height / picture.height
    found = seen(resized.pixels)
    if min(wide, high) >= 3:  # narrower ones fade into their surroundings
        assert found is not None
        assert np.abs(np.array(found) - resized.boxes[0]).max() <= 1
    edges = resized.boxes[0] + [0, 0, 1, 1]
    assert edges[2] - edges[0] == pytest.approx(wide, abs=1e-4)
    assert edges[3] - edges[1] == pytest.approx(high, abs=1e-4)


def test_a_box_round_the_whole_picture_stays_round_the_whole_picture():
    whole = painted(20, 30, (0, 0, 29, 19))
    assert geometry.resized(whole, 90, 50).boxes[0].tolist() == [0, 0, 89, 49]
    assert geometry.short_side(whole, 7).boxes[0].tolist() == pytest.approx([0, 0, 10 - 1, 6], abs=1e-5)


def test_a_picture_of_that_size_already_is_not_touched():
    picture = painted(20, 30, (1, 2, 3, 4))
    assert geometry.resized(picture, 30, 20) is picture
    assert geometry.short_side(picture, 20) is picture


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64))
def test_the_shorter_side_is_as_long_as_asked_and_the_shape_is_kept(width: int, height: int, pixels: int):
    width, height = min(width, 20 * height), min(height, 20 * width)
    resized = geometry.short_side(Picture(np.zeros((height, width, 3), np.uint8)), pixels)
    assert min(resized.width, resized.height) == pixels
    assert max(resized.width, resized.height) == pytest.approx(
        pixels * max(width, height) / min(width, height), abs=0.5
    )
    assert (resized.width >= resized.height) == (width >= height) or resized.width == resized.height


def test_enlarging_averages_and_shrinking_antialiases():
    stripes = np.zeros((8, 8, 3), np.uint8)
    stripes[:, ::2] = 200
    small = geometry.resized(Picture(stripes), 2, 2).pixels
    assert np.abs(small.astype(int) - 100).max() <= 30, "sampling without antialiasing would give 0 or 200"


@given(pictures(), st.integers(1, 60))
def test_a_centre_square_is_in_the_centre_to_within_half_a_pixel(picture: Picture, size: int):
    square = geometry.center_square(picture, size)
    assert square.pixels.shape == (size, size, 3)
    if size <= min(picture.width, picture.height):
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        assert np.array_equal(square.pixels, picture.pixels[top : top + size, left : left + size])


def test_every_place_that_fits_is_equally_likely():
    numbered = np.arange(5 * 6, dtype=np.uint8).reshape(5, 6, 1).repeat(3, axis=2)
    rng = random.Random(2)
    places = Counter(int(geometry.random_crop(Picture(numbered), rng, 3).pixels[0, 0, 0]) for _ in range(6000))
    assert set(places) == {6 * top + left for top in range(3) for left in range(4)}
    assert max(places.values()) < 1.2 * min(places.values())


@given(pictures(), st.integers(1, 60), st.integers(0, 99))
def test_a_random_crop_of_any_picture_is_a_square_of_that_size(picture: Picture, size: int, seed: int):
    square = geometry.random_crop(picture, random.Random(seed), size)
    assert square.pixels.shape == (size, size, 3)
    if size <= min(picture.width, picture.height):
        assert drawn_box(square) == seen(square.pixels)


def test_ten_crops_are_the_corners_and_the_centre_and_their_mirrors():
    numbered = np.arange(8 * 10, dtype=np.uint8).reshape(8, 10, 1).repeat(3, axis=2)
    rng = random.Random(3)
    crops = [geometry.ten_crop(Picture(numbered), rng, 4).pixels[..., 0] for _ in range(400)]
    corners = Counter((int(crop[0, 0]), int(crop[0, 3])) for crop in crops)
    lefts = [0, 6, 40, 46, 23]  # of top left, top right, bottom left, bottom right and centre, row by row of ten
    assert set(corners) == {(left, left + 3) for left in lefts} | {(left + 3, left) for left in lefts}
    assert min(corners.values()) > 20


def _rectangles(monkeypatch: pytest.MonkeyPatch, picture: Picture, count: int, low: float) -> np.ndarray:
    """left, top, right, bottom of the rectangles that area_crop chooses."""
    chosen: list[tuple[int, int, int, int]] = []
    stretched = geometry.stretched

    def noted(picture: Picture, box: tuple[int, int, int, int], width: int, height: int) -> Picture:
        chosen.append(box)
        return stretched(picture, box, 1, 1)

    monkeypatch.setattr(geometry, "stretched", noted)
    rng = random.Random(4)
    for _ in range(count):
        geometry.area_crop(picture, rng, 8, low)
    return np.array(chosen)


def test_an_area_crop_draws_area_and_ratio_evenly_as_the_paper_says(monkeypatch: pytest.MonkeyPatch):
    # Szegedy et al. 2015, section 6: 8 % to 100 % of the area "evenly", ratio 3/4 to 4/3 ("evenly": not log-uniform).
    left, top, right, bottom = _rectangles(monkeypatch, Picture(np.zeros((400, 400, 3), np.uint8)), 3000, 0.08).T
    area, ratio = (right - left) * (bottom - top) / 400**2, (right - left) / (bottom - top)
    assert area.min() > 0.075
    assert ratio.min() > 0.74
    assert ratio.max() < 1.35
    # Up to 75 % of the area every ratio fits, so that no draw is repeated there.
    free = area < 0.75
    assert np.quantile(area[free], [0.25, 0.5, 0.75]) == pytest.approx([0.2475, 0.415, 0.5825], abs=0.025)
    assert np.quantile(ratio[free], [0.25, 0.5, 0.75]) == pytest.approx([0.896, 1.042, 1.187], abs=0.025)
    assert (left.min(), top.min(), right.max(), bottom.max()) == (0, 0, 400, 400)


def test_an_area_crop_of_a_strip_falls_back_to_the_centre(monkeypatch: pytest.MonkeyPatch):
    boxes = _rectangles(monkeypatch, Picture(np.zeros((10, 800, 3), np.uint8)), 5, 0.5)
    assert boxes.tolist() == [[395, 0, 405, 10]] * 5


@given(pictures(least=24), st.integers(0, 99))
def test_an_area_crop_s_box_follows_its_pixels(picture: Picture, seed: int):
    square = geometry.area_crop(picture, random.Random(seed), 48, 0.3)
    assert square.pixels.shape == (48, 48, 3)
    box, found = drawn_box(square), seen(square.pixels)
    if box is not None and min(box[2] - box[0], box[3] - box[1]) >= 4:
        assert found is not None
        assert np.abs(np.array(found) - np.array(box)).max() <= 2  # a source pixel is up to two pixels wide here
    if box is None:
        assert found is None or min(found[2] - found[0], found[3] - found[1]) <= 1


@given(pictures(), st.integers(4, 90), st.integers(0, 99))
def test_a_box_that_was_cut_away_stays_away_through_everything(picture: Picture, size: int, seed: int):
    rng = random.Random(seed)
    swapped = np.array([[7, 7, 8, 8], [4, 4, 1, 2]], np.float32)  # the second has its corners swapped, as some files do
    away = geometry.cut(replace(painted(9, 9, (7, 7, 8, 8)), boxes=swapped), 0, 0, 5, 5)
    assert away.boxes.tolist() == [[0, 0, -1, -1]] * 2
    away = geometry.rotate(replace(away, boxes=np.array([[4, 4, 1, 2], [3, 3, 2, 4]], np.float32)), rng, 20)
    for step in (
        lambda p: geometry.mirror(p, rng, 1.0),
        lambda p: geometry.rotate(p, rng, 20),
        lambda p: geometry.resized(p, size, size),
        lambda p: geometry.area_crop(p, rng, size, 0.08),
        lambda p: geometry.random_crop(p, rng, 4),
    ):
        away = step(away)
        assert (away.boxes[:, 2:] < away.boxes[:, :2]).all()


class Angle(random.Random):
    """Draws one angle."""

    def __new__(cls, angle: float):
        return super().__new__(cls)

    def __init__(self, angle: float) -> None:
        super().__init__(0)
        self.angle = angle

    def uniform(self, a: float, b: float) -> float:
        assert a <= self.angle <= b
        return self.angle


@given(pictures(least=24), st.floats(-30, 30))
def test_a_turned_box_is_the_smallest_upright_one_about_the_turned_pixels(picture: Picture, angle: float):
    turned = geometry.rotate(picture, Angle(angle), 30)
    assert turned.pixels.shape == picture.pixels.shape
    box, found = drawn_box(turned), seen(turned.pixels)
    xmin, ymin, xmax, ymax = picture.boxes[0]
    if found is None or min(xmax - xmin, ymax - ymin) < 4:
        return  # a pixel or two fade as they turn
    assert box is not None
    apart = np.array([found[0] - box[0], found[1] - box[1], box[2] - found[2], box[3] - found[3]])
    assert apart.min() >= -1, "no pixel of it is outside"
    whole = box[0] > 0 and box[1] > 0 and box[2] < picture.width - 1 and box[3] < picture.height - 1
    if whole:
        assert apart.max() <= 3, "corners are points, so that the last of them fades"


def test_a_quarter_turn_counterclockwise_takes_the_right_edge_to_the_top():
    turned = geometry.rotate(painted(9, 9, (8, 3, 8, 5)), Angle(90), 90)
    assert seen(turned.pixels) == (3, 0, 5, 0)
    assert turned.boxes[0].tolist() == pytest.approx([3, 0, 5, 0], abs=1e-4)


def test_angles_are_uniform_within_their_limits_and_the_outside_is_black():
    white, rng = painted(21, 21, (0, 0, 20, 20)), random.Random(1)
    corners = [geometry.rotate(white, rng, 10).pixels[0, 0, 0] for _ in range(200)]
    assert max(corners) > 200
    assert min(corners) == 0
    assert geometry.rotate(white, Angle(0.0), 10).pixels.min() == 255
    draws = [rng.uniform(-10, 10) for _ in range(9)]
    again = random.Random(1)
    for _ in range(200):
        again.uniform(-10, 10)
    assert [again.uniform(-10, 10) for _ in range(9)] == draws, "one draw per picture"


def test_a_crop_of_some_area_needs_no_rows_below_it():
    picture = painted(60, 80, (10, 10, 40, 30))
    part = geometry.area_part(80, 60, random.Random(3), 0.08)
    upper = Picture(picture.pixels[: part[3]], picture.boxes)
    one, other = geometry.stretched(upper, part, 32, 32), geometry.area_crop(picture, random.Random(3), 32, 0.08)
    assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(one.boxes, other.boxes)


def test_pictures_without_boxes_go_through_everything():
    picture, rng = Picture(np.zeros((20, 30, 3), np.uint8)), random.Random(0)
    for result in (
        geometry.short_side(picture, 16),
        geometry.random_crop(picture, rng, 16),
        geometry.ten_crop(picture, rng, 16),
        geometry.area_crop(picture, rng, 16, 0.08),
        geometry.mirror(picture, rng, 1.0),
        geometry.rotate(picture, rng, 10),
    ):
        assert result.boxes.shape == (0, 4)
