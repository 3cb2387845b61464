"""Submissions in the kits' text forms: read, checked, written.

Classification: a line per image of up to five ILSVRC ids, best first. Localization, and classification from 2013 on:
a line per image of groups `id xmin ymin xmax ymax`. Detection: a line per box, `image id confidence xmin ymin xmax
ymax`. Pixels count with both edges inside a box.

Readers take one of three manners. "usual" refuses what breaks a rule of the challenge or cannot be meant; "strict"
refuses inverted boxes too, of which the kit's own demonstration file for detection has 1,692 among 49,013; "kit" takes
whatever the kit's reader takes, which is more than is good for anyone.
"""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ilsvrc.errors import SubmissionError
from ilsvrc.scoring.faults import Faults
from ilsvrc.scoring.numbers import Table, read_table

Manner = Literal["usual", "strict", "kit"]
GROUP = 5  # numbers of a guess with a box: label xmin ymin xmax ymax


@dataclass(frozen=True, eq=False)
class Guesses:
    """A submission to classification or localization: one row per image, best guess first."""

    labels: np.ndarray  # (N, G) int64 ILSVRC ids, 0 for none; float64 where a file read as the kit has fractions
    boxes: np.ndarray | None = None  # (N, G, 4) float64, xmin ymin xmax ymax, 0 for none; None where no box is told

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Detections:
    """A submission to detection: one row per box, in the order of the file, which decides between equal scores."""

    image: np.ndarray  # (D,) int32, the number by which the image list calls the image
    label: np.ndarray  # (D,) int32, ILSVRC ids
    confidence: np.ndarray  # (D,) float64, larger is surer
    box: np.ndarray  # (D, 4) float64, xmin ymin xmax ymax

    def __len__(self) -> int:
        return len(self.image)


def read_guesses(
    path: Path | str,
    *,
    boxes: bool,
    images: int | None = None,
    classes: int | None = None,
    none: int = 0,
    manner: Manner = "usual",
) -> Guesses:
    """Read a submission to classification (`boxes` False) or to localization (`boxes` True), plain or gzipped.

    images is the number of lines wanted and classes how many there are; None leaves them open. none is the number for
    no label, and the classes follow it: 0 in the kits' files, -1 where classes count from 0. Blank lines are skipped.
    Raises SubmissionError for a wrong number of lines, words, fractional, negative or too large ids, incomplete groups,
    boxes that are not finite and, if "strict", inverted ones. In the manner "kit" only a wrong number of lines is
    refused: a word is 0, and an incomplete last group gives a label, so that labels may be a column wider than boxes.
    """
    table = read_table(path, words_as_zero=manner == "kit")
    _check_lines(path, table, images)
    labels = table.values[:, ::GROUP] if boxes else table.values
    if none:
        told = np.arange(table.values.shape[1]) < table.counts[:, None]
        labels = np.where(told[:, ::GROUP] if boxes else told, labels, none)
    if manner != "kit":
        faults = Faults(path)
        _check_labels(faults, table, labels, classes, none)
        if boxes:
            _check_groups(faults, table, labels != none, manner)
        faults.stop()
    whole = table.values.shape[1] // GROUP
    corners = table.values[:, : whole * GROUP].reshape(len(labels), whole, GROUP)[:, :, 1:] if boxes else None
    with np.errstate(invalid="ignore"):
        ids = labels.astype(np.int64)
        return Guesses(ids if np.array_equal(ids, labels) else labels, corners)


def _check_lines(path: Path | str, table: Table, images: int | None) -> None:
    lines = len(table.values)
    if images is not None and lines == images:
        return
    if images is None and lines:
        return
    blank = int(table.lines[-1]) - lines if lines else 0
    skipped = f" and {blank:,} blank ones, which the kit skips: write 0 for an image without a guess" if blank else ""
    wanted = "one line per image" if images is None else f"the ground truth has {images:,} images, one line each"
    raise SubmissionError(f"{path} has {lines:,} lines of numbers{skipped}; {wanted}")


def _check_labels(faults: Faults, table: Table, labels: np.ndarray, classes: int | None, none: int) -> None:
    limit = 2**31 - 1 if classes is None else none + classes
    wanted = f"{none + 1} or more" if classes is None else f"{none + 1} to {limit}"
    with np.errstate(invalid="ignore"):
        wrong = ~((labels >= none) & (labels <= limit) & (labels == np.floor(labels)))
    first = wrong.argmax(axis=1)
    faults.add_where(
        wrong.any(axis=1),
        lambda row: int(table.lines[row]),
        lambda row: f"the label {labels[row, first[row]]:g}, where a class of {wanted} belongs, or {none} for none",
    )


