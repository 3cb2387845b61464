"""Tars read in place: one pass over the headers, then any member by its offset.

The official training archive is a tar of 1,000 tars; the tars inside a tar are read as folders, without their
suffix. Compressed tars have no offsets: they are decompressed into a nameless temporary file first.
"""

import bz2
import gzip
import lzma
import zlib
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np

from ilsvrc.data.source import Source, laid_down
from ilsvrc.data.tar_headers import Member, members
from ilsvrc.data.tar_index import Index, Names, load, save
from ilsvrc.errors import DataError

SUFFIXES = {  # of images, in any case
    *(b"jpeg", b"jpg", b"jpe", b"jfif", b"png", b"bmp", b"webp"),
    *(b"gif", b"tif", b"tiff", b"ppm", b"pgm", b"jp2", b"avif"),
}
HIDDEN = (b".", b"@", b"__")  # .DS_Store, @eaDir, __MACOSX: of the file system, not of the set
THREADS = 4  # readers of the tars within a tar: they wait for the disk together
LARGEST = 64 << 30  # bytes that a compressed tar may hold
SAVED = 20_000  # members from which on an index is written by whoever opens the archive first
PACKED: dict[bytes, Callable[[Path, str], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}

Progress = Callable[[int, int], None]


def open_tar(path: Path) -> Index:
    """The index of a tar, plain or compressed: the one written for it, or made now.

    Of a large plain tar it is also written, so that the pass over its headers is made once.
    Raises DataError when the tar is damaged, or is no longer the one its index was written for.
    """
    source = Source(path)
    if source.read(0, 2) in PACKED:
        return index_source(decompressed(source))
    index = load(path)
    if index is None:
        index = index_source(source)
        if len(index) >= SAVED:
            try_to_save(index)
    return index


def write_index(path: Path, progress: Progress | None = None) -> tuple[Index, Path]:
    """Index a plain tar anew and write the index; gives it and where it was written.

    progress(bytes done, bytes in all) is called now and then. Raises DataError as `open_tar` does, and for a
    compressed tar, whose members have no offsets.
    """
    source = Source(path)
    if source.read(0, 2) in PACKED:
        raise DataError(
            f"{path} is compressed, so its members cannot be read by offset and an index would be of no use; "
            "decompress it (gunzip, bunzip2, unxz), then index the plain tar"
        )
    index = index_source(source, progress)
    return index, save(index)


def try_to_save(index: Index) -> None:
    """Write the index where there is a place for it."""
    try:
        save(index)
    except DataError:
        return  # the index serves as it is; only the next opening pays again


def decompressed(source: Source) -> Source:
    """The plain tar of a compressed one. Raises DataError when the compression is damaged or truncated."""
    stream = PACKED[source.read(0, 2)](source.path, "rb")
    try:
        with stream:
            return laid_down(source.path, cast(BinaryIO, stream), LARGEST, _decompressed_at)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"{source.path} is truncated or damaged ({error}); get it again") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"{source.path} cannot be decompressed ({reason}); check it and the room on the disk"
        ) from error


def _decompressed_at(path: Path) -> Source:
    return decompressed(Source(path))


def index_source(source: Source, progress: Progress | None = None) -> Index:
    """The index of an open plain tar, made in one pass over its headers. Raises DataError when it is damaged."""
    source.expect_jumps()
    table = _Table(source)
    inner: list[Member] = []
    for member in members(source, 0, source.size, str(source.path)):
        if member.name.endswith(b".tar"):
            inner.append(member)
        else:
            table.add([member], b"")
    with ThreadPoolExecutor(THREADS) as pool:
        done = pool.map(lambda member: _inner_members(source, member), inner)
        for member, found in zip(inner, done, strict=True):
            table.add(found, member.name.removesuffix(b".tar") + b"/")
            if progress:
                progress(member.offset + member.size, source.size)
    return table.index()


def _inner_members(source: Source, member: Member) -> list[Member]:
    where = f"{source.path}:{member.name.decode('utf-8', 'backslashreplace')}"
    return list(members(source, member.offset, member.offset + member.size, where))


class _Table:
    """Members as they are found, in arrays: a list of objects would take a gigabyte for ImageNet."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.names: list[bytes] = []
        self.offset, self.size = array("Q"), array("Q")

    def add(self, found: list[Member], folder: bytes) -> None:
        """Members of the tar that is read as `folder`."""
        self.names += [folder + member.name for member in found]
        self.offset.extend([member.offset for member in found])
        self.size.extend([member.size for member in found])

    def index(self) -> Index:
        order = sorted(range(len(self.names)), key=self.names.__getitem__)
        offset, size = (np.frombuffer(each, np.uint64)[order] for each in (self.offset, self.size))
        names = list(map(self.names.__getitem__, order))
        del order, self.names, self.offset, self.size
        return index_of(self.source, "tar", names, offset, size)


def index_of(
    source: Source,
    kind: Literal["tar", "zip"],
    names: list[bytes],
    offset: np.ndarray,
    size: np.ndarray,
    extra: dict[str, np.ndarray] | None = None,
) -> Index:
    """An index of members sorted by name. Raises DataError when two have the same name."""
    for one, other in pairwise(names):
        if one == other:
            raise DataError(
                f"{source.path} has two members called {one.decode('utf-8', 'backslashreplace')}; "
                "which of them is meant cannot be known: write the archive anew without one of them"
            )
    stems = []
    image = np.zeros(len(names), bool)
    for place, name in enumerate(names):
        base = name.rpartition(b"/")[2]
        stem, dot, suffix = base.rpartition(b".")
        if dot and suffix.lower() in SUFFIXES and not base.startswith(HIDDEN):
            image[place] = True
            stems.append(hash(stem))
    distinct = len(np.unique(np.array(stems, np.int64))) == len(stems)  # 64 bits: chance takes none of a million
    ends = np.fromiter(accumulate(map(len, names), initial=0), np.int64, len(names) + 1)
    text = Names(b"".join(names), ends)
    return Index(source, kind, offset, size, image, text, distinct, extra or {})
