"""Index an archive: one pass over the headers, then any image by its offset."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ilsvrc.data import tars


@dataclass(frozen=True)
class Indexed:
    """What was indexed."""

    archive: Path
    written: Path  # the index
    members: int
    images: int
    seconds: float

    def __str__(self) -> str:
        size = self.written.stat().st_size / 1e6
        return (
            f"{self.written}: {self.members:,} members of {self.archive}, {self.images:,} of them images, "
            f"in {self.seconds:.1f} s; the index has {size:.1f} MB"
        )


def index(archive: Path, progress: Callable[[int, int], None] | None = None) -> Indexed:
    """Write the index of a plain tar beside it, or into the user's cache where that may not be written.

    progress(bytes done, bytes in all) is called now and then.
    Raises DataError when the archive is missing, damaged or compressed.
    """
    started = time.monotonic()
    made, written = tars.write_index(archive, progress)
    return Indexed(archive, written, len(made), int(made.image.sum()), time.monotonic() - started)
