"""The files of Kaggle's "ImageNet Object Localization Challenge", the CLS-LOC data of 2012 in another dress.

`LOC_sample_submission.csv`, `LOC_train_solution.csv` and `LOC_val_solution.csv` have the header
`ImageId,PredictionString` and a row per image, in any order: a name without suffix and groups of
`class xmin ymin xmax ymax`. A solution names classes by WNID; a submission by number, from 1 in the order of
`LOC_synset_mapping.txt`, which is that of sorted WNIDs and not the kit's. Each line of the mapping is a WNID and words.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ilsvrc.errors import DataError, IlsvrcError, SubmissionError
from ilsvrc.scoring.faults import Faults, short
from ilsvrc.scoring.numbers import NUMBER, parse_block, read_blocks, read_start
from ilsvrc.scoring.submission import GROUP, Guesses, Manner, box_fault, group_text, write_lines, wrong_boxes

HEADER = "ImageId,PredictionString"


@dataclass(frozen=True, eq=False)
class Solution:
    """Boxes by image, as a solution file has them, images sorted by name."""

    names: tuple[str, ...]  # of the N images; one may have no box
    image: np.ndarray  # (B,) int64: the image's place in names, ascending
    wnids: tuple[str, ...]  # (B,)
    box: np.ndarray  # (B, 4) float64: xmin ymin xmax ymax, both edges inside


def is_kaggle(path: Path | str) -> bool:
    """Whether a file, plain or gzipped, begins with Kaggle's header. False where it cannot be read."""
    return read_start(path, len(HEADER)) == HEADER.encode()


