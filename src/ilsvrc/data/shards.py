"""Shards: plain tars in which the files of a sample follow each other under one key, as WebDataset names them.

`key.jpg` is the image, `key.cls` its label, `key.json` what else is known: our own packing keeps the name, the WordNet
id and the boxes there. A table beside the shards says where each image is and what it shows, so that opening reads
one file; without it the headers, labels and JSON of all shards are read when they are opened.
"""

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc.data.sample import Classes, Sample
from ilsvrc.data.source import Source
from ilsvrc.data.tar_headers import members
from ilsvrc.data.tar_index import Names, write_whole
from ilsvrc.errors import DataError

SPLITS = ("train", "val", "test")  # in a shard's name; validation has val in it
IMAGES = ("jpg", "jpeg", "png", "ppm", "webp", "gif", "bmp")
ARRAYS = {  # of the table: what it is called there, and its kind
    "shard": "iu",
    "offset": "iu",
    "size": "iu",
    "label": "iu",
    "ends": "iu",
    "blob": "u",
    "box": "iu",
    "box_label": "iu",
    "box_ends": "iu",
    "boxed": "b",
    "shards": "U",
    "shard_size": "iu",
    "wnids": "U",
    "words": "U",
}


@dataclass(frozen=True, eq=False)
class Shards:
    """The samples of one split, in the order of the shards."""

    root: Path
    split: str
    classes: Classes
    names: Names
    sources: tuple[Source, ...]
    table: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`, read now. Raises DataError when the shard gives less than it did."""
        table, index = self.table, range(len(self))[index]
        source, size = self.sources[table["shard"][index]], int(table["size"][index])
        image = source.read(int(table["offset"][index]), size)
        if len(image) < size:
            raise DataError(f"{source.path} ends within {self.names[index]}; it was cut while open: pack it again")
        label = int(table["label"][index])
        found = slice(*table["box_ends"][index : index + 2])
        boxes = (table["box"][found], table["box_label"][found]) if table["boxed"][index] else (None, None)
        return Sample(self.names[index], image, None if label < 0 else label, *boxes)

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.root.absolute().name

    @property
    def description(self) -> str:
        """How the samples were found."""
        return f"{len(self.sources)} shards."

    @property
    def credits(self) -> tuple[str, ...]:
        """Whose images they are: not known."""
        return ()

    def rows(self) -> Iterator[tuple[str, int, int | None]]:
        """Name, size in bytes and label of each image; no image is read."""
        for index, name in enumerate(self.names):
            label = int(self.table["label"][index])
            yield name, int(self.table["size"][index]), None if label < 0 else label


def shards_in(path: Path, split: str) -> list[Path]:
    """The shards of a split in a directory, sorted; none where it holds no such tars."""
    if not path.is_dir() or split not in SPLITS:
        return []
    return sorted(each for each in path.glob(f"*{split}*.tar") if "_img_" not in each.name)


def read(path: Path, split: str, *, boxes: bool = True) -> Shards:
    """The shards of a split; boxes=False leaves their boxes out.

    Raises DataError when there are none, or they or their table are damaged.
    """
    paths = shards_in(path, split)
    if not paths:
        raise DataError(f"{path} holds no shard (*.tar) of {split}; put the {split} shards there")
    place = table_place(path, split)
    table = _loaded(place, paths) if place.is_file() else scan(path, split)
    if not boxes:
        table["boxed"] = np.zeros_like(table["boxed"])
    classes = Classes(tuple(map(str, table["wnids"])), tuple(map(str, table["words"])))
    names = Names(table["blob"].tobytes(), table["ends"])
    return Shards(path, split, classes, names, tuple(map(Source, paths)), table)


def table_place(path: Path, split: str) -> Path:
    """Where the table of a split's shards is."""
    return path / f"{split}.table.npz"


def save(path: Path, split: str, table: dict[str, np.ndarray]) -> Path:
    """Write the table of a split's shards, whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **table)  # type: ignore[arg-type]
    write_whole(table_place(path, split), buffer.getvalue())
    return table_place(path, split)


def scan(path: Path, split: str) -> dict[str, np.ndarray]:
    """The table of a split's shards, from their headers, labels and JSON. Raises DataError when one is damaged."""
    paths = shards_in(path, split)
    found: list[_Found] = []
    for number, each in enumerate(paths):
        found += _samples(Source(each), number)
    known = classes_beside(path)
    labels = [each.label for each in found]
    count = max(labels, default=-1) + 1
    wnids, words = known or ([f"{label:04d}" for label in range(count)],) * 2
    if count > len(wnids):
        raise DataError(f"{path} has the label {count - 1} and a list of {len(wnids):,} classes; get the right list")
    names = [each.name for each in found]
    twice = next((one for one, other in pairwise(sorted(names)) if one == other), None)
    if twice is not None:
        raise DataError(f"the shards of {path} hold {twice} more than once; pack them anew")
    return _tabled(found, names, paths, wnids, words)


def _tabled(
    found: "list[_Found]", names: list[str], paths: list[Path], wnids: Sequence[str], words: Sequence[str]
) -> dict[str, np.ndarray]:
    raw = [name.encode("utf-8", "surrogateescape") for name in names]
    place = {wnid: label for label, wnid in enumerate(wnids)}
    strange = sorted({wnid for each in found for wnid in each.box_wnids if wnid not in place})
    if strange:
        raise DataError(f"a box in {paths[0].parent} is of {strange[0]}, none of the {len(wnids):,} classes; pack anew")
    return {
        "shard": np.array([each.shard for each in found], np.int32),
        "offset": np.array([each.offset for each in found], np.int64),
        "size": np.array([each.size for each in found], np.int64),
        "label": np.array([each.label for each in found], np.int32),
        "ends": np.fromiter(accumulate(map(len, raw), initial=0), np.int64, len(raw) + 1),
        "blob": np.frombuffer(b"".join(raw), np.uint8),
        "box": np.array([box for each in found for box in each.boxes or ()], np.int64).reshape(-1, 4),
        "box_label": np.array([place[wnid] for each in found for wnid in each.box_wnids], np.int64),
        "box_ends": np.array([*accumulate((len(each.boxes or ()) for each in found), initial=0)], np.int64),
        "boxed": np.array([each.boxes is not None for each in found], bool),
        "shards": np.array([each.name for each in paths]),
        "shard_size": np.array([each.stat().st_size for each in paths], np.int64),
        "wnids": np.array(wnids, np.str_),
        "words": np.array(words, np.str_),
    }


@dataclass
class _Found:
    """One sample of a shard, as it is gathered."""

    shard: int
    name: str
    offset: int = -1
    size: int = 0
    label: int = -1
    boxes: list[list[int]] | None = None
    box_wnids: tuple[str, ...] = ()


def _samples(source: Source, number: int) -> list[_Found]:
    found: dict[str, _Found] = {}
    for member in members(source, 0, source.size, str(source.path)):
        folder, _, base = member.name.decode("utf-8", "surrogateescape").rpartition("/")
        stem, _, kind = base.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        sample = found.setdefault(key, _Found(number, key))
        if kind.lower() in IMAGES:
            if sample.offset >= 0:
                raise DataError(f"{key} in {source.path} has two images; pack the shard anew")
            sample.offset, sample.size = member.offset, member.size
        elif kind == "cls":
            sample.label = _label(source.read(member.offset, min(member.size, 20)), key, source)
        elif kind == "json":
            _take_json(sample, source.read(member.offset, member.size), source)
    lacking = [key for key, sample in found.items() if sample.offset < 0]
    if lacking:
        raise DataError(f"{lacking[0]} in {source.path} has no image; pack the shard anew")
    return list(found.values())


def _label(text: bytes, key: str, source: Source) -> int:
    if not text.strip().isdigit() or len(text) > 10:
        raise DataError(f"the label of {key} in {source.path} is {text!r}, not a whole number from 0; pack it anew")
    return int(text)


def _take_json(sample: _Found, raw: bytes, source: Source) -> None:
    """What our own packing writes; the JSON of others may hold anything and is passed over."""
    try:
        said: Any = json.loads(raw)
        if not isinstance(said, dict) or said.get("by") != "ilsvrc pack":
            return
        boxes = said.get("boxes")
        sample.name = str(said["name"])
        if boxes is not None:
            sample.boxes = [[int(x) for x in box] for box in boxes]
            sample.box_wnids = tuple(map(str, said["box_wnids"]))
            if len(sample.boxes) != len(sample.box_wnids) or any(len(box) != 4 for box in sample.boxes):
                raise ValueError("boxes and their classes do not pair")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the JSON of {sample.name} in {source.path} is damaged ({error}); pack it anew") from error


def classes_beside(path: Path) -> tuple[list[str], list[str]] | None:
    """The classes in label order, of classes.json as packing writes it, or of a list of WordNet ids."""
    place = path / "classes.json"
    try:
        if place.is_file():
            said = json.loads(place.read_bytes())
            return [str(wnid) for wnid in said["wnids"]], [str(words) for words in said["words"]]
        for name in ("LOC_synset_mapping.txt", "synsets.txt", "wnids.txt"):
            place = path / name
            if place.is_file():
                lines = sorted(line.split(maxsplit=1) for line in place.read_text("utf-8").splitlines() if line.strip())
                return [line[0] for line in lines], [line[-1].strip() for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{place} cannot be read ({error}); a list of the classes is wanted") from error
    return None


def _loaded(place: Path, paths: list[Path]) -> dict[str, np.ndarray]:
    """The table, when it fits the shards that are there."""
    remedy = f"run `ilsvrc index {place.parent}` to write it anew"
    try:
        with np.load(place, allow_pickle=False) as file:
            table = {name: file[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"{place} is no table of shards, or a damaged one ({error}); {remedy}") from error
    sizes = [os.stat(path).st_size for path in paths]
    if table["shards"].tolist() != [path.name for path in paths] or table["shard_size"].tolist() != sizes:
        raise DataError(f"the shards in {place.parent} are not those that {place.name} was written for; {remedy}")
    if not _fits(table):
        raise DataError(f"{place} contradicts itself; {remedy}")
    return table


def _fits(table: dict[str, np.ndarray]) -> bool:
    """Whether every array has its kind and length, and every place is within its shard."""
    count = len(table["shard"])
    kinds = all(table[name].dtype.kind in kind for name, kind in ARRAYS.items())
    same = all(table[name].shape == (count,) for name in ("shard", "offset", "size", "label", "boxed"))
    ends = all(table[name].shape == (count + 1,) for name in ("ends", "box_ends"))
    if not (kinds and same and ends) or table["box"].shape != (len(table["box_label"]), 4):
        return False
    runs = ((table["ends"], len(table["blob"])), (table["box_ends"], len(table["box_label"])))
    if any(len(run) and (run[0] or run[-1] != last or (np.diff(run) < 0).any()) for run, last in runs):
        return False
    if not count:
        return True
    shard, label = table["shard"], table["label"]
    if shard.min() < 0 or shard.max() >= len(table["shards"]) or label.max() >= len(table["wnids"]):
        return False
    starts, sizes = table["offset"], table["size"]
    within = (starts >= 0) & (sizes >= 0) & (starts + sizes <= table["shard_size"][shard])
    return bool(within.all()) and len(table["wnids"]) == len(table["words"])
