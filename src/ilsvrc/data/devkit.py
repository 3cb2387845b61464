"""The text and table files of the development kits 2010 to 2017: read, checked, never written.

`meta.mat` numbers the classes from 1 in an order of the kit's own (1 is n02119789, kit fox); ground truth,
exclusion lists and submissions use these ILSVRC ids. Inside the package a label is the position by sorted WordNet id
instead: `Synsets.labels` goes from one to the other. How many classes a kit has is read from its table.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from ilsvrc.data.matlab import Value, read_records
from ilsvrc.data.tree import Place
from ilsvrc.errors import DataError

SHOWN = 10  # faults of a file that are printed; the rest is counted
WNID = re.compile(r"n[0-9]{8}")
INDEX = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Synset:
    """One record of `meta.mat`."""

    ilsvrc_id: int  # from 1; the record's place in the table
    wnid: str  # 'n02119789'
    words: str  # 'kit fox, Vulpes macrotis'; the detection kits have one name
    gloss: str
    children: tuple[int, ...]  # ILSVRC ids
    height: int | None  # longest way down to a leaf of the whole of WordNet; None in the detection kits
    train_images: int  # 0 for ancestors and where the kit does not say


@dataclass(frozen=True)
class Synsets:
    """A kit's synset table: the competition's classes first, then their ancestors and descendants."""

    records: tuple[Synset, ...]  # records[i] has the ilsvrc_id i + 1
    classes: int  # the first so many are the classes: 1000, 200, or what the kit has

    @cached_property
    def wnids(self) -> tuple[str, ...]:
        """The WordNet ids of the classes in the kit's order."""
        return tuple(record.wnid for record in self.records[: self.classes])

    @cached_property
    def sorted_wnids(self) -> tuple[str, ...]:
        """The WordNet ids of the classes in label order."""
        return tuple(sorted(self.wnids))

    @cached_property
    def ids(self) -> dict[str, int]:
        """From WordNet id to ILSVRC id, for every record, ancestors included."""
        return {record.wnid: record.ilsvrc_id for record in self.records}

    @cached_property
    def labels(self) -> np.ndarray:
        """(classes + 1,): the label at each ILSVRC id; -1 at 0, which is no class."""
        place = {wnid: label for label, wnid in enumerate(self.sorted_wnids)}
        return np.array([-1, *(place[wnid] for wnid in self.wnids)], dtype=np.int64)

    def name(self, ilsvrc_id: int) -> str:
        """The first of the words of a record. Not unique: ImageNet has two cranes."""
        return self.records[ilsvrc_id - 1].words.split(",")[0].strip()


def read_synsets(path: Place | str) -> Synsets:
    """Read a kit's `meta.mat` (Matlab 5): classification, localization or detection, of any year.

    The classes are the longest run of records from the first in which none is an ancestor of another: 1,000 in the
    classification kits, 200 in the detection kits, and whatever a kit of one's own has.
    Raises DataError when the file is missing, is no Matlab 5 file, or its table contradicts itself.
    """
    table = read_records(path, "synsets")
    if not table:
        raise DataError(f"the table 'synsets' of {path} has no record; the kit's meta.mat is wanted")
    records = tuple(_synset(row, place, path) for place, row in enumerate(table, 1))
    first: dict[str, int] = {}
    faults = []
    for record in records:
        if first.setdefault(record.wnid, record.ilsvrc_id) != record.ilsvrc_id:
            faults.append(f"record {record.ilsvrc_id} repeats {record.wnid} of record {first[record.wnid]}")
        strays = [child for child in record.children if not 1 <= child <= len(records)]
        faults += [f"record {record.ilsvrc_id} has the child {child} of {len(records)} records" for child in strays]
    refuse(path, faults)
    return Synsets(records, _leading_classes([record.children for record in records], path))


