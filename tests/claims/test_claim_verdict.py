"""The rule on numbers made by hand."""

import math

import pytest

from ilsvrc.claims.verdict import compared, together


def test_a_gain_beyond_the_spread_of_three_seeds_holds():
    found = compared((0.10, 0.12, 0.11), (0.20, 0.23, 0.21), "lower")
    assert found.gains == pytest.approx((0.10, 0.11, 0.10))
    assert found.mean == pytest.approx(0.31 / 3)
    # The deviation of 0.10, 0.11, 0.10 is 0.01 / sqrt(3); the half width t · s / sqrt(3) = 2.920 · 0.01 / 3.
    assert found.high - found.mean == pytest.approx(2.920 * 0.01 / 3)
    assert found.verdict == "holds"


def test_the_other_way_round_falls_short():
    assert compared((0.20, 0.23, 0.21), (0.10, 0.12, 0.11), "lower").verdict == "falls short"


def test_a_gain_within_the_spread_is_undecided():
    assert compared((0.10, 0.12, 0.30), (0.20, 0.23, 0.21), "lower").verdict == "undecided"
    assert compared((0.1, 0.1, 0.1), (0.1, 0.1, 0.1), "lower").verdict == "undecided", "no difference is no gain"


def test_seeds_are_compared_in_pairs():
    # Seeds differ by far more than the networks, which differ in the same way with each seed.
    assert compared((0.1, 0.5, 0.9), (0.11, 0.51, 0.911), "lower").verdict == "holds"


def test_one_seed_decides_nothing():
    found = compared((0.1,), (0.9,), "lower")
    assert (found.low, found.high, found.verdict) == (-math.inf, math.inf, "undecided")


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((0.300, 0.310, 0.305), (0.301, 0.311, 0.306), "holds"),  # lower by a tenth of a point: below the margin of two
        ((0.40, 0.41, 0.42), (0.30, 0.31, 0.32), "holds"),  # higher by ten
        ((0.20, 0.21, 0.22), (0.30, 0.31, 0.32), "falls short"),  # lower by ten
        ((0.20, 0.30, 0.40), (0.30, 0.31, 0.32), "undecided"),
    ],
)
def test_no_gain_is_a_gain_below_the_margin(first: tuple[float, ...], second: tuple[float, ...], verdict: str):
    assert compared(first, second, "not lower", margin=0.02).verdict == verdict


def test_a_claim_holds_when_all_its_comparisons_do():
    assert together(["holds", "holds"]) == "holds"
    assert together(["holds", "undecided"]) == "undecided"
    assert together(["holds", "undecided", "falls short"]) == "falls short"
