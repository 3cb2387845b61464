"""Merging of boxes: hand-made cases of section 4.3 of the paper of OverFeat."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.tasks.merge import far, merged, surest

A, B, FAR = (0, 0, 9, 9), (2, 0, 11, 9), (50, 50, 59, 59)


def test_equal_boxes_are_no_distance_apart_and_strangers_more_than_one():
    assert far(np.array([A]), np.array([A])).item() == 0
    assert far(np.array([A]), np.array([FAR])).item() > 1


def test_the_distance_is_that_of_the_centres_over_the_mean_side_plus_what_the_boxes_do_not_share():
    # Centres 2 pixels apart, sides of 10; 80 pixels of 120 are shared.
    assert far(np.array([A]), np.array([B])).item() == pytest.approx(2 / 10 + 1 - 80 / 120)


def test_boxes_that_share_more_match_better_other_than_in_the_printed_formula():
    near, nearer = far(np.array([A]), np.array([B, (1, 0, 10, 9)]))[0]
    assert nearer < near


def test_two_that_match_become_the_mean_of_their_corners_and_a_stranger_stays():
    left, came = merged(np.array([A, FAR, B]), threshold=0.75)
    assert left.tolist() == [[1, 0, 10, 9], list(FAR)]
    assert came.tolist() == [[True, False, True], [False, True, False]]


def test_a_merged_box_counts_as_one():
    third = (4, 0, 13, 9)
    left, came = merged(np.array([A, A, third]), threshold=1.0)
    assert left.tolist() == [[2, 0, 11, 9]], "the mean of (A) and the third, not of three boxes"
    assert came.all()


def test_nothing_merges_beyond_the_threshold():
    left, _ = merged(np.array([A, B]), threshold=0.5)
    assert len(left) == 2


def test_agreement_of_many_windows_beats_one_sure_window():
    box, score = surest(np.array([A, A, A, FAR]), np.array([0.3, 0.3, 0.3, 0.8]), threshold=0.75)
    assert box.tolist() == list(A)
    assert score == pytest.approx(0.9)


@st.composite
def boxes(draw: st.DrawFn) -> np.ndarray:
    corners = st.integers(0, 60)
    pairs = draw(st.lists(st.tuples(corners, corners, corners, corners), min_size=1, max_size=12))
    return np.array([(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in pairs])


@given(boxes(), st.floats(0, 2))
def test_every_window_ends_in_one_box_which_lies_among_its_own(given_boxes: np.ndarray, threshold: float):
    left, came = merged(given_boxes, threshold)
    assert (came.sum(axis=0) == 1).all()
    assert np.isfinite(left).all()
    for box, mine in zip(left, came, strict=True):
        assert (box >= given_boxes[mine].min(axis=0) - 1e-9).all()
        assert (box <= given_boxes[mine].max(axis=0) + 1e-9).all()
    apart = far(left, left) + np.diag(np.full(len(left), np.inf))
    assert len(left) == 1 or apart.min() > threshold
