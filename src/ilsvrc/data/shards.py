"""Shards: plain tars in which the files of a sample follow each other under one key, as WebDataset names them.

`key.jpg` is the image, `key.cls` its label, `key.json` what else is known: our own packing keeps the name, the WordNet
id and the boxes there. A table beside the shards says where each image is and what it shows, so that opening reads
one file; without it the headers, labels and JSON of all shards are read when they are opened.
"""

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc.data.arrays import read_arrays
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.data.source import LARGEST as IMAGE
from ilsvrc.data.source import Bytes, Source, too_large
from ilsvrc.data.tar_headers import members
from ilsvrc.data.tar_index import Names, write_whole
from ilsvrc.errors import DataError

SPLITS = ("train", "val", "test")  # in a shard's name; validation has val in it
LARGEST = 1 << 30  # bytes of one array of a table: ImageNet's has some ten million
CLASSES = 1 << 20  # that a label without a list of classes may make
JSON = 1 << 22  # bytes of a sample's JSON that is looked into
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

    root: Path | str  # the directory, or a URL
    split: str
    classes: Classes
    names: Names
    sources: tuple[Bytes, ...]
    table: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`, read now. Raises DataError when the shard gives less than it did."""
        table = self.table
        if index < 0 or index >= len(table["size"]):
            index = range(len(self))[index]
        source, size = self.sources[table["shard"].item(index)], table["size"].item(index)
        name, image = self.names[index], source.read(table["offset"].item(index), size)
        if len(image) < size:
            raise DataError(f"{source.path} ends within {name}; it was cut while open: pack it again")
        label = table["label"].item(index)
        if not table["boxed"].item(index):
            return Sample(name, image, None if label < 0 else label)
        found = slice(table["box_ends"].item(index), table["box_ends"].item(index + 1))
        return Sample(name, image, None if label < 0 else label, table["box"][found], table["box_label"][found])

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.root.absolute().name if isinstance(self.root, Path) else self.root.rstrip("/").rpartition("/")[2]

    @property
    def description(self) -> str:
        """How the samples were found."""
        return f"{len(self.sources)} shards{'' if isinstance(self.root, Path) else ', read over the network'}."

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
    return opened(path, split, tuple(map(Source, paths)), table, boxes=boxes)


def opened(
    root: Path | str, split: str, sources: tuple[Bytes, ...], table: dict[str, np.ndarray], *, boxes: bool
) -> Shards:
    """The samples that a table tells of; boxes=False leaves their boxes out."""
    if not boxes:
        table["boxed"] = np.zeros_like(table["boxed"])
    classes = Classes(tuple(map(str, table["wnids"])), tuple(map(str, table["words"])))
    return Shards(root, split, classes, Names(table["blob"].tobytes(), table["ends"]), sources, table)


def table_place(path: Path, split: str) -> Path:
    """Where the table of a split's shards is."""
    return path / f"{split}.table.npz"


def save(path: Path, split: str, table: dict[str, np.ndarray]) -> Path:
    """Write the table of a split's shards, whole or not at all."""
    write_whole(table_place(path, split), as_bytes(table))
    return table_place(path, split)


def as_bytes(table: dict[str, np.ndarray]) -> bytes:
    """A table as its file has it."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **table)  # type: ignore[arg-type]
    return buffer.getvalue()


def scan(path: Path, split: str) -> dict[str, np.ndarray]:
    """The table of a split's shards, from their headers, labels and JSON. Raises DataError when one is damaged."""
    sources = [Source(each) for each in shards_in(path, split)]
    found = [samples(source, number) for number, source in enumerate(sources)]
    return tabled(path, found, [(source.path.name, source.size) for source in sources], classes_beside(path))


def tabled(
    path: Path | str, by_shard: "Iterable[list[Found]]", shards: list[tuple[str, int]], known: "Listed | None"
) -> dict[str, np.ndarray]:
    """The table of samples as they were found, shard by shard, of the shards' names and sizes, and a list of classes.

    Raises DataError when a label is beyond the list, two samples have one name, or a label contradicts its WordNet id.
    """
    found = [each for samples in by_shard for each in samples]
    count = max((each.label for each in found), default=-1) + 1
    if count > CLASSES:
        raise DataError(f"{path} has the label {count - 1}, and no data set so many classes; get the shards again")
    wnids, words = known or ([f"{label:04d}" for label in range(count)],) * 2
    if count > len(wnids):
        raise DataError(f"{path} has the label {count - 1} and a list of {len(wnids):,} classes; get the right list")
    names = [each.name for each in found]
    twice = next((one for one, other in pairwise(sorted(names)) if one == other), None)
    if twice is not None:
        raise DataError(f"the shards of {path} hold {twice} more than once; pack them anew")
    _compare_with_ids(found, wnids if known else (), path)
    raw = [name.encode("utf-8", "surrogateescape") for name in names]
    place = {wnid: label for label, wnid in enumerate(wnids)}
    strange = sorted({wnid for each in found for wnid in each.box_wnids if wnid not in place})
    if strange:
        raise DataError(f"a box in {path} is of {strange[0]}, none of the {len(wnids):,} classes; pack anew")
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
        "shards": np.array([name for name, _ in shards]),
        "shard_size": np.array([size for _, size in shards], np.int64),
        "wnids": np.array(wnids, np.str_),
        "words": np.array(words, np.str_),
    }


def _compare_with_ids(found: "list[Found]", wnids: Sequence[str], path: Path | str) -> None:
    """Raise where a sample's label and the WordNet id beside it are of two classes."""
    for each in found:
        if each.wnid and 0 <= each.label < len(wnids) and wnids[each.label] != each.wnid:
            raise DataError(
                f"{each.name} in {path} has the label {each.label}, which is {wnids[each.label]}, and the WNID "
                f"{each.wnid}; labels are positions among the {len(wnids):,} sorted WNIDs: pack anew, or get the list"
            )


@dataclass
class Found:
    """One sample of a shard, as it is gathered."""

    shard: int
    name: str
    offset: int = -1
    size: int = 0
    label: int = -1
    wnid: str = ""  # '' where no JSON of ours says it
    boxes: list[list[int]] | None = None
    box_wnids: tuple[str, ...] = ()


def samples(source: Bytes, number: int) -> list[Found]:
    """The samples of shard `number`, in order. Raises DataError when it is damaged or a sample has no image."""
    found: dict[str, Found] = {}
    for member in members(source, 0, source.size, str(source.path)):
        folder, _, base = member.name.decode("utf-8", "surrogateescape").rpartition("/")
        stem, _, kind = base.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        sample = found.setdefault(key, Found(number, key))
        if kind.lower() in IMAGES:
            if sample.offset >= 0:
                raise DataError(f"{key} in {source.path} has two images; pack the shard anew")
            if member.size > IMAGE:
                raise too_large(f"{key} in {source.path}", member.size)
            sample.offset, sample.size = member.offset, member.size
        elif kind == "cls":
            sample.label = _label(source.read(member.offset, min(member.size, 20)), key, source)
        elif kind == "json" and member.size <= JSON:  # ours has some hundred bytes
            _take_json(sample, source.read(member.offset, member.size), source)
    lacking = [key for key, sample in found.items() if sample.offset < 0]
    if lacking:
        raise DataError(f"{lacking[0]} in {source.path} has no image; pack the shard anew")
    return list(found.values())


def _label(text: bytes, key: str, source: Bytes) -> int:
    if not text.strip().isdigit() or len(text) > 10:
        raise DataError(f"the label of {key} in {source.path} is {text!r}, not a whole number from 0; pack it anew")
    return int(text)


def _take_json(sample: Found, raw: bytes, source: Bytes) -> None:
    """What our own packing writes; the JSON of others may hold anything and is passed over."""
    try:
        said: Any = json.loads(raw)
        if not isinstance(said, dict) or said.get("by") != "ilsvrc pack":
            return
        boxes = said.get("boxes")
        sample.name, sample.wnid = str(said["name"]), str(said.get("wnid", ""))
        sample.name.encode("utf-8", "surrogateescape")
        if boxes is not None:
            sample.boxes = [[int(x) for x in box] for box in boxes]
            if any(abs(x) >= 1 << 53 for box in sample.boxes for x in box):
                raise ValueError("a box larger than any image")
            sample.box_wnids = tuple(map(str, said["box_wnids"]))
            if len(sample.boxes) != len(sample.box_wnids) or any(len(box) != 4 for box in sample.boxes):
                raise ValueError("boxes and their classes do not pair")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(f"the JSON of {sample.name} in {source.path} is damaged ({error}); pack it anew") from error


Listed = tuple[list[str], list[str]]  # the WordNet ids of the classes in label order, and their words


def classes_beside(path: Path) -> Listed | None:
    """The classes in label order, of classes.json as packing writes it, or of a list of WordNet ids."""

    def read(name: str) -> bytes | None:
        try:
            return (path / name).read_bytes() if (path / name).is_file() else None
        except OSError as error:
            raise DataError(f"{path / name} cannot be read ({error.strerror}); make it readable") from error

    return listed_classes(read, str(path))


def listed_classes(read: Callable[[str], bytes | None], where: str) -> Listed | None:
    """The classes by the files that `read` gives by name, None for those that are not there; None without any."""
    raw, name = read("classes.json"), "classes.json"
    try:
        if raw is not None:
            said = json.loads(raw)
            wnids, words = [str(wnid) for wnid in said["wnids"]], [str(each) for each in said["words"]]
            if len(wnids) != len(words):
                raise ValueError(f"{len(wnids)} ids and {len(words)} words")
            return wnids, words
        for name in ("LOC_synset_mapping.txt", "synsets.txt", "wnids.txt"):
            raw = read(name)
            if raw is not None:
                lines = sorted(line.split(maxsplit=1) for line in raw.decode("utf-8").splitlines() if line.strip())
                return [line[0] for line in lines], [line[-1].strip() for line in lines]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{where}/{name} cannot be read ({error}); a list of the classes is wanted") from error
    return None


def _loaded(place: Path, paths: list[Path]) -> dict[str, np.ndarray]:
    """The table, when it fits the shards that are there."""
    remedy = f"run `ilsvrc index {place.parent}` to write it anew"
    try:
        raw = place.read_bytes()
    except OSError as error:
        raise DataError(f"{place} cannot be read ({error.strerror}); make it readable") from error
    table = parsed(raw, str(place), remedy)
    sizes = [os.stat(path).st_size for path in paths]
    if table["shards"].tolist() != [path.name for path in paths] or table["shard_size"].tolist() != sizes:
        raise DataError(f"the shards in {place.parent} are not those that {place.name} was written for; {remedy}")
    return table


def parsed(raw: bytes, place: str, remedy: str) -> dict[str, np.ndarray]:
    """The table in the bytes of its file. Raises DataError when it is damaged or contradicts itself."""
    try:
        table = read_arrays(raw, ARRAYS, LARGEST)
    except ValueError as error:
        raise DataError(f"{place} is no table of shards, or a damaged one ({error}); {remedy}") from error
    if not _fits(table):
        raise DataError(f"{place} contradicts itself; {remedy}")
    return table


def _fits(table: dict[str, np.ndarray]) -> bool:
    """Whether every array has its kind and length, and every place is within its shard."""
    count = table["shard"].size
    kinds = all(table[name].dtype.kind in kind for name, kind in ARRAYS.items())
    same = all(table[name].shape == (count,) for name in ("shard", "offset", "size", "label", "boxed"))
    ends = all(table[name].shape == (count + 1,) for name in ("ends", "box_ends"))
    flat = all(table[name].ndim == 1 for name in ("blob", "box_label", "shards", "shard_size", "wnids", "words"))
    if not (kinds and flat and same and ends) or table["box"].shape != (len(table["box_label"]), 4):
        return False
    runs = ((table["ends"], len(table["blob"])), (table["box_ends"], len(table["box_label"])))
    if any(len(run) and (run[0] or run[-1] != last or (np.diff(run) < 0).any()) for run, last in runs):
        return False
    if not count:
        return True
    shard, label = table["shard"], table["label"]
    if shard.min() < 0 or shard.max() >= len(table["shards"]) or label.max() >= len(table["wnids"]):
        return False
    boxed = table["box_label"]
    if len(boxed) and (boxed.min() < 0 or boxed.max() >= len(table["wnids"])):
        return False
    starts, sizes = table["offset"], table["size"]
    within = (starts >= 0) & (sizes >= 0) & (starts + sizes <= table["shard_size"][shard])
    return bool(within.all()) and len(table["wnids"]) == len(table["words"])
