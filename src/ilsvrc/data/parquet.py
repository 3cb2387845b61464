"""Hugging Face's `imagenet-1k`: parquet files with the columns image {bytes, path} and label. Needs pyarrow.

Labels there are positions among the sorted WordNet ids; names and ids are in the paths, such as
`n01440764_10026_n01440764.JPEG`. Samples come in the order of class folders. A row group is read as a whole and the
last ones are kept: reading in sequence is fast, at random it is not (pack such a set first).
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc.data.sample import Classes, Sample
from ilsvrc.data.shards import CLASSES, classes_beside
from ilsvrc.errors import DataError

KEPT = 4  # row groups in memory, some ten megabytes each
WITH_WNID = re.compile(r"(?P<name>.+)_(?P<wnid>n[0-9]{8})")


@dataclass(frozen=True, eq=False)
class Parquet:
    """The samples of one split, in the order of class folders."""

    root: Path
    split: str
    classes: Classes
    names: tuple[str, ...]
    labels: np.ndarray  # (N,) -1 where there is none
    file: np.ndarray  # (N,) place in files
    group: np.ndarray  # (N,) row group in the file
    row: np.ndarray  # (N,) row in the group
    files: tuple[Any, ...]  # pyarrow's, open
    kept: "OrderedDict[tuple[int, int], Any]" = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __reduce__(self) -> tuple[Any, tuple[Path, str]]:
        """Another process opens the files anew."""
        return read, (self.root, self.split)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`. Raises DataError when its row group is damaged."""
        index = range(len(self))[index]
        place = (int(self.file[index]), int(self.group[index]))
        with self.lock:
            if place not in self.kept:
                self.kept[place] = _column(self.files[place[0]], place[1], "bytes", self.root)
            self.kept.move_to_end(place)
            column = self.kept[place]
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        label = int(self.labels[index])
        image = column[int(self.row[index])].as_py()
        return Sample(self.names[index], image if isinstance(image, bytes) else b"", None if label < 0 else label)

    @property
    def name(self) -> str:
        """The name of the directory."""
        return self.root.absolute().name

    @property
    def description(self) -> str:
        """How the samples were found."""
        return f"{len(self.files)} parquet files."

    @property
    def credits(self) -> tuple[str, ...]:
        """Whose images they are: not known."""
        return ()

    def rows(self) -> Iterator[tuple[str, int, int | None]]:
        """Name, size in bytes and label of each image. Sizes are with the bytes only: all files are read once."""
        import pyarrow.compute as compute

        sizes = np.zeros(len(self), np.int64)
        for number, group in sorted(set(zip(self.file.tolist(), self.group.tolist(), strict=True))):
            lengths = compute.binary_length(_column(self.files[number], group, "bytes", self.root))
            here = np.flatnonzero((self.file == number) & (self.group == group))
            sizes[here] = lengths.fill_null(0).to_numpy()[self.row[here]]
        for name, size, label in zip(self.names, sizes.tolist(), self.labels.tolist(), strict=True):
            yield name, size, None if label < 0 else label


def files_in(path: Path, split: str) -> list[Path]:
    """The parquet files of a split in a directory or in its folder data/, sorted; validation is val."""
    if not path.is_dir():
        return []
    return sorted(path.glob(f"{split}*.parquet")) or sorted((path / "data").glob(f"{split}*.parquet"))


def read(path: Path, split: str) -> Parquet:
    """The samples of a split. Raises DataError without pyarrow, without files, or when a file is damaged."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise DataError(f"{path} holds parquet files, which pyarrow reads; pip install 'ilsvrc[parquet]'") from error
    paths = files_in(path, split)
    if not paths:
        raise DataError(f"{path} holds no parquet file of {split}; put the {split} files there")
    files, found = [], []
    for number, each in enumerate(paths):
        try:
            file = parquet.ParquetFile(each, memory_map=True)
            found += _rows(file, number, each)
        except (ArrowException, OSError, LookupError, ValueError, TypeError) as error:
            raise DataError(f"{each} is no parquet file of images, or a damaged one ({error}); get it again") from error
        files.append(file)
    classes = _classes(path, found)
    # The order of class folders: by class in train, else by file name, whose suffix begins with a dot.
    found.sort(key=lambda row: (row.label if split == "train" else 0, row.name + "."))
    names = tuple(row.name for row in found)
    if len(set(names)) < len(names):
        raise DataError(f"{path} has two images of one name in {split}; get the files again")
    numbers = np.array([(row.label, row.file, row.group, row.row) for row in found], np.int64).reshape(-1, 4)
    labels, file_of, group, row_of = numbers.T
    return Parquet(path, split, classes, names, labels, file_of, group, row_of, tuple(files))


@dataclass(frozen=True)
class _Row:
    """Where one image is, and what it is called."""

    name: str
    wnid: str  # '' where the path does not say
    label: int
    file: int
    group: int
    row: int


def _rows(file: Any, number: int, path: Path) -> list[_Row]:
    found = []
    for group in range(file.metadata.num_row_groups):
        labels = file.read_row_group(group, columns=["label"]).column("label").to_pylist()
        names = _column(file, group, "path", path).to_pylist()
        for row, (name, label) in enumerate(zip(names, labels, strict=True)):
            if not isinstance(name, str) or not isinstance(label, int):
                raise DataError(f"row {row} of group {group} in {path} lacks its path or label; get it again")
            stem = name.rpartition("/")[2].rpartition(".")[0] or name
            match = WITH_WNID.fullmatch(stem)
            name, wnid = (match["name"], match["wnid"]) if match else (stem, "")
            found.append(_Row(name, wnid, label, number, group, row))
    return found


def _column(file: Any, group: int, part: str, path: Path) -> Any:
    """One part, bytes or path, of the images of a row group."""
    from pyarrow import ArrowException

    try:
        image = file.read_row_group(group, columns=[f"image.{part}"]).column("image").combine_chunks()
        field = image.field(part)
        if len(field) != file.metadata.row_group(group).num_rows:
            raise ValueError(f"{len(field)} rows")
        return field
    except (ArrowException, OSError, LookupError, ValueError, TypeError) as error:
        raise DataError(f"row group {group} of {path} is damaged ({error}); get the file again") from error


def _classes(path: Path, found: list[_Row]) -> Classes:
    """The classes of a list beside the files, else of the paths, else by number."""
    known = classes_beside(path)
    highest = max((row.label for row in found), default=-1)
    if highest >= CLASSES:
        raise DataError(f"{path} has the label {highest}, and no data set so many classes; get the files again")
    if known is None:
        said = {row.label: row.wnid for row in found if row.wnid and row.label >= 0}
        wnids = [said.get(label, f"{label:04d}") for label in range(highest + 1)]
        known = wnids, wnids
    wnids = known[0]
    for row in found:
        if row.label >= len(wnids) or (row.wnid and row.label >= 0 and wnids[row.label] != row.wnid):
            raise DataError(
                f"{row.name} in {path} has the label {row.label} and the WNID {row.wnid or 'of none'}; labels are "
                f"positions among the {len(wnids):,} sorted WNIDs: get the files or the list of classes again"
            )
    return Classes(tuple(wnids), tuple(known[1]))
