"""What `ilsvrc score convert` does: submissions from one form and numbering to another, with WNIDs as the pivot."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ilsvrc.data.devkit import read_synsets
from ilsvrc.errors import SpecError, SubmissionError
from ilsvrc.scoring import kaggle
from ilsvrc.scoring.detection_file import read_detections
from ilsvrc.scoring.numbering import Numbering, none_of, renumber
from ilsvrc.scoring.numbers import read_start
from ilsvrc.scoring.submission import Guesses, read_guesses, write_detections, write_guesses

File = Path | str
Form = Literal["kit", "kit-from-0", "sorted", "sorted-from-1", "kaggle"]
Task = Literal["classification", "localization", "detection"]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One end of a conversion: how the file is written and how it numbers the classes of which table."""

    form: Form
    wnids: tuple[str, ...]  # of the classes, in the order of the kit where the form numbers by it

    @property
    def numbering(self) -> Numbering:
        """How classes are numbered; Kaggle counts from 1 by sorted WNID."""
        return "sorted-from-1" if self.form == "kaggle" else self.form


def side(form: Form, meta: File) -> Side:
    """One end of a conversion, its classes from a kit's `meta.mat` or from Kaggle's `LOC_synset_mapping.txt`.

    Raises DataError for what is wrong with the table, SpecError when a kit's numbering is to come from Kaggle's.
    """
    if not re.fullmatch(rb"n[0-9]{8}", read_start(meta, 9)):
        return Side(form=form, wnids=read_synsets(meta).wnids)
    if form.startswith("kit"):
        raise SpecError(f"{meta} has no numbers of a kit; the numbering {form} wants the kit's meta.mat")
    return Side(form=form, wnids=kaggle.read_mapping(meta)[0])


def convert(source: File, target: File, task: Task, before: Side, after: Side, split: str = "test") -> int:
    """Write the submission `source` anew as `target`; gzipped where the name ends in .gz. Returns its rows.

    Lines of text have no image names and Kaggle's rows have: line i is called ILSVRC2012_<split>_<i>, with eight
    digits; of Kaggle's rows, sorted by name, the i-th becomes line i.
    Raises SubmissionError for what is wrong with the source, for a class the target's table has not, and for rows of
    Kaggle's whose names show gaps; SpecError for a task the form cannot hold.
    """
    for end in (before, after):
        if end.form == "kaggle" and task == "detection":
            raise SpecError("Kaggle's form is for localization; detections have the kit's form alone")
    if after.form == "kaggle" and task == "classification":
        raise SpecError("Kaggle's form wants a box for each guess, which classification has not")
    if task == "detection":
        return _convert_detections(source, target, before, after)
    guesses = _read(source, task, before)
    moved = replace(guesses, labels=_renumber(guesses.labels, source, before, after))
    if after.form == "kaggle":
        names = [f"ILSVRC2012_{split}_{number:08d}" for number in range(1, len(moved) + 1)]
        kaggle.write_kaggle_submission(target, names, moved)
    else:
        write_guesses(target, moved, none=none_of(after.numbering))
    return len(moved)


def _read(source: File, task: Task, before: Side) -> Guesses:
    if before.form != "kaggle":
        boxes, none = task == "localization", none_of(before.numbering)
        return read_guesses(source, boxes=boxes, classes=len(before.wnids), none=none)
    names, guesses = kaggle.read_kaggle_submission(source, sorted(before.wnids))
    check_consecutive(names, source)
    return guesses if task == "localization" else replace(guesses, boxes=None)


def check_consecutive(names: Sequence[str], path: File) -> None:
    """Raise SubmissionError unless the numbers at the end of sorted names follow each other."""
    numbers = [int(found[0]) if (found := re.findall(r"[0-9]{1,9}$", name)) else -1 for name in names]
    for place, number in enumerate(numbers):
        if number != numbers[0] + place or number < 0:
            raise SubmissionError(
                f"{path} has {names[place]} as its row {place + 1:,} by name: lines of text have no names, "
                "so images must be numbered without gaps"
            )


def _convert_detections(source: File, target: File, before: Side, after: Side) -> int:
    detections = read_detections(source, classes=len(before.wnids), none=none_of(before.numbering))
    labels = _renumber(detections.label, source, before, after)
    write_detections(target, replace(detections, label=labels))
    return len(detections)


def _renumber(labels: np.ndarray, source: File, before: Side, after: Side) -> np.ndarray:
    try:
        return renumber(labels, before.numbering, before.wnids, after.numbering, after.wnids)
    except ValueError as error:
        raise SubmissionError(f"{source} cannot be numbered anew: {error}") from error
