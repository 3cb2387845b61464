"""The index of an archive: where each member's bytes are, in a small file that opens at once.

An index holds the members sorted by path, so that whatever is under a folder is one run of them, and lasts as long
as the archive stays what it was: its size, its time of change and a sample of its headers are compared when the
index is opened. Writing puts it beside the archive, or in the user's cache where that may not be written.

File: MAGIC; one line of JSON; then, zlib-compressed as one stream, the arrays of offsets, sizes, name lengths and
image flags, and the names. The JSON carries a checksum of all that follows it.
"""

import hashlib
import json
import os
import tempfile
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from ilsvrc.data.source import LARGEST, Source, too_large
from ilsvrc.data.tar_headers import BLOCK, header_name, header_size
from ilsvrc.errors import DataError

MAGIC = b"ilsvrc archive index 2\n"
SAMPLED = 32  # headers compared when an index is opened, evenly spaced
HEADER = 65_536  # bytes at most of the line of JSON
EXTRA: dict[str, list[str]] = {"tar": [], "zip": ["crc", "method", "unpacked"]}  # fields that a kind has besides
MOST = 1 << 36  # members and bytes of names
FIELDS = (("offset", "<u8"), ("size", "<u8"), ("length", "<u2"), ("image", "<u1"))


class Names(Sequence[str]):
    """The paths of the members, kept as bytes and made text one at a time."""

    def __init__(self, blob: bytes, ends: np.ndarray) -> None:
        self.blob, self.ends = blob, ends  # ends is (N + 1,): name i is blob[ends[i]:ends[i + 1]]

    def __len__(self) -> int:
        return len(self.ends) - 1

    def raw(self, index: int) -> bytes:
        """Name `index` as it stands in the archive."""
        return self.blob[self.ends.item(index) : self.ends.item(index + 1)]

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        count = len(self.ends) - 1
        if not -count <= index < count:
            raise IndexError(f"name {index} of {count}")
        return self.raw(index % count).decode("utf-8", "surrogateescape")

    def first_from(self, path: bytes) -> int:
        """How many names sort before `path`."""
        return bisect_left(range(len(self)), path, key=self.raw)


@dataclass(frozen=True, eq=False)
class Index:
    """The members of an archive, sorted by path. The tars inside a tar are folders: n01440764/n01440764_18.JPEG."""

    source: Source
    kind: Literal["tar", "zip"]
    offset: np.ndarray  # (N,) bytes from the start of the file; of a zip, of the header before the content
    size: np.ndarray  # (N,) bytes of the content as it stands in the archive
    image: np.ndarray  # (N,) bool: by its suffix an image, and not hidden
    names: Names
    distinct: bool  # the images' file names without suffix are unique in the whole archive
    extra: dict[str, np.ndarray] = field(default_factory=dict)  # of a zip: "unpacked" size, "method" and "crc"

    def __len__(self) -> int:
        return len(self.names)

    @property
    def path(self) -> Path:
        """The archive."""
        return self.source.path

    def run(self, folder: str) -> range:
        """The places of the members under a folder, '' for all."""
        if not folder:
            return range(len(self))
        prefix = folder.encode("utf-8", "surrogateescape")
        return range(self.names.first_from(prefix + b"/"), self.names.first_from(prefix + b"0"))  # '0' follows '/'

    def place(self, path: str) -> int | None:
        """The place of the member of that path."""
        raw = path.encode("utf-8", "surrogateescape")
        place = self.names.first_from(raw)
        return place if place < len(self) and self.names.raw(place) == raw else None

    def read(self, place: int) -> bytes:
        """The content of member `place`. Raises DataError when the archive gives less than it did."""
        if self.kind == "zip":
            from ilsvrc.data.zips import read_member

            return read_member(self, place)
        size = int(self.size[place])
        if size > LARGEST:
            raise too_large(f"{self.names[place]} in {self.path}", size)
        data = self.source.read(int(self.offset[place]), size)
        if len(data) < size:
            raise DataError(
                f"{self.names[place]} in {self.path} ends after {len(data):,} of {size:,} bytes; the archive was cut "
                "while it was open: get it again and index it anew"
            )
        return data

    @cached_property
    def depth(self) -> np.ndarray:
        """(N,): how many folders deep each member is."""
        slashes = np.flatnonzero(np.frombuffer(self.names.blob, np.uint8) == ord("/"))
        return np.diff(np.searchsorted(slashes, self.names.ends)).astype(np.uint16)

    @cached_property
    def unpacked(self) -> np.ndarray:
        """(N,): bytes of each content as it is read."""
        return self.extra.get("unpacked", self.size)


def load(path: Path) -> Index | None:
    """The index written for an archive, None where there is none.

    Raises DataError when it is damaged, of another archive, or the archive changed since.
    """
    place = next((place for place in places(path) if place.is_file()), None)
    if place is None:
        return None
    remedy = f"run `ilsvrc index {path}` to write it anew"
    try:
        raw = place.read_bytes()
    except OSError as error:
        raise DataError(
            f"the index {place} cannot be read ({error.strerror}); make it readable or remove it"
        ) from error
    head, body = _parted(raw, place, remedy)
    source = Source(path)
    if head.get("archive") != path.name or head.get("bytes") != source.size or head.get("changed") != source.changed:
        raise DataError(f"{path} is not what it was when its index {place} was written; {remedy}")
    index = _unpacked(head, body, source, place, remedy)
    _compare_headers(index, place, remedy)
    return index


