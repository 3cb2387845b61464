"""The nouns of the data: a sample still encoded, the classes, and the shape every data set has.

Decoding has one home, `loader.py`; whatever reads files yields `Sample`s.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Classes:
    """The classes of a data set, in label order: sorted by WordNet id.

    wnids[label] is 'n01440764'; words[label] is 'tench, Tinca tinca' (the id itself where no words are known).
    """

    wnids: tuple[str, ...]
    words: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.wnids)

    def name(self, label: int) -> str:
        """The first of the class's words. Not unique: ImageNet has two cranes."""
        return self.words[label].split(",")[0].strip()


@dataclass(frozen=True, eq=False)
class Sample:
    """One image, still encoded.

    boxes is (B, 4) int, each row xmin, ymin, xmax, ymax in pixels with both edges inside;
    box_labels is (B,), the label of each box. Both are None where the data set has no boxes.
    """

    name: str  # 'ILSVRC2012_val_00000001', unique in its split
    jpeg: bytes
    label: int | None  # None in the test split
    boxes: np.ndarray | None = None
    box_labels: np.ndarray | None = None


class Dataset(Protocol):
    """A shape, not a base class: anything with these three serves."""

    @property
    def classes(self) -> Classes:
        """In label order."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
