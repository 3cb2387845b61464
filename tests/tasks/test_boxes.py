"""Boxes as numbers: the papers' formulas on cases made by hand, and nothing that becomes nan."""

import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ilsvrc.bench import box_loops
from ilsvrc.scoring import overlap
from ilsvrc.tasks import boxes as b

BOXES = arrays.arrays(np.float32, st.tuples(st.integers(0, 12), st.just(4)), elements=st.floats(-50, 60, width=32))


def _boxes(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def test_both_edges_of_a_box_are_inside():
    assert b.areas(_boxes((10, 10, 10, 10), (0, 0, 9, 4), (5, 5, 4, 4))).tolist() == [1, 50, 0]


def test_two_boxes_of_a_hundred_that_share_half_overlap_by_a_third():
    assert b.overlaps(_boxes((0, 0, 9, 9)), _boxes((5, 0, 14, 9), (10, 0, 19, 9))).tolist() == [
        [pytest.approx(1 / 3), 0]
    ]


@settings(max_examples=40, deadline=None)
@given(BOXES, BOXES)
def test_overlaps_are_those_of_the_kit_and_lie_between_0_and_1(boxes: np.ndarray, others: np.ndarray):
    found = b.overlaps(torch.from_numpy(boxes), torch.from_numpy(others)).numpy()
    assert found.shape == (len(boxes), len(others))
    assert ((found >= 0) & (found <= 1 + 1e-6)).all()
    upright = lambda some: some[(some[:, 2:] >= some[:, :2]).all(axis=1)]  # noqa: E731
    good, better = upright(boxes), upright(others)
    np.testing.assert_allclose(
        b.overlaps(torch.from_numpy(good), torch.from_numpy(better)), overlap(good, better).clip(0), atol=1e-5
    )


def test_the_loop_definition_overlaps_as_the_kit_does():
    some = np.array([[0, 0, 9, 9], [5, 5, 20, 9], [3, 2, 3, 2]])
    loops = [[box_loops.overlap(box, other) for other in some] for box in some]
    np.testing.assert_allclose(loops, overlap(some, some).clip(0))


def test_a_box_is_coded_as_girshick_et_al_write_it():
    # An anchor of 10 x 20 about (4.5, 9.5); a box of 20 x 20 about (9.5, 14.5).
    found = b.coded(_boxes((0, 5, 19, 24)), _boxes((0, 0, 9, 19)))
    np.testing.assert_allclose(found, [[0.5, 0.25, math.log(2), 0]], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_decoding_undoes_coding(seed: int):
    draws = torch.Generator().manual_seed(seed)
    corner = torch.rand(2, 8, 2, generator=draws) * 500 - 50
    boxes, anchors = torch.cat([corner, corner + 5 + torch.rand(2, 8, 2, generator=draws) * 300], dim=2)
    assert torch.allclose(b.decoded(b.coded(boxes, anchors), anchors), boxes, atol=1e-2)


@settings(max_examples=40, deadline=None)
@given(BOXES)
def test_whatever_a_box_is_its_code_is_a_number(boxes: np.ndarray):
    some = torch.from_numpy(boxes)
    for anchors in (some, some.flip(0)):
        assert torch.isfinite(b.coded(some, anchors)).all()


def test_an_offset_that_would_reach_infinity_grows_a_box_by_no_more_than_62():
    grown = b.decoded(torch.tensor([[0, 0, 1e4, 1e4]]), _boxes((0, 0, 15, 15)))
    assert torch.isfinite(grown).all()
    assert b.sides(grown)[0].item() == pytest.approx(1000, rel=1e-4)


def test_clipping_brings_every_edge_inside():
    assert b.clipped(_boxes((-5, 3, 200, 90)), 100, 50).tolist() == [[0, 3, 99, 49]]


def test_a_box_on_the_border_is_inside_and_one_past_it_is_not():
    assert b.inside(_boxes((0, 0, 99, 49), (0, 0, 100, 49), (-1, 0, 5, 5)), 100, 50).tolist() == [True, False, False]


def test_a_box_is_usable_unless_it_is_inverted_outside_or_no_number():
    some = _boxes((0, 0, 5, 5), (5, 0, 4, 5), (-9, -9, -1, -1), (100, 0, 120, 5), (-9, 0, 0, 0), (0, 0, math.nan, 5))
    assert b.usable(some, 100, 50).tolist() == [True, False, False, False, True, False]
