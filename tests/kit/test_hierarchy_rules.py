"""The rules of `eval_hie.m`, kits of 2010 and 2011, on hierarchies small enough to check by hand."""

import math

import numpy as np
import pytest

from ilsvrc.scoring.hierarchy import cost_matrix, hierarchical_cost

# Leaves 1 tench, 2 goldfish, 3 tabby; 4 is the root over 5 fish and 3; 5 fish over 1 and 2.
CHILDREN = [(), (), (), (5, 3), (1, 2)]
# Rows are guesses, columns are truth; not symmetric, so that the two cannot be mixed up.
COSTS = np.array([[0, 6, 14], [7, 0, 16], [17, 8, 0]])


def cost(labels: list[list[int]], truth: list, costs: np.ndarray = COSTS, top: int = 5) -> float:
    return hierarchical_cost(np.array(labels), np.array(truth), costs, top).value


def test_a_mistake_costs_the_height_of_the_lowest_common_ancestor():
    assert cost_matrix(CHILDREN, 3).tolist() == [[0, 1, 2], [1, 0, 2], [2, 2, 0]]


def test_heights_of_the_table_are_used_where_it_has_them():
    assert cost_matrix(CHILDREN, 3, [0, 0, 0, 19, 7]).tolist() == [[0, 7, 19], [7, 0, 19], [19, 19, 0]]


def test_of_two_common_ancestors_the_lower_counts_where_a_synset_has_two_parents():
    # 3 and 4 are parents of both leaves; 5 is over 3 alone. WordNet has such synsets.
    assert cost_matrix([(), (), (1, 2), (1, 2), (3, 4)], 2, [0, 0, 3, 2, 9]).tolist() == [[0, 2], [2, 0]]


def test_height_is_the_longest_way_down():
    # The root 3 has leaf 1 as a child, and leaf 2 three steps down.
    assert cost_matrix([(), (), (1, 4), (5,), (2,)], 2)[0, 1] == 3


def test_classes_without_a_common_ancestor_are_refused():
    with pytest.raises(ValueError, match="classes 1 and 2 have no common ancestor"):
        cost_matrix([(), (), (1,)], 2)


def test_a_record_that_is_its_own_ancestor_is_refused():
    with pytest.raises(ValueError, match="its own ancestor"):
        cost_matrix([(), (3,), (2,)], 1)


def test_the_row_is_the_guess_and_the_column_the_truth():
    assert cost([[1]], [2]) == 6
    assert cost([[2]], [1]) == 7


def test_the_cheapest_guess_counts():
    assert cost([[3, 2, 1]], [1], top=1) == 17
    assert cost([[3, 2, 1]], [1], top=2) == 7
    assert cost([[3, 2, 1]], [1], top=3) == 0


def test_no_guess_costs_more_than_the_largest_cost():
    assert cost([[0, 0], [1, 2]], [3, 3]) == (17 + 14) / 2


def test_the_cost_is_not_divided_by_the_largest_height():
    assert cost([[3], [3]], [1, 1]) == 17


def test_several_labels_of_an_image_are_averaged():
    assert cost([[1, 2]], [[2, 3]]) == 7  # 0 for label 2, 14 for label 3
    assert cost([[1]], [[1, 0]]) == 0


def test_a_uint8_matrix_rounds_the_mean_over_labels_halves_up():
    double, small = COSTS.copy(), COSTS.astype(np.uint8)
    double[0, 1] = small[0, 1] = 5
    assert cost([[1]], [[1, 2]], double) == 2.5
    assert cost([[1]], [[1, 2]], small) == 3


def test_a_uint8_sum_stops_at_255():
    large = np.array([[0, 200], [200, 0]])
    assert cost([[1]], [[2, 2]], large) == 200
    assert cost([[1]], [[2, 2]], large.astype(np.uint8)) == 128  # 255 / 2, rounded


def test_with_one_label_an_image_a_uint8_matrix_changes_nothing():
    rng = np.random.default_rng(3)
    labels, truth = rng.integers(0, 4, (50, 3)), rng.integers(1, 4, 50)
    assert cost(labels, truth) == cost(labels, truth, COSTS.astype(np.uint8))


def test_a_label_beyond_the_matrix_is_refused():
    with pytest.raises(ValueError, match="a guess is 4; the cost matrix has 3 classes"):
        cost([[4]], [1])
    with pytest.raises(ValueError, match="a label is 4"):
        cost([[1]], [4])


def test_an_image_without_label_makes_the_cost_nan():
    assert math.isnan(cost([[1], [1]], [1, 0]))
