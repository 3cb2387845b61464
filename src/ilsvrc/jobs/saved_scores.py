"""Scores kept for reuse: what one network said of every image of a split, by one protocol, in an npz file.

| member of the file | what |
| --- | --- |
| names | (N,) the images, in the data set's order |
| probabilities | (N, C) float32 or float16, by label: classes sorted by WordNet id; rows sum to 1 |
| labels | (N,) int64, -1 where the truth is not known |
| wnids | (C,) the classes, in the order of the columns |
| record | one JSON object: who said it, of what, how; see `Record` |

It is an uncompressed zip: `numpy.load` reads it, and every member has a checksum.
"""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from ilsvrc.errors import DataError
from ilsvrc.spec import Crops, Dense, Protocol, Together, as_json, from_json
from ilsvrc.train.checkpoint import write_whole

FORMAT = 1
ROWS = 4096  # read and checked at a time
# What numpy, zipfile and json raise for files that are damaged or not ours.
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Record:
    """Where scores are from. Two files are of the same images where `fingerprint`, `split` and the names agree."""

    model: str  # a name in models.MODELS
    weights: str  # the file or the directory they are in
    image_size: int
    width: float
    protocol_name: str  # as it was asked for; empty for one of the run's own
    protocol: Protocol  # as it was carried out, every length at the network's size
    data: str  # the data set's name
    split: str
    fingerprint: str  # of that split: data.fingerprint
    engine: str  # what computed it: 'eager', 'bf16', ...
    bad_images: tuple[str, ...] = ()  # names of those that could not be decoded: uniform rows
    ilsvrc: str = ""  # the version
    commit: str | None = None
    machine: str = ""

    def title(self) -> str:
        """The network and the protocol, for a line."""
        small = f" at {self.width:g} of its width" if self.width != 1 else ""
        return f"{self.model}{small}, {self.protocol_name or 'its own protocol'}"


@dataclass(frozen=True, eq=False)
class SavedScores:
    """What a file holds. probabilities is float32, whatever the file has."""

    path: Path
    record: Record
    names: tuple[str, ...]
    probabilities: np.ndarray
    labels: np.ndarray
    wnids: tuple[str, ...]


class Rows:
    """Probabilities on their way into a file, row by row: none of them stays in memory."""

    def __init__(self, file: IO[bytes], classes: int, kind: type) -> None:
        self._file, self._kind, self._bytes = file, kind, np.dtype(kind).itemsize * classes

    def put(self, place: int, rows: np.ndarray) -> None:
        """Rows (n, C) from that place on."""
        self._file.seek(place * self._bytes)
        self._file.write(np.ascontiguousarray(rows, self._kind).tobytes())


@dataclass(frozen=True, eq=False)
class Scores:
    """What goes beside the rows."""

    record: Record
    names: tuple[str, ...]
    labels: np.ndarray
    wnids: tuple[str, ...]


class Writer:
    """One file under way: rows in any order, then `close` with the rest."""

    def __init__(self, path: Path, scratch: IO[bytes], classes: int, kind: Literal["float32", "float16"]) -> None:
        self.path, self._scratch = path, scratch
        self._kind: type = {"float32": np.float32, "float16": np.float16}[kind]
        self._classes = classes
        self.rows = Rows(scratch, classes, self._kind)

    def close(self, scores: Scores) -> None:
        """Write the file whole. Raises DataError when the folder cannot be written."""
        shape = (len(scores.names), self._classes)

        def write(temporary: Path) -> None:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                _member(archive, "names", np.array(scores.names, dtype=np.str_))
                _member(archive, "labels", np.asarray(scores.labels, np.int64))
                _member(archive, "wnids", np.array(scores.wnids, dtype=np.str_))
                _member(archive, "record", np.array(_text(scores.record)))
                self._scratch.seek(0)
                with archive.open("probabilities.npy", "w", force_zip64=True) as member:
                    head = {"descr": np.dtype(self._kind).str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(member, head)
                    while block := self._scratch.read(1 << 20):
                        member.write(block)

        write_whole(self.path, write)


@contextmanager
def writer(path: Path, classes: int, kind: Literal["float32", "float16"] = "float32") -> Iterator[Writer]:
    """A file of scores to be written; what was at `path` stays until `close`. Raises DataError where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - closed below; a fault here is of the place
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); choose another place for --save") from error
    with scratch:
        yield Writer(path, scratch, classes, kind)


def save_scores(
    path: Path, scores: Scores, probabilities: np.ndarray, kind: Literal["float32", "float16"] = "float32"
) -> None:
    """Write scores that are in memory, probabilities (N, C)."""
    with writer(path, probabilities.shape[1], kind) as file:
        file.rows.put(0, probabilities)
        file.close(scores)


def read_scores(path: Path) -> SavedScores:
    """What a file of scores holds. Raises DataError when it is damaged or none."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in ("names", "probabilities", "labels", "wnids", "record")}
        record = _record(str(found["record"]))
        _check(found)
    except UNREADABLE as error:
        reason = str(error).strip("'\"")[:200] or type(error).__name__
        raise DataError(
            f"{path} is no whole file of scores ({reason}); write it again with ilsvrc evaluate --save"
        ) from error
    names, wnids = (tuple(map(str, found[name])) for name in ("names", "wnids"))
    probabilities = np.asarray(found["probabilities"], np.float32)
    return SavedScores(path, record, names, probabilities, found["labels"], wnids)


def _member(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def _text(record: Record) -> str:
    values = {**asdict(record), "protocol": as_json(record.protocol)}
    return json.dumps({"format": FORMAT, **values}, ensure_ascii=False)


def _record(text: str) -> Record:
    """Raises ValueError, TypeError or KeyError for what is none."""
    values: dict[str, Any] = json.loads(text)
    if values.pop("format", None) != FORMAT:
        raise ValueError("its record is of another version")
    known = {field.name for field in fields(Record)}
    values = {name: value for name, value in values.items() if name in known}
    values["protocol"] = from_json(values["protocol"])
    if not isinstance(values["protocol"], Crops | Dense | Together):
        raise ValueError("its record names no protocol")
    return Record(**{**values, "bad_images": tuple(values.get("bad_images", ()))})


def _check(found: dict[str, np.ndarray]) -> None:
    """Raises ValueError unless the parts fit together and every row is a distribution."""
    names, labels, wnids, probabilities = (found[name] for name in ("names", "labels", "wnids", "probabilities"))
    if probabilities.ndim != 2 or probabilities.dtype not in (np.float32, np.float16):
        raise ValueError(f"probabilities are {probabilities.shape} {probabilities.dtype}")
    rows, classes = probabilities.shape
    if names.shape != (rows,) or labels.shape != (rows,) or wnids.shape != (classes,):
        raise ValueError(
            f"{rows} rows of {classes} classes, and {names.size} names, {labels.size} labels, {wnids.size} WordNet ids"
        )
    if names.dtype.kind != "U" or wnids.dtype.kind != "U" or labels.dtype.kind != "i":
        raise ValueError("names, labels or WordNet ids are of another type")
    if labels.size and (int(labels.min()) < -1 or int(labels.max()) >= classes):
        raise ValueError(f"a label is not among {classes} classes")
    if len(set(names.tolist())) != rows:
        raise ValueError("an image is named twice")
    for first in range(0, rows, ROWS):
        part = probabilities[first : first + ROWS].astype(np.float32)
        if not (np.isfinite(part).all() and (part >= 0).all() and np.allclose(part.sum(1), 1, atol=1e-2)):
            raise ValueError("a row is no distribution of probabilities")
