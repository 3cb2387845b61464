"""Text files of numbers, read in blocks of whole lines: fast where every line is plain, carefully where one is not.

The kits' files have one row per line and blanks between the numbers. A block of plain numbers is read as whole numbers
with the points taken out and divided by powers of ten: a mantissa below 2**53 and a power up to 10**22 are both exact,
so the one division gives the double that strtod would give, in a fifth of its time.
"""

import gzip
import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ilsvrc.errors import IlsvrcError, SubmissionError
from ilsvrc.scoring.faults import Faults, short

BLOCK = 1 << 21  # bytes read at a time
LONGEST = 1 << 26  # bytes of the longest line that is read
LARGEST = 200_000_000  # numbers in the largest table
NUMBER = re.compile(rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE)
_MARK = b"\xef\xbb\xbf"  # of byte order, before UTF-8 as Windows writes it
_EMPTY_FIELD = re.compile(rb",[ \t\r]*(?:,|\n|\Z)|(?:\A|\n)[ \t\r]*,")
_PLAIN = b"0123456789.- \t\r\n"
_EXPONENT = b"eE+"
_SHORT = 16  # letters of the longest word that is read as a whole number over a power of ten


@dataclass(frozen=True, eq=False)
class Rows:
    """Numbers line by line: those of line i are values[ends[i] - counts[i] : ends[i]]."""

    values: np.ndarray  # (T,) float64
    counts: np.ndarray  # (L,) int64, numbers on each line, blank lines included


@dataclass(frozen=True, eq=False)
class Table:
    """A file as the kit reads it: as wide as its widest line, shorter lines filled with 0, blank ones skipped."""

    values: np.ndarray  # (N, W) float64
    counts: np.ndarray  # (N,) int64, numbers really on the line
    lines: np.ndarray  # (N,) int64, number of the line in the file, from 1


def read_table(path: Path | str, *, error: type[IlsvrcError] = SubmissionError, words_as_zero: bool = False) -> Table:
    """Read a text file of numbers, plain or gzipped whatever its name.

    Blanks, tabs and single commas separate numbers. A word is a fault, or with `words_as_zero` a 0, as Octave reads it.
    Raises `error` when the file is missing, truncated, or holds faults: all are counted, the first ten shown.
    """
    faults = Faults(path, error)
    parts = []
    line = 1
    for block in read_blocks(path, error):
        rows = parse_block(block, line, faults, words_as_zero=words_as_zero, commas=True)
        parts.append(rows)
        line += len(rows.counts)
    faults.stop()
    counts = np.concatenate([part.counts for part in parts]) if parts else np.zeros(0, dtype=np.int64)
    values = np.concatenate([part.values for part in parts]) if parts else np.zeros(0)
    filled = np.flatnonzero(counts)
    width = int(counts.max(initial=0))
    if width * len(filled) > LARGEST:
        raise error(f"line {counts.argmax() + 1:,} of {path} has {width:,} numbers; lines of a few numbers are wanted")
    table = np.zeros((len(filled), width))
    table[np.arange(width) < counts[filled, None]] = values
    return Table(table, counts[filled], filled + 1)


def read_blocks(path: Path | str, error: type[IlsvrcError] = SubmissionError) -> Iterator[bytes]:
    """The bytes of a plain or gzipped file in blocks of whole lines; the last may lack its line end."""
    rest = b""
    start = True
    try:
        with _open(Path(path)) as file:
            while block := file.read(BLOCK):
                block = rest + (block.removeprefix(_MARK) if start else block)
                start = False
                end = block.rfind(b"\n") + 1
                rest = block[end:]
                if len(rest) > LONGEST:
                    raise error(
                        f"{path} has a line of more than {LONGEST >> 20} MiB; a text file with line ends is wanted"
                    )
                if end:
                    yield block[:end]
    except FileNotFoundError as missing:
        raise error(f"{path} does not exist; give the path of a text file or of a gzipped one") from missing
    except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
        raise error(f"{path} is a truncated or damaged gzip file ({damage}); write or copy it again") from damage
    except OSError as denied:
        raise error(f"{path} cannot be read ({denied.strerror}); a file is wanted") from denied
    if rest:
        yield rest


def read_start(path: Path | str, length: int) -> bytes:
    """The first bytes of a plain or gzipped file, a byte order mark left out; none where it cannot be read."""
    try:
        with _open(Path(path)) as file:
            return file.read(length + len(_MARK)).removeprefix(_MARK)[:length]
    except (OSError, EOFError, zlib.error):
        return b""


def _open(path: Path) -> BinaryIO:
    file = path.open("rb")
    if file.peek(2)[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file, mode="rb")  # type: ignore[return-value]
    return file


