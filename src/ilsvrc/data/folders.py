"""Data sets as trees of folders: the official layout, class folders, Kaggle's tree, Tiny ImageNet.

A tree is a directory, or archives read in place; it is told by its shape, never by its name. docs/data.md shows them.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc.data.boxes import Boxes, KnownBoxes, TextBoxes, XmlBoxes, read_corners, read_lines, read_table
from ilsvrc.data.labels import classes_of, kit_in, labels_by_kit
from ilsvrc.data.listing import by_name, class_names, listing, passed_over, scan, short_names, some
from ilsvrc.data.parquet import Parquet
from ilsvrc.data.part import Part
from ilsvrc.data.sample import Classes, Dataset, Sample
from ilsvrc.data.shards import Shards
from ilsvrc.data.source import read_whole
from ilsvrc.data.tree import Inside, Members, Place, globbed
from ilsvrc.errors import DataError

SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
HELD_OUT = 20  # percent of a plain folder of classes that becomes val


@dataclass(frozen=True, eq=False)
class Folder:
    """A data set in a directory. names are unique; labels is None where the split has none."""

    root: Place  # as it was given
    directory: Place  # files are relative to it
    layout: str  # what was recognised, and what was decided on the way
    classes: Classes
    names: Sequence[str]
    files: Sequence[str]
    labels: tuple[int, ...] | None
    boxes: Boxes | None = None
    lacking: tuple[str, ...] = ()  # images that a list of the kit names and that are not there

    @property
    def name(self) -> str:
        """What the set's manifest calls it, else the name of its directory."""
        return str(self._manifest.get("name", getattr(self.root, "absolute", lambda: self.root)().name))

    @property
    def description(self) -> str:
        """What the images are, as far as the set says, and how they were found."""
        return " ".join(filter(None, (self._manifest.get("what"), self.layout)))

    @property
    def credits(self) -> tuple[str, ...]:
        """Whose images they are, as far as the set says."""
        return tuple(self._manifest.get("credits", ()))

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        try:
            manifest = json.loads((self.root / "mini.json").read_bytes())  # as mini.py writes it
        except (OSError, ValueError):
            return {}
        return manifest if isinstance(manifest, dict) else {}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`, read now. Raises DataError when the file is gone or may not be read."""
        file = self.files[index]
        path = self.directory / file
        try:
            if isinstance(self.files, Members):
                jpeg = self.files.read(index)
            else:
                jpeg = read_whole(path) if isinstance(path, Path) else path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{path} was listed and cannot be read ({error.strerror}); put it back or make it readable"
            ) from error
        label = self.labels[index] if self.labels else None
        found = self.boxes.find(file) if self.boxes else None
        if found is None:
            return Sample(self.names[index], jpeg, label)
        return Sample(self.names[index], jpeg, label, found[0], self._labels_of(found[1], path))

    def _labels_of(self, wnids: list[str], path: Place) -> np.ndarray:
        try:
            return np.array([self.classes.wnids.index(wnid) for wnid in wnids], np.int64)
        except ValueError as error:
            strange = next(wnid for wnid in wnids if wnid not in self.classes.wnids)
            raise DataError(
                f"a box of {path} is of {strange}, which is none of the {len(self.classes)} classes; "
                "take the box file away or add the class"
            ) from error


def read(path: Place | str, split: str, *, boxes: bool = True) -> Folder:
    """The data set of a tree of folders; `ilsvrc.data.open` says which layouts are known.

    Raises DataError when the directory is missing, has no classes, an empty one or only one, lacks the
    split, or its parts contradict each other.
    """
    root = Path(path) if isinstance(path, str) else path
    if split not in SPLITS:
        raise DataError(f"no split is called {split!r}; a data set has train, val and test")
    for top in (root / "ILSVRC", *globbed(root, "ILSVRC20*"), root):
        if (top / "Data" / "CLS-LOC").is_dir():
            return _read_kaggle(root, top, split, boxes=boxes)
    folders, _ = listing(root)
    present = [name for name, spellings in SPLITS.items() if set(spellings) & set(folders)]
    if not present:
        return _read_plain(root, split, folders)
    if split not in present:
        raise DataError(f"{root} has {' and '.join(present)} but no folder {split}/; put the {split} images there")
    directory = next(root / name for name in SPLITS[split] if name in folders)
    wnids = class_names(root / "train") if "train" in present else None
    if wnids and (root / "wnids.txt").is_file():
        _compare(root / "train", wnids, sorted(" ".join(read_lines(root / "wnids.txt")).split()), "of wnids.txt")
    folders, images = listing(directory)
    if split == "val" and (directory / "val_annotations.txt").exists():
        return _read_tiny_val(root, directory, wnids, boxes=boxes)
    if images or folders == ["images"]:
        return _read_flat(root, directory, split, wnids, boxes=boxes)
    return _read_class_folders(root, directory, split, wnids, boxes=boxes)


def rows(dataset: Dataset) -> Iterator[tuple[str, int, int | None]]:
    """Name, size in bytes and label of each image; of files and shards without reading any."""
    if isinstance(dataset, Shards | Parquet | Part):
        yield from dataset.rows()
        return
    if not isinstance(dataset, Folder):
        for sample in map(dataset.__getitem__, range(len(dataset))):
            yield sample.name, len(sample.jpeg), sample.label
        return
    for index, (name, size) in enumerate(zip(dataset.names, _sizes(dataset), strict=True)):
        yield name, size, dataset.labels[index] if dataset.labels else None


def _sizes(dataset: Folder) -> Iterator[int]:
    """The size of each image in bytes."""
    if isinstance(dataset.files, Members):
        yield from dataset.files.sizes.tolist()
        return
    directory = dataset.directory
    base = f"{directory}{os.sep}"
    for file in dataset.files:
        try:
            yield (directory / file).size() if isinstance(directory, Inside) else os.stat(base + file).st_size
        except OSError as error:
            raise DataError(f"{base}{file} was listed and is gone ({error.strerror}); put it back") from error


def _read_class_folders(root: Place, directory: Place, split: str, wnids: list[str] | None, *, boxes: bool) -> Folder:
    own = class_names(directory)
    _compare(directory, own, wnids, f"folders of {root / 'train'}")
    files, labels, others = scan(directory, own)
    if split != "train":
        files, labels = by_name(files, labels)
    beside: XmlBoxes | TextBoxes | None = None
    if boxes and (found := _box_folder(root, split, directory)):
        beside = XmlBoxes(found)
    elif boxes and files[0].count("/") == 2:
        beside = TextBoxes(directory)
    layout = f"Class folders{passed_over(others)}."
    return Folder(root, directory, layout, classes_of(root, own), short_names(files), files, labels, beside)


def _read_flat(root: Place, directory: Place, split: str, wnids: list[str] | None, *, boxes: bool) -> Folder:
    """A folder of images without classes: val by the kit's ground truth, test without labels."""
    folders, images = listing(directory)
    prefix = "" if images else "images/"
    files = [prefix + image for image in images or listing(directory / folders[0])[1]]
    if not files:
        raise DataError(f"{directory} holds no image; put the {split} images there")
    kit = kit_in(root)
    labels: tuple[int, ...] | None = None
    if split == "train":
        raise DataError(
            f"{directory} holds images and no class folders; put the images of each class in one of its own"
        )
    if split == "val":
        if kit is None:
            raise DataError(
                f"{directory} holds images without class folders and {root} has no devkit/data with meta.mat and "
                "ILSVRC2012_validation_ground_truth.txt; extract the development kit there"
            )
        own, labels = labels_by_kit(kit, files, directory)
        _compare(kit, own, wnids, f"folders of {root / 'train'}")
        wnids = own
    if wnids is None:
        raise DataError(f"{directory} holds images without classes and {root} has no train/ to name them; put it there")
    found = _box_folder(root, split, directory) if boxes else None
    beside = XmlBoxes(found) if found else None
    layout = "A flat folder, labels by the development kit's list." if labels else "A flat folder without labels."
    return Folder(root, directory, layout, classes_of(root, wnids), short_names(files), tuple(files), labels, beside)


def _read_tiny_val(root: Place, directory: Place, wnids: list[str] | None, *, boxes: bool) -> Folder:
    path = directory / "val_annotations.txt"
    lines = list(read_table(path, 6))
    own = sorted({words[1] for words in lines})
    _compare(path, own, wnids, f"folders of {root / 'train'}")
    place = {wnid: label for label, wnid in enumerate(own)}
    there = listing(directory / "images")[1]
    named = {words[0]: words[1] for words in lines}
    _match(path, there, named, directory / "images")
    files = [f"images/{image}" for image in there]
    labels = tuple(place[named[image]] for image in there)
    known = None
    if boxes:
        known = KnownBoxes({f"images/{w[0]}": (read_corners(path, w[0], w[2:6]), [w[1]]) for w in lines})
    layout = f"A flat folder, labels by {path.name}."
    return Folder(root, directory, layout, classes_of(root, own), short_names(files), tuple(files), labels, known)


def _read_kaggle(root: Place, top: Place, split: str, *, boxes: bool) -> Folder:
    """Data/CLS-LOC, Kaggle's or the organisers': val is flat, its labels in LOC_val_solution.csv or a kit."""
    images = top / "Data" / "CLS-LOC"
    directory = images / split
    present = listing(images)[0]
    if split not in present:
        raise DataError(f"{images} has {' and '.join(present) or 'nothing'} but no folder {split}/; get the rest of it")
    if listing(directory)[0]:
        return _read_class_folders(root, directory, split, None, boxes=boxes)
    path = root / "LOC_val_solution.csv"
    wnids = _mapped_wnids(root) or (class_names(images / "train") if "train" in present else None)
    if split == "val" and not path.is_file() and kit_in(root):
        return _read_flat(root, directory, split, wnids, boxes=boxes)
    if wnids is None:
        raise DataError(f"{root} has neither LOC_synset_mapping.txt nor a folder train/ that name the classes; get one")
    if split != "val":
        return _read_flat(root, directory, split, wnids, boxes=boxes)
    files = listing(directory)[1]
    names = short_names(files)
    labels = _solved(root, path, directory, names, wnids)
    found = _box_folder(root, split, directory) if boxes else None
    layout = f"Kaggle's tree, labels by {path.name}."
    beside = XmlBoxes(found) if found else None
    return Folder(root, directory, layout, classes_of(root, wnids), names, tuple(files), labels, beside)


def _solved(root: Place, path: Place, images: Place, names: Sequence[str], wnids: Sequence[str]) -> tuple[int, ...]:
    """The labels of LOC_val_solution.csv, whose rows are in no order."""
    lines = [line.split(",") for line in read_lines(path)[1:] if line.strip()] if path.is_file() else []
    named = {words[0]: words[1].split()[0] for words in lines if len(words) == 2 and words[1].strip()}
    if not named or len(named) != len(lines):
        raise DataError(
            f"{path} is missing, or a line of it is not a name and 'WNID xmin ymin xmax ymax'; get it again"
        )
    _match(path, names, named, images)
    place = {wnid: label for label, wnid in enumerate(wnids)}
    strange = sorted({wnid for wnid in named.values() if wnid not in place})
    if strange:
        raise DataError(f"{path} has {some(strange)}, none of the {len(wnids):,} classes of {root}; get both again")
    return tuple(place[named[name]] for name in names)


def _mapped_wnids(root: Place) -> list[str] | None:
    """The classes of LOC_synset_mapping.txt, sorted; None where there is no such file."""
    path = root / "LOC_synset_mapping.txt"
    return sorted(line.split()[0] for line in read_lines(path) if line.strip()) if path.is_file() else None


def _box_folder(root: Place, split: str, images: Place) -> Place | None:
    """Where the box files of a split are: in bbox/, or in Annotations/ where the images are in Data/."""
    for folder in (root / "bbox" / split, images.parent.parent.parent / "Annotations" / images.parent.name / split):
        if folder.is_dir():
            return folder
    return None


def _read_plain(root: Place, split: str, folders: Sequence[str]) -> Folder:
    """Class folders without splits: each image goes by a hash of its class and name, so that it stays where it is."""
    inside = [name for name in folders if (root / name / "train").is_dir()]
    if inside:
        raise DataError(f"{root} holds {inside[0]}, which holds train; give {root / inside[0]}")
    wnids = class_names(root)
    files, labels, others = scan(root, wnids)
    if split == "test":
        raise DataError(
            f"{root} holds class folders without splits, which are divided into train and val; ask for those"
        )
    single = [wnids[label] for label, count in Counter(labels).items() if count == 1]
    if single:
        raise DataError(
            f"{root} has only one image in {some(single)}; a class that is divided into train and val needs two"
        )
    held = _held_out(files, labels)
    keep = [index for index in range(len(files)) if (files[index] in held) == (split == "val")]
    names = short_names(files)
    layout = (
        f"Class folders without splits: {HELD_OUT} % of the images, by a hash of their names, are val "
        f"and the others train{passed_over(others)}."
    )
    return Folder(
        root,
        root,
        layout,
        classes_of(root, wnids),
        tuple(names[index] for index in keep),
        tuple(files[index] for index in keep),
        tuple(labels[index] for index in keep),
    )


def _held_out(files: Sequence[str], labels: Sequence[int]) -> set[str]:
    """The files that become val, at least one and not all of each class."""
    by_class: dict[int, list[tuple[int, str]]] = {}
    for file, label in zip(files, labels, strict=True):
        value = int.from_bytes(hashlib.sha256(file.encode(errors="surrogateescape")).digest()[:4], "big")
        by_class.setdefault(label, []).append((value * 100 >> 32, file))
    held: set[str] = set()
    for ranked in by_class.values():
        ranked.sort()
        count = sum(percent < HELD_OUT for percent, _ in ranked)
        held.update(file for _, file in ranked[: min(max(count, 1), len(ranked) - 1)])
    return held


def _compare(where: Place, own: Sequence[str], wnids: Sequence[str] | None, whose: str) -> None:
    """Raise unless both have the same classes: a label is a place in the sorted list, so one more shifts all."""
    if len(own) < 2:
        raise DataError(f"{where} names {len(own)} classes; two or more are wanted")
    if wnids is None or list(own) == list(wnids):
        return
    more, fewer = sorted(set(own) - set(wnids)), sorted(set(wnids) - set(own))
    said = [f"{some(names)} {verb}" for names, verb in ((more, "more"), (fewer, "fewer")) if names]
    raise DataError(
        f"{where} has other classes than the {len(wnids):,} {whose}: {' and '.join(said)}; make the two the same"
    )


def _match(path: Place, there: Iterable[str], named: Iterable[str], images: Place) -> None:
    there, named = set(there), set(named)
    if named - there:
        raise DataError(f"{path} names {some(sorted(named - there))}, not found in {images}; extract the images again")
    if there - named:
        raise DataError(f"{images} holds {some(sorted(there - named))}, not named in {path}; get the file again")
