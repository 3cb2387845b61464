"""Proposals read from files, computed elsewhere or by `ilsvrc proposals`: boxes of each image that may hold an object.

Two forms. An `.npz` has an array (P, 4) per image under its name (without folder and ending): xmin, ymin, xmax, ymax in
pixels from 0, both edges inside. A `.mat` is selective search's release for R-CNN: `images`, a cell array of names, and
`boxes`, a cell array of (P, 4) with ymin, xmin, ymax, xmax in pixels from 1.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc.errors import DataError

NAMES = ("proposals/{split}.npz", "proposals/{split}.mat")  # where they are looked for, beside the images


@dataclass(frozen=True, eq=False)
class Given:
    """The proposals of a split by image."""

    path: Path
    boxes: dict[str, np.ndarray]  # of each name (P, 4) float32, pixels from 0, both edges inside
    search: dict[str, Any] | None = None  # by which they were computed, where a note beside them says it

    def of(self, name: str) -> np.ndarray:
        """(P, 4): those of an image, none where the file does not name it."""
        return self.boxes.get(name.rpartition("/")[2], np.zeros((0, 4), np.float32))

    def check(self, names: Iterable[str]) -> str:
        """How many images of a split have none, in words; '' where all have some.

        Raises DataError where not one has: they are of other images.
        """
        wanted = {name.rpartition("/")[2] for name in names}
        lacking = len(wanted - self.boxes.keys())
        if wanted and lacking == len(wanted):
            first = next(iter(self.boxes), "nothing")
            raise DataError(
                f"{self.path} has proposals of {len(self.boxes):,} other images, the first {first}, and of none of "
                f"these, such as {min(wanted)}; give the file of this split"
            )
        return f"{lacking:,} of {len(wanted):,} images have no proposals in {self.path.name}" if lacking else ""


def find_proposals(place: Path, split: str) -> Given:
    """The proposals beside a detection set. Raises DataError when there is no such file or it is damaged."""
    for name in NAMES:
        path = place / name.format(split=split)
        if path.exists():
            return read_proposals(path)
    wanted = " or ".join(name.format(split=split) for name in NAMES)
    raise DataError(
        f"{place} has no {wanted}; an R-CNN learns from proposals that are given: compute them with 'ilsvrc "
        "proposals', or put the file there"
    )


def read_proposals(path: Path) -> Given:
    """The proposals of a file of either form. Raises DataError where it is none or a row is not four numbers."""
    try:
        tables = _of_matlab(path) if path.suffix == ".mat" else _of_numpy(path)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(
            f"{path} has no proposals that can be read ({error}); docs/detection.md shows the form"
        ) from error
    return Given(path, {name: _checked(path, name, boxes) for name, boxes in tables.items()}, _noted(path))


def _noted(path: Path) -> dict[str, Any] | None:
    """The search that the note of `ilsvrc proposals` names; None of proposals from elsewhere, which have none."""
    try:
        said = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return dict(said["asked"]["search"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _of_numpy(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name.rpartition("/")[2]: np.asarray(file[name]) for name in file.files}


def _of_matlab(path: Path) -> dict[str, np.ndarray]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path)
    except MatReadError as error:  # no ValueError, whatever is wrong
        raise ValueError(str(error)) from error
    names, boxes = found["images"].ravel(), found["boxes"].ravel()
    if len(names) != len(boxes):
        raise ValueError(f"{len(names)} names and boxes of {len(boxes)} images")
    order = [1, 0, 3, 2]  # Matlab's rows come first, and count from 1
    return {
        str(name.item()).rpartition("/")[2]: np.asarray(table, np.float64).reshape(-1, 4)[:, order] - 1
        for name, table in zip(names, boxes, strict=True)
    }


def _checked(path: Path, name: str, boxes: np.ndarray) -> np.ndarray:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.issubdtype(boxes.dtype, np.number):
        raise DataError(f"the proposals of {name} in {path} are an array of {boxes.shape}; (P, 4) numbers are wanted")
    return boxes.astype(np.float32)
