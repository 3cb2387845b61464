"""Objects in an image, by a finished detector: proposals, their classes and boxes, and what is left of them.

Ren et al. 2015; box refinement, voting, several scales and ensembles as in He et al. 2015, appendix B.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ilsvrc.models.rcnn import STRIDE, FasterRCNN, RegionClassifier
from ilsvrc.spec import Detector
from ilsvrc.tasks import boxes as b
from ilsvrc.tasks.anchors import anchors, over_map
from ilsvrc.tasks.detect import Scene, deviations, proposals
from ilsvrc.tasks.pooling import regarded
from ilsvrc.tasks.suppress import nms, vote
from ilsvrc.tasks.warp import warped

WINDOWS = 128  # warped regions that a network looks at together
USUAL_SIDE = 224  # pixels: a region is looked at where it is nearest to the classifier's own images in size


@dataclass(frozen=True, eq=False)
class Found:
    """Detections of one image, surest first."""

    boxes: Tensor  # (D, 4) float32, in pixels of the image that was looked at
    labels: Tensor  # (D,) int64
    scores: Tensor  # (D,) float32, in [0, 1]


@dataclass(frozen=True, eq=False)
class Look:
    """The image at one scale."""

    images: Tensor  # (1, 3, H, W), normalised
    scene: Scene  # its size; what is in it is not looked at


@torch.no_grad()
def find(networks: Sequence[FasterRCNN], looks: Sequence[Sequence[Look]], how: Detector, first: int = 0) -> Found:
    """Detections in pixels of looks[0][first]. Networks are in eval mode; several are an ensemble.

    looks[n] is the image at each scale, from small to large, as network n was taught to be shown it: members may differ
    in what is subtracted, not in sizes. Proposals come from look `first`, of all networks together, and every network
    judges all of them; probabilities and boxes are averaged. Of several looks each region takes two adjacent ones.
    """
    maps = [[network.shared(look.images) for look in own] for network, own in zip(networks, looks, strict=True)]
    scene = looks[0][first].scene
    regions = torch.cat(
        [proposed(network, each[first], scene, how) for network, each in zip(networks, maps, strict=True)]
    )
    views = Views(looks[0], scene, how)
    boxes, scores = judged(networks, maps, regions, views)
    if how.refined:
        again = most_likely(boxes, scores)
        more_boxes, more_scores = judged(networks, maps, again, views)
        boxes, scores = torch.cat([boxes, more_boxes]), torch.cat([scores, more_scores])
    return detections(boxes, scores, how)


def proposed(network: FasterRCNN, maps: Tensor, scene: Scene, how: Detector, *, training: bool = False) -> Tensor:
    """(P, 4): the proposals of one network on its map of one image, (1, C, H, W)."""
    logits, offsets = network.propose(maps)
    every = over_map(anchors(how.scales, how.ratios).to(maps), maps.shape[2], maps.shape[3], STRIDE)
    return proposals(logits[0].float(), offsets[0].float(), every, scene, how, training=training)


@dataclass(frozen=True, eq=False)
class Views:
    """The looks at an image, and in whose pixels its regions are."""

    looks: Sequence[Look]
    scene: Scene
    how: Detector


def judged(
    networks: Sequence[FasterRCNN], maps: Sequence[Sequence[Tensor]], regions: Tensor, views: Views
) -> tuple[Tensor, Tensor]:
    """(R, K, 4) and (R, K): box and probability of each class in each region, means over the networks."""
    boxes, scores = [], []
    for network, each in zip(networks, maps, strict=True):
        logits, offsets = network.judge(at_scales(network, each, regions, views))
        scores.append(logits.float().softmax(dim=1)[:, 1:])
        offsets = offsets[:, 1:].float() * deviations(views.how, regions)
        boxes.append(b.clipped(b.decoded(offsets, regions[:, None]), views.scene.width, views.scene.height))
    return torch.stack(boxes).mean(dim=0), torch.stack(scores).mean(dim=0)


def at_scales(network: FasterRCNN, maps: Sequence[Tensor], regions: Tensor, views: Views) -> Tensor:
    """(R, F): what the network sees in each region; of two looks the larger of each feature (maxout)."""
    found: Tensor | None = None
    lower = adjacent(regions, views)
    for place, (each, look) in enumerate(zip(maps, views.looks, strict=True)):
        mine = torch.nonzero((lower == place) | (lower == place - 1)).flatten()
        scaled = on_look(regions[mine], views.scene, look.scene)
        sizes = regions.new_tensor([[look.scene.width, look.scene.height]])
        seen = regarded(network, each, scaled, torch.zeros_like(mine), sizes, views.how)
        if found is None:
            found = seen.new_full((len(regions), seen.shape[1]), -torch.inf)
        found[mine] = torch.maximum(found[mine], seen)
    assert found is not None
    return found


def adjacent(regions: Tensor, views: Views) -> Tensor:
    """(R,): the smaller of the two adjacent looks of each region, between which it is USUAL_SIDE pixels large.

    He et al. do not print the rule; this is that of the cited He et al. 2014, nearest to the classifier's images, with
    the next larger or smaller one. With one look it is that.
    """
    width, height = b.sides(regions)
    side = (width * height).clamp(min=1).sqrt()
    lower = torch.zeros(len(regions), dtype=torch.int64, device=regions.device)
    for place, look in enumerate(views.looks[:-1]):
        lower[side * (look.scene.height / views.scene.height) <= USUAL_SIDE] = place
    return lower


def on_look(regions: Tensor, scene: Scene, other: Scene) -> Tensor:
    """Regions in pixels of `scene` as pixels of `other`, the same image at another size."""
    scale = regions.new_tensor([other.width / scene.width, other.height / scene.height] * 2)
    edge = regions.new_tensor([0, 0, 1, 1])
    return (regions + edge) * scale - edge


def most_likely(boxes: Tensor, scores: Tensor) -> Tensor:
    """(R, 4): of each region the box of its surest class, from which its features are pooled again."""
    return boxes[torch.arange(len(boxes), device=boxes.device), scores.argmax(dim=1)] if len(boxes) else boxes[:, 0]


def detections(boxes: Tensor, scores: Tensor, how: Detector) -> Found:
    """What stays of (R, K, 4) boxes with (R, K) probabilities: those above `score`, suppressed by class, the best.

    Where boxes are refined each that stays is moved by the vote of all of its class.
    """
    kept_boxes, kept_labels, kept_scores = [boxes[:0, 0]], [torch.zeros(0, dtype=torch.int64)], [scores[:0, 0]]
    for label in torch.nonzero((scores > how.score).any(dim=0)).flatten().tolist():
        likely = torch.nonzero(scores[:, label] > how.score).flatten()
        mine, sure = boxes[likely, label], scores[likely, label]
        stays = nms(mine, sure, how.detection_overlap, how.most)
        kept_boxes.append(vote(mine[stays], mine, sure) if how.refined else mine[stays])
        kept_labels.append(torch.full((len(stays),), label))
        kept_scores.append(sure[stays])
    found, labels, sure = torch.cat(kept_boxes), torch.cat(kept_labels).to(boxes.device), torch.cat(kept_scores)
    order = torch.argsort(sure, descending=True, stable=True)[: how.most]
    return Found(found[order], labels[order], sure[order])


@dataclass(frozen=True, eq=False)
class Shown:
    """The image as one R-CNN is shown it."""

    image: Tensor  # (3, H, W), normalised
    size: int  # of a warped region, in pixels on a side


@torch.no_grad()
def find_given(
    networks: Sequence[RegionClassifier], shown: Sequence[Shown], given: Tensor, scene: Scene, how: Detector
) -> Found:
    """Detections in an image of R-CNNs in eval mode on proposals (P, 4) that are given; each has it as in `shown`.

    Probabilities and boxes are averaged over the networks (Szegedy et al. 2015, section 8: six of them).
    """
    regions = b.clipped(given[b.usable(given, scene.width, scene.height)], scene.width, scene.height)
    if not len(regions):
        return Found(regions, torch.zeros(0, dtype=torch.int64), regions[:, 0])
    boxes, scores = [], []
    for network, own in zip(networks, shown, strict=True):
        windows = (warped(own.image, some, own.size, how.around) for some in torch.split(regions, WINDOWS))
        parts = [network(window) for window in windows]
        logits, offsets = (torch.cat([part[place] for part in parts]).float() for place in (0, 1))
        scores.append(logits.softmax(dim=1)[:, 1:])
        moved = b.decoded(offsets[:, 1:] * deviations(how, regions), regions[:, None])
        boxes.append(b.clipped(moved, scene.width, scene.height))
    return detections(torch.stack(boxes).mean(dim=0), torch.stack(scores).mean(dim=0), how)
