"""The files `ilsvrc score` reads, brought to ILSVRC ids: the kits' forms and Kaggle's, told apart by their content."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ilsvrc.data import annotations, devkit
from ilsvrc.errors import DataError, SpecError, SubmissionError
from ilsvrc.scoring import kaggle
from ilsvrc.scoring.faults import Faults
from ilsvrc.scoring.localization import Objects
from ilsvrc.scoring.numbering import renumber
from ilsvrc.scoring.submission import Guesses, Manner, box_fault, inverted, read_guesses, wrong_boxes

File = Path | str


def read_truth(path: File, synsets: devkit.Synsets | None, manner: Manner) -> np.ndarray:
    """The true labels, (N, M) ILSVRC ids filled with 0: the kit's text, or the first class of each row of a solution.

    Raises DataError for what is wrong with the file, and for an id the synset table has not.
    """
    if kaggle.is_kaggle(path):
        solution = kaggle.read_solution(path)
        table = _needed(synsets, path)
        first = np.searchsorted(solution.image, np.arange(len(solution.names)))
        if len(np.unique(solution.image)) < len(solution.names):
            raise DataError(f"{path} has images without a box, and so without a label; one or more each are wanted")
        wnids = [solution.wnids[place] for place in first.tolist()]
        return _ilsvrc_ids(wnids, solution.names, table, path)[:, None]
    truth = devkit.read_ground_truth(path)
    if synsets and manner != "kit" and truth.max() > synsets.classes:
        line = int((truth > synsets.classes).any(axis=1).argmax()) + 1
        raise DataError(
            f"{path} has the label {truth.max()} (image {line:,}), but meta.mat has {synsets.classes} classes"
        )
    return truth


@dataclass(frozen=True)
class AnswerForm:
    """What a submission to classification or localization should look like."""

    boxes: bool  # groups of a label and a box
    images: int
    synsets: devkit.Synsets | None
    manner: Manner


def read_answers(path: File, form: AnswerForm) -> Guesses:
    """The guesses of a submission in ILSVRC ids, one row per image: the kit's text or Kaggle's CSV.

    Raises SubmissionError for what is wrong with the file, and for one of labels alone where boxes are wanted.
    """
    if kaggle.is_kaggle(path):
        table = _needed(form.synsets, path)
        names, guesses = kaggle.read_kaggle_submission(path, table.sorted_wnids)
        if len(names) != form.images:
            raise SubmissionError(f"{path} has {len(names):,} images; the ground truth has {form.images:,}")
        return Guesses(renumber(guesses.labels, "sorted-from-1", table.wnids, "kit"), guesses.boxes)
    classes = form.synsets.classes if form.synsets else None
    guesses = read_guesses(path, boxes=form.boxes, images=form.images, classes=classes, manner=form.manner)
    if guesses.boxes is not None and guesses.boxes.shape[1] == 1 and form.manner != "kit" and form.images >= 10:
        numbers = guesses.boxes[:, 0]
        if inverted(numbers).mean() > 0.5 and (numbers == np.floor(numbers)).all() and (numbers >= 0).all():
            raise SubmissionError(
                f"{path} has five numbers a line, but most of the last four are no box: it looks like a file of labels "
                "alone, which the kits of 2010 and 2012 score as classification"
            )
    return guesses


def told_boxes(guesses: Guesses) -> np.ndarray:
    """(P, 4): the boxes of guesses that have a label."""
    if guesses.boxes is None:
        return np.zeros((0, 4))
    return np.asarray(guesses.boxes[guesses.labels[:, : guesses.boxes.shape[1]] != 0])


def _needed(synsets: devkit.Synsets | None, path: File) -> devkit.Synsets:
    if synsets is None:
        raise SpecError(f"{path} numbers or names its classes as Kaggle does; give the kit's meta.mat with --meta")
    return synsets


def _ilsvrc_ids(wnids: Iterable[str], places: Iterable[str], synsets: devkit.Synsets, path: File) -> np.ndarray:
    """The id of each WNID; `places` say where each stands, for errors."""
    ids = [synsets.ids.get(wnid, 0) for wnid in wnids]
    if 0 in ids:
        pairs = [f"{place} names {wnid}" for wnid, place, number in zip(wnids, places, ids, strict=True) if not number]
        devkit.refuse(f"{path} names classes that meta.mat has not: it", pairs)
    return np.array(ids, dtype=np.int64)


def read_objects(path: File, synsets: devkit.Synsets, images: int, manner: Manner) -> Objects:
    """The true boxes of localization, from Kaggle's solution, or a folder or tar of XML, images sorted by name.

    Raises DataError for what is wrong with them, for unknown classes and, unless the manner is "kit", for inverted
    boxes, and when there are not `images` of them and their names show gaps: then line and file would not go together.
    """
    found: kaggle.Solution | annotations.Boxes
    found = kaggle.read_solution(path) if kaggle.is_kaggle(path) else annotations.read_boxes(path)
    if manner != "kit" and len(found.names) != images:
        _check_consecutive(found.names, path, images)
    return objects_of(found, synsets, path, manner)


def _check_consecutive(names: tuple[str, ...], path: File, images: int) -> None:
    numbers = [int(digits[0][-9:]) if (digits := re.findall(r"[0-9]+$", name)) else -1 for name in names]
    for place, (number, name) in enumerate(zip(numbers, names, strict=True)):
        if number != numbers[0] + place:
            raise DataError(
                f"{path} has {len(names):,} images for {images:,} lines, and its image {place + 1:,} is {name}: "
                "with such gaps names and lines do not go together; give the boxes of exactly these images"
            )


def objects_of(
    found: "kaggle.Solution | annotations.Boxes", synsets: devkit.Synsets, path: File, manner: Manner
) -> Objects:
    """Boxes with ILSVRC ids for WNIDs.

    Raises DataError for unknown classes, and for boxes that are not finite or inverted, unless the manner is "kit".
    """
    places = [found.names[image] for image in found.image.tolist()]
    labels = _ilsvrc_ids(found.wnids, places, synsets, path)
    if manner != "kit":
        faults = Faults(path, DataError)
        faults.add_where(
            wrong_boxes(found.box, "strict"), lambda _: 0, lambda row: f"{places[row]} has {box_fault(found.box[row])}"
        )
        faults.stop()
    return Objects(len(found.names), found.image, labels, found.box)


def read_exclusions(path: File | None, images: int, manner: Manner) -> np.ndarray | None:
    """The numbers of the images left out of localization.

    Raises DataError for what is wrong with the file, and for images beyond the last one, unless the manner is "kit".
    """
    if path is None:
        return None
    table = devkit.read_exclusions(path, as_the_kit=manner == "kit")
    if table.size and table.max() > images and manner != "kit":
        raise DataError(f"{path} excludes image {table.max():,}, but there are {images:,}; the list of another set?")
    return table


def read_pairs(path: File | None, synsets: devkit.Synsets) -> np.ndarray:
    """The (image, ILSVRC id) pairs left out of detection, (E, 2). Raises DataError for what is wrong with the file."""
    if path is None:
        return np.zeros((0, 2), dtype=np.int64)
    indices, wnids = devkit.read_excluded_pairs(path)
    places = [f"the pair of image {index}" for index in indices.tolist()]
    return np.stack([indices, _ilsvrc_ids(wnids, places, synsets, path)], axis=1)


def read_listed(path: File, manner: Manner) -> devkit.ImageList:
    """The list of images of detection. Raises DataError for what is wrong with it; an index given twice is."""
    listed = devkit.read_image_list(path)
    numbers, times = np.unique(listed.indices, return_counts=True)
    if (times > 1).any() and manner != "kit":
        raise DataError(f"{path} gives the index {numbers[times.argmax()]} to {times.max()} images; one each is wanted")
    return listed
