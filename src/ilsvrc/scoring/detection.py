"""Detection: the area under the curve of precision over recall of each class, as `eval_detection.m` counts it.

Not the rule of PASCAL VOC: there the best-overlapping object is fixed first and one already taken makes a detection
false; here an object already taken is passed over and the detection may take its second best. Small objects have a
lower threshold, equal confidences have an order, and the classes reported end with the highest that has an object.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ilsvrc.errors import DataError, SubmissionError
from ilsvrc.scoring.faults import Faults
from ilsvrc.scoring.localization import Objects
from ilsvrc.scoring.overlap import pair_overlap
from ilsvrc.scoring.score import Score
from ilsvrc.scoring.submission import Detections

RULES = "eval_detection.m, kits from 2014 on"
TRUE, FALSE, IGNORED = 1, 0, -1  # what becomes of a detection


@dataclass(frozen=True, eq=False)
class ClassVerdict:
    """The detections of one class, surest first, and what became of each."""

    label: int  # ILSVRC id
    objects: int  # to be found, those of excluded pairs left out
    order: np.ndarray  # (D,) int: rows of the submission
    outcome: np.ndarray  # (D,) int8: TRUE, FALSE or IGNORED
    taken: np.ndarray  # (T,) int: the object of each true detection, a row of the ground truth

    @property
    def recall(self) -> np.ndarray:
        """(D,): after each detection, the share of the objects found; nan where there is none to find."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.cumsum(self.outcome == TRUE) / np.float64(self.objects))

    @property
    def precision(self) -> np.ndarray:
        """(D,): after each detection, the share of true ones; nan while all are ignored."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.cumsum(self.outcome == TRUE) / np.cumsum(self.outcome != IGNORED))

    @property
    def average_precision(self) -> float:
        """The area under the curve; 0 without detections, nan for detections of a class without objects."""
        return average_precision(self.recall, self.precision)


@dataclass(frozen=True, eq=False)
class Detection:
    """The verdict on a detection submission: one entry per class, from 1 to the highest that has an object."""

    classes: tuple[ClassVerdict, ...]
    ap: np.ndarray  # (C,) float64 in [0, 1] or nan: average precision of the class with ILSVRC id c + 1
    images: int
    excluded: int  # (image, class) pairs
    left_out: np.ndarray  # (B,) bool: objects that are not sought, being of an excluded pair

    @property
    def mean(self) -> Score:
        """The mean over all classes reported; one nan makes it nan, as in the kit."""
        return Score("mean AP", float(np.mean(self.ap)), self.images, self.excluded, RULES)

    @property
    def median(self) -> Score:
        """The median over all classes reported; one nan makes it nan, as in the kit."""
        return Score("median AP", float(np.median(self.ap)), self.images, self.excluded, RULES)

    @property
    def mean_of_present(self) -> Score:
        """The mean over the classes that have an object to find: a number even where the kit's is not."""
        present = [ap for ap, one in zip(self.ap, self.classes, strict=True) if one.objects]
        value = float(np.mean(present)) if present else float("nan")
        return Score("mean AP of classes with objects", value, self.images, self.excluded, "ours")


def detect(
    detections: Detections, objects: Objects, indices: np.ndarray, exclusions: np.ndarray | None = None
) -> Detection:
    """Score a detection submission.

    indices: (N,) the number by which submissions call each image of `objects`; any order, gaps allowed. Of a number
    given to two images the last one's objects are matched and both count. exclusions: (E, 2) pairs of such a number
    and an ILSVRC id: objects of a pair are not sought, and its detections are neither true nor false.

    A detection takes, of the objects of its class and image that no surer detection has taken and that it overlaps by
    `thresholds` or more, the one it overlaps most; the first in the file among equals. Equal confidences are ordered
    by image number, within an image by their place in the submission; nan comes first.
    Raises SubmissionError when there is no detection or one lies on an image that is not listed, and DataError when no
    image has an object.
    """
    numbers = np.asarray(indices)
    pairs = np.zeros((0, 2), dtype=np.int64) if exclusions is None else np.unique(np.asarray(exclusions), axis=0)
    check_images(detections, numbers)
    if not len(objects.label):
        raise DataError("no image has an object; there is nothing to detect")
    called = numbers[objects.image]
    left_out = _among(called, objects.label, pairs)
    last = {number: place for place, number in enumerate(numbers.tolist())}
    matched = np.array([last[number] for number in numbers.tolist()])[objects.image] == objects.image
    high = int(objects.label.max())
    sought = np.bincount(objects.label[~left_out], minlength=high + 1)
    things = _Things(objects, called, matched & ~left_out)
    verdicts = []
    for label, rows in _by_label(detections.label, high):
        ignored = set(pairs[pairs[:, 1] == label, 0].tolist())
        verdicts.append(_verdict(label, int(sought[label]), detections, rows, things, ignored))
    ap = np.array([verdict.average_precision for verdict in verdicts])
    return Detection(tuple(verdicts), ap, len(numbers), len(pairs), left_out)


def thresholds(boxes: np.ndarray) -> np.ndarray:
    """(B,): the overlap wanted of a detection of each box, (B, 4): min(0.5, w h / ((w + 10) (h + 10))).

    Below 0.5 for boxes smaller than about 25 x 25 pixels; both edges count, so w is xmax - xmin + 1.
    """
    width, height = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.fmin(0.5, width * height / ((width + 10) * (height + 10))))


