"""The binary weight files of Caffe (`.caffemodel`, mean `.binaryproto`), read from the wire format without protobuf.

A file is mapped, not read: blobs are views of it until somebody copies one. Every length is
checked against the bytes that are there, so that memory stays below the file's size plus a
constant, whatever the file claims. Field numbers are those of caffe.proto (BVLC/caffe, 2017).
"""

import mmap
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc.errors import WeightsError

MOST_LAYERS = 100_000  # that hold blobs; ResNet-269 has 700
MOST_BLOBS = 64  # of one layer; batch norm has 3
MOST_AXES = 32  # caffe/blob.hpp: kMaxBlobAxes
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
RUNS: dict[int, np.dtype[Any]] = {  # data, diff and their doubles
    5: np.dtype("<f4"),
    6: np.dtype("<f4"),
    8: np.dtype("<f8"),
    9: np.dtype("<f8"),
}

V1_TYPES = {
    1: "Accuracy",
    3: "Concat",
    4: "Convolution",
    5: "Data",
    6: "Dropout",
    8: "Flatten",
    14: "InnerProduct",
    15: "LRN",
    17: "Pooling",
    18: "ReLU",
    19: "Sigmoid",
    20: "Softmax",
    21: "SoftmaxWithLoss",
    22: "Split",
    23: "TanH",
    25: "Eltwise",
    26: "Power",
    29: "MemoryData",
    33: "Slice",
}
FOREIGN = {  # first bytes of files people give by mistake
    b"PK\x03\x04": "a PyTorch file",
    b"\x89HDF": "an HDF5 file; Caffe's variant .caffemodel.h5 is not read, save the network as .caffemodel",
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file itself with git lfs pull",
    b"<": "a web page or XML; download the file itself",
    b"\x1f\x8b": "a gzip archive; unpack it",
}


@dataclass(frozen=True)
class Stored:
    """One layer of a weight file. blobs are read-only views of the file, float32 or float64, in their stored shape."""

    name: str
    type: str  # 'Convolution'; '' where the file does not say
    blobs: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Field:
    """A field of a message: an integer for a varint, else the place of its bytes in the file."""

    number: int
    wire: int
    value: int
    start: int
    stop: int


def read(path: Path) -> tuple[Stored, ...]:
    """The layers of a `.caffemodel` that hold blobs, in the file's order.

    V0, V1 and V2 layers; packed and unpacked floats and doubles; new and legacy shapes.
    Raises WeightsError when the file is missing, damaged, another kind of file, or holds no blob.
    """
    file = _File(path)
    layers: list[Stored] = []
    generations = set()
    for entry in file.fields(0, len(file.data), "the network"):
        if entry.number in (2, 100) and entry.wire == BYTES:
            generations.add(entry.number)
            layer = file.layer(entry)
            layers += [layer] if layer.blobs else []
        if len(layers) > MOST_LAYERS or len(generations) > 1:
            what = "both V1 and V2 layers" if len(generations) > 1 else f"more than {MOST_LAYERS} layers"
            raise file.damaged(entry.start, f"there are {what}")
    if not layers:
        raise WeightsError(f"{path} holds no layer with weights; give a .caffemodel of a trained network")
    return tuple(layers)


def net_name(path: Path) -> str:
    """What the network of a weight file is called there; '' where the file does not say."""
    file = _File(path)
    for entry in file.fields(0, len(file.data), "the network"):
        if entry.number == 1 and entry.wire == BYTES:
            return file.text(entry)
    return ""


def read_blob(path: Path) -> np.ndarray:
    """The one blob of a mean file (`.binaryproto`), for example (1, 3, 256, 256), in BGR. Raises as `read` does."""
    file = _File(path)
    blob = file.blob(0, len(file.data), "the mean")
    return np.array(blob, dtype=np.float32)


