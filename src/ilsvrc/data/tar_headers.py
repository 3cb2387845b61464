"""The headers of a tar, one after the other, without the contents: POSIX ustar, GNU and PAX.

A tar is a chain: each header says how long its content is, and so where the next header stands. A flipped bit or a
missing byte breaks the chain; every header's checksum is verified, and what cannot be read exactly is refused.
"""

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ilsvrc.data.source import Bytes
from ilsvrc.errors import DataError

BLOCK = 512
TAIL = 1 << 20  # bytes of zeros that may follow the end mark: writers fill up to their record size
LONGEST = 65_535  # bytes of a name
EXTENDED = 1 << 20  # bytes of a PAX header or a GNU long name; real ones have some hundred
ZEROS = bytes(BLOCK)
PLAIN = re.compile(rb"\w[^/\\\0]*(?:/\w[^/\\\0]*)*")  # no part of it can be . or ..
RECORD = re.compile(rb"([1-9][0-9]{0,6}) ")
EXTENSIONS = b"xgLK"
REGULAR = b"0\0" + b"7"  # contiguous files are regular ones on every system of today
OTHERS = {
    ord("1"): "a hard link",
    ord("2"): "a symbolic link",
    ord("3"): "a device",
    ord("4"): "a device",
    ord("6"): "a pipe",
    ord("S"): "a GNU sparse file",
    ord("M"): "a part of a multi-volume archive",
}


class Member(NamedTuple):
    """A regular file in a tar: its name, where its content begins in bytes from the start of the file, its size."""

    name: bytes
    offset: int
    size: int