def average_precision(recall: np.ndarray, precision: np.ndarray) -> float:
    """The area under precision over recall, each (D,), surest detection first, after precision is made to fall.

    Each precision is raised to the largest that follows it, and the area is summed over every change of recall (not
    at eleven points). nan precisions are passed over; nan recalls make the area nan.
    """
    steps = np.concatenate(([0.0], recall, [1.0]))
    heights = np.concatenate(([0.0], precision, [0.0]))
    envelope = np.fmax.accumulate(heights[::-1])[::-1]
    changes = np.flatnonzero(steps[1:] != steps[:-1]) + 1
    return float(((steps[changes] - steps[changes - 1]) * envelope[changes]).sum())


def check_images(detections: Detections, indices: np.ndarray, where: Path | str = "the submission") -> None:
    """Raise SubmissionError when there is no detection, or one lies on an image that is not among `indices`, (N,)."""
    if not len(detections):
        raise SubmissionError(f"{where} has no detection; a line per box is wanted")
    faults = Faults(where)
    strange = np.empty(len(detections), dtype=bool)
    for start in range(0, len(detections), 1 << 20):  # in parts: of all at once numpy makes copies of eight bytes
        part = detections.image[start : start + (1 << 20)]
        strange[start : start + (1 << 20)] = ~np.isin(part, indices) | (part < 1)
    faults.add_where(strange, lambda row: row + 1, lambda row: f"image {detections.image[row]}")
    faults.stop("the list of images has no such index; leave these lines out or give the list they were made for")


class _Things:
    """The objects that may be found, class by class, ascending by image number and then in the order of their files."""

    def __init__(self, objects: Objects, called: np.ndarray, wanted: np.ndarray) -> None:
        kept = np.flatnonzero(wanted)
        self.place = kept[np.lexsort((kept, called[kept], objects.label[kept]))]
        self.image = called[self.place]
        self.box = objects.box[self.place]
        self.least = thresholds(self.box)
        self.label = objects.label[self.place]

    def of(self, label: int) -> slice:
        return slice(*np.searchsorted(self.label, (label, label + 1)).tolist())


def _among(image: np.ndarray, label: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Whether (image, label), both (B,), is one of the (E, 2) pairs."""
    listed = set(map(tuple, pairs.tolist()))
    return np.array([pair in listed for pair in zip(image.tolist(), label.tolist(), strict=True)], dtype=bool)


def _by_label(labels: np.ndarray, high: int) -> Iterator[tuple[int, np.ndarray]]:
    """Each label from 1 to `high` with the rows that have it, ascending; other labels are passed over."""
    kind = np.int16 if high < 2**15 else np.int32  # of 16 bits numpy sorts by counting
    known = np.where((labels >= 1) & (labels <= high), labels, 0).astype(kind)
    order = np.argsort(known, kind="stable").astype(np.int32)
    ends = np.cumsum(np.bincount(known, minlength=high + 1))
    for label in range(1, high + 1):
        yield label, order[ends[label - 1] : ends[label]]


def _verdict(
    label: int, sought: int, detections: Detections, rows: np.ndarray, things: _Things, ignored: set[int]
) -> ClassVerdict:
    image, confidence = detections.image[rows], detections.confidence[rows]
    number = ~np.isnan(confidence)
    order = np.lexsort((image, -confidence) if number.all() else (image, -confidence, number))
    rows, image = rows[order], image[order]
    outcome = np.full(len(rows), FALSE, dtype=np.int8)
    if ignored:
        outcome[np.isin(image, list(ignored))] = IGNORED
    own = things.of(label)
    rank, thing = candidates(image, things.image[own], outcome != IGNORED)
    over = pair_overlap(detections.box[rows[rank]], things.box[own][thing])
    enough = over >= things.least[own][thing]
    pairs = np.array(list(_match(rank[enough], thing[enough], over[enough])), dtype=np.intp).reshape(-1, 2)
    outcome[pairs[:, 0]] = TRUE
    return ClassVerdict(label, sought, rows, outcome, things.place[own][pairs[:, 1]])


def candidates(image: np.ndarray, where: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each wanted detection with each object of its image.

    image: (D,) and wanted: (D,) bool, of the detections; where: (B,) ascending, the images of the objects.
    Returns the places of both, each (P,), by detection and then by object.
    """
    first = np.searchsorted(where, image, side="left")
    counts = np.where(wanted, np.searchsorted(where, image, side="right") - first, 0)
    rank = np.repeat(np.arange(len(image)), counts)
    thing = np.arange(len(rank)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return rank, thing


def _match(rank: np.ndarray, thing: np.ndarray, over: np.ndarray) -> Iterator[tuple[int, int]]:
    """Go through the detections, surest first: each takes the free object it overlaps most, the first among equals."""
    order = np.lexsort((thing, -over, rank))
    matched, free = -1, set(thing.tolist())
    for first, second in zip(rank[order].tolist(), thing[order].tolist(), strict=True):
        if first != matched and second in free:
            matched = first
            free.remove(second)
            yield first, second
