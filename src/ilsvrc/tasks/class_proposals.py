"""Proposals for one class at a time (He et al. 2015, appendix C): which anchors teach, the loss, and what is proposed.

The first half of MSRA's localization of 2015; the second is `class_regions`. Each class has a logit of its own at
every anchor, object of this class or not, and a box of its own; an image teaches its own class alone.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc.models.regressor import ClassProposals
from ilsvrc.spec import Regions
from ilsvrc.tasks.anchors import over_map
from ilsvrc.tasks.boxes import clipped, coded, decoded, overlaps, usable
from ilsvrc.tasks.suppress import nms

SAMPLED = 8  # anchors of an image, half of them positive
POSITIVE, NEGATIVE = 0.7, 0.3  # overlap with the object: at least, and below (Ren et al. 2015, section 3.1.2)


def anchors_taught(anchors: Tensor, box: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places of the positive and of the negative anchors, (P, 4), that an object, (4,), teaches; SAMPLED at most.

    Positive: an overlap of POSITIVE or more, or the largest there is; negative: below NEGATIVE. At most half are
    positive, and negatives fill up.
    """
    overlap = overlaps(anchors, box[None])[:, 0]
    positive = (overlap >= POSITIVE) | ((overlap == overlap.max()) & (overlap > 0))
    first = _some(positive.nonzero()[:, 0], SAMPLED // 2, draws)
    second = _some(((overlap < NEGATIVE) & ~positive).nonzero()[:, 0], SAMPLED - len(first), draws)
    return first, second


def _some(places: Tensor, most: int, draws: torch.Generator) -> Tensor:
    return places[torch.randperm(len(places), generator=draws)[:most].to(places.device)]


def class_proposal_loss(
    found: Tensor, anchors: Tensor, labels: Tensor, boxes: Tensor, teaches: Tensor, draws: torch.Generator
) -> Tensor:
    """The mean over images that teach of the logistic loss over their anchors and the smooth L1 loss of their boxes.

    found: (N, P, C, 5), logits and offsets; labels (N,); boxes (N, 4) in the window's pixels, both edges inside;
    teaches (N,) of 0 and 1. Both parts are divided by the anchors sampled, as the authors' earlier code does.
    """
    total = found.sum() * 0
    for row in teaches.nonzero()[:, 0].tolist():
        mine = found[row, :, labels[row]]
        positive, negative = anchors_taught(anchors, boxes[row], draws)
        places = torch.cat([positive, negative])
        wanted = torch.zeros(len(places), device=found.device)
        wanted[: len(positive)] = 1
        count = max(1, len(places))
        total = total + F.binary_cross_entropy_with_logits(mine[places, 0], wanted, reduction="sum") / count
        offsets = coded(boxes[row].expand(len(positive), 4), anchors[positive])
        total = total + F.smooth_l1_loss(mine[positive, 1:], offsets, reduction="sum") / count
    return total / teaches.sum().clamp(min=1)


@torch.no_grad()
def moved_anchors(network: ClassProposals, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of each label at every anchor its box, (P, G, 4), and its logit, (P, G), in an image, (1, 3, H, W), of any size.

    Boxes are in the image's pixels, both edges inside, and may lie beyond it.
    """
    maps = network.features(images)
    every = over_map(network.cell, maps.shape[2], maps.shape[3], network.stride)
    found = network.everywhere(maps, labels)[0].float()
    return decoded(found[..., 1:], every[:, None]), found[..., 0]


def best_proposals(boxes: Tensor, scores: Tensor, size: tuple[int, int], how: Regions) -> Tensor:
    """(K, 4): what stays of boxes (P, 4) of one class with their scores (P,), surest first, `kept` at most.

    Boxes are rounded to whole pixels of an image of `size`, width and height, and cut at its border; those that share
    no pixel with it go, and of two that overlap by more than `proposal_overlap` the less sure one does.
    """
    good = usable(boxes, *size) & torch.isfinite(scores)
    boxes, scores = clipped(boxes[good].round(), *size), scores[good]
    return boxes[nms(boxes, scores, how.proposal_overlap, how.kept)]
