"""Index an archive: one pass over the headers, then any image by its offset."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ilsvrc.data import remote, remote_shards, shards, tars, zips
from ilsvrc.data.source import Source
from ilsvrc.data.tar_index import save
from ilsvrc.errors import DataError


@dataclass(frozen=True)
class Indexed:
    """What was indexed."""

    archive: Path | str  # a URL is text
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


def index(archive: Path | str, progress: Callable[[int, int], None] | None = None) -> Indexed:
    """Write the index of a plain tar or a zip beside it, or into the user's cache where that may not be written.

    Of a directory of shards the table of each split is written into it; of shards at a URL into the user's cache. The
    last is what the result tells of.

    progress(bytes done, bytes in all) is called now and then.
    Raises DataError when the archive is missing, damaged or compressed.
    """
    started = time.monotonic()
    url = remote.url_of(archive)
    if url is not None:
        return _index_url(url, started)
    archive = Path(archive)
    if archive.is_dir():
        return _index_shards(archive, started)
    if zips.is_zip(archive):
        made = zips.index_zip(Source(archive))
        written = save(made)
    else:
        made, written = tars.write_index(archive, progress)
    return Indexed(archive, written, len(made), int(made.image.sum()), time.monotonic() - started)


def _index_shards(directory: Path, started: float) -> Indexed:
    written, images = None, 0
    for split in shards.SPLITS:
        if shards.shards_in(directory, split):
            table = shards.scan(directory, split)
            written = shards.save(directory, split, table)
            images += len(table["shard"])
    if written is None:
        raise DataError(f"{directory} holds no shards of train, val or test; give an archive or a directory of shards")
    return Indexed(directory, written, images, images, time.monotonic() - started)


def _index_url(url: str, started: float) -> Indexed:
    written, images = None, 0
    for split in shards.SPLITS:
        if remote_shards.shards_of(url, split)[2]:
            table = remote_shards.scan(url, split)
            written = remote_shards.save(url, split, table)
            images += len(table["shard"])
    if written is None:
        raise DataError(f"{url} lists no shards of train, val or test; give them as .../train-{{000000..000146}}.tar")
    return Indexed(remote_shards.split_query(url)[0], written, images, images, time.monotonic() - started)
