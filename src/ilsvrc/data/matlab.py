"""Tables of records from Matlab 5 files, as far as the kits' `meta.mat` need: text and numbers, one level deep.

Read here and not by scipy, whose reader is compiled: a damaged file can end the whole program there. Layout as in
MathWorks' "MAT-File Format", version 5; every length is checked before it is believed.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from ilsvrc.data.tree import Place
from ilsvrc.errors import DataError

Value = str | tuple[float, ...]  # of a field: a text, or the numbers of an array in Matlab's order, column by column

_HEADER = 128
_LARGEST = 1 << 28  # bytes that a compressed element may unfold to
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_WIDE = ("utf-16", "utf-32")  # whose bytes have an order
_STRUCT, _CHAR, _NUMERIC = 2, 4, range(6, 16)


class _DamageError(Exception):
    """The bytes contradict themselves."""


def read_records(path: Place | str, name: str) -> list[dict[str, Value]]:
    """The records of the struct array `name`, in order; each field is a text or the numbers of an array.

    Fields of other kinds (cells, structs, sparse arrays) are left out.
    Raises DataError when the file cannot be read, is no Matlab 5 file, is damaged, or has no such array.
    """
    try:
        data = (Path(path) if isinstance(path, str) else path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give the path of the kit's meta.mat") from error
    if data[:10] != b"MATLAB 5.0" or data[126:128] not in (b"IM", b"MI"):
        raise DataError(f"{path} is not a Matlab 5 file; the kit's meta.mat is wanted")
    try:
        records = _Reader("<" if data[126:128] == b"IM" else ">").find(data, name)
    except (_DamageError, struct.error, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged ({error}); get the kit's file again") from error
    if records is None:
        raise DataError(f"{path} has no table named {name!r}; the kit's meta.mat is wanted")
    return records


class _Reader:
    """Reads elements in one byte order."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.tag = struct.Struct(f"{order}II")

    def find(self, data: bytes, name: str) -> list[dict[str, Value]] | None:
        """The records of the first struct array of that name; None where there is none."""
        for kind, content in self.elements(data, _HEADER, len(data), padded=False):
            if kind == _COMPRESSED:
                content = self.unfolded(content)
                kind, start, end, _ = self.element(content, 0, len(content))
                content = content[start:end]
            if kind == _MATRIX:
                found = self.records(content, name)
                if found is not None:
                    return found
        return None

    def unfolded(self, content: bytes) -> bytes:
        stream = zlib.decompressobj()
        unfolded = stream.decompress(content, _LARGEST)
        if not stream.eof:
            raise _DamageError("a compressed part is cut short, or larger than any kit's")
        return unfolded

    def element(self, data: bytes, place: int, end: int) -> tuple[int, int, int, int]:
        """Kind, start and end of the element at a place, and where the next begins, padding to eight bytes passed."""
        if place + 8 > end:
            raise _DamageError("an element is cut short")
        kind, length = self.tag.unpack_from(data, place)
        if kind >> 16:  # four bytes or fewer stand in the tag itself
            kind, length = kind & 0xFFFF, kind >> 16
            if length > 4:
                raise _DamageError(f"a small element of {length} bytes")
            return kind, place + 4, place + 4 + length, place + 8
        start = place + 8
        if start + length > end:
            raise _DamageError(f"an element of {length:,} bytes where {end - start:,} are left")
        return kind, start, start + length, min(start + length + -length % 8, end)

    def elements(self, data: bytes, place: int, end: int, *, padded: bool = True) -> Iterator[tuple[int, bytes]]:
        """Kind and content of each element. Compressed ones, which stand alone in a file, are not padded."""
        while place < end:
            kind, start, stop, after = self.element(data, place, end)
            yield kind, data[start:stop]
            place = after if padded or kind != _COMPRESSED else stop

    def records(self, matrix: bytes, name: str) -> list[dict[str, Value]] | None:
        """The records of a struct array of that name; None where the matrix is another."""
        if self.kind(matrix) != _STRUCT:
            return None
        parts = self.elements(matrix, 0, len(matrix))
        # Flags, dimensions, name, length of the names of fields, those names; then the fields, record by record.
        _, lengths, called, width, names = (next(parts, (0, b""))[1] for _ in range(5))
        if called != name.encode():
            return None
        count = math.prod(self.integers(lengths))
        step = self.integers(width)[0] if len(width) == 4 else 0
        if not 0 < step <= len(names):
            raise _DamageError("no names of fields")
        fields = [
            names[start : start + step].partition(b"\0")[0].decode("latin-1") for start in range(0, len(names), step)
        ]
        if not 0 <= count * len(fields) * 8 <= len(matrix):  # each field takes eight bytes or more
            raise _DamageError(f"{count:,} records do not fit into {len(matrix):,} bytes")
        return [self.record(parts, fields) for _ in range(count)]

    def record(self, parts: Iterator[tuple[int, bytes]], fields: list[str]) -> dict[str, Value]:
        found = {}
        for field in fields:
            kind, content = next(parts, (0, b""))
            if kind != _MATRIX:
                raise _DamageError(f"no value of the field {field!r}")
            value = self.value(content)
            if value is not None:
                found[field] = value
        return found

    def kind(self, matrix: bytes) -> int:
        """The class of a matrix: the low byte of its flags."""
        _, start, end, _ = self.element(matrix, 0, len(matrix))
        flags = self.integers(matrix[start:end])
        return flags[0] & 0xFF if flags else 0

    def integers(self, content: bytes) -> tuple[int, ...]:
        return struct.unpack(f"{self.order}{len(content) // 4}i", content[: len(content) // 4 * 4])

    def value(self, matrix: bytes) -> Value | None:
        """A text or numbers; None for anything else."""
        if not matrix:
            return ()
        kind = self.kind(matrix)
        if kind != _CHAR and kind not in _NUMERIC:
            return None
        parts = list(self.elements(matrix, 0, len(matrix)))
        if len(parts) < 4:  # flags, dimensions, name, content
            raise _DamageError("an array without content")
        form, content = parts[3]
        if form not in (_TEXTS if kind == _CHAR else _NUMBERS):
            raise _DamageError(f"an array of the form {form}")
        return self.text(form, content) if kind == _CHAR else self.numbers(form, content)

    def text(self, form: int, content: bytes) -> str:
        coding = _TEXTS[form]
        return content.decode(f"{coding}-{'le' if self.order == '<' else 'be'}" if coding in _WIDE else coding)

    def numbers(self, form: int, content: bytes) -> tuple[float, ...]:
        letter = _NUMBERS[form]
        size = struct.calcsize(self.order + letter)
        count = len(content) // size
        return struct.unpack(f"{self.order}{count}{letter}", content[: count * size])
