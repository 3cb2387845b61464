"""Localization: the right label and a box that half-overlaps an object of it, in one and the same guess.

`eval_clsloc.m` (kits from 2013 on) leaves the images of an exclusion list out; `eval_localization_flat.m` (2012) knows
no such list. With one label per image they are otherwise equal.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ilsvrc.errors import DataError, SubmissionError
from ilsvrc.scoring.classification import clsloc_flat_error, flat_error
from ilsvrc.scoring.overlap import pair_overlap
from ilsvrc.scoring.score import Score
from ilsvrc.scoring.submission import Guesses

LocalizationKit = Literal[2012, 2014]
ANY = 1001  # the root of the hierarchy, 'entity': as a label of the ground truth it takes an object of any class


@dataclass(frozen=True, eq=False)
class Objects:
    """The true boxes of a set of images, one row each, image by image and in the order of their files."""

    images: int  # how many, those without an object included
    image: np.ndarray  # (B,) int: the place of the image, from 0, ascending
    label: np.ndarray  # (B,) int: ILSVRC ids
    box: np.ndarray  # (B, 4) float64: xmin ymin xmax ymax, both edges inside


@dataclass(frozen=True, eq=False)
class Localization:
    """The verdict on a localization submission."""

    classification: Score
    localization: Score
    excluded: np.ndarray  # (N,) bool: left out of the localization error
    wrong_label: np.ndarray  # (N,) bool: a true label is not among the guesses
    wrong_box: np.ndarray  # (N,) bool: the labels are there, but a box of them overlaps no object enough


def localization_errors(
    guesses: Guesses,
    truth: np.ndarray,
    objects: Objects,
    top: int = 5,
    *,
    kit: LocalizationKit = 2014,
    exclusions: np.ndarray | None = None,
) -> Localization:
    """Both errors of a localization submission: of the labels alone, and of labels and boxes.

    truth: (N,) or (N, M) ILSVRC ids, filled with 0. The object images and the rows of truth go together by place;
    there may be more of the former. exclusions: numbers of images from 1, (L,) or (L, W), or None.

    An image is right when one of the first `top` guesses has a true label and overlaps an object of that label by 0.5
    or more. Excluded images leave this error but stay in the error of the labels. The kit's arithmetic is kept: the
    denominator falls by the length of the exclusion list, repetitions included; how many labels of an image are
    looked at is the number on the first line (2014) or the widest (2012); a box that is nan counts as right.
    Raises SubmissionError when guesses and truth have not equally many rows or guesses have no box, and DataError
    when an image has no object, or none of a label that is both true and guessed: the kit stops there too.
    """
    wanted = np.asarray(truth).reshape(len(truth), -1)
    listed = np.zeros((0, 1), dtype=np.int64) if exclusions is None else np.asarray(exclusions)
    _check(guesses, wanted, listed, kit)
    excluded = _excluded(listed, len(wanted))
    _check_objects(objects, excluded)
    columns = int((wanted[0] != 0).sum()) if kit == 2014 else wanted.shape[1]
    named, found = np.zeros((2, len(wanted), columns), dtype=bool)
    for column in range(columns):
        label = wanted[:, column]
        named[:, column] = (guesses.labels[:, :top] == label[:, None]).any(axis=1)
        found[:, column] = _found(guesses, label, objects, top, excluded)
    wrong = np.where(excluded, 0, (~found).sum(axis=1))
    left_out = _length(listed)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = wrong / ((wanted != 0).sum(axis=1) if kit == 2014 else columns)
        value = float(each.sum() / np.float64(len(wanted) - left_out))
    return Localization(
        clsloc_flat_error(guesses.labels, wanted, top)
        if kit == 2014
        else flat_error(guesses.labels, wanted, top, none=0),
        Score(f"top-{top} localization error", value, len(wanted) - left_out, left_out, RULES[kit]),
        excluded,
        ~excluded & ~named.all(axis=1),
        ~excluded & named.all(axis=1) & ~found.all(axis=1),
    )


RULES = {2012: "eval_localization_flat.m, kit of 2012", 2014: "eval_clsloc.m, kits from 2013 on"}


def _check(guesses: Guesses, wanted: np.ndarray, listed: np.ndarray, kit: int) -> None:
    if len(guesses) != len(wanted) or not len(wanted):
        raise SubmissionError(
            f"{len(guesses):,} rows of guesses for {len(wanted):,} images; one row per image is wanted"
        )
    if guesses.boxes is None or not guesses.boxes.shape[1]:
        raise SubmissionError("the guesses have no box; localization wants groups of id xmin ymin xmax ymax")
    if kit == 2012 and guesses.labels.shape[1] != guesses.boxes.shape[1]:
        raise SubmissionError("the last group of guesses lacks a part of its box; the routine of 2012 wants it whole")
    if kit == 2012 and listed.size:
        raise DataError("the routine of 2012 knows no exclusion list; use the kit of 2014 or leave the list out")


def _excluded(listed: np.ndarray, images: int) -> np.ndarray:
    """(N,) bool. Numbers beyond the last image exclude nothing, as in the kit."""
    if (listed < 1).any():
        raise DataError("the exclusion list has a number below 1; images count from 1")
    excluded = np.zeros(images, dtype=bool)
    excluded[listed[listed <= images].astype(np.int64) - 1] = True
    return excluded


def _length(table: np.ndarray) -> int:
    """Matlab's length of a table: its longer side, 0 when it is empty."""
    return max(table.shape) if table.size else 0


def _check_objects(objects: Objects, excluded: np.ndarray) -> None:
    counts = np.bincount(objects.image, minlength=objects.images)
    if (counts == 0).any():
        raise DataError(
            f"image {counts.argmin() + 1:,} of the true boxes has no object; localization wants one or more"
        )
    lacking = np.flatnonzero(~excluded[objects.images :])
    if len(lacking):
        first = objects.images + int(lacking[0]) + 1
        raise DataError(f"image {first:,} has no true boxes: there are {objects.images:,} images with boxes")


def _found(guesses: Guesses, label: np.ndarray, objects: Objects, top: int, excluded: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a guess of the image's label, (N,), overlaps an object of that label enough."""
    boxes = guesses.boxes
    assert boxes is not None
    width = min(top, boxes.shape[1])
    rows, places = np.nonzero((guesses.labels[:, :width] == label[:, None]) & ~excluded[:, None])
    guess, thing = _pairs(rows, objects)
    same = (objects.label[thing] == label[rows[guess]]) | (label[rows[guess]] == ANY)
    guess, thing = guess[same], thing[same]
    met = np.bincount(guess, minlength=len(rows))
    if (met == 0).any():
        image = int(rows[met.argmin()])
        raise DataError(
            f"image {image + 1:,} has the label {label[image]} but no object of it, and a guess names it; "
            "the boxes of another set, or of another numbering?"
        )
    over = pair_overlap(boxes[rows[guess], places[guess]], objects.box[thing])
    found = np.zeros(len(label), dtype=bool)
    found[rows[guess[~(over < 0.5)]]] = True  # eval_clsloc.m fails on ov < 0.50, which nan is not
    return found


def _pairs(rows: np.ndarray, objects: Objects) -> tuple[np.ndarray, np.ndarray]:
    """Each entry of `rows`, places of images, with each object of that image: places in rows and in objects."""
    first = np.searchsorted(objects.image, rows, side="left")
    counts = np.searchsorted(objects.image, rows, side="right") - first
    guess = np.repeat(np.arange(len(rows)), counts)
    thing = np.arange(len(guess)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    return guess, thing
