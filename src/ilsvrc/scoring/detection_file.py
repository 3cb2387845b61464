"""The text form of detection submissions, read in blocks so that five million lines fit in little memory.

A line per box: `image id confidence xmin ymin xmax ymax`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ilsvrc.errors import SubmissionError
from ilsvrc.scoring.faults import Faults
from ilsvrc.scoring.numbers import LONGEST, Rows, parse_block, read_blocks
from ilsvrc.scoring.submission import Detections, Manner, box_fault, wrong_boxes

COLUMNS = 7


def read_detections(
    path: Path | str, *, classes: int | None = None, none: int = 0, manner: Manner = "usual"
) -> Detections:
    """Read a submission to detection, plain or gzipped.

    It takes 48 bytes a detection and little beside. classes is how many there are; None leaves it open. none is the
    number before the first of them: 0 in the kit's files, -1 where classes count from 0. Blank lines may end the file,
    not stand in it.
    Raises SubmissionError for words, lines of more or fewer than seven numbers, images and ids that are no whole
    numbers of their range, a confidence of nan, boxes that are not finite and, if "strict", inverted ones.
    In the manner "kit" words and wrong counts alone are refused, and a short last line is filled with 0; ids and
    images that are no whole numbers become -1, which no class and no image is.
    """
    faults = Faults(path)
    columns = _Columns()
    line = 1
    for block, last in _without_blank_end(path):
        rows = parse_block(block, line, faults)
        if last and manner == "kit":
            rows = _fill_last(rows)
        wrong = rows.counts != COLUMNS
        if wrong.any():
            _add_counts(faults, rows.counts, line)
        else:
            table = rows.values.reshape(-1, COLUMNS)
            if manner != "kit":
                _check(table, line, faults, (none + 1, 2**31 - 1 if classes is None else none + classes), manner)
            columns.append(table)
        line += len(rows.counts)
    faults.stop("write a line per box, image id confidence xmin ymin xmax ymax")
    return columns.detections()


def _without_blank_end(path: Path | str) -> Iterator[tuple[bytes, bool]]:
    """The blocks of a file, and whether one is the last, without the blank lines that end it."""
    held = waiting = b""
    for block in read_blocks(path):
        waiting += block
        if len(waiting) > LONGEST:
            raise SubmissionError(
                f"{path} has more than {LONGEST >> 20} MiB of blank lines; lines of numbers are wanted"
            )
        end = len(waiting.rstrip())
        end = waiting.find(b"\n", end) + 1 or len(waiting) if end else 0
        if end:
            if held:
                yield held, False
            held, waiting = waiting[:end], waiting[end:]
    if held:
        yield held, True


def _fill_last(rows: Rows) -> Rows:
    lacking = COLUMNS - int(rows.counts[-1])
    if not 0 < lacking < COLUMNS:
        return rows
    counts = rows.counts.copy()
    counts[-1] = COLUMNS
    return Rows(np.append(rows.values, np.zeros(lacking)), counts)


def _add_counts(faults: Faults, counts: np.ndarray, line: int) -> None:
    def found(row: int) -> str:
        return f"{counts[row]} numbers, where {COLUMNS} belong" if counts[row] else "blank, between detections"

    faults.add_where(counts != COLUMNS, lambda row: row + line, found)


def _check(table: np.ndarray, line: int, faults: Faults, ids: tuple[int, int], manner: Manner) -> None:
    def number(row: int) -> int:
        return row + line

    first, last = ids
    image, label, confidence, box = table[:, 0], table[:, 1], table[:, 2], table[:, 3:]
    with np.errstate(invalid="ignore"):
        strange = ~((image >= 1) & (image < 2**31) & (image == np.floor(image)))
        wrong = ~((label >= first) & (label <= last) & (label == np.floor(label)))
    faults.add_where(strange, number, lambda row: f"the image {image[row]:g}, where an index of 1 or more belongs")
    faults.add_where(wrong, number, lambda row: f"the label {label[row]:g}, where an id of {first} to {last} belongs")
    faults.add_where(np.isnan(confidence), number, lambda _: "the confidence nan, where a number belongs")
    faults.add_where(wrong_boxes(box, manner), number, lambda row: box_fault(box[row]))


class _Columns:
    """Columns that grow in place: doubling copies would need the memory twice."""

    def __init__(self) -> None:
        self.count = 0
        self.image = np.empty(0, dtype=np.int32)
        self.label = np.empty(0, dtype=np.int32)
        self.confidence = np.empty(0)
        self.box = np.empty((0, 4))

    def append(self, table: np.ndarray) -> None:
        end = self.count + len(table)
        if end > len(self.image):
            self._resize(max(end, len(self.image) * 17 // 16))  # numpy fills what it adds, so it must not add much
        rows = slice(self.count, end)
        self.image[rows] = _whole(table[:, 0])
        self.label[rows] = _whole(table[:, 1])
        self.confidence[rows] = table[:, 2]
        self.box[rows] = table[:, 3:]
        self.count = end

    def detections(self) -> Detections:
        self._resize(self.count)
        return Detections(self.image, self.label, self.confidence, self.box)

    def _resize(self, rows: int) -> None:
        self.image.resize(rows, refcheck=False)
        self.label.resize(rows, refcheck=False)
        self.confidence.resize(rows, refcheck=False)
        self.box.resize((rows, 4), refcheck=False)


def _whole(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        fits = (np.abs(numbers) < 2**31) & (numbers == np.floor(numbers))
        return np.where(fits, numbers, -1).astype(np.int32)
