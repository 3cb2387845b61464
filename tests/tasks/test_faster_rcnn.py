"""Anchors, targets and losses: the sheet's boxes and rules on cases made by hand; nothing becomes nan."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ilsvrc import models
from ilsvrc.models.rcnn import FasterRCNN, initialise
from ilsvrc.spec import Detector
from ilsvrc.tasks import detect
from ilsvrc.tasks.anchors import anchors, over_map
from ilsvrc.tasks.detect import IGNORED, Scene, proposals, taught_anchors, taught_regions
from ilsvrc.tasks.find import Look, Views, adjacent, detections, find
from ilsvrc.tasks.learn import step_loss

HOW = Detector(classifier="msra-2015-cls")
SMALL = replace(
    HOW, short_side=64, scales=(1, 2), anchors_taught=16, regions_taught=8, least_side=4, kept_training=(200, 30),
    kept_testing=(200, 20), region_size=4,
)  # fmt: skip


def _scene(*rows: tuple[float, ...], labels: tuple[int, ...] | None = None, side: int = 100) -> Scene:
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    return Scene(side, side, boxes, torch.tensor(labels if labels is not None else range(len(rows)), dtype=torch.long))


def _draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_nine_anchors_are_those_of_the_authors_code():
    # detection_losses.md 3.1: relative to a cell [0, 0, 15, 15].
    assert anchors().tolist() == [
        [-84, -40, 99, 55],
        [-176, -88, 191, 103],
        [-360, -184, 375, 199],
        [-56, -56, 71, 71],
        [-120, -120, 135, 135],
        [-248, -248, 263, 263],
        [-36, -80, 51, 95],
        [-80, -168, 95, 183],
        [-168, -344, 183, 359],
    ]


def test_anchors_of_nothing_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        anchors(scales=(0, 8))


def test_anchors_move_with_the_cells_along_the_rows():
    shifted = over_map(anchors((1,), (1,)), 2, 3, 16)
    assert shifted[:, :2].tolist() == [[0, 0], [16, 0], [32, 0], [0, 16], [16, 16], [32, 16]]


def test_an_anchor_is_of_an_object_from_0_7_on_and_of_none_below_0_3():
    scene = _scene((0, 0, 9, 9))
    some = torch.tensor(
        [[0.0, 0, 9, 6], [0, 0, 9, 4], [0, 0, 9, 2], [0, 0, 9, 1], [50, 50, 59, 59]]
    )  # 0.7, 0.5, 0.3, 0.2
    classes, _ = detect.anchor_classes(some, scene, HOW)
    assert classes.tolist() == [1, IGNORED, IGNORED, 0, 0]


def test_the_anchors_that_overlap_an_object_most_are_of_it_however_little():
    scene = _scene((0, 0, 9, 9), (50, 50, 51, 51))
    some = torch.tensor([[0.0, 0, 9, 6], [40, 40, 55, 55], [40, 40, 55, 55], [45, 45, 80, 80]])
    assert detect.anchor_classes(some, scene, HOW)[0].tolist() == [1, 1, 1, 0]


def test_an_object_that_no_anchor_touches_makes_none_positive():
    scene = _scene((90, 90, 95, 95))
    assert detect.anchor_classes(torch.tensor([[0.0, 0, 9, 9], [20, 20, 29, 29]]), scene, HOW)[0].tolist() == [0, 0]


def test_anchors_across_the_border_teach_nothing():
    scene = _scene((0, 0, 9, 9))
    some = torch.tensor([[-1.0, 0, 9, 9], [0, 0, 9, 9], [95, 95, 100, 99]])
    assert detect.anchor_classes(some, scene, HOW)[0].tolist() == [IGNORED, 1, IGNORED]


def test_256_anchors_teach_and_at_most_half_of_them_are_of_objects():
    scene = _scene((10, 10, 49, 49))
    same = torch.tensor([[10.0, 10, 49, 49]]).repeat(300, 1)
    none = torch.tensor([[60.0, 60, 69, 69]]).repeat(300, 1)
    taught = taught_anchors(torch.cat([same, none]), scene, HOW, _draws())
    assert (len(taught.rows), int(taught.classes.sum())) == (256, 128)
    few = taught_anchors(torch.cat([same[:5], none]), scene, HOW, _draws())
    assert (len(few.rows), int(few.classes.sum())) == (256, 5)


def test_an_image_without_objects_teaches_the_background_alone():
    empty = _scene()
    taught = taught_anchors(torch.tensor([[0.0, 0, 9, 9], [20, 20, 29, 29]]), empty, HOW, _draws())
    assert taught.classes.tolist() == [0, 0]
    regions, of_regions = taught_regions(torch.tensor([[0.0, 0, 9, 9]]), empty, HOW, _draws())
    assert (len(regions), of_regions.classes.tolist(), of_regions.offsets.abs().sum().item()) == (1, [0], 0)


def test_a_region_is_of_an_object_from_an_overlap_of_a_half_on():
    scene = _scene((0, 0, 9, 9), labels=(7,))
    regions, taught = taught_regions(torch.tensor([[0.0, 0, 9, 4], [0, 0, 9, 3]]), scene, HOW, _draws())
    told = {tuple(region): label for region, label in zip(regions.tolist(), taught.classes.tolist(), strict=True)}
    assert told == {(0, 0, 9, 4): 8, (0, 0, 9, 3): 0, (0, 0, 9, 9): 8}  # the object's own box is a region, too


def test_a_quarter_of_the_regions_is_of_objects_at_most():
    scene = _scene((0, 0, 9, 9))
    given = torch.cat(
        [torch.tensor([[0.0, 0, 9, 9]]).repeat(100, 1), torch.tensor([[50.0, 50, 59, 59]]).repeat(200, 1)]
    )
    _, taught = taught_regions(given, scene, HOW, _draws())
    assert (len(taught.classes), int((taught.classes > 0).sum())) == (128, 32)


def test_the_background_of_fast_r_cnn_starts_at_a_tenth():
    scene = _scene((0, 0, 9, 9))
    given = torch.tensor([[0.0, 0, 9, 1], [50, 50, 59, 59]])
    regions, _ = taught_regions(given, scene, replace(HOW, region_background=0.1), _draws())
    assert sorted(regions[:, 0].tolist()) == [0, 0]


def test_offsets_of_regions_are_normalised_by_their_deviations():
    scene = _scene((0, 0, 19, 9))
    regions, taught = taught_regions(torch.tensor([[0.0, 0, 9, 9]]), scene, HOW, _draws())
    row = regions.tolist().index([0, 0, 9, 9])
    assert taught.offsets[row].tolist() == pytest.approx([0.5 / 0.1, 0, math.log(2) / 0.2, 0], abs=1e-4)


def test_the_loss_of_offsets_turns_linear_at_1_and_at_a_ninth():
    zero = torch.zeros(3)
    assert detect.smooth_l1(torch.tensor([0.5, 1.0, -3.0]), zero).tolist() == pytest.approx([0.125, 0.5, 2.5])
    steep = detect.smooth_l1(torch.tensor([0.1, 1 / 9, 1.0]), zero, sigma=3)
    assert steep.tolist() == pytest.approx([0.045, 0.5 / 9, 1 - 0.5 / 9])


def test_proposals_are_clipped_large_enough_and_suppressed_at_0_7():
    some = torch.tensor([[-20.0, -20, 39, 39], [0, 0, 39, 39], [10, 10, 20, 20], [50, 50, 89, 89]])
    logits = torch.tensor([[0.0, 3.0], [0.0, 2.0], [0.0, 9.0], [0.0, 1.0]])
    found = proposals(logits, torch.zeros(4, 4), some, _scene(), HOW, training=False)
    assert found.tolist() == [[0, 0, 39, 39], [50, 50, 89, 89]]  # 11 pixels are too few, and the second is the first


@pytest.mark.parametrize(("training", "kept"), [(True, 2000), (False, 300)])
def test_2000_proposals_stay_in_training_and_300_in_a_test(training: bool, kept: int):
    corner = torch.cartesian_prod(torch.arange(50.0), torch.arange(50.0)) * 20
    some = torch.cat([corner, corner + 19], dim=1)
    logits = torch.zeros(2500, 2)
    scene = Scene(1000, 1000, torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    assert len(proposals(logits, torch.zeros(2500, 4), some, scene, HOW, training=training)) == kept


def test_detections_are_sure_enough_suppressed_by_class_and_the_surest():
    boxes = torch.tensor([[[0.0, 0, 9, 9]] * 2, [[1.0, 0, 10, 9]] * 2, [[40.0, 40, 49, 49]] * 2])
    scores = torch.tensor([[0.9, 0.8], [0.7, 0.03], [0.04, 0.06]])
    found = detections(boxes, scores, HOW)
    assert found.labels.tolist() == [0, 1, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.8, 0.06])
    assert len(detections(boxes, scores, replace(HOW, most=2)).labels) == 2


def test_refined_boxes_are_moved_by_the_vote_of_those_they_suppress():
    boxes = torch.tensor([[[0.0, 0, 9, 9]], [[2.0, 0, 11, 9]]])
    scores = torch.tensor([[0.75], [0.25]])
    assert detections(boxes, scores, replace(HOW, refined=True)).boxes.tolist() == [[0.5, 0, 9.5, 9]]


def test_of_several_scales_a_region_takes_the_last_where_it_is_no_larger_than_224_and_the_next():
    def look(side: int) -> Look:
        return Look(torch.zeros(1), Scene(side, side, torch.zeros(0, 4), torch.zeros(0)))

    views = Views([look(side) for side in (200, 400, 800)], look(400).scene, HOW)
    regions = torch.tensor([[0.0, 0, 99, 99], [0, 0, 223, 223], [0, 0, 299, 299]])
    assert adjacent(regions, views).tolist() == [1, 1, 0]


def _network(name: str, *, context: bool = False) -> FasterRCNN:
    torch.manual_seed(0)
    size = 64 if name != "zfnet" else 80
    network = FasterRCNN(models.build(name, 1, size, 0.07), 3, 6, context=context)
    initialise(network, 0)
    return network


@pytest.mark.parametrize("name", ["zfnet", "vgg16", "resnet18", "resnet50"])
def test_every_trunk_learns_and_finds(name: str):
    network = _network(name)
    how = SMALL if name.startswith("resnet") else replace(SMALL, region_size=None)
    images = torch.randn(2, 3, 64, 80)
    scenes = [_scene((5, 5, 40, 40), (30, 8, 60, 55), labels=(0, 2), side=64), _scene(side=64)]
    loss = step_loss(network, images, scenes, how, _draws())
    loss.backward()
    assert math.isfinite(loss.item())
    missing = [name for name, p in network.named_parameters() if p.grad is None]
    assert missing == []
    found = find([network.eval()], [[Look(images[:1], scenes[0])]], replace(how, score=0.0))
    assert torch.isfinite(found.boxes).all()
    assert (found.boxes[:, 2:] <= 63).all()


def test_a_network_without_the_stride_is_refused():
    with pytest.raises(ValueError, match="no map of stride 16"):
        FasterRCNN(models.build("alexnet", 1, 80, 0.05), 3, 9)


def test_context_doubles_what_a_region_is_judged_by():
    plain, around = _network("resnet18"), _network("resnet18", context=True)
    assert around.scores.in_features == 2 * plain.scores.in_features
    loss = step_loss(around, torch.randn(1, 3, 64, 64), [_scene((5, 5, 40, 40), side=64)], SMALL, _draws())
    assert math.isfinite(loss.item())


def test_one_scale_twice_finds_what_it_finds_once():
    network = _network("resnet18").eval()
    look = Look(torch.randn(1, 3, 64, 64), _scene(side=64))
    how = replace(SMALL, score=0.0)
    one, two = find([network], [[look]], how), find([network], [[look, look]], how)
    assert torch.allclose(one.boxes, two.boxes, atol=1e-3)


BOX = st.tuples(*[st.floats(-40, 140, width=32)] * 4)


@settings(max_examples=25, deadline=None)
@given(st.lists(BOX, max_size=6), st.integers(0, 1000))
def test_whatever_boxes_a_scene_has_no_loss_is_nan(rows: list[tuple[float, ...]], seed: int):
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    scene = Scene(100, 90, boxes, torch.zeros(len(rows), dtype=torch.long))
    draws = torch.Generator().manual_seed(seed)
    every = over_map(anchors((1, 3), (0.5, 1)), 6, 6, 16)
    logits, offsets = torch.randn(len(every), 2, generator=draws), 4 * torch.randn(len(every), 4, generator=draws)
    taught = taught_anchors(every, scene, SMALL, draws)
    assert all(torch.isfinite(part) for part in detect.proposal_loss(logits, offsets, taught, SMALL))
    found = proposals(logits, offsets, every, scene, SMALL, training=True)
    assert torch.isfinite(found).all()
    regions, of_regions = taught_regions(found, scene, SMALL, draws)
    assert torch.isfinite(regions).all()
    assert torch.isfinite(of_regions.offsets).all()


def test_proposals_of_an_exploded_network_are_dropped_not_nan():
    some = torch.tensor([[0.0, 0, 39, 39], [0, 0, 59, 59]])
    logits: Tensor = torch.tensor([[math.nan, 1.0], [0.0, 1.0]])
    found = proposals(logits, torch.zeros(2, 4), some, _scene(), HOW, training=True)
    assert found.tolist() == [[0, 0, 59, 59]]
