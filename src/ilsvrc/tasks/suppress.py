"""Suppression: of boxes that show the same thing, the surest stays; and voting, where the others still count.

Greedy suppression as every paper since Girshick et al. 2014 uses it: 0.7 between proposals, 0.3 between detections of
a class. Voting is Gidaris and Komodakis 2015, section 4. Plain torch; torchvision's operator serves where it imports.
"""

import torch
from torch import Tensor

from ilsvrc.tasks import native
from ilsvrc.tasks.boxes import areas, overlaps

BLOCK = 256  # boxes settled at a time: their overlaps with all the others fit the cache


def nms(boxes: Tensor, scores: Tensor, threshold: float, most: int | None = None) -> Tensor:
    """(K,): places of the boxes that stay, surest first, at most `most`.

    boxes (B, 4), both edges inside; scores (B,). Going down by score, a box stays unless it overlaps one that stayed
    by more than `threshold`; an overlap equal to it is none. Of equal scores the first counts as surer. Boxes that
    hold no pixel overlap nothing. Scores must not be nan.
    """
    operator = native.torchvision_ops()
    if operator is not None and len(boxes):
        order = torch.argsort(scores, descending=True, stable=True)
        ranks = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=torch.float32)
        edges = boxes[order].float() + boxes.new_tensor([0, 0, 1, 1]).float()  # of the image plane: no + 1 there
        kept: Tensor = operator.nms(edges, ranks, threshold)
        return order[kept[:most]]
    return plain_nms(boxes, scores, threshold, most)


def plain_nms(boxes: Tensor, scores: Tensor, threshold: float, most: int | None = None) -> Tensor:
    """nms without torchvision."""
    order = torch.argsort(scores, descending=True, stable=True)
    return order[_greedy(boxes[order].float(), threshold, most)]


def _greedy(boxes: Tensor, threshold: float, most: int | None) -> Tensor:
    """(K,) places of the boxes that stay; boxes (B, 4) come surest first.

    A block at a time: those who stay in it are settled among themselves, then all that they suppress is dropped.
    """
    place = torch.arange(len(boxes), device=boxes.device)
    kept: list[Tensor] = []
    count = 0
    while len(boxes) and (most is None or count < most):
        hidden = _hides(boxes[:BLOCK], boxes[:BLOCK], threshold)
        stays = _settled(hidden)
        kept.append(place[:BLOCK][stays])
        count += len(kept[-1])
        suppressors, boxes, place = boxes[:BLOCK][stays], boxes[BLOCK:], place[BLOCK:]
        if len(boxes):
            alive = ~_hidden(suppressors, boxes, threshold)
            boxes, place = boxes[alive], place[alive]
    return torch.cat(kept)[:most] if kept else place


def _hidden(suppressors: Tensor, boxes: Tensor, threshold: float) -> Tensor:
    """(B,) bool: whether any of the suppressors, (S, 4), hides a box."""
    parts = [_hides(suppressors, part, threshold).any(dim=0) for part in torch.split(boxes, 2 * BLOCK)]
    return torch.cat(parts)


def _settled(hides: Tensor) -> Tensor:
    """(N,) bool: who stays, when an earlier one that stays removes all that it `hides`, (N, N).

    Whoever is hidden by nobody stays; settling again and again reaches the one answer, in as many rounds as the
    longest chain of boxes that hide and free one another.
    """
    earlier = torch.triu(hides, diagonal=1).float()
    stays = torch.ones(len(hides), device=hides.device)
    while True:
        settled = (stays @ earlier == 0).float()
        if torch.equal(settled, stays):
            return stays.bool()
        stays = settled


def _hides(boxes: Tensor, others: Tensor, threshold: float) -> Tensor:
    """(B, T) bool: whether a box overlaps another by more than `threshold`."""
    x1, y1, x2, y2 = (edge[:, None] for edge in boxes.unbind(1))
    u1, v1, u2, v2 = others.unbind(1)
    common = torch.minimum(x2, u2).sub_(torch.maximum(x1, u1)).add_(1).clamp_(min=0)
    common.mul_(torch.minimum(y2, v2).sub_(torch.maximum(y1, v1)).add_(1).clamp_(min=0))
    union = (areas(boxes)[:, None] + areas(others)).sub_(common)
    return common > union.mul_(threshold)


def vote(kept: Tensor, boxes: Tensor, scores: Tensor, threshold: float = 0.5) -> Tensor:
    """(K, 4): each kept box as the mean of all boxes that overlap it by `threshold` or more, weighted by score.

    kept (K, 4) after suppression; boxes (B, 4) and scores (B,) before it, all of one class; scores below 0 count as 0.
    A kept box that no weight reaches stays as it is.
    """
    weights = torch.where(overlaps(kept, boxes) >= threshold, scores.clamp(min=0), scores.new_zeros(()))
    total = weights.sum(dim=1, keepdim=True)
    return torch.where(total > 0, weights @ boxes / total.clamp(min=1e-12), kept)
