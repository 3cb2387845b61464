"""MSRA's proposals per class: which anchors teach, the loss, and the box that comes out, by hand-made cases."""

import pytest
import torch

from ilsvrc.models import build
from ilsvrc.models.regressor import ClassProposals
from ilsvrc.tasks.class_proposals import anchors_taught, class_proposal_loss

ANCHORS = torch.tensor([[0.0, 0, 31, 31], [32, 0, 63, 31], [0, 32, 31, 63], [32, 32, 63, 63]])


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_an_anchor_on_the_object_is_positive_and_those_that_miss_it_are_negative():
    positive, negative = anchors_taught(ANCHORS, torch.tensor([0.0, 0, 31, 29]), draws())
    assert positive.tolist() == [0]
    assert sorted(negative.tolist()) == [1, 2, 3]


def test_the_best_anchor_is_positive_however_small_its_overlap():
    positive, negative = anchors_taught(ANCHORS, torch.tensor([0.0, 0, 7, 7]), draws())
    assert (positive.tolist(), sorted(negative.tolist())) == ([0], [1, 2, 3])


def test_at_most_eight_teach_and_half_of_them_are_positive():
    many = ANCHORS.repeat(10, 1)
    positive, negative = anchors_taught(many, ANCHORS[0], draws())
    assert (len(positive), len(negative)) == (4, 4)
    assert set((positive % 4).tolist()) == {0}


def test_an_image_teaches_its_own_class_alone_and_one_without_object_none():
    found = torch.zeros(2, 4, 3, 5, requires_grad=True)
    box = ANCHORS[:1].repeat(2, 1)
    loss = class_proposal_loss(found, ANCHORS, torch.tensor([1, 2]), box, torch.tensor([1.0, 0.0]), draws())
    loss.backward()
    assert found.grad.abs().sum(dim=(1, 3)).nonzero().tolist() == [[0, 1]]
    # Logits of 0 say 0.5: four anchors, log 2 each, meaned; the box is the anchor, so its offsets are 0.
    assert loss.item() == pytest.approx(0.6931, abs=1e-4)
    assert class_proposal_loss(found, ANCHORS, torch.tensor([1, 2]), box, torch.zeros(2), draws()).item() == 0


def test_of_each_class_the_surest_anchor_s_box_comes_out_relative_to_the_window():
    network = ClassProposals(build("resnet18", 2, 64, 0.1), 2, ANCHORS, 64, 32)
    found = torch.zeros(1, 4, 2, 5)
    found[0, 3, 0, 0] = 1.0  # class 0: the last anchor as it is
    found[0, 0, 1, 0] = 1.0  # class 1: the first, half as far to the right as it is wide
    found[0, 0, 1, 1] = 0.5
    edges = network.surest(found).reshape(2, 4)
    assert edges.tolist() == [[0.5, 0.5, 1.0, 1.0], [0.25, 0.0, 0.75, 0.5]]
    assert network.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 8)
    assert network.train()(torch.zeros(2, 3, 64, 64)).shape == (2, 4, 2, 5)


def test_anchors_that_do_not_fit_the_map_are_refused():
    with pytest.raises(ValueError, match="3 anchors do not divide over a map of 2 x 2"):
        ClassProposals(build("resnet18", 2, 64, 0.1), 2, ANCHORS[:3], 64, 32)
