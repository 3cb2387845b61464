"""MSRA's R-CNN per class: what is proposed to it, what teaches, the loss, and its answer, by hand-made cases."""

import math
import random

import numpy as np
import pytest
import torch
from torch import Tensor

from ilsvrc.models import build
from ilsvrc.models.rcnn import RegionClassifier, initialise
from ilsvrc.models.regressor import ClassProposals
from ilsvrc.spec import Regions
from ilsvrc.tasks import class_regions
from ilsvrc.tasks.anchors import anchors, over_map
from ilsvrc.tasks.boxes import clipped, decoded
from ilsvrc.tasks.class_proposals import best_proposals, moved_anchors
from ilsvrc.tasks.class_regions import drawn, judged, region_loss, taught
from ilsvrc.tasks.warp import warped_levels

HOW = Regions(recipe=None, kept=3, regions_taught=5)  # type: ignore[arg-type]
OBJECTS = torch.tensor([[0.0, 0, 9, 9], [50, 50, 69, 69]])
# On the first object, on the second one, half on the first, less than half on it, on none.
REGIONS = torch.tensor([[0.0, 0, 9, 8], [50, 50, 69, 69], [0, 0, 9, 4], [0, 0, 9, 3], [30, 30, 40, 40]])


def share(value: float) -> Regions:
    return Regions(recipe=None, regions_taught=5, object_share=value)  # type: ignore[arg-type]


def test_a_region_is_one_of_an_object_from_half_an_overlap_on():
    is_object, offsets = taught(REGIONS, OBJECTS[[0, 1, 0, 0, 0]], HOW)
    assert is_object.tolist() == [1, 1, 1, 0, 0]
    assert offsets[1].tolist() == [0, 0, 0, 0]
    # Five rows high, and the object ten: its centre is half of that lower, and it is twice as high.
    assert offsets[2].tolist() == pytest.approx([0, 0.5 / 0.1, 0, math.log(2) / 0.2], abs=1e-5)


def test_objects_are_drawn_as_often_as_asked_and_the_nearest_object_comes_along():
    always, never = (drawn(REGIONS, OBJECTS, share(value), random.Random(0)) for value in (1.0, 0.0))
    assert len(always[0]) == len(never[0]) == 5
    assert set(always[0]) <= {0, 1, 2}
    assert set(never[0]) <= {3, 4}
    nearest = dict(zip(*always, strict=True))
    assert all(nearest[row] == (1 if row == 1 else 0) for row in nearest)
    many = Regions(recipe=None, regions_taught=2000, object_share=0.25)  # type: ignore[arg-type]
    rows, _ = drawn(REGIONS, OBJECTS, many, random.Random(0))
    assert sum(row < 3 for row in rows) / 2000 == pytest.approx(0.25, abs=0.03)


def test_where_an_image_lacks_a_kind_the_other_teaches():
    assert set(drawn(REGIONS[3:], OBJECTS, share(1.0), random.Random(0))[0]) <= {0, 1}
    assert set(drawn(REGIONS[:3], OBJECTS, share(0.0), random.Random(0))[0]) <= {0, 1, 2}
    with pytest.raises(ValueError, match="0 regions and 2 objects teach nothing"):
        drawn(REGIONS[:0], OBJECTS, share(0.5), random.Random(0))


def test_a_region_teaches_the_logit_of_its_own_class_and_an_object_its_box():
    logits, offsets = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, 4, requires_grad=True)
    where = torch.tensor([[2.0, 0, 0, 0], [9.0, 9, 9, 9]])
    loss = region_loss(logits, offsets, torch.tensor([1, 2]), torch.tensor([1.0, 0.0]), where)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2) + (2 - 0.5) / 2), "|x| - 1/2 of the one object, over two regions"
    assert logits.grad is not None
    assert offsets.grad is not None
    assert logits.grad.nonzero().tolist() == [[0, 1], [1, 2]]
    assert offsets.grad.nonzero().tolist() == [[0, 1, 0]]