class _File:
    """A mapped file and the readers of its messages."""

    def __init__(self, path: Path):
        self.path = path
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # before it is opened: a pipe would wait for its writer
                raise WeightsError(f"{path} is not a file; give a .caffemodel")
            with path.open("rb") as file:
                self.data: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise WeightsError(f"{path} is empty; download it again") from error
        except OSError as error:
            raise WeightsError(f"{path} cannot be read ({error.strerror}); give a .caffemodel") from error
        for magic, what in FOREIGN.items():
            if self.data[: len(magic)] == magic:
                raise WeightsError(f"{path} is {what}, and a .caffemodel is wanted")

    def damaged(self, place: int, what: str) -> WeightsError:
        return WeightsError(
            f"{self.path} is damaged or no .caffemodel: at byte {place:,} of {len(self.data):,} {what}; "
            "download it again"
        )

    def varint(self, place: int, stop: int) -> tuple[int, int]:
        """The number at `place`, and the place behind it."""
        value = 0
        for shift in range(0, 70, 7):
            if place >= stop:
                raise self.damaged(place, "a number is cut off")
            byte = self.data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & (1 << 64) - 1, place
        raise self.damaged(place, "a number does not end")

    def fields(self, start: int, stop: int, inside: str) -> Iterator[Field]:
        """The fields of the message in start..stop."""
        place = start
        while place < stop:
            tag, after = self.varint(place, stop)
            number, wire, value = tag >> 3, tag & 7, 0
            if wire == VARINT:
                value, end = self.varint(after, stop)
            elif wire == BYTES:
                length, after = self.varint(after, stop)
                end = after + length
            else:
                end = after + {FIXED32: 4, FIXED64: 8}.get(wire, 0)
            if wire not in (VARINT, FIXED64, BYTES, FIXED32) or not 0 < number < 1 << 29:
                raise self.damaged(place, f"{inside} has a field of a kind that Caffe does not write")
            if end > stop:
                raise self.damaged(
                    place, f"a field of {inside} claims {end - after:,} bytes where {stop - after:,} are left"
                )
            yield Field(number, wire, value, after, end)
            place = end

    def text(self, entry: Field) -> str:
        if entry.stop - entry.start > 1000:
            raise self.damaged(entry.start, f"a name has {entry.stop - entry.start:,} bytes")
        return bytes(self.data[entry.start : entry.stop]).decode("utf-8", errors="replace")

    def layer(self, message: Field) -> Stored:
        """A layer; where it is and what it is called in its field numbers tell its generation."""
        v2 = message.number == 100
        entries = list(self._named(message, name=1 if v2 else 4, blob=7 if v2 else 6))
        inner = [e for e in entries if not v2 and e.number == 1 and e.wire == BYTES]
        if inner:  # V0: a layer inside the layer
            return self._stored(list(self._named(inner[-1], name=1, blob=50)), name=1, kind=2, blob=50)
        if v2:
            return self._stored(entries, name=1, kind=2, blob=7)
        return self._stored(entries, name=4, kind=5, blob=6)

    def _named(self, message: Field, name: int, blob: int) -> Iterator[Field]:
        """The few fields of a layer that matter here."""
        blobs = 0
        last: dict[int, Field] = {}
        for entry in self.fields(message.start, message.stop, "a layer"):
            if entry.number == blob and entry.wire == BYTES:
                blobs += 1
                if blobs > MOST_BLOBS:
                    raise self.damaged(entry.start, f"a layer has more than {MOST_BLOBS} blobs")
                yield entry
            elif entry.number in (1, 2, 4, 5):
                last[entry.number] = entry
        yield from last.values()

    def _stored(self, entries: list[Field], name: int, kind: int, blob: int) -> Stored:
        called, of_type = "", ""
        for entry in entries:
            if entry.number == name and entry.wire == BYTES:
                called = self.text(entry)
            elif entry.number == kind:
                of_type = self.text(entry) if entry.wire == BYTES else V1_TYPES.get(entry.value, "")
        places = [entry for entry in entries if entry.number == blob and entry.wire == BYTES]
        blobs = (self.blob(e.start, e.stop, f"layer {called[:64]!r}, blob {i}") for i, e in enumerate(places))
        return Stored(called, of_type, tuple(blobs))

    def blob(self, start: int, stop: int, inside: str) -> np.ndarray:
        """A BlobProto: double_data where there is any, else data; legacy shape where any of it is present."""
        legacy: dict[int, int] = {}
        dims: list[int] = []
        runs: dict[int, _Run] = {number: _Run() for number in RUNS}
        place = start
        while place < stop:
            entry = next(self.fields(place, stop, inside))
            place = entry.stop
            if entry.number in (1, 2, 3, 4) and entry.wire == VARINT:
                legacy[entry.number] = self.extent(entry.value, entry.start, inside)
            elif entry.number == 7 and entry.wire == BYTES:
                dims += self.shape(entry, inside)
                if len(dims) > MOST_AXES:  # several shapes count as one
                    raise self.damaged(entry.start, f"{inside} has more than {MOST_AXES} axes")
            elif entry.number in RUNS:
                values, place = self.run(entry, stop, inside)
                if entry.number in (5, 8):
                    runs[entry.number].append(values)
        values = runs[8].joined(np.float64) if runs[8] else runs[5].joined(np.float32)
        shape = tuple(legacy.get(axis, 1) for axis in (1, 2, 3, 4)) if legacy else tuple(dims)
        if prod(shape) != values.size or not values.size:
            what = "no float values" if not values.size else f"{values.size:,} values"
            raise self.damaged(start, f"{inside} has {what} for the shape {_times(shape)}")
        return values.reshape(shape)

    def shape(self, message: Field, inside: str) -> list[int]:
        """A BlobShape's dims, packed or not."""
        dims: list[int] = []
        for entry in self.fields(message.start, message.stop, inside):
            if entry.number == 1 and entry.wire == VARINT:
                dims.append(self.extent(entry.value, entry.start, inside))
            elif entry.number == 1 and entry.wire == BYTES:
                place = entry.start
                while place < entry.stop and len(dims) <= MOST_AXES:
                    value, place = self.varint(place, entry.stop)
                    dims.append(self.extent(value, place, inside))
            if len(dims) > MOST_AXES:
                raise self.damaged(entry.start, f"{inside} has more than {MOST_AXES} axes")
        return dims

    def extent(self, value: int, place: int, inside: str) -> int:
        if value >= 1 << 31:
            raise self.damaged(place, f"{inside} has an axis of {value:,}")
        return value

    def run(self, entry: Field, stop: int, inside: str) -> tuple[np.ndarray, int]:
        """A run of floats or doubles, packed or one field each, and the place behind it."""
        kind = RUNS[entry.number]
        if entry.wire == BYTES:
            count, rest = divmod(entry.stop - entry.start, kind.itemsize)
            if rest:
                raise self.damaged(
                    entry.start, f"the values of {inside} do not fill {entry.stop - entry.start:,} bytes"
                )
            return np.frombuffer(self.data, kind, count, entry.start), entry.stop
        wire = FIXED32 if kind.itemsize == 4 else FIXED64
        if entry.wire != wire:
            raise self.damaged(entry.start, f"{inside} has values of a kind that Caffe does not write")
        if self.data[entry.start - 1] != (tag := entry.number << 3 | wire):  # written in more bytes than it needs
            return np.frombuffer(self.data, kind, 1, entry.start), entry.stop
        # One tag byte and one value each: walk the tags a million at a time instead of one by one.
        row = np.dtype([("tag", "u1"), ("value", kind)])
        begin = entry.start - 1
        rows = np.frombuffer(self.data, row, (stop - begin) // row.itemsize, begin)
        count = _equal_at_first(rows["tag"], tag)
        return rows["value"][:count], begin + count * row.itemsize


class _Run:
    """Values that come in pieces. One piece stays a view; more are gathered in a buffer no larger than they are."""

    def __init__(self) -> None:
        self.first: np.ndarray | None = None
        self.gathered = bytearray()

    def __bool__(self) -> bool:
        return self.first is not None

    def append(self, values: np.ndarray) -> None:
        """One more piece."""
        if self.first is None:
            self.first = values
            return
        if not self.gathered:
            self.gathered += self.first.tobytes()
        self.gathered += values.tobytes()

    def joined(self, kind: type) -> np.ndarray:
        """All pieces."""
        if self.gathered:
            return np.frombuffer(self.gathered, np.dtype(kind).newbyteorder("<"))
        return np.empty(0, kind) if self.first is None else self.first


def _equal_at_first(tags: np.ndarray, tag: int) -> int:
    """How many tags, from the first, are `tag`."""
    for start in range(0, len(tags), 1 << 20):
        other = tags[start : start + (1 << 20)] != tag
        if other.any():
            return start + int(other.argmax())
    return len(tags)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(f"{extent}" for extent in shape) or "()"
