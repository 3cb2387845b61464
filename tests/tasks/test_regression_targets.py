"""What a box regressor is taught and what its numbers mean: hand-made cases, and nothing becomes nan."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.scoring import Objects
from ilsvrc.tasks.localize import best_constant, coordinates_of, edges_of, euclidean, of_class, on_image, target

SIZE = 64


def taught(*boxes: tuple[float, ...], label: int = 3, labels: tuple[int, ...] = (), least: float = 0.0):
    return target(np.array(boxes, np.float32), np.array(labels or (3,) * len(boxes)), label, SIZE, least)


def test_the_whole_window_is_from_0_to_1_and_its_left_half_to_one_half():
    assert taught((0, 0, 63, 63)).tolist() == [0, 0, 1, 1]
    assert taught((0, 0, 31, 63)).tolist() == [0, 0, 0.5, 1]


def test_what_lies_beyond_the_window_is_taught_too():
    assert taught((-32, 0, 31, 63)).tolist() == [-0.5, 0, 0.5, 1]


def test_a_window_with_less_than_half_of_the_object_teaches_nothing_where_half_is_wanted():
    assert taught((-34, 0, 29, 63), least=0.5) is None  # 30 of 64 columns
    assert taught((-32, 0, 31, 63), least=0.5) is not None
    assert taught((-80, 0, -1, 63)) is None, "nothing of it is seen"


def test_of_several_objects_the_one_that_is_seen_most_is_taught_and_others_classes_do_not_count():
    assert taught((0, 0, 15, 15), (0, 0, 31, 31)).tolist() == [0, 0, 0.5, 0.5]
    assert taught((0, 0, 15, 15), (0, 0, 31, 31), labels=(3, 4)).tolist() == [0, 0, 0.25, 0.25]
    assert taught((0, 0, 15, 15), labels=(5,)) is None


@pytest.mark.parametrize("box", [(0, 0, -1, -1), (20, 5, 10, 30), (np.nan, 0, 5, 5), (0, 0, np.inf, 5)])
def test_a_box_that_is_empty_inverted_or_no_number_is_not_taught(box: tuple[float, ...]):
    assert taught(box) is None


def test_the_paper_s_centre_width_and_height_and_back():
    edges = torch.tensor([[0.25, 0.0, 0.75, 1.0]])
    assert coordinates_of(edges, "centre").tolist() == [[0.5, 0.5, 0.5, 1.0]]
    assert torch.equal(edges_of(coordinates_of(edges, "centre"), "centre"), edges)
    assert torch.equal(coordinates_of(edges, "edges"), edges)


def test_of_a_box_per_class_only_that_of_the_image_s_class_is_taken():
    outputs = torch.arange(2 * 3 * 4.0).reshape(2, 12)
    assert of_class(outputs, torch.tensor([2, 0])).tolist() == [[8, 9, 10, 11], [12, 13, 14, 15]]
    assert torch.equal(of_class(outputs[:, :4], torch.tensor([2, 0])), outputs[:, :4])


def test_the_loss_is_half_the_squared_distance_of_those_that_teach():
    found, wanted = torch.zeros(3, 4), torch.tensor([[1.0, 0, 0, 0], [2.0, 0, 0, 0], [9.0, 9, 9, 9]])
    assert euclidean(found, wanted, torch.tensor([1.0, 1.0, 0.0])).item() == pytest.approx((0.5 + 2) / 2)
    assert euclidean(found, wanted, torch.zeros(3)).item() == 0


def test_the_loss_of_a_box_per_class_moves_the_numbers_of_the_image_s_class_alone():
    outputs = torch.zeros(1, 12, requires_grad=True)
    euclidean(of_class(outputs, torch.tensor([1])), torch.ones(1, 4), torch.ones(1)).backward()
    assert outputs.grad.nonzero()[:, 1].tolist() == [4, 5, 6, 7]


def test_a_box_goes_back_through_window_and_mirror():
    window = np.array([10.0, 20, 74, 84])
    assert on_image(np.array([0, 0, 0.5, 1.0]), window, 200, 200).tolist() == [10, 20, 41, 83]
    mirrored = window[[2, 1, 0, 3]]
    assert on_image(np.array([0, 0, 0.5, 1.0]), mirrored, 200, 200).tolist() == [42, 20, 73, 83]


def test_what_a_window_teaches_is_where_its_answer_lies():
    box = np.array([[5.0, 7, 40, 50]], np.float32)
    edges = target(box, np.array([0]), 0, SIZE)
    assert on_image(edges, np.array([0, 0, SIZE, SIZE]), SIZE, SIZE) == pytest.approx(box[0], abs=1e-4)


NUMBER = st.floats(width=32) | st.floats(-3, 3)


@given(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_whatever_a_network_says_is_a_box_on_the_image(edges: tuple, width: int, height: int, mirror: bool):
    window = np.array([width, 0, 0, height] if mirror else [0, 0, width, height], float)
    xmin, ymin, xmax, ymax = on_image(np.array(edges), window, width, height)
    assert 0 <= xmin <= xmax <= width - 1
    assert 0 <= ymin <= ymax <= height - 1


EDGE = st.floats(-200, 300, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])


@given(st.lists(st.tuples(EDGE, EDGE, EDGE, EDGE), max_size=4), st.floats(0, 1))
def test_no_box_whatever_it_is_makes_a_target_that_is_no_number(boxes: list, least: float):
    edges = target(np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), int), 0, SIZE, least)
    assert edges is None or np.isfinite(edges).all()


def test_the_best_constant_box_is_the_one_most_objects_share():
    sizes = np.array([[100, 100], [200, 100], [100, 100]])
    box = np.array([[20, 20, 59, 79], [40, 20, 119, 79], [90, 90, 99, 99]], float)
    objects = Objects(3, np.arange(3), np.array([1, 2, 3]), box)
    left, top, right, bottom = best_constant(objects, np.array([0, 1, 2]), sizes)
    common = (min(right, 0.6) - max(left, 0.2)) * (min(bottom, 0.8) - max(top, 0.2))
    assert common / ((right - left) * (bottom - top) + 0.4 * 0.6 - common) >= 0.5
