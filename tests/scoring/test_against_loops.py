"""The verdicts against the same rules written as plain loops, on random small problems full of ties and edges."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilsvrc.errors import DataError
from ilsvrc.scoring.detection import detect
from ilsvrc.scoring.localization import Objects, localization_errors
from ilsvrc.scoring.overlap import overlap, pair_overlap
from ilsvrc.scoring.submission import Detections, Guesses

corner = st.sampled_from([0, 1, 2, 3, 4, 4.5, 6, 9])
box = st.tuples(corner, corner, corner, corner)
label = st.integers(1, 3)
thing = st.tuples(label, box)


def iou(a: tuple, b: tuple) -> float:
    """`compute_overlap.m`, a number at a time."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return -1.0
    area = (a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] - b[0] + 1) * (b[3] - b[1] + 1) - width * height
    return width * height / area if area else math.nan


def together(images: list[list[tuple]]) -> Objects:
    flat = [(place, *one) for place, image in enumerate(images) for one in image]
    image, labels, boxes = zip(*flat, strict=True) if flat else ((), (), ())
    return Objects(len(images), np.array(image, int), np.array(labels, int), np.array(boxes, float).reshape(-1, 4))


@given(box, box)
def test_overlap_is_the_plain_formula(a, b):
    found = float(pair_overlap(np.array(a, float), np.array(b, float)))
    wanted = iou(a, b)
    assert found == wanted or (math.isnan(found) and math.isnan(wanted)) or math.isinf(found)


@given(st.lists(box, max_size=4), st.lists(box, max_size=4))
def test_overlap_of_ordered_boxes_is_a_fraction_and_symmetric(some, others):
    a, b = (np.sort(np.array(boxes, float).reshape(-1, 2, 2), axis=1).reshape(-1, 4) for boxes in (some, others))
    found = overlap(a, b)
    assert found.shape == (len(a), len(b))
    assert ((found >= 0) & (found <= 1)).all()
    assert np.array_equal(found, overlap(b, a).T)
    assert np.array_equal(np.diag(overlap(a, a)), np.ones(len(a)))


def localize(rows: list, truth: list[int], images: list[list[tuple]], top: int, excluded: set[int]) -> float | None:
    """The error of one label an image; None where the kit stops."""
    wrong = 0
    for place, (row, true) in enumerate(zip(rows, truth, strict=True)):
        if place + 1 in excluded:
            continue
        right = False
        for guess, corners in row[:top]:
            own = [one for name, one in images[place] if name == true]
            if guess == true and not own:
                return None
            right |= guess == true and any(iou(corners, one) >= 0.5 for one in own)
        wrong += not right
    kept = len(truth) - len(excluded)
    return wrong / kept if kept else math.nan


problem = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(thing, min_size=2, max_size=2), min_size=n, max_size=n),
        st.lists(label, min_size=n, max_size=n),
        st.lists(st.lists(thing, min_size=1, max_size=3), min_size=n, max_size=n),
        st.integers(1, 3),
        st.sets(st.integers(1, n)),
    )
)


@pytest.mark.slow
@given(problem)
@settings(max_examples=150)
def test_localization_is_what_the_loops_count(case):
    rows, truth, images, top, excluded = case
    guesses = Guesses(
        np.array([[name for name, _ in row] for row in rows]), np.array([[b for _, b in row] for row in rows], float)
    )
    wanted = localize(rows, truth, images, top, excluded)
    exclusions = np.array(sorted(excluded), int).reshape(-1, 1)
    try:
        found = localization_errors(guesses, np.array(truth), together(images), top, exclusions=exclusions)
    except DataError:
        assert wanted is None
        return
    assert wanted is not None
    assert found.localization.value == wanted or (math.isnan(wanted) and math.isnan(found.localization.value))


def precision_of(rows: list[tuple], images: list[list[tuple]], name: int, pairs: set[tuple[int, int]]) -> Any:
    """True (1), false (0) or ignored (-1), class by class in the kit's order, and the number of objects."""
    outcome: dict[int, int] = {}
    for image, things in enumerate(images, 1):
        free = [corners for label_, corners in things if label_ == name]
        mine = [(place, row) for place, row in enumerate(rows) if row[0] == image and row[1] == name]
        for place, (_, _, _, corners) in sorted(mine, key=lambda one: -one[1][2]):
            if (image, name) in pairs:
                outcome[place] = -1
                continue
            best, chosen = -math.inf, None
            for number, one in enumerate(free):
                if one is None:
                    continue
                width, height = one[2] - one[0] + 1, one[3] - one[1] + 1
                enlarged = (width + 10) * (height + 10)
                over = iou(corners, one)
                if over >= min(0.5, width * height / enlarged) and over > best:
                    best, chosen = over, number
            outcome[place] = int(chosen is not None)
            if chosen is not None:
                free[chosen] = None
    order = sorted((place for place, row in enumerate(rows) if row[1] == name), key=lambda place: rows[place][0])
    order.sort(key=lambda place: -rows[place][2])
    objects = sum(
        label_ == name and (image, name) not in pairs for image, some in enumerate(images, 1) for label_, _ in some
    )
    # Within an image the surer comes first, so an order by image and then by confidence is one by confidence.
    return [(place, outcome[place]) for place in order], objects


ordered = box.map(lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))
detected = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.tuples(st.integers(1, n), label, st.sampled_from([0.1, 0.5, 0.5, 0.9]), box), min_size=1, max_size=12
        ),
        st.lists(st.lists(st.tuples(label, ordered), max_size=4), min_size=n, max_size=n),
        st.sets(st.tuples(st.integers(1, n), label), max_size=2),
    )
)


@pytest.mark.slow
@given(detected)
@settings(max_examples=200)
def test_detection_is_what_the_loops_find(case):
    rows, images, pairs = case
    objects = together(images)
    image, labels, confidence, boxes = zip(*rows, strict=True)
    detections = Detections(
        np.array(image, np.int32), np.array(labels, np.int32), np.array(confidence), np.array(boxes, float)
    )
    exclusions = np.array(sorted(pairs), int).reshape(-1, 2)
    if not len(objects.label):
        return
    found = detect(detections, objects, np.arange(1, len(images) + 1), exclusions)
    for one in found.classes:
        wanted, count = precision_of(rows, images, one.label, pairs)
        assert list(zip(one.order.tolist(), one.outcome.tolist(), strict=True)) == wanted
        assert one.objects == count