def _parted(raw: bytes, place: Path, remedy: str) -> tuple[dict[str, Any], bytes]:
    """The JSON and what follows it, whose checksum is right."""
    line, newline, body = raw[len(MAGIC) :].partition(b"\n") if raw.startswith(MAGIC) else (b"", b"", b"")
    if not newline:
        raise DataError(f"{place} is no index of an archive, or of another version; {remedy}")
    try:
        head = json.loads(line) if len(line) < HEADER else None
    except ValueError:
        head = None
    if not isinstance(head, dict) or head.get("checksum") != _checksum(head, body):
        raise DataError(f"the index {place} is damaged; {remedy}")
    return head, body


def _checksum(head: dict[str, Any], body: bytes) -> int:
    said = {key: value for key, value in head.items() if key != "checksum"}
    return zlib.crc32(body, zlib.crc32(json.dumps(said, sort_keys=True).encode()))


def _unpacked(head: dict[str, Any], body: bytes, source: Source, place: Path, remedy: str) -> Index:
    """The index, or a DataError where a file with a right checksum contradicts itself all the same."""
    damaged = DataError(f"the index {place} contradicts itself; {remedy}")
    count, text, extra = head.get("members"), head.get("text"), head.get("extra")
    kind = head.get("kind")
    if not isinstance(count, int) or not isinstance(text, int) or not 0 <= count + text < MOST or min(count, text) < 0:
        raise damaged
    if (kind != "tar" and kind != "zip") or extra != EXTRA[kind]:
        raise damaged
    fields = [*FIELDS, *((name, "<u8") for name in EXTRA[kind])]
    wanted = sum(count * np.dtype(dtype).itemsize for _, dtype in fields) + text
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(body, wanted + 1)
    except zlib.error:
        raise damaged from None
    if len(data) != wanted:
        raise damaged
    arrays, at = {}, 0
    for name, dtype in fields:
        arrays[name] = np.frombuffer(data, dtype, count, at)
        at += arrays[name].nbytes
    ends = np.zeros(count + 1, np.int64)
    np.cumsum(arrays["length"], out=ends[1:])
    total = np.uint64(source.size)
    past = (arrays["offset"] > total) | (
        arrays["size"] > total - np.minimum(arrays["offset"], total)
    )  # no sum: it wraps
    if ends[-1] != text or past.any() or ("unpacked" in arrays and (arrays["unpacked"] > LARGEST).any()):
        raise damaged
    more = {name: arrays[name] for name in EXTRA[kind]}
    names = Names(data[at:], ends)
    image = arrays["image"].astype(bool)
    return Index(source, kind, arrays["offset"], arrays["size"], image, names, bool(head.get("distinct")), more)


def _compare_headers(index: Index, place: Path, remedy: str) -> None:
    """Raise unless headers of a sample of members stand where the index says, with the sizes it says."""
    if not len(index) or index.kind != "tar":
        return
    for member in np.unique(np.linspace(0, len(index) - 1, SAMPLED).astype(int)).tolist():
        header = index.source.read(int(index.offset[member]) - BLOCK, BLOCK)
        name = index.names.raw(member)
        stored = header_name(header).removeprefix(b"./")
        long = len(header_name(header)) >= 100  # cut there; the whole name stood in a header before
        same = len(header) == BLOCK and header_size(header) in (index.size[member], 0)  # 0: in a header before
        if not same or not (long or name.endswith(stored)):
            raise DataError(
                f"{index.path} holds something else where its index {place} has {index.names[member]}; {remedy}"
            )


def save(index: Index) -> Path:
    """Write the index where `load` finds it, whole or not at all, and say where.

    Raises DataError when no place can be written.
    """
    names = index.names
    arrays = {
        "offset": index.offset,
        "size": index.size,
        "length": np.diff(names.ends),
        "image": index.image,
        **index.extra,
    }
    dtypes = dict(FIELDS)
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(array.astype(dtypes.get(name, "<u8")).tobytes()) for name, array in arrays.items())
    body += packer.compress(names.blob) + packer.flush()
    head: dict[str, Any] = {
        "archive": index.path.name,
        "bytes": index.source.size,
        "changed": index.source.changed,
        "kind": index.kind,
        "members": len(index),
        "text": len(names.blob),
        "distinct": index.distinct,
        "extra": sorted(index.extra),
    }
    head["checksum"] = _checksum(head, body)
    raw = MAGIC + json.dumps(head).encode() + b"\n" + body
    refusals = []
    for place in places(index.path):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, raw)
        except OSError as error:
            refusals.append(f"{place} ({error.strerror})")
        else:
            return place
    raise DataError(f"the index can be written neither to {' nor to '.join(refusals)}; make one of them writable")


def write_whole(place: Path, raw: bytes) -> None:
    """Write a file so that nobody ever sees a part of it. Raises OSError when it cannot be written."""
    number, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(raw)
        os.chmod(name, 0o644)
        os.replace(name, place)
    except BaseException:
        os.unlink(name)
        raise


def places(path: Path) -> Iterator[Path]:
    """Where the index of an archive may be: beside it, and in the user's cache."""
    yield path.with_name(path.name + ".index")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    whole = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]
    yield Path(cache) / "ilsvrc" / "indexes" / f"{path.name}.{whole}.index"
