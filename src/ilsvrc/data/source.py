"""One file of bytes, read by offset: what archives, shards and their indexes are read through.

Reads are positioned (`pread`): threads and forked processes share one open file without sharing a place in it, and
a file that shrinks under way gives a DataError where a memory map would end the process.
"""

import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

from ilsvrc.errors import DataError

_pread = getattr(os, "pread", None)  # Windows has no positioned read
LARGEST = 1 << 30  # bytes of one image or list: a photograph has some hundred thousand
COPIED = 1 << 20  # bytes at a time when a stream is laid down


def read_whole(path: Path) -> bytes:
    """The content of a file. Raises OSError when it cannot be read, DataError when it has more bytes than any image."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST:
            raise too_large(str(path), size)
        return file.readall()


def too_large(where: str, size: int) -> DataError:
    """The error for a file that would fill the memory."""
    return DataError(f"{where} has {size:,} bytes, more than any image; take it out of the data set")


class Bytes(Protocol):
    """A shape, not a base class: what is read by offset, on a disk or over a network."""

    @property
    def path(self) -> Path | str:
        """What it is called in errors."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer only where it ends."""
        ...


class Source:
    """An open file. `path` is what it is called in errors; `size` is in bytes, `changed` its mtime in nanoseconds."""

    def __init__(
        self, path: Path, file: BinaryIO | None = None, anew: "Callable[[Path], Source] | None" = None
    ) -> None:
        self.path, self._anew = path, anew or Source
        try:
            self._file = file or path.open("rb", buffering=0)
            stat = os.fstat(self._file.fileno())
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); make it there and readable") from error
        self.size, self.changed = stat.st_size, stat.st_mtime_ns
        self._number = self._file.fileno()
        self._lock = threading.Lock()

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer only where the file ends. Raises DataError when the disk refuses."""
        try:
            data = self._once(offset, size)
            while len(data) < size and (more := self._once(offset + len(data), size - len(data))):
                data += more
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read at byte {offset:,} ({error.strerror}); check the disk"
            ) from error
        return data

    def _once(self, offset: int, size: int) -> bytes:
        if _pread:
            return bytes(_pread(self._number, size, offset))
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)

    def expect_jumps(self) -> None:
        """Tell the kernel that reads will not be in sequence, so that a header does not cost 128 KiB of readahead."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._number, 0, 0, os.POSIX_FADV_RANDOM)

    def __reduce__(self) -> tuple["Callable[[Path], Source]", tuple[Path]]:
        """Another process opens the file anew, by `anew` where it is not simply the file of that path."""
        return self._anew, (self.path,)

    def close(self) -> None:
        """Close the file; done by itself when nothing refers to it any more."""
        self._file.close()


def laid_down(path: Path, stream: BinaryIO, largest: int, anew: Callable[[Path], Source]) -> Source:
    """What a decompressing stream gives, in a nameless temporary file that vanishes with the process.

    `anew` does the same in another process. Raises DataError when it gives more than `largest` bytes: a compressed file
    of kilobytes can hold terabytes.
    """
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the Source closes it
    total = 0
    while block := stream.read(COPIED):
        total += len(block)
        if total > largest:
            file.close()
            raise DataError(
                f"{path} holds more than {largest >> 30} GiB when decompressed, which is not done on the fly; "
                "decompress it yourself and give the plain archive"
            )
        file.write(block)
    return Source(path, file, anew)
