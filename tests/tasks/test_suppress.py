"""Suppression and voting: hand-made cases, and the loop definition on many boxes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ilsvrc.bench import box_loops
from ilsvrc.tasks import native, suppress
from ilsvrc.tasks.suppress import nms, vote


def _random(count: int, seed: int, *, whole: bool = False) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=draws) * 100
    boxes = torch.cat([corner, corner + torch.rand(count, 2, generator=draws) * 40], dim=1)
    return (boxes.round() if whole else boxes), torch.rand(count, generator=draws)


def test_the_surer_of_two_that_overlap_stays():
    boxes = torch.tensor([[0.0, 0, 9, 9], [1, 0, 10, 9], [50, 50, 59, 59]])
    assert nms(boxes, torch.tensor([0.5, 0.9, 0.1]), 0.5).tolist() == [1, 2]


def test_what_a_suppressed_box_overlaps_may_stay():
    # Each overlaps the next by 2/3, the one after next by 1/3 or less.
    boxes = torch.tensor([[0.0, 0, 9, 9], [2, 0, 11, 9], [5, 0, 14, 9]])
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist() == [0, 2]


def test_an_overlap_equal_to_the_threshold_suppresses_nothing():
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 4]])
    assert len(nms(boxes, torch.tensor([0.9, 0.8]), 0.5)) == 2
    assert len(nms(boxes, torch.tensor([0.9, 0.8]), 0.4999)) == 1


def test_of_equal_scores_the_first_is_surer():
    boxes = torch.tensor([[0.0, 0, 9, 9], [1, 0, 10, 9]])
    assert nms(boxes, torch.tensor([0.5, 0.5]), 0.5).tolist() == [0]


def test_no_boxes_leave_none():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


def test_boxes_that_hold_no_pixel_all_stay():
    boxes = torch.tensor([[5.0, 5, 4, 4], [5, 5, 4, 4], [0, 0, 9, 9]])
    assert sorted(nms(boxes, torch.tensor([0.1, 0.2, 0.3]), 0.5).tolist()) == [0, 1, 2]


def test_at_most_so_many_stay_and_they_are_the_surest():
    boxes, scores = _random(700, 1)
    assert nms(boxes, scores, 0.3, most=17).tolist() == nms(boxes, scores, 0.3)[:17].tolist()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize(("count", "whole"), [(60, True), (700, False)])
def test_suppression_is_that_of_the_loop(count: int, whole: bool, threshold: float):
    for seed in range(3):
        boxes, scores = _random(count, seed, whole=whole)
        assert nms(boxes, scores, threshold).tolist() == box_loops.nms(boxes.numpy(), scores.numpy(), threshold)


def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch):
    boxes, scores = _random(300, 5)
    whole = nms(boxes, scores, 0.4).tolist()
    monkeypatch.setattr(suppress, "BLOCK", 7)
    assert nms(boxes, scores, 0.4).tolist() == whole


@pytest.mark.skipif(native.torchvision_ops() is None, reason="torchvision's operators do not import here")
def test_torchvision_suppresses_the_same(monkeypatch: pytest.MonkeyPatch):
    boxes, scores = _random(500, 2)
    theirs = nms(boxes, scores, 0.5).tolist()
    monkeypatch.setattr(native, "torchvision_ops", lambda: None)
    assert nms(boxes, scores, 0.5).tolist() == theirs


def test_a_box_becomes_the_mean_of_those_that_overlap_it_weighted_by_score():
    boxes = torch.tensor([[0.0, 0, 9, 9], [2, 0, 11, 9], [60, 60, 69, 69]])
    voted = vote(boxes[:1], boxes, torch.tensor([0.75, 0.25, 0.9]), 0.5)
    np.testing.assert_allclose(voted, [[0.5, 0, 9.5, 9]])


def test_negative_scores_have_no_vote_and_without_votes_a_box_stays():
    boxes = torch.tensor([[0.0, 0, 9, 9], [2, 0, 11, 9]])
    np.testing.assert_allclose(vote(boxes[:1], boxes, torch.tensor([1.0, -5.0])), boxes[:1])
    np.testing.assert_allclose(vote(boxes[:1], boxes, torch.tensor([-1.0, -5.0])), boxes[:1])