def read_solution(path: Path | str) -> Solution:
    """Read true boxes, plain or gzipped.

    Raises DataError for a missing or damaged file, another header, images given twice, groups that are not complete,
    classes that are no WNID, and boxes that are not finite or inverted; all faults are counted, ten shown.
    """
    rows = _read_rows(path, DataError)
    _check_classes(rows, Faults(path, DataError), re.compile(r"n[0-9]{8}"), "a WNID")
    order = np.argsort(np.array(rows.names), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    image = rank[np.repeat(np.arange(len(rows.names)), rows.counts)]
    by_image = np.argsort(image, kind="stable")
    wnids = tuple(rows.classes[place] for place in by_image.tolist())
    return Solution(tuple(rows.names[place] for place in order.tolist()), image[by_image], wnids, rows.box[by_image])


def read_kaggle_submission(path: Path | str, wnids: Sequence[str]) -> tuple[tuple[str, ...], Guesses]:
    """Read a submission, plain or gzipped: the image names, sorted, and the guesses in that order.

    wnids are the classes in the order of the mapping, sorted. A class may be written as its number from 1 or as its
    WNID; the labels returned are those numbers, 0 for none.
    Raises SubmissionError as `read_solution` does, though inverted boxes are taken, and for classes that are not
    among `wnids`.
    """
    rows = _read_rows(path, SubmissionError)
    number = {wnid: place for place, wnid in enumerate(wnids, 1)}
    number |= {str(place): place for place in range(1, len(wnids) + 1)}
    _check_classes(rows, Faults(path), number, f"1 to {len(wnids)} or its WNID")
    labels = np.array([number[word] for word in rows.classes], dtype=np.int64)
    image = np.repeat(np.arange(len(rows.names)), rows.counts)
    column = np.arange(len(image)) - np.repeat(np.cumsum(rows.counts) - rows.counts, rows.counts)
    width = max(int(rows.counts.max(initial=0)), 1)
    if width * len(rows.names) > 20_000_000:
        raise SubmissionError(f"a row of {path} has {width:,} guesses; five an image are wanted")
    table = np.zeros((len(rows.names), width), dtype=np.int64)
    boxes = np.zeros((len(rows.names), width, 4))
    table[image, column] = labels
    boxes[image, column] = rows.box
    order = np.argsort(np.array(rows.names), kind="stable")
    return tuple(rows.names[place] for place in order.tolist()), Guesses(table[order], boxes[order])


def _check_classes(rows: "_Rows", faults: Faults, known: "re.Pattern[str] | dict[str, int]", wanted: str) -> None:
    right = known.__contains__ if isinstance(known, dict) else known.fullmatch
    strange = {word for word in set(rows.classes) if not right(word)}
    if strange:
        wrong = np.array([word in strange for word in rows.classes])
        faults.add_where(
            wrong, rows.line_of, lambda place: f"the class {short(rows.classes[place])}, where {wanted} belongs"
        )
    faults.stop()


def write_kaggle_submission(path: Path | str, names: Sequence[str], guesses: Guesses) -> None:
    """Write a submission of labels numbered from 1 by sorted WNID; gzipped when the name ends in .gz.

    Raises SubmissionError when guesses have no boxes, names and guesses are not equally many, or writing fails.
    """
    if guesses.boxes is None:
        raise SubmissionError("guesses without boxes cannot be written for Kaggle: each of its guesses has one")
    if len(names) != len(guesses):
        raise SubmissionError(
            f"{len(names):,} image names for {len(guesses):,} rows of guesses; one name each is wanted"
        )
    rows = zip(names, guesses.labels.tolist(), guesses.boxes.tolist(), strict=True)
    groups = (
        (name, [(str(c), box) for c, box in zip(labels, boxes, strict=True) if c]) for name, labels, boxes in rows
    )
    write_lines(path, _lines(groups))


def write_solution(path: Path | str, solution: Solution) -> None:
    """Write true boxes; gzipped when the name ends in .gz. Raises SubmissionError when writing fails."""
    groups: list[tuple[str, list[tuple[str, list[float]]]]] = [(name, []) for name in solution.names]
    for image, wnid, box in zip(solution.image.tolist(), solution.wnids, solution.box.tolist(), strict=True):
        groups[image][1].append((wnid, box))
    write_lines(path, _lines(groups))


def _lines(rows: Iterable[tuple[str, list[tuple[str, list[float]]]]]) -> Iterable[str]:
    yield HEADER
    for name, groups in rows:
        yield f"{name},{' '.join(group_text(word, box) for word, box in groups)}"


def read_mapping(path: Path | str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read `LOC_synset_mapping.txt`: the WNIDs, sorted, and the words of each.

    Raises DataError when the file cannot be read, a line is no WNID and words, or the WNIDs are not sorted.
    """
    faults = Faults(path, DataError)
    text = b"".join(read_blocks(path, DataError)).decode(errors="replace")
    wnids: list[str] = []
    words: list[str] = []
    for line, entry in enumerate(text.splitlines(), 1):
        wnid, _, rest = entry.strip().partition(" ")
        if not re.fullmatch(r"n[0-9]{8}", wnid):
            faults.add(line, f"{short(entry)}, where a WNID and words belong")
        elif wnids and wnid <= wnids[-1]:
            faults.add(line, f"{wnid} after {wnids[-1]}; WNIDs ascend")
        wnids.append(wnid)
        words.append(rest.strip())
    faults.stop()
    return tuple(wnids), tuple(words)


def write_mapping(path: Path | str, wnids: Sequence[str], words: Sequence[str]) -> None:
    """Write `LOC_synset_mapping.txt`, sorted by WNID. Raises SubmissionError when writing fails."""
    write_lines(path, (f"{wnid} {text}" for wnid, text in sorted(zip(wnids, words, strict=True))))


@dataclass(frozen=True, eq=False)
class _Rows:
    names: tuple[str, ...]
    lines: np.ndarray  # (N,) line of each row in the file
    counts: np.ndarray  # (N,) groups of each row
    classes: list[str]  # (B,) as written
    box: np.ndarray  # (B, 4)

    def line_of(self, place: int) -> int:
        return int(self.lines[np.searchsorted(np.cumsum(self.counts), place, side="right")])


def _read_rows(path: Path | str, error: type[IlsvrcError]) -> _Rows:
    faults = Faults(path, error)
    lines: dict[str, int] = {}
    counts: list[int] = []
    words: list[str] = []
    for line, row in _cells(path, error, faults):
        name, groups = (row[0].strip(), row[1].split()) if len(row) == 2 else ("", [])
        if len(row) != 2 or not name:
            faults.add(line, f"{short(','.join(row))}, where an image name, a comma and groups belong")
        elif name in lines:
            faults.add(line, f"the image {short(name)} again, first on line {lines[name]:,}")
        elif len(groups) % GROUP:
            faults.add(line, f"{len(groups)} words, where groups of 5 (class xmin ymin xmax ymax) belong")
        else:
            lines[name] = line
            counts.append(len(groups) // GROUP)
            words += groups
    if not lines and not faults.count:
        faults.add(0, "no row below its header")
    faults.stop()
    rows = _Rows(tuple(lines), np.array(list(lines.values())), np.array(counts), words[::GROUP], np.zeros((0, 4)))
    return _with_boxes(rows, words, faults)


def _with_boxes(rows: _Rows, words: list[str], faults: Faults) -> _Rows:
    del words[::GROUP]
    doubtful = Faults(faults.path)
    values = parse_block(" ".join(words).encode(), 1, doubtful).values
    if doubtful.count:
        wrong = np.array([not NUMBER.fullmatch(word.encode()) for word in words])
        faults.add_where(
            wrong, lambda place: rows.line_of(place // 4), lambda place: f"{short(words[place])} where a number belongs"
        )
    faults.stop()
    box = values.reshape(-1, 4)
    manner: Manner = "strict" if faults.error is DataError else "usual"
    faults.add_where(wrong_boxes(box, manner), rows.line_of, lambda place: box_fault(box[place]))
    faults.stop()
    return _Rows(rows.names, rows.lines, rows.counts, rows.classes, box)


def _cells(path: Path | str, error: type[IlsvrcError], faults: Faults) -> Iterable[tuple[int, list[str]]]:
    """The cells of each row below the header, with the number of its line; blank lines are passed over."""
    text = b"".join(read_blocks(path, error)).decode(errors="replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = ",".join(cell.strip() for cell in next(reader, []))
        if header != HEADER:
            faults.add(1, f"{short(header)}, where the header {HEADER} belongs")
            return
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as damage:
        faults.add(reader.line_num, f"no comma-separated line ({damage})")