def parse_block(
    block: bytes, first_line: int, faults: Faults, *, words_as_zero: bool = False, commas: bool = False
) -> Rows:
    """The numbers of a block of whole lines; what is no number goes to `faults` and counts as 0."""
    text = block
    if commas and b"," in block and not _EMPTY_FIELD.search(block):
        text = block.replace(b",", b" ")
    rows = _parse_plain(text)
    return _parse_carefully(block, first_line, faults, words_as_zero, commas) if rows is None else rows


def _parse_plain(text: bytes) -> Rows | None:
    """The rows when every word is a number; None when anything needs a closer look."""
    other = text.translate(None, _PLAIN)
    if other.strip(_EXPONENT):
        return None
    letters = np.frombuffer(text, dtype=np.uint8)
    blank = np.ones(len(letters) + 2, dtype=bool)
    np.less_equal(letters, 32, out=blank[1:-1])
    edges = np.flatnonzero(blank[1:] != blank[:-1])
    starts, ends = edges[0::2], edges[1::2]
    odd = ends - starts > _SHORT
    if other:
        marked = np.flatnonzero((letters == 101) | (letters == 69) | (letters == 43))
        odd[np.searchsorted(starts, marked, side="right") - 1] = True
    values = _values(text, starts, ends, odd)
    if values is None:
        return None
    lines = np.flatnonzero(letters == 10)
    upto = np.searchsorted(starts, lines)
    upto = upto if text.endswith(b"\n") or not text else np.append(upto, len(starts))
    return Rows(values, np.diff(upto, prepend=0))


def _values(text: bytes, starts: np.ndarray, ends: np.ndarray, odd: np.ndarray) -> np.ndarray | None:
    """The number of each word, from `starts` to `ends`; words that are long or have an exponent are `odd`."""
    if not odd.any():
        return _whole_parts(text, starts, ends)
    letters = np.frombuffer(text + b" ", dtype=np.uint8)
    steps = np.zeros(len(letters) + 1, dtype=np.int8)
    steps[starts[odd]] += 1
    steps[ends[odd] + 1] -= 1  # after the blank, where the next word may start
    inside = np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
    plain = _whole_parts(np.where(inside, np.uint8(32), letters).tobytes(), starts[~odd], ends[~odd])
    others = _fromstring(letters[inside].tobytes(), np.float64)
    if plain is None or others is None or len(others) != odd.sum():
        return None
    values = np.empty(len(starts))
    values[~odd], values[odd] = plain, others
    return values


def _whole_parts(text: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
    """The numbers as mantissa over a power of ten, exactly rounded; None where a word is no number.

    With a point a word of 16 letters has at most 15 digits, and its mantissa is below 2**53.
    """
    letters = np.frombuffer(text, dtype=np.uint8)
    signs = np.flatnonzero(letters == 45)
    if len(signs) and not np.array_equal(starts[np.searchsorted(starts, signs, side="right") - 1], signs):
        return None
    points = np.flatnonzero(letters == 46)
    mantissas = _fromstring(text.translate(None, b".") if len(points) else text, np.int64)
    if mantissas is None or len(mantissas) != len(starts):
        return None
    values = mantissas.astype(np.float64)
    if len(points):
        owner = np.searchsorted(starts, points, side="right") - 1
        if (owner[1:] == owner[:-1]).any():
            return None
        values[owner] /= _POWERS[ends[owner] - points - 1]
    return values


_POWERS = 10.0 ** np.arange(_SHORT)


def _fromstring(text: bytes, kind: type) -> np.ndarray | None:
    """The numbers of a text of words and blanks; None where a word is none.

    A 1 is put behind and taken off again: numpy reads a last word without a digit as 0, but no other.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy's way to say that it stopped before the end
        try:
            return np.fromstring(text + b" 1", dtype=kind, sep=" ")[:-1]
        except (DeprecationWarning, ValueError):
            return None


def _parse_carefully(block: bytes, first_line: int, faults: Faults, words_as_zero: bool, commas: bool) -> Rows:
    values: list[float] = []
    counts: list[int] = []
    lines = block.split(b"\n")
    for number, line in enumerate(lines if lines[-1] else lines[:-1], first_line):
        if commas and _EMPTY_FIELD.search(line):
            faults.add(number, "nothing between two commas")
        words = (line.replace(b",", b" ") if commas else line).split()
        for word in words:
            right = NUMBER.fullmatch(word)
            if not right and not words_as_zero:
                faults.add(number, f"{short(word.decode(errors='replace'))} where a number belongs")
            values.append(float(word) if right else 0.0)
        counts.append(len(words))
    return Rows(np.array(values, dtype=np.float64), np.array(counts, dtype=np.int64))
