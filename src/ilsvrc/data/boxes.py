"""The boxes of a directory's images, found by the image's path: XML beside it, or lines of a text file.

An image is looked up when it is asked for, so that listing a data set reads no box file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from ilsvrc.data.annotations import parse_annotation
from ilsvrc.data.source import read_whole
from ilsvrc.data.tree import Place, globbed
from ilsvrc.errors import DataError

Found = tuple[np.ndarray, list[str]]  # boxes (B, 4) and the WordNet id of each


class Boxes(Protocol):
    """A shape, not a base class: where the boxes of a data set's images are."""

    def find(self, file: str) -> Found | None:
        """The boxes of an image, by its path; None where it has none."""
        ...


@dataclass(frozen=True)
class XmlBoxes:
    """Box files beside the images: the same relative path, .xml, or the file name alone."""

    directory: Place

    def find(self, file: str) -> Found | None:
        """The boxes of an image, None where it has no file: of train, the organisers boxed two in five."""
        flat = self.directory / file.rpartition("/")[2]  # val may be sorted into class folders and its box files not
        return read_xml((self.directory / file).with_suffix(".xml")) or read_xml(flat.with_suffix(".xml"))


def read_xml(path: Place) -> Found | None:
    """The boxes of a box file; None where there is no such file. Raises DataError when it is damaged."""
    try:
        data = read_whole(path) if isinstance(path, Path) else path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); make it readable or take it away") from error
    annotation = parse_annotation(data, str(path))
    return annotation.boxes.astype(np.int64), list(annotation.wnids)


@dataclass(frozen=True)
class TextBoxes:
    """Tiny ImageNet's boxes: lines of a file name and four numbers, in files beside the class's images folder."""

    directory: Place
    tables: dict[str, dict[str, Found]] = field(default_factory=dict)  # by class, read when first asked for

    def find(self, file: str) -> Found | None:
        """The boxes of an image, None where no line names it."""
        wnid = file.partition("/")[0]
        if wnid not in self.tables:
            self.tables[wnid] = self._read(wnid)
        return self.tables[wnid].get(file.rpartition("/")[2])

    def _read(self, wnid: str) -> dict[str, Found]:
        table: dict[str, Found] = {}
        for path in globbed(self.directory / wnid, "*_boxes*.txt"):
            for words in read_table(path, 5):
                table[words[0]] = (read_corners(path, words[0], words[1:5]), [wnid])
        return table


@dataclass(frozen=True)
class KnownBoxes:
    """Boxes that came with the labels."""

    table: dict[str, Found]

    def find(self, file: str) -> Found | None:
        """The boxes of an image, None where it has none."""
        return self.table.get(file)


def read_lines(path: Place) -> list[str]:
    """The lines of a text file, bytes that are no UTF-8 replaced. Raises DataError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); make it readable") from error


def read_table(path: Place, columns: int) -> Iterator[list[str]]:
    """The words of each line that is not blank. Raises DataError when one has more or fewer than `columns`."""
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if words and len(words) != columns:
            raise DataError(
                f"line {number} of {path} has {len(words)} fields, {columns} are wanted; get the file again"
            )
        if words:
            yield words


def read_corners(path: Place, name: str, words: Sequence[str]) -> np.ndarray:
    """(1, 4): the box of image `name` of the file at `path`. Raises DataError unless `words` are whole numbers."""
    try:
        return np.array([[int(word) for word in words]], np.int64)
    except ValueError as error:
        raise DataError(f"the box of {name} in {path} is {' '.join(words)}, not four whole numbers") from error
