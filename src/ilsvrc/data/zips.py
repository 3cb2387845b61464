"""Zips read in place: the directory at their end gives every member's place; contents are stored or deflated.

Python's own reader keeps half a kilobyte per member; Kaggle's archive has two million of them.
"""

import struct
import zlib
from pathlib import Path

import numpy as np

from ilsvrc.data.source import LARGEST, Source, too_large
from ilsvrc.data.tar_headers import checked_name
from ilsvrc.data.tar_index import Index, load
from ilsvrc.data.tars import SAVED, index_of, try_to_save
from ilsvrc.errors import DataError

END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
ENTRY, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
WHOLE = 0xFFFFFFFF  # a field of this value is in the ZIP64 record instead
STORED, DEFLATED = 0, 8


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip does."""
    return Source(path).read(0, 4) in (LOCAL, END)


def open_zip(path: Path) -> Index:
    """The index of a zip: the one written for it, or made now. Raises DataError when it is damaged or encrypted."""
    index = load(path)
    if index is None:
        index = index_zip(Source(path))
        if len(index) >= SAVED:
            try_to_save(index)
    return index


def index_zip(source: Source) -> Index:
    """The index of a zip, made from the directory at its end. Raises DataError when it is damaged or encrypted."""
    count, size, start = _directory(source)
    data = source.read(start, size)
    found: list[tuple[bytes, int, int, int, int, int]] = []
    at = 0
    for _ in range(count):
        entry = _entry(data, at, source.path)
        at = entry[6]
        if not entry[0].endswith(b"/"):
            found.append((checked_name(entry[0], str(source.path)), *entry[1:6]))
    found.sort()
    names = [entry[0] for entry in found]
    offset, packed, unpacked, method, crc = (np.array([entry[k] for entry in found], np.uint64) for k in range(1, 6))
    past = offset + packed > start
    if past.any():
        raise _damaged(source.path, f"{names[int(past.argmax())].decode(errors='replace')} reaches past the contents")
    return index_of(source, "zip", names, offset, packed, {"crc": crc, "method": method, "unpacked": unpacked})


def _directory(source: Source) -> tuple[int, int, int]:
    """Entries, bytes and place of the directory."""
    tail_at = max(0, source.size - 65_557)  # the end record and the longest comment
    tail = source.read(tail_at, source.size - tail_at)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        raise _damaged(source.path, "it has no directory at its end")
    count, size, start = struct.unpack_from("<H2I", tail, at + 10)
    if WHOLE in (size, start) or count == 0xFFFF:
        locator = tail[max(0, at - 20) : at]
        if locator[:4] != LOCATOR64:
            raise _damaged(source.path, "its ZIP64 record is missing")
        record = source.read(struct.unpack_from("<Q", locator, 8)[0] & (2**63 - 1), 56)
        if record[:4] != END64 or len(record) < 56:
            raise _damaged(source.path, "its ZIP64 record is missing")
        count, size, start = struct.unpack_from("<3Q", record, 32)
    if start + size > source.size or count * 46 > size:
        raise _damaged(source.path, "its directory reaches past its end")
    return count, size, start


def _entry(data: bytes, at: int, path: Path) -> tuple[bytes, int, int, int, int, int, int]:
    """Name, offset, bytes packed and unpacked, method and CRC of one entry, and where the next begins."""
    if data[at : at + 4] != ENTRY or len(data) < at + 46:
        raise _damaged(path, "its directory ends too early")
    flags, method = struct.unpack_from("<2H", data, at + 8)
    crc, packed, unpacked, name_size, extra_size, comment_size = struct.unpack_from("<3I3H", data, at + 16)
    mode, offset = struct.unpack_from("<2I", data, at + 38)
    name = data[at + 46 : at + 46 + name_size]
    extra = data[at + 46 + name_size : at + 46 + name_size + extra_size]
    shown = name.decode("utf-8", "backslashreplace")
    if flags & 1:
        raise DataError(f"{shown} in {path} is encrypted; decrypt the archive first")
    if mode >> 28 == 0xA:
        raise DataError(f"{shown} in {path} is a symbolic link; write the archive anew with plain files")
    if method not in (STORED, DEFLATED) and not name.endswith(b"/"):
        raise DataError(f"{shown} in {path} is packed by method {method}; pack it anew, stored or deflated")
    if WHOLE in (packed, unpacked, offset):
        unpacked, packed, offset = _whole_fields(extra, unpacked, packed, offset, path)
    if unpacked > LARGEST:
        raise too_large(f"{shown} in {path}", unpacked)
    return name, offset, packed, unpacked, method, crc, at + 46 + name_size + extra_size + comment_size


def _whole_fields(extra: bytes, unpacked: int, packed: int, offset: int, path: Path) -> tuple[int, int, int]:
    """The fields, those of value WHOLE from the ZIP64 record, in which they stand in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1 and at + 4 + size <= len(extra):
            wide = iter(struct.unpack_from(f"<{size // 8}Q", extra, at + 4))
            fields = [next(wide, -1) if field == WHOLE else field for field in (unpacked, packed, offset)]
            if min(fields) >= 0 and max(fields) < 2**62:
                return fields[0], fields[1], fields[2]
        at += 4 + size
    raise _damaged(path, "a ZIP64 record is missing")


def read_member(index: Index, place: int) -> bytes:
    """The content of a member. Raises DataError when it is damaged: its length and its CRC are verified."""
    offset, packed = int(index.offset[place]), int(index.size[place])
    unpacked, method = int(index.extra["unpacked"][place]), int(index.extra["method"][place])
    head = index.source.read(offset, 30)
    if head[:4] != LOCAL or len(head) < 30:
        raise _damaged(index.path, f"{index.names[place]} is not where its directory says")
    data = index.source.read(offset + 30 + sum(struct.unpack_from("<2H", head, 26)), packed)
    if method == DEFLATED:
        try:
            data = zlib.decompressobj(-15).decompress(data, unpacked + 1)
        except zlib.error as error:
            raise _damaged(index.path, f"{index.names[place]} cannot be inflated ({error})") from error
    if len(data) != unpacked:
        raise _damaged(index.path, f"{index.names[place]} has {len(data):,} of its {unpacked:,} bytes")
    if zlib.crc32(data) != int(index.extra["crc"][place]):
        raise _damaged(index.path, f"the bytes of {index.names[place]} are not those that were packed")
    return data


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} is a truncated or damaged zip: {what}; get it again")
