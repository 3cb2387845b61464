"""The pictures of the mini set: the same everywhere, legible, tightly boxed, and without leakage between splits."""

import ast
import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest

from ilsvrc.data import mini_pictures
from ilsvrc.data.mini_pictures import SPLITS, Draws, draw, draw_crowd, label_of, sources

PIXELS = "01ab2cb305776061"


def digest(chunks) -> str:
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()[:16]


def luma(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(float) @ (0.299, 0.587, 0.114)


def test_seed_0_draws_these_pixels_on_every_machine():
    pictures = [draw(0, split, index) for split in SPLITS for index in range(20)]
    pictures += [draw_crowd(0, split, index) for split in SPLITS for index in range(5)]
    assert digest(array.tobytes() for p in pictures for array in (p.pixels, p.boxes.astype("<i8"))) == PIXELS


def test_no_float_decides_a_pixel():
    source = ast.parse(Path(mini_pictures.__file__).read_text())
    for node in ast.walk(source):
        assert not isinstance(node, ast.Div), "a true division"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), f"{node.value}"
    assert all(array.dtype.kind in "iu" for array in (sources().fields, *sources().tiles["train"]))


def test_another_seed_draws_other_pictures():
    assert draw(0, "train", 0).pixels.tobytes() != draw(1, "train", 0).pixels.tobytes()
    assert [label_of(0, "val", k) for k in range(20)] != [label_of(1, "val", k) for k in range(20)]


def test_no_digit_is_in_two_splits_and_none_is_left_out():
    for digit in range(10):
        used = [set(sources().digits[split][digit].tolist()) for split in SPLITS]
        assert all(not a & b for a, b in itertools.combinations(used, 2))
        assert len(set().union(*used)) == sum(map(len, used)) >= 174
    assert sum(len(a) for split in SPLITS for a in sources().digits[split]) == 1797


def test_no_pixel_of_a_photograph_is_in_two_splits():
    regions = {split: sources().tiles[split] + sources().textures[split] for split in SPLITS}
    for first, second in itertools.combinations(SPLITS, 2):
        assert not any(np.shares_memory(a, b) for a in regions[first] for b in regions[second])


def test_a_split_draws_from_its_own_digits_and_tiles_alone(monkeypatch):
    whole = sources()
    only_val = mini_pictures.Sources(
        whole.fields,
        {"val": whole.digits["val"]},
        {"val": whole.tiles["val"]},
        {"val": whole.textures["val"]},
    )
    expected = [draw(0, "val", index).pixels for index in range(8)]
    monkeypatch.setattr(mini_pictures, "sources", lambda: only_val)
    assert all(np.array_equal(draw(0, "val", index).pixels, expected[index]) for index in range(8))


@pytest.mark.parametrize("split", SPLITS)
def test_every_twenty_pictures_hold_each_class_once(split):
    labels = [label_of(3, split, index) for index in range(60)]
    assert all(sorted(labels[start : start + 20]) == list(range(20)) for start in (0, 20, 40))
    assert labels[:20] != labels[20:40] != list(range(20))


def test_pictures_are_96_to_160_pixels_on_a_side():
    sides = [side for index in range(60) for side in draw(0, "train", index).pixels.shape[:2]]
    assert 96 <= min(sides) < 105
    assert 150 < max(sides) <= 160


def test_an_object_lies_in_the_central_square_and_is_half_of_it_or_more():
    for index in range(60):
        picture = draw(0, "train", index)
        height, width = picture.pixels.shape[:2]
        side = min(height, width)
        ((xmin, ymin, xmax, ymax),) = picture.boxes.tolist()
        assert (width - side) // 2 <= xmin <= xmax < (width + side + 1) // 2
        assert (height - side) // 2 <= ymin <= ymax < (height + side + 1) // 2
        assert 0.5 <= max(ymax - ymin + 1, xmax - xmin + 1) / side <= 0.95


@pytest.mark.parametrize("label", [0, 3, 9, 14, 17])
def test_the_box_is_tight_about_what_was_painted(label, monkeypatch):
    monkeypatch.setattr(mini_pictures, "texture", lambda draws, split, height, width, color: np.array(color, np.int16))
    for index in range(8):
        pixels = np.zeros((120, 140, 3), np.int16)
        xmin, ymin, xmax, ymax = mini_pictures.paint(pixels, Draws(0, 0, index), "train", label, (0, 0, 140, 120), 80)
        painted = luma(pixels)
        painted[ymin : ymax + 1, xmin : xmax + 1] = 0
        assert not painted.any()
        inside = luma(pixels)[ymin : ymax + 1, xmin : xmax + 1]
        assert all(edge.max() >= 0.49 * inside.max() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


def test_an_object_is_much_lighter_than_what_it_covers():
    for index in range(40):
        draws, seen = Draws(5, 0, index), {}
        before = mini_pictures.background(draws, "train", 120, 120)
        after = before.copy()
        seen["box"] = mini_pictures.paint(after, draws, "train", index % 20, (0, 0, 120, 120), 80)
        changed = np.abs(after - before).sum(-1) > 40
        assert luma(after)[changed].mean() - luma(before)[changed].mean() > 45


def test_a_flat_digit_has_one_colour_and_a_textured_one_many():
    for index in range(20):
        spread = []
        for label in (16, 17):
            pixels = np.zeros((120, 120, 3), np.int16)
            mini_pictures.paint(pixels, Draws(0, 0, index), "train", label, (0, 0, 120, 120), 100)
            solid = luma(pixels)
            spread.append(np.percentile(solid[solid > 0], 75) - np.percentile(solid[solid > 0], 25))
        assert spread[0] < 12 < spread[1]


def test_a_digit_is_turned_at_most_twenty_degrees():
    k = mini_pictures.ROTATION
    assert 19 < np.degrees(2 * np.arctan(k / 256)) < 21


def test_a_crowd_has_two_to_five_objects_that_do_not_touch():
    counts = set()
    for index in range(60):
        picture = draw_crowd(0, "train", index)
        height, width = picture.pixels.shape[:2]
        counts.add(len(picture.boxes))
        assert len(picture.labels) == len(picture.boxes)
        assert (picture.boxes[:, :2] >= 0).all()
        assert (picture.boxes[:, 2:] < (width, height)).all()
        for a, b in itertools.combinations(picture.boxes.tolist(), 2):
            assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    assert counts == {2, 3, 4, 5}
