"""Proposals of a class judged again, one by one (He et al. 2015, appendix C): which teach what, the loss, the answer.

The second half of MSRA's localization of 2015, after `class_proposals`. A region is cropped, warped and shown to a
classifier that has a logit and a box for each class; an image teaches its own class alone.
"""

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc.models.rcnn import RegionClassifier
from ilsvrc.spec import Regions
from ilsvrc.tasks.boxes import clipped, coded, decoded, overlaps

WINDOWS = 128  # warped regions that the network looks at together


def drawn(regions: Tensor, objects: Tensor, how: Regions, rng: random.Random) -> tuple[list[int], list[int]]:
    """Rows of the `regions_taught` regions, of (P, 4), that teach, and the row of the object of (T, 4) nearest to each.

    Each is drawn by itself: one of an object with a chance of `object_share`, else one of none; where an image lacks
    the kind, the other. Raises ValueError where there is no region or no object.
    """
    if not len(regions) or not len(objects):
        raise ValueError(f"{len(regions)} regions and {len(objects)} objects teach nothing; both must be there")
    most, nearest = overlaps(regions, objects).max(dim=1)
    is_object = most >= how.region_object
    kinds = [torch.nonzero(is_object == kind).flatten().tolist() for kind in (False, True)]
    rows = []
    for _ in range(how.regions_taught):
        wanted = kinds[rng.random() < how.object_share]
        rows.append(rng.choice(wanted or kinds[0] or kinds[1]))
    return rows, nearest[rows].tolist()


def taught(regions: Tensor, objects: Tensor, how: Regions) -> tuple[Tensor, Tensor]:
    """What regions (R, 4) teach, each with its object, (R, 4): 1 for an object and 0 for none, and offsets (R, 4)."""
    over = overlaps(regions, objects).diagonal()
    offsets = coded(objects, regions) / regions.new_tensor(how.offset_deviations)
    return (over >= how.region_object).to(regions.dtype), offsets


def region_loss(logits: Tensor, offsets: Tensor, labels: Tensor, wanted: Tensor, where: Tensor) -> Tensor:
    """The logistic loss of each region's own class and the smooth L1 loss of the objects' offsets, meaned over all.

    logits (R, C), offsets (R, C, 4), labels (R,); wanted (R,) and where (R, 4) as `taught` gives them.
    """
    rows = torch.arange(len(labels), device=labels.device)
    said = F.binary_cross_entropy_with_logits(logits[rows, labels], wanted)
    each = F.smooth_l1_loss(offsets[rows, labels], where, reduction="none").sum(dim=1)
    return said + (each * wanted).mean()


@torch.no_grad()
def judged(
    network: RegionClassifier,
    crops: Callable[[Tensor], Tensor],
    given: Sequence[Tensor],
    labels: Sequence[int],
    size: tuple[int, int],
    how: Regions,
) -> list[tuple[Tensor, Tensor]]:
    """Of each label its proposals, (K, 4), moved on an image of `size`, width and height, and their new logits, (K,).

    given has the proposals of each label; crops makes of regions (R, 4) what the network, in eval mode, takes. Regions
    of all labels are looked at together, WINDOWS at a time.
    """
    regions = torch.cat(list(given))
    own = torch.cat([torch.full((len(some),), label) for some, label in zip(given, labels, strict=True)])
    boxes, scores = [regions[:0]], [regions[:0, 0]]
    for some, mine in zip(torch.split(regions, WINDOWS), torch.split(own.to(regions.device), WINDOWS), strict=True):
        if not len(some):
            continue
        logits, offsets = (each.float() for each in network(crops(some)))
        rows = torch.arange(len(some), device=some.device)
        moved = decoded(offsets[rows, mine] * some.new_tensor(how.offset_deviations), some)
        boxes.append(clipped(moved, *size))
        scores.append(logits[rows, mine])
    counts = [len(some) for some in given]
    return list(zip(torch.split(torch.cat(boxes), counts), torch.split(torch.cat(scores), counts), strict=True))


def agreed(found: Sequence[Sequence[tuple[Tensor, Tensor]]], weights: Sequence[float]) -> list[tuple[Tensor, Tensor]]:
    """What networks that judged the same proposals say together: of each label the means of boxes and probabilities.

    found has of each network what `judged` gives; weights are relative. As the ensembles of detectors do (He et al.
    2015, appendix B): every network judges the proposals of all, and what they say of each is averaged.
    """
    shares = [weight / sum(weights) for weight in weights]
    means = []
    for each in zip(*found, strict=True):
        boxes = torch.stack([share * boxes for share, (boxes, _) in zip(shares, each, strict=True)]).sum(dim=0)
        sure = [share * logits.double().sigmoid() for share, (_, logits) in zip(shares, each, strict=True)]
        means.append((boxes, torch.stack(sure).sum(dim=0)))
    return means