def _synset(row: dict[str, Value], place: int, path: Place | str) -> Synset:
    number = next((field for field in row if field.endswith("_ID")), "")
    height = _number(row, "wordnet_height", place, path)
    ilsvrc_id = _number(row, number, place, path)
    wnid = _text(row.get("WNID"))
    if ilsvrc_id not in (None, place) or not WNID.fullmatch(wnid):
        raise DataError(f"record {place} of {path} has the id {ilsvrc_id} and the WNID {wnid!r}; the id is the place")
    return Synset(
        place,
        wnid,
        _text(row.get("words", row.get("name"))),
        _text(row.get("gloss", row.get("description"))),
        tuple(_whole(child, "children", place, path) for child in row.get("children", ())),
        height,
        _number(row, "num_train_images", place, path) or 0,
    )


def _text(value: Value | None) -> str:
    """A text field; the kits store an empty one as an empty array."""
    return value if isinstance(value, str) else ""


def _number(row: dict[str, Value], field: str, place: int, path: Place | str) -> int | None:
    """The one whole number of a field; None where there is no such field."""
    if field not in row:
        return None
    value = row[field]
    if isinstance(value, str) or len(value) != 1:
        raise DataError(f"record {place} of {path} has {repr(value)[:60]} where one number belongs ({field})")
    return _whole(value[0], field, place, path)


def _whole(number: float | str, field: str, place: int, path: Place | str) -> int:
    if isinstance(number, str) or not 0 <= number < 2**31 or number != int(number):
        raise DataError(f"record {place} of {path} has {number!r} where a whole number belongs ({field})")
    return int(number)


def _leading_classes(children: Sequence[tuple[int, ...]], path: Place | str) -> int:
    below = descendants(children)
    if any(place in below[place - 1] for place in range(1, len(children) + 1)):
        raise DataError(f"a record of {path} is its own ancestor; get the kit's file again")
    seen: set[int] = set()
    beneath: set[int] = set()
    for place, under in enumerate(below, 1):
        if place in beneath or under & seen:
            return place - 1
        seen.add(place)
        beneath |= under
    return len(children)


def descendants(children: Sequence[tuple[int, ...]]) -> list[set[int]]:
    """For each record, from the first, the ILSVRC ids of everything under it; a record in a ring is under itself."""
    below: list[set[int]] = []
    for own in children:
        found: set[int] = set()
        waiting = list(own)
        while waiting:
            child = waiting.pop()
            if child not in found:
                found.add(child)
                waiting.extend(children[child - 1])
        below.append(found)
    return below


@dataclass(frozen=True, eq=False)
class ImageList:
    """A list of images as the kits write it: a name and the number by which submissions call the image."""

    names: tuple[str, ...]  # 'ILSVRC2012_val_00000001', without suffix
    indices: np.ndarray  # (N,) int, from 1, in any order

    def __len__(self) -> int:
        return len(self.names)


def read_ground_truth(path: Place | str) -> np.ndarray:
    """Read the labels of the validation images: line i holds the ILSVRC ids of image i.

    Returns (N, M) int64; M is 1 in the kits from 2011 on. Shorter lines are filled with 0, which is no label, and
    blank lines are no images: both as the kit reads them. 490.0 and 4.9e+02 are 490. Plain or gzipped text.
    Raises DataError when the file is missing, truncated or empty, or holds anything but whole numbers from 0.
    """
    table = _whole_numbers(Path(path) if isinstance(path, str) else path)
    if not table.size:
        raise DataError(f"{path} is empty; one line of ILSVRC ids per image is wanted")
    return table


def read_exclusions(path: Path | str, *, as_the_kit: bool = False) -> np.ndarray:
    """Read the numbers of the images left out of localization, from 1, one a line.

    Returns (L, 1) int64; an empty file gives (0, 1). With `as_the_kit` lines may hold several numbers, filled with 0
    to (L, W), and repeat each other: the kit takes that, and then lowers its denominator by L all the same.
    Raises DataError when the file is missing or truncated, holds anything but whole numbers from 1, or repeats one.
    """
    table = _whole_numbers(Path(path))
    if not table.size:
        return np.zeros((0, 1), dtype=np.int64)
    if (table == 0).any():
        raise DataError(f"{path} excludes the image 0; images count from 1, one number a line")
    if table.shape[1] > 1 and not as_the_kit:
        raise DataError(f"{path} has lines of {table.shape[1]} numbers; one image number a line is wanted")
    numbers, times = np.unique(table, return_counts=True)
    if (times > 1).any() and not as_the_kit:
        repeated = ", ".join(str(n) for n in numbers[times > 1][:SHOWN])
        raise DataError(f"{path} lists {int((times > 1).sum())} images more than once ({repeated}); list each once")
    return table


