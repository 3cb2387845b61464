"""Proposals for one class at a time (He et al. 2015, appendix C): which anchors teach, and the loss.

The first half of MSRA's localization of 2015. Each class has a logit of its own at every anchor, object of this class
or not, and a box of its own; an image teaches its own class alone.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc.tasks.boxes import coded, overlaps

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
