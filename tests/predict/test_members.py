"""The mean over members, by hand; weights that are found again; halves that are the same everywhere."""

import numpy as np
import pytest

from ilsvrc.predict.members import first_half, fitted_weights, over_members, ranks


def test_the_mean_of_two_members_is_of_their_probabilities():
    one, other = np.array([[0.8, 0.2, 0.0]], np.float32), np.array([[0.2, 0.0, 0.8]], np.float32)
    assert over_members([one, other], [1, 1])[0].tolist() == pytest.approx([0.5, 0.1, 0.4])
    assert over_members([one, other], [3, 1])[0].tolist() == pytest.approx([0.65, 0.15, 0.2])
    assert over_members([one, other], [6, 2])[0].tolist() == pytest.approx([0.65, 0.15, 0.2])
    assert over_members([one, other], [0, 1])[0].tolist() == pytest.approx(other[0].tolist())


def test_weights_do_not_turn_one_sure_member_s_vote_into_logits():
    # The mean of logits would let the sure member win whatever the other two say.
    sure, unsure = np.array([[0.999, 0.001]], np.float32), np.array([[0.2, 0.8]], np.float32)
    assert over_members([sure, unsure, unsure], [1, 1, 1])[0].tolist() == pytest.approx([0.4663, 0.5337], abs=1e-4)


def test_a_rank_counts_who_is_before_the_truth_and_equals_go_to_the_lower_label():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [1 / 3, 1 / 3, 1 / 3]], np.float32)
    assert ranks(probabilities, np.array([0, 0, 2])).tolist() == [0, 2, 2]
    assert ranks(probabilities, np.array([1, 1, 0])).tolist() == [1, 1, 0]


def test_fitted_weights_find_the_mixture_that_made_the_labels():
    rng = np.random.default_rng(3)
    sure = rng.random(200_000) < 0.7  # with 0.7 the first member's distribution draws, else the second's
    own = np.array([0.9, 0.1])
    drawn = np.where(sure, rng.random(200_000) < own[1], rng.random(200_000) < own[0]).astype(int)
    truths = np.stack([own[drawn], own[::-1][drawn]], axis=1)
    assert fitted_weights(truths).tolist() == pytest.approx([0.7, 0.3], abs=0.01)


def test_fitted_weights_leave_nothing_to_a_member_that_is_always_worse():
    truths = np.stack([np.full(50, 0.9), np.full(50, 0.3)], axis=1)
    found = fitted_weights(truths)
    assert found.tolist() == pytest.approx([1, 0], abs=1e-4)
    assert found.sum() == pytest.approx(1)
    assert fitted_weights(truths[:, :1]).tolist() == [1.0]
    assert np.isfinite(fitted_weights(np.zeros((4, 3)))).all()  # a truth that nobody thought possible


def test_fitted_weights_cannot_be_bettered_by_a_grid():
    rng = np.random.default_rng(0)
    truths = rng.random((300, 2))
    found = np.log(truths @ fitted_weights(truths)).mean()
    grid = [np.log(truths @ [w, 1 - w]).mean() for w in np.linspace(0, 1, 101)]
    assert found >= max(grid) - 1e-6


def test_halves_are_equal_up_to_chance_and_know_nothing_of_the_order():
    names = [f"ILSVRC2012_val_{number:08d}" for number in range(1, 2001)]
    half = first_half(names)
    assert 900 < half.sum() < 1100
    assert first_half(names[::-1]).tolist() == half[::-1].tolist()
    assert first_half(names[:4]).tolist() == [False, True, False, False]  # these four, on every machine