def read_excluded_pairs(path: Path | str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the (image, class) pairs left out of detection: lines of an image index and a WordNet id.

    Returns the indices, (P,) int64, and the P WordNet ids; an empty file gives none.
    Raises DataError when the file is missing or truncated, or a line is no such pair.
    """

    def pair(words: list[str]) -> tuple[int, str] | None:
        right = len(words) == 2 and INDEX.fullmatch(words[0]) and WNID.fullmatch(words[1])
        return (int(words[0]), words[1]) if right else None

    pairs = _read_lines(Path(path), pair, "an image index and a WNID")
    return np.array([index for index, _ in pairs], dtype=np.int64), tuple(wnid for _, wnid in pairs)


def read_image_list(path: Place | str) -> ImageList:
    """Read a list of images: lines of a name and an index, as in `det_lists/val.txt` and `ImageSets/`.

    Indices may have gaps and any order. Names may carry folders ('val/...' is kept); suffixes .JPEG and .xml are cut.
    Raises DataError when the file is missing, truncated or empty, or a line is no name and index.
    """

    def entry(words: list[str]) -> tuple[str, int] | None:
        right = len(words) == 2 and INDEX.fullmatch(words[1])
        return (words[0].removesuffix(".JPEG").removesuffix(".xml"), int(words[1])) if right else None

    entries = _read_lines(Path(path) if isinstance(path, str) else path, entry, "an image name and its index")
    if not entries:
        raise DataError(f"{path} is empty; lines of an image name and its index are wanted")
    return ImageList(tuple(name for name, _ in entries), np.array([index for _, index in entries], dtype=np.int64))


T = TypeVar("T")


def _read_lines(path: Place, parse: Callable[[list[str]], T | None], wanted: str) -> list[T]:
    """What `parse` makes of the words of each line that is not blank; None is a fault."""
    read, faults = [], []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        words = line.split()
        if not words:
            continue
        item = parse(words)
        if item is None:
            faults.append(f"line {number} is {_short(line)}, not {wanted}")
        else:
            read.append(item)
    refuse(path, faults)
    return read


def _whole_numbers(path: Place) -> np.ndarray:
    """The numbers of a text file, (L, W) int64: one row per line that is not blank, filled with 0 on the right."""
    text = read_text(path)
    if re.fullmatch(r"(?:[0-9]{1,9}\r?\n)*(?:[0-9]{1,9})?", text):  # one number a line, as in every kit's own file
        return np.array(list(map(int, text.split())), dtype=np.int64)[:, None]
    rows = _read_lines(path, _whole_row, "whole numbers from 0")
    width = max(map(len, rows), default=0)
    if width * len(rows) > 100_000_000:
        raise DataError(f"a line of {path} has {width:,} numbers; one or a few a line are wanted")
    table = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def _whole_row(words: list[str]) -> list[int] | None:
    try:
        row = [float(word) for word in " ".join(words).replace(",", " ").split()]
    except ValueError:
        return None
    whole = bool(row) and all(0 <= number < 2**31 and number == int(number) for number in row)
    return [int(number) for number in row] if whole else None


def read_text(path: Place) -> str:
    """A text file, plain or gzipped whatever its name, with bytes that are no UTF-8 replaced.

    Raises DataError when it is missing, unreadable or a truncated gzip.
    """
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give the path of the kit's file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is a truncated or damaged gzip file ({error}); get it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); a file is wanted") from error
    return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")


def refuse(where: Place | str, faults: Sequence[str]) -> None:
    """Raise a DataError that counts all faults of a file and shows the first ten; no fault, no error."""
    if faults:
        more = f"; and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else ""
        many = "a fault" if len(faults) == 1 else f"{len(faults):,} faults"
        raise DataError(f"{where} has {many}: {'; '.join(faults[:SHOWN])}{more}")


def _short(line: str) -> str:
    line = line.strip()
    return repr(line if len(line) <= 40 else line[:37] + "...")
