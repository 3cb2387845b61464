"""What Faster R-CNN learns: which anchors and regions teach what, and the losses. Girshick 2015; Ren et al. 2015.

Everything here is of one image. Labels are positions by sorted WordNet id, from 0; a region's class is a label plus 1,
0 the background. Draws come from a passed generator. An image without objects teaches the background alone.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc.spec import Detector
from ilsvrc.tasks import boxes as b
from ilsvrc.tasks.suppress import nms

IGNORED = -1


@dataclass(frozen=True, eq=False)
class Scene:
    """One image as a detector sees it: how large it is, and what is in it."""

    width: int
    height: int
    boxes: Tensor  # (T, 4) float32, usable and clipped
    labels: Tensor  # (T,) int64

    def to(self, device: torch.device) -> "Scene":
        """The same on another device."""
        return Scene(self.width, self.height, self.boxes.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Taught:
    """Which anchors or regions of an image teach, and what."""

    rows: Tensor  # (S,) int64: which
    classes: Tensor  # (S,) int64
    offsets: Tensor  # (S, 4) float32: where their object is; 0 for the background


def anchor_classes(anchors: Tensor, scene: Scene, how: Detector) -> tuple[Tensor, Tensor]:
    """(A,) int64 each: 1 an object, 0 none, IGNORED; and which object each anchor overlaps most, 0 where there is none.

    An anchor is one of an object from an overlap of `anchor_object` on, or when none overlaps that object more; none
    below `anchor_background` with all. Those that cross the border of the image teach nothing.
    """
    within = b.inside(anchors, scene.width, scene.height)
    classes = torch.full((len(anchors),), IGNORED, dtype=torch.int64, device=anchors.device)
    nearest = torch.zeros_like(classes)
    if not len(scene.boxes):
        classes[within] = 0
        return classes, nearest
    over = b.overlaps(anchors, scene.boxes) * within[:, None]
    most, nearest = over.max(dim=1)
    best = over.amax(dim=0)  # of each object
    classes[within & (most < how.anchor_background)] = 0
    # Without this rule an object that no anchor fits, a small one, would never be learnt. Nothing at all is no fit.
    classes[((over == best) & (best > 0)).any(dim=1)] = 1
    classes[most >= how.anchor_object] = 1
    return classes, nearest


def taught_anchors(anchors: Tensor, scene: Scene, how: Detector, draws: torch.Generator) -> Taught:
    """`anchors_taught` anchors at most, up to half of them of objects, the rest of none."""
    classes, nearest = anchor_classes(anchors, scene, how)
    objects = _some(torch.nonzero(classes == 1).flatten(), how.anchors_taught // 2, draws)
    others = _some(torch.nonzero(classes == 0).flatten(), how.anchors_taught - len(objects), draws)
    rows = torch.cat([objects, others])
    return Taught(rows, classes[rows], _offsets(anchors[rows], scene, nearest[rows], len(objects)))


def taught_regions(regions: Tensor, scene: Scene, how: Detector, draws: torch.Generator) -> tuple[Tensor, Taught]:
    """The regions that teach, (S, 4), `regions_taught` at most, a quarter of them of objects at most; and what they do.

    The objects' own boxes are regions, too. A region is one of an object from an overlap of 0.5 on, of the background
    from `region_background` to below 0.5. Offsets are normalised by `offset_deviations`.
    """
    regions = torch.cat([regions, scene.boxes])
    most = torch.zeros(len(regions), device=regions.device)
    nearest = torch.zeros(len(regions), dtype=torch.int64, device=regions.device)
    if len(scene.boxes):
        most, nearest = b.overlaps(regions, scene.boxes).max(dim=1)
    foreground = round(how.regions_taught * how.object_share)
    objects = _some(torch.nonzero(most >= 0.5).flatten(), foreground, draws)
    behind = torch.nonzero((most < 0.5) & (most >= how.region_background)).flatten()
    others = _some(behind, how.regions_taught - len(objects), draws)
    rows = torch.cat([objects, others])
    classes = torch.zeros(len(rows), dtype=torch.int64, device=regions.device)
    if len(objects):
        classes[: len(objects)] = scene.labels[nearest[objects]] + 1
    offsets = _offsets(regions[rows], scene, nearest[rows], len(objects)) / deviations(how, regions)
    return regions[rows], Taught(rows, classes, offsets)


def deviations(how: Detector, like: Tensor) -> Tensor:
    """(4,): what offsets of regions are divided by where they are learnt, and multiplied by where they are used."""
    return like.new_tensor(how.offset_deviations)


def _some(rows: Tensor, most: int, draws: torch.Generator) -> Tensor:
    """At most so many of them, each as likely as the other."""
    if len(rows) <= most:
        return rows
    return rows[torch.randperm(len(rows), generator=draws)[:most].to(rows.device)]


def _offsets(boxes: Tensor, scene: Scene, nearest: Tensor, objects: int) -> Tensor:
    """(S, 4): from each of the first `objects` boxes to its object; 0 for the others."""
    offsets = torch.zeros_like(boxes)
    if objects:
        offsets[:objects] = b.coded(scene.boxes[nearest[:objects]], boxes[:objects])
    return offsets


@torch.no_grad()
def proposals(
    logits: Tensor, offsets: Tensor, anchors: Tensor, scene: Scene, how: Detector, *, training: bool
) -> Tensor:
    """(P, 4): what the proposal network takes for objects, surest first, clipped to the image.

    logits (A, 2) and offsets (A, 4). Boxes of fewer than `least_side` pixels a side are dropped, then the surest
    12,000 (6,000 in a test) are suppressed at an overlap of 0.7, and 2,000 (300) stay.
    """
    before, after = how.kept_training if training else how.kept_testing
    objectness = logits[:, 1] - logits[:, 0]  # the softmax in the same order
    boxes = b.clipped(b.decoded(offsets, anchors), scene.width, scene.height)
    width, height = b.sides(boxes)
    large = torch.nonzero((width >= how.least_side) & (height >= how.least_side) & torch.isfinite(objectness)).flatten()
    surest = large[torch.argsort(objectness[large], descending=True, stable=True)[:before]]
    return boxes[surest][nms(boxes[surest], objectness[surest], how.proposal_overlap, after)]


def smooth_l1(found: Tensor, wanted: Tensor, sigma: float = 1.0) -> Tensor:
    """0.5 (sigma x)² where |x| < 1 / sigma², |x| - 0.5 / sigma² elsewhere, of each difference (Girshick 2015)."""
    return F.smooth_l1_loss(found, wanted, reduction="none", beta=1 / sigma**2)


def proposal_loss(logits: Tensor, offsets: Tensor, taught: Taught, how: Detector) -> tuple[Tensor, Tensor]:
    """Of one image: cross entropy over the anchors that teach, and the loss of the offsets of those of an object.

    Both are divided by the number of anchors that teach, as in the authors' code; the paper divides the second by the
    number of cells and multiplies it by 10, which is about the same.
    """
    count = max(1, len(taught.rows))
    classes = F.cross_entropy(logits[taught.rows], taught.classes, reduction="sum") / count
    positive = (taught.classes == 1)[:, None]
    where = (smooth_l1(offsets[taught.rows], taught.offsets, sigma=3.0) * positive).sum() / count
    return classes, where


def region_loss(logits: Tensor, offsets: Tensor, classes: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Of the regions of a step: cross entropy, and the loss of the offsets of each object's own class.

    logits (S, K + 1), offsets (S, K + 1, 4), classes (S,), wanted (S, 4). Both are means over all regions.
    """
    count = max(1, len(classes))
    said = F.cross_entropy(logits, classes, reduction="sum") / count
    mine = offsets[torch.arange(len(classes), device=classes.device), classes]
    where = (smooth_l1(mine, wanted) * (classes > 0)[:, None]).sum() / count
    return said, where