def test_proposals_are_whole_pixels_of_the_image_suppressed_and_the_surest():
    boxes = torch.tensor(
        [[-3.2, 0.4, 9.6, 9.4], [0, 0, 9, 9], [20, 20, 29, 29], [40, 40, 49, 49], [60, 0, 70, 9], [-9, -9, -2, -2]]
    )
    scores = torch.tensor([2.0, 1.0, 3.0, -1.0, -2.0, 9.0])
    found = best_proposals(boxes, scores, (64, 64), HOW)
    assert found.tolist() == [[20, 20, 29, 29], [0, 0, 10, 9], [40, 40, 49, 49]]
    boxes[2, 0], scores[3] = torch.nan, torch.nan
    assert best_proposals(boxes, scores, (64, 64), HOW).tolist() == [[0, 0, 10, 9], [60, 0, 63, 9]]


def proposer() -> ClassProposals:
    torch.manual_seed(0)
    every = over_map(anchors((1, 2)) + 8, 2, 2, 32)
    network = ClassProposals(build("resnet18", 3, 64, 0.1), 3, every, 64, 32).eval()
    network.score.weight.data *= 10
    return network


def test_on_a_window_of_its_size_the_surest_anchor_is_the_network_s_own_answer():
    network, image = proposer(), torch.randn(1, 3, 64, 64)
    boxes, scores = moved_anchors(network, image, torch.tensor([2, 0]))
    assert (boxes.shape, scores.shape) == ((2 * 2 * 6, 2, 4), (24, 2))
    surest = boxes[scores.argmax(dim=0), torch.arange(2)]
    own = network(image).reshape(3, 4)[[2, 0]] * 64 - torch.tensor([0.0, 0, 1, 1])
    np.testing.assert_allclose(surest.numpy(), own.detach().numpy(), atol=1e-3)


def test_a_larger_image_has_the_anchors_of_more_cells_a_stride_apart():
    network = proposer()
    network.offset.weight.data.zero_()
    network.offset.bias.data.zero_()
    boxes, _ = moved_anchors(network, torch.randn(1, 3, 96, 128), torch.tensor([0]))
    assert len(boxes) == 3 * 4 * 6
    np.testing.assert_allclose(boxes[6 * 5, 0], network.cell[0] + torch.tensor([32.0, 32, 32, 32]), atol=1e-4)


def test_judged_together_is_as_one_region_after_the_other(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    network = RegionClassifier(build("resnet18", 1, 32, 0.1), 4, background=False)
    initialise(network, 0)
    network.offsets.weight.data *= 100
    network.eval()
    image = torch.randint(0, 256, (3, 80, 90)).float()
    given, labels = [REGIONS[:3], REGIONS[:0], REGIONS[2:]], [3, 1, 0]

    def crops(regions: Tensor) -> Tensor:
        return warped_levels(image, regions, 32, 2, torch.zeros(3, 1, 1)) / 255

    monkeypatch.setattr(class_regions, "WINDOWS", 4)
    found = judged(network, crops, given, labels, (90, 80), HOW)
    assert [len(boxes) for boxes, _ in found] == [3, 0, 3]
    for (boxes, scores), some, label in zip(found, given, labels, strict=True):
        for place, region in enumerate(some):
            with torch.no_grad():
                logits, offsets = network(crops(region[None]))
            moved = decoded(offsets[:, label] * torch.tensor(HOW.offset_deviations), region[None])
            np.testing.assert_allclose(boxes[place], clipped(moved, 90, 80)[0], atol=1e-3)
            assert scores[place].item() == pytest.approx(logits[0, label].item(), abs=1e-5)
    assert not torch.equal(found[0][0], given[0]), "they move"


def test_without_a_background_there_is_an_output_for_each_class():
    network = RegionClassifier(build("resnet18", 1, 32, 0.1), 4, background=False)
    logits, offsets = network(torch.zeros(2, 3, 32, 32))
    assert (logits.shape, offsets.shape) == ((2, 4), (2, 4, 4))


def test_a_region_in_grey_levels_has_the_mean_outside_of_the_image():
    image, mean = torch.full((3, 10, 10), 200.0), torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    found = warped_levels(image, torch.tensor([[0.0, 0, 9, 9]]), 30, 10, mean)
    assert found[0, :, 0, 0].tolist() == [1, 2, 3]
    assert (found[0, :, 11:19, 11:19] == 200).all()
    ramp = torch.arange(10.0).expand(3, 10, 10)
    found = warped_levels(ramp, torch.tensor([[0.0, 0, 9, 9]]), 30, 0, mean)
    assert torch.equal(found, found.round()), "whole levels, as a training is shown them"
