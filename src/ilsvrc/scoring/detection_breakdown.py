"""Where a detection submission goes wrong: by the size of objects, and by what a false detection really shows.

Neither is part of the challenge. Sizes are those of COCO (Lin et al. 2014); the causes are those of Hoiem,
Chodpathumwan and Dai (2012): duplicates, poor boxes, other classes, background.
"""

import math
from dataclasses import dataclass

import numpy as np

from ilsvrc.scoring.detection import FALSE, IGNORED, TRUE, Detection, average_precision, candidates, thresholds
from ilsvrc.scoring.localization import Objects
from ilsvrc.scoring.overlap import pair_overlap
from ilsvrc.scoring.submission import Detections

# From the smallest area in pixels to below the largest, both edges of a box inside.
SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, math.inf)}
CAUSES = ("duplicate", "poor box", "other class", "background")
TOUCH = 0.1  # Hoiem et al. 2012, section 3.1: the least overlap by which a detection means an object


@dataclass(frozen=True)
class SizeScore:
    """The objects of one range of sizes."""

    size: str
    objects: int
    found: int
    classes: int  # that have such an object
    mean_ap: float  # over those classes; nan where there is none


def scores_by_size(found: Detection, detections: Detections, objects: Objects) -> tuple[SizeScore, ...]:
    """Average precision by the size of objects, from the matches of the verdict.

    A detection that found an object of another size is passed over, and so is a false one whose own box is of another
    size; so every range has its own curve, and the ranges need not add up to the whole.
    """
    box = objects.box
    area = (box[:, 2] - box[:, 0] + 1) * (box[:, 3] - box[:, 1] + 1)
    return tuple(_size_score(name, area, found, detections, objects) for name in SIZES)


def _size_score(name: str, area: np.ndarray, found: Detection, detections: Detections, objects: Objects) -> SizeScore:
    low, high = SIZES[name]
    inside = (area >= low) & (area < high)
    aps, sought_in_all, found_in_all = [], 0, 0
    for one in found.classes:
        # Objects of excluded pairs are not sought; none of them is ever taken.
        sought = int((inside & (objects.label == one.label) & ~found.left_out).sum())
        own = detections.box[one.order]
        extent = (own[:, 2] - own[:, 0] + 1) * (own[:, 3] - own[:, 1] + 1)
        true = one.outcome == TRUE
        mine = (extent >= low) & (extent < high)
        mine[true] = inside[one.taken]
        kept = (one.outcome != IGNORED) & mine
        true = true[kept]
        sought_in_all += sought
        found_in_all += int(true.sum())
        if sought:
            hits = np.cumsum(true)
            aps.append(average_precision(hits / sought, hits / np.arange(1, len(true) + 1)))
    return SizeScore(name, sought_in_all, found_in_all, len(aps), float(np.mean(aps)) if aps else math.nan)


@dataclass(frozen=True)
class FalseDetections:
    """The false detections of one class by cause."""

    label: int  # ILSVRC id
    counts: tuple[int, int, int, int]  # by CAUSES, of all
    surest: tuple[int, int, int, int]  # by CAUSES, of the surest detections, as many as the class has objects


def false_detections(
    found: Detection, detections: Detections, objects: Objects, indices: np.ndarray
) -> tuple[FalseDetections, ...]:
    """What the false detections of each class show, class by class.

    A duplicate overlaps an object of its class enough, but a surer detection has taken it. A poor box overlaps one by
    0.1 or more, not enough. Of the rest, those that overlap an object of another class by 0.1 or more are called by a
    wrong class, and all others lie on the background. indices: (N,) as given to `detect`.
    """
    called = np.asarray(indices)[objects.image]
    order = np.argsort(called, kind="stable")
    sorted_objects = Objects(objects.images, called[order], objects.label[order], objects.box[order])
    least = thresholds(sorted_objects.box)
    verdicts = []
    for one in found.classes:
        false = np.flatnonzero(one.outcome == FALSE)
        cause = _causes(one.label, one.order[false], detections, sorted_objects, least)
        every = np.bincount(cause, minlength=len(CAUSES))
        first = np.bincount(cause[false < one.objects], minlength=len(CAUSES))
        verdicts.append(FalseDetections(one.label, tuple(every.tolist()), tuple(first.tolist())))
    return tuple(verdicts)


def _causes(label: int, rows: np.ndarray, detections: Detections, objects: Objects, least: np.ndarray) -> np.ndarray:
    """(D,): the place in CAUSES of each false detection. The objects' images are numbers here, ascending."""
    image = detections.image[rows]
    rank, thing = candidates(image, objects.image, np.ones(len(rows), dtype=bool))
    over = pair_overlap(detections.box[rows[rank]], objects.box[thing])
    same = objects.label[thing] == label
    reached = np.stack(
        [
            same & (over >= least[thing]),
            same & (over >= TOUCH),
            ~same & (over >= TOUCH),
        ]
    )
    cause = np.full(len(rows), CAUSES.index("background"))
    for place in reversed(range(len(reached))):  # the first cause in the table wins
        cause[rank[reached[place]]] = place
    return cause