def _check_groups(faults: Faults, table: Table, labelled: np.ndarray, manner: Manner) -> None:
    def line(row: int) -> int:
        return int(table.lines[row])

    groups = table.values[:, : table.values.shape[1] // GROUP * GROUP].reshape(len(table.values), -1, GROUP)
    boxes = groups[:, :, 1:]
    faults.add_where(
        table.counts % GROUP != 0,
        line,
        lambda row: f"{table.counts[row]} numbers, where groups of 5 (id xmin ymin xmax ymax) belong",
    )
    if groups.size:
        bad = wrong_boxes(boxes, manner) & labelled[:, : boxes.shape[1]]
        first = bad.argmax(axis=1)
        faults.add_where(bad.any(axis=1), line, lambda row: box_fault(boxes[row, first[row]]))


def wrong_boxes(boxes: np.ndarray, manner: Manner) -> np.ndarray:
    """(...) bool: which boxes, (..., 4), are refused: those not finite; if "strict", inverted ones; if "kit", none."""
    if manner == "kit":
        return np.zeros(boxes.shape[:-1], dtype=bool)
    infinite = ~np.isfinite(boxes).all(axis=-1)
    return np.asarray(infinite | inverted(boxes) if manner == "strict" else infinite)


def inverted(boxes: np.ndarray) -> np.ndarray:
    """(...) bool: which boxes, (..., 4), have an xmax below their xmin or a ymax below their ymin."""
    with np.errstate(invalid="ignore"):
        return np.asarray((boxes[..., 2] < boxes[..., 0]) | (boxes[..., 3] < boxes[..., 1]))


def box_fault(box: np.ndarray) -> str:
    """What to say of a box that is refused."""
    corners = " ".join(f"{number:g}" for number in box)
    wanted = "xmin <= xmax and ymin <= ymax belong" if np.isfinite(box).all() else "finite numbers belong"
    return f"the box {corners} (xmin ymin xmax ymax), where {wanted}"


def write_guesses(path: Path | str, guesses: Guesses, *, none: int = 0) -> None:
    """Write a submission to classification (boxes None) or localization; gzipped when the name ends in .gz.

    Guesses of `none` at the end of a row are left out; a row without any guess is written as one `none`, because the
    kit skips blank lines. Numbers are written so that they read back the same.
    Raises SubmissionError when the file cannot be written.
    """
    write_lines(path, (_line(guesses, row, labels, none) for row, labels in enumerate(guesses.labels.tolist())))


def _line(guesses: Guesses, row: int, labels: list[int], none: int) -> str:
    last = max((place for place, label in enumerate(labels) if label != none), default=0)
    words = [number_text(label) for label in labels[: last + 1]]
    if guesses.boxes is None:
        return " ".join(words)
    boxes = guesses.boxes[row].tolist()
    return " ".join(group_text(word, box) for word, box in zip(words, boxes, strict=False))


def write_detections(path: Path | str, detections: Detections) -> None:
    """Write a submission to detection; gzipped when the name ends in .gz. Numbers read back the same.

    Raises SubmissionError when the file cannot be written.
    """
    write_lines(path, (line for start in range(0, len(detections), 65536) for line in _lines(detections, start)))


def _lines(detections: Detections, start: int) -> Iterable[str]:
    part = slice(start, start + 65536)  # a list of Python numbers takes ten times their memory
    image, label = detections.image[part].tolist(), detections.label[part].tolist()
    confidence, box = detections.confidence[part].tolist(), detections.box[part].tolist()
    for i, c, s, b in zip(image, label, confidence, box, strict=True):
        yield f"{i} {c} {group_text(number_text(s), b)}"


def write_lines(path: Path | str, lines: Iterable[str]) -> None:
    """Write a text file, one line end after each line; gzipped when the name ends in .gz.

    Raises SubmissionError when the file cannot be written.
    """
    path = Path(path)
    try:
        with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise SubmissionError(
            f"{path} cannot be written ({error.strerror}); name a file in a folder there is"
        ) from error


def group_text(word: str, box: Iterable[float]) -> str:
    """A word and the four numbers of a box."""
    return f"{word} {' '.join(map(number_text, box))}"


def number_text(number: float) -> str:
    """The shortest text that reads back the same, without a point where there is no fraction."""
    return str(int(number)) if float(number).is_integer() else repr(number)
