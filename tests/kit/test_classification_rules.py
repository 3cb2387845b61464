"""The rules of `eval_flat.m` (2010 to 2012) and of the first output of `eval_clsloc.m` (from 2013 on)."""

import math

import numpy as np
import pytest

from ilsvrc.scoring.classification import clsloc_flat_error, flat_error, missed


def error(labels: list[list[int]], truth: list, top: int = 5) -> float:
    """By ILSVRC ids: 0 is none."""
    return flat_error(np.array(labels), np.array(truth), top, none=0).value


def test_a_label_among_the_first_five_is_right_and_at_the_sixth_place_is_not():
    rows = [[1, 2, 3, 4, 9, 5], [1, 2, 3, 4, 5, 9]]
    assert error(rows, [9, 9], 5) == 0.5
    assert error(rows, [9, 9], 6) == 0.0


def test_only_the_first_guess_counts_for_top_1():
    assert error([[3, 9], [9, 3]], [9, 9], 1) == 0.5


def test_a_repeated_guess_uses_up_a_place():
    assert error([[3, 3, 9]], [9], 2) == 1.0


def test_a_top_beyond_the_width_takes_all_guesses():
    assert error([[3, 9]], [9], 50) == 0.0


def test_no_guess_at_all_is_all_wrong():
    assert error([[9], [9]], [9, 9], 0) == 1.0


def test_a_short_line_is_only_wrong_where_its_guesses_are():
    assert error([[9, 0, 0], [3, 0, 0]], [9, 9], 3) == 0.5


def test_labels_beyond_the_classes_are_wrong_and_nothing_more():
    assert error([[5000, -3, 1001, 9]], [9], 3) == 1.0
    assert error([[5000, -3, 1001, 9]], [9], 4) == 0.0


def test_with_several_labels_an_image_costs_the_share_it_misses():
    assert error([[1, 2, 3, 4]], [[1, 9]]) == 0.5
    assert error([[1, 2, 3, 4], [7, 0, 0, 0]], [[1, 9], [7, 0]]) == 0.25


def test_padding_of_the_truth_costs_nothing_in_the_kits_of_2010_to_2012():
    assert error([[7, 8, 9, 1, 2]], [[7, 0, 0]]) == 0.0


def test_a_true_label_given_twice_counts_twice():
    assert error([[1, 2], [5, 6]], [[1, 3], [5, 5]], 2) == 0.25
    assert error([[6, 7]], [[5, 5]], 2) == 1.0


def test_an_image_without_any_label_makes_the_error_nan():
    assert math.isnan(error([[1], [2]], [[1], [0]]))


def test_every_image_counts_once():
    score = flat_error(np.array([[1], [2], [3]]), np.array([1, 9, 9]), 1)
    assert (score.value, score.images, score.excluded) == (2 / 3, 3, 0)
    assert score.metric == "top-1 error"


def test_positions_from_0_score_like_ilsvrc_ids():
    truth = np.array([0, 3, 2])
    labels = np.array([[0, 1], [1, 2], [2, -1]])
    assert flat_error(labels, truth, 2).value == 1 / 3
    assert flat_error(labels, truth, 2).value == flat_error(labels + 1, truth + 1, 2, none=0).value


def test_padding_with_minus_1_is_never_the_class_0():
    assert flat_error(np.array([[4, -1]]), np.array([0])).value == 1.0


def test_rows_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="2 rows of guesses for 3 images"):
        flat_error(np.array([[1], [2]]), np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="no image"):
        flat_error(np.zeros((0, 5)), np.zeros(0))


def test_the_later_kits_agree_with_the_earlier_on_one_label_an_image():
    rng = np.random.default_rng(1)
    labels, truth = rng.integers(0, 8, (200, 5)), rng.integers(1, 8, 200)
    for top in range(1, 6):
        assert clsloc_flat_error(labels, truth, top).value == flat_error(labels, truth, top, none=0).value


def test_the_later_kits_charge_for_the_padding_of_the_truth():
    truth = np.array([[7, 0]])
    assert flat_error(np.array([[7, 8]]), truth, none=0).value == 0.0
    assert clsloc_flat_error(np.array([[7, 8]]), truth).value == 1.0


def test_in_the_later_kits_a_short_line_finds_the_padding():
    assert clsloc_flat_error(np.array([[7, 0]]), np.array([[7, 0]])).value == 0.0


def test_in_the_later_kits_an_image_without_label_makes_the_error_infinite():
    assert clsloc_flat_error(np.array([[7], [8]]), np.array([[7], [0]])).value == math.inf


def test_missed_tells_which_images_are_wrong():
    assert missed(np.array([[1, 2], [3, 4]]), np.array([2, 2]), 2).tolist() == [[False], [True]]