def members(source: Bytes, start: int, stop: int, where: str) -> Iterator[Member]:
    """The regular files of the tar in bytes `start` to `stop` of a file, in order. Directories are passed over.

    `where` names the tar in errors. Raises DataError for what is no tar, is truncated or damaged, and for members
    that are links, devices or sparse, reach past the end, or have names that leave the archive.
    """
    place, last, extended, read = start, b"", None, source.read
    while place < stop:
        header = read(place, BLOCK)
        if len(header) < BLOCK or place + BLOCK > stop:
            raise _truncated(where, last, place)
        if header == ZEROS:
            return _check_tail(source, place, stop, where)
        size = header_size(header)
        if size is None:
            raise _no_header(where, last, first=place == start)
        kind = header[156]
        place += BLOCK
        if kind in EXTENSIONS:
            if size > EXTENDED or place + size > stop:
                raise _past_the_end(where, b"an extended header", size, stop - place)
            extended = extended or _Extended(where)
            extended.take(kind, read(place, size))
        else:
            name = last = header_name(header)
            if extended:
                name, size = extended.said(name, size)
                last = name
                extended = None
            regular = _regular(kind, name, where)
            if regular and place + size > stop:
                raise _past_the_end(where, name, size, stop - place)
            if regular:
                yield Member(checked_name(name, where), place, size)
            size = size if regular else 0
        place += -(-size // BLOCK) * BLOCK
    if extended or place > stop:
        raise _truncated(where, last, place)
    if place == start:
        raise DataError(f"{where} is empty; get it again")
    return None


def _regular(kind: int, name: bytes, where: str) -> bool:
    """Whether a member is a file, not a directory. Raises DataError for any other kind, and for strange directories."""
    if kind in REGULAR and not name.endswith(b"/"):
        return True
    if kind != ord("5") and kind not in REGULAR:
        raise DataError(
            f"{_shown(name)} in {where} is {OTHERS.get(kind, f'of the unknown kind {chr(kind)!r}')}, "
            "which no archive of images needs; write the archive anew with plain files"
        )
    checked_name(name.rstrip(b"/") or b"/", where)
    return False


class _Extended:
    """What headers before a member say of it: PAX records and GNU long names."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.name: bytes | None = None
        self.size: int | None = None

    def said(self, name: bytes, size: int) -> tuple[bytes, int]:
        """The member's name and size: what the headers before it say, else its own."""
        return (name if self.name is None else self.name), (size if self.size is None else self.size)

    def take(self, kind: int, data: bytes) -> None:
        """Read the content of an extended header of that kind."""
        if kind == ord("L"):
            self.name = data.rstrip(b"\0")
        elif kind in b"xg":
            self._take_records(data, everywhere=kind == ord("g"))

    def _take_records(self, data: bytes, *, everywhere: bool) -> None:
        place = 0
        data = data.rstrip(b"\0")
        while place < len(data):
            found = RECORD.match(data, place)
            end = place + int(found[1]) if found else 0
            record = data[found.end() : end - 1] if found else b""
            if not found or end > len(data) or data[end - 1 : end] != b"\n" or b"=" not in record:
                raise DataError(f"a PAX header in {self.where} is damaged; get the archive again")
            key, _, value = record.partition(b"=")
            if everywhere and key in (b"path", b"size"):
                raise DataError(f"a PAX header in {self.where} gives one {key.decode()} to all members; write it anew")
            self._take_record(key, value)
            place = end

    def _take_record(self, key: bytes, value: bytes) -> None:
        if key == b"path":
            self.name = value
        elif key == b"size":
            if not re.fullmatch(rb"[0-9]{1,18}", value):
                raise DataError(f"a PAX header in {self.where} gives the size {value[:20]!r}; get the archive again")
            self.size = int(value)
        elif key.startswith(b"GNU.sparse"):
            raise DataError(f"a member of {self.where} is a sparse file; write the archive anew with plain files")


def header_size(header: bytes) -> int | None:
    """The size a header gives, in bytes; None for a block that is no header or whose checksum is wrong."""
    try:
        said = int(header[148:156].rstrip(b"\0 ") or b"-1", 8)
        digits = header[124:136]
        size = int.from_bytes(digits[1:], "big") if digits[0] == 0x80 else int(digits.rstrip(b"\0 ") or b"0", 8)
    except ValueError:
        return None
    # The checksum is the sum of all bytes with blanks for its own eight; Adler-32 has a sum of bytes in its low half,
    # modulo 65,521, and takes a twentieth of the time of sum().
    total = (zlib.adler32(header[156:], zlib.adler32(header[:148])) & 0xFFFF) - 1 + 8 * 32
    if (total - said) % 65_521 and said != _signed_sum(header):
        return None
    return size if size >= 0 else None


def _signed_sum(header: bytes) -> int:
    """The checksum as old writers count it, with signed bytes."""
    return sum(byte - 256 if byte > 127 else byte for byte in header[:148] + header[156:]) + 8 * 32


def header_name(header: bytes) -> bytes:
    """The name in a header, prefix included."""
    name = header[:100].partition(b"\0")[0]
    if header[345] and header[257:263] == b"ustar\0":  # GNU keeps times where POSIX has the prefix
        return header[345:500].partition(b"\0")[0] + b"/" + name
    return name


def checked_name(name: bytes, where: str) -> bytes:
    """The name without './' before it. Raises DataError for one that is absolute, empty, too long or climbs out."""
    if PLAIN.fullmatch(name) and len(name) <= LONGEST:
        return name
    plain = name
    while plain.startswith(b"./"):
        plain = plain[2:].lstrip(b"/")
    parts = plain.split(b"/")
    if name.startswith(b"/") or b".." in parts or b"\0" in name or (b"\\" in name and b".." in name):
        raise DataError(
            f"{where} has a member called {_shown(name)}, which leads out of the archive; do not trust it: "
            "get the archive from its source again"
        )
    if not plain or b"" in parts or len(name) > LONGEST:
        raise DataError(f"{where} has a member whose name is {_shown(name)}; write the archive anew with plain names")
    return plain


def _check_tail(source: Bytes, place: int, stop: int, where: str) -> None:
    """Raise unless only zeros follow the end mark: two archives joined would lose the second without a word."""
    rest = source.read(place, min(stop - place, TAIL))
    if stop - place > TAIL or rest.strip(b"\0"):
        raise DataError(
            f"{where} ends at byte {place:,} and {stop - place:,} bytes follow; archives joined by cat, or a damaged "
            "one, are not read: join with tar --concatenate, or get it again"
        )


def _shown(name: bytes) -> str:
    text = name.decode("utf-8", "backslashreplace")
    text = text if len(text) <= 100 else text[:97] + "..."
    return text if text.isprintable() and text else repr(text)


def _truncated(where: str, last: bytes, place: int) -> DataError:
    return DataError(f"{where} is truncated{_after(last)}, at byte {place:,}; get the archive again")


def _no_header(where: str, last: bytes, *, first: bool) -> DataError:
    if first:
        return DataError(f"{where} does not begin as a tar does; give a plain tar, not compressed, or get it again")
    return DataError(f"{where} is damaged{_after(last)}: no header stands where one must; get the archive again")


def _after(last: bytes) -> str:
    return f" after {_shown(last)}" if last else ""


def _past_the_end(where: str, name: bytes, size: int, rest: int) -> DataError:
    return DataError(
        f"{_shown(name)} in {where} has {size:,} bytes and only {max(rest, 0):,} are left; "
        "the archive is truncated or damaged: get it again"
    )
