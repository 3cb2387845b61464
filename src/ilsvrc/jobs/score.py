"""What `ilsvrc score` does: files in, verdicts out, by the rules of a kit.

Ground truth, exclusion lists and boxes are the user's own; WordNet ids tie files of different numberings together.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ilsvrc.data import annotations, devkit
from ilsvrc.errors import DataError, SpecError, SubmissionError
from ilsvrc.jobs.score_inputs import (
    AnswerForm,
    File,
    objects_of,
    read_answers,
    read_exclusions,
    read_listed,
    read_objects,
    read_pairs,
    read_truth,
    told_boxes,
)
from ilsvrc.reports import score_tables
from ilsvrc.reports.score_tables import Breakdown
from ilsvrc.scoring.classification import clsloc_flat_error, flat_error
from ilsvrc.scoring.detection import Detection, check_images, detect
from ilsvrc.scoring.detection_file import read_detections
from ilsvrc.scoring.hierarchy import cost_matrix, hierarchical_cost
from ilsvrc.scoring.localization import localization_errors
from ilsvrc.scoring.score import Score
from ilsvrc.scoring.submission import Manner, inverted

Kit = Literal[2010, 2012, 2014]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """By what a submission is scored."""

    kit: Kit
    top: int = 5  # guesses that count; without meaning in detection
    manner: Manner = "usual"  # how its file is read: see scoring.submission

    def __post_init__(self) -> None:
        if self.top < 1:
            raise SpecError(f"top is {self.top}; the number of guesses that count is 1 or more, 5 in the challenge")


RULES_2012 = Rules(kit=2012)
RULES_2014 = Rules(kit=2014)


@dataclass(frozen=True, eq=False)
class Verdict:
    """The scores of one submission, and on request where it goes wrong."""

    task: Literal["classification", "localization", "detection"]
    kit: Kit
    top: int | None  # guesses that count; None in detection
    scores: tuple[Score, ...]  # the first decides
    values: dict[str, Any]  # what as_json has beside task, kit and top
    predictions: str  # the file, as it was given
    remarks: tuple[str, ...]  # what one should know of the file or the number
    breakdown: Callable[[], Breakdown]  # takes a moment: computed when asked for

    def as_json(self) -> dict[str, Any]:
        """One object for machines; None stands where the kit has NaN or infinity."""
        head = {"task": self.task, "kit": self.kit, "top": self.top}
        return head | {key: _plain(value) for key, value in self.values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def score_classification(
    predictions: File,
    truth: File,
    meta: File | None = None,
    rules: Rules = RULES_2012,
) -> Verdict:
    """Score a classification submission by the kit of 2010, 2012 or 2014.

    Kits 2010 and 2012 read lines of labels, kit 2014 lines of localization groups, whose boxes do not matter. With
    kit 2010 and its `meta.mat` the hierarchical cost is counted too. predictions and truth may also be Kaggle's files,
    which need `meta`.
    Raises SubmissionError and DataError for what is wrong with a file.
    """
    synsets = devkit.read_synsets(meta) if meta else None
    wanted = read_truth(truth, synsets, rules.manner)
    form = AnswerForm(rules.kit == 2014, len(wanted), synsets, rules.manner)
    guesses = read_answers(predictions, form)
    labels, top = guesses.labels, rules.top
    flat = clsloc_flat_error(labels, wanted, top) if rules.kit == 2014 else flat_error(labels, wanted, top, none=0)
    scores: tuple[Score, ...] = (flat,)
    values: dict[str, Any] = {"error": flat.value, "images": flat.images}
    if rules.kit == 2010 and synsets:
        scores = (flat, _hierarchical_cost(labels, wanted, synsets, top, predictions))
        values["hierarchical_cost"] = scores[1].value

    def breakdown() -> Breakdown:
        return score_tables.classification(labels, wanted, _names(synsets), top)

    return Verdict("classification", rules.kit, top, scores, values, str(predictions), (), breakdown)


def _names(synsets: devkit.Synsets | None) -> Callable[[int], str]:
    """What to call a class: its WNID and first word, or its number where no table is given."""
    records = synsets.records if synsets else ()

    def name(ilsvrc_id: int) -> str:
        known = synsets and 1 <= ilsvrc_id <= len(records)
        return f"{records[ilsvrc_id - 1].wnid} {synsets.name(ilsvrc_id)}" if synsets and known else str(ilsvrc_id)

    return name


def _remarks_on_boxes(boxes: np.ndarray) -> tuple[str, ...]:
    wrong = int(inverted(boxes).sum())
    return (f"{wrong:,} of {len(boxes):,} boxes have xmax < xmin or ymax < ymin; the kit takes them as they are",) * (
        wrong > 0
    )


def _remarks_on_classes(found: Detection, name: Callable[[int], str]) -> tuple[str, ...]:
    unknown = [name(one.label) for one in found.classes if math.isnan(one.average_precision)]
    if not unknown:
        return ()
    first = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
    return (f"{len(unknown)} classes are detected but have no object here ({first}): their AP is nan, and so the mean",)


def _hierarchical_cost(labels: np.ndarray, truth: np.ndarray, synsets: devkit.Synsets, top: int, path: File) -> Score:
    known = [record.height for record in synsets.records if record.height is not None]
    heights = known if len(known) == len(synsets.records) else None
    try:
        costs = cost_matrix([record.children for record in synsets.records], synsets.classes, heights)
        return hierarchical_cost(labels, truth, costs, top)
    except ValueError as error:
        raise SubmissionError(f"{path} has no hierarchical cost: {error}") from error


def score_localization(
    predictions: File,
    truth: File,
    boxes: File,
    meta: File,
    exclude: File | None = None,
    rules: Rules = RULES_2014,
) -> Verdict:
    """Score a localization submission by the kit of 2012 or 2014: both the error of labels and that with boxes.

    boxes: a folder or tar of XML files, or Kaggle's solution CSV; sorted by name, they go with the lines of truth.
    truth may be that CSV too. exclude: the kit's list of images left out, for kit 2014.
    Raises SubmissionError and DataError for what is wrong with a file, SpecError for a kit without this task.
    """
    if rules.kit == 2010:
        raise SpecError("the challenge of 2010 had no localization; its rules are those of kit 2012 or 2014")
    if rules.kit == 2012 and exclude:
        raise SpecError("the routine of 2012 knows no exclusion list; use kit 2014 or leave --exclude out")
    synsets = devkit.read_synsets(meta)
    wanted = read_truth(truth, synsets, rules.manner)
    guesses = read_answers(predictions, AnswerForm(True, len(wanted), synsets, rules.manner))
    objects = read_objects(boxes, synsets, len(wanted), rules.manner)
    exclusions = read_exclusions(exclude, len(wanted), rules.manner)
    try:
        found = localization_errors(guesses, wanted, objects, rules.top, kit=rules.kit, exclusions=exclusions)
    except DataError as error:
        raise DataError(f"{boxes} and {truth} do not go together: {error}") from error
    except SubmissionError as error:
        raise SubmissionError(f"{predictions}: {error}") from error
    values = {
        "classification_error": found.classification.value,
        "localization_error": found.localization.value,
        "images": found.localization.images,
        "excluded": found.localization.excluded,
    }

    def breakdown() -> Breakdown:
        return score_tables.localization(found, guesses.labels, wanted, _names(synsets), rules.top)

    scores = (found.localization, found.classification)
    remarks = _remarks_on_boxes(told_boxes(guesses))
    return Verdict("localization", rules.kit, rules.top, scores, values, str(predictions), remarks, breakdown)


def score_detection(
    predictions: File,
    truth: File,
    images: File,
    meta: File,
    exclude: File | None = None,
    rules: Rules = RULES_2014,
) -> Verdict:
    """Score a detection submission by the kit of 2014 (2015 to 2017 are the same).

    truth: a folder or tar of XML files, one per image of the list `images`. exclude: the kit's list of (image, class)
    pairs left out.
    Raises SubmissionError and DataError for what is wrong with a file, SpecError for a kit without this task.
    """
    if rules.kit != 2014:
        raise SpecError(f"kit {rules.kit} has no detection; it came in 2013, and its rules here are those of kit 2014")
    synsets = devkit.read_synsets(meta)
    listed = read_listed(images, rules.manner)
    objects = objects_of(annotations.read_boxes(truth, listed.names), synsets, truth, rules.manner)
    if not len(objects.label):
        raise DataError(f"{truth} has no object in any image of {images}; there is nothing to detect")
    highest = max(synsets.classes, int(objects.label.max()))
    detections = read_detections(predictions, classes=highest, manner=rules.manner)
    check_images(detections, listed.indices, predictions)
    pairs = read_pairs(exclude, synsets)
    found = detect(detections, objects, listed.indices, pairs)
    wnids = [record.wnid for record in synsets.records[: len(found.ap)]]
    values = {
        "mean_ap": found.mean.value,
        "median_ap": found.median.value,
        "mean_ap_of_classes_with_objects": found.mean_of_present.value,
        "images": found.images,
        "excluded": found.excluded,
        "per_class_ap": dict(zip(wnids, found.ap.tolist(), strict=True)),
    }

    def breakdown() -> Breakdown:
        return score_tables.detection(found, detections, objects, listed.indices, _names(synsets))

    scores: tuple[Score, ...] = (found.mean, found.median)
    if math.isnan(found.mean.value):
        scores += (found.mean_of_present,)
    remarks = _remarks_on_boxes(detections.box) + _remarks_on_classes(found, _names(synsets))
    return Verdict("detection", rules.kit, None, scores, values, str(predictions), remarks, breakdown)
