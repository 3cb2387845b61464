"""Compute the proposals of a detection set, and keep them beside its images: proposals/SPLIT.npz.

Images are searched in parts, each written when it is done, so that a search that stops goes on from there.
"""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc import data
from ilsvrc.data.decode import USUAL, decode
from ilsvrc.data.proposals import NAMES
from ilsvrc.data.sample import Dataset
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_det import DETECTORS
from ilsvrc.errors import BadImage, DataError, SpecError
from ilsvrc.jobs.detect_feed import place_of
from ilsvrc.spec import Detector, Search, Split
from ilsvrc.tasks.selective import opencv, searched
from ilsvrc.train.checkpoint import write_text, write_whole
from ilsvrc.train.run import first_difference

PART = 256  # images of a part: some minutes of work at R-CNN's size

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Proposed:
    """What stands beside the images now."""

    path: Path
    images: int  # that have proposals
    boxes: int
    bad: tuple[str, ...]  # names of images that could not be decoded, which have none
    new: bool  # False: the same proposals stood there and nothing was done

    def __str__(self) -> str:
        lost = f"; {len(self.bad):,} images cannot be decoded and have none, {self.bad[0]} first" if self.bad else ""
        each = f", {self.boxes / self.images:,.0f} an image" if self.images else ""
        found = "computed" if self.new else "stand already"
        return f"{self.path}: {self.boxes:,} proposals of {self.images:,} images{each}, {found}{lost}"


def search_of(key: str, recipe: str) -> Search:
    """How an entry's proposals are computed, at the paper's size or as a miniature.

    Raises SpecError for an entry that takes none, with those that do.
    """
    takes = [name for name, entry in ENTRIES.items() if isinstance(entry.boxes, Detector) and entry.boxes.search]
    if key not in takes:
        raise SpecError(f"{key} takes no proposals that are given; those that do: {', '.join(takes)}")
    how = (DETECTORS if recipe == "miniature" else ENTRIES)[key].boxes
    assert isinstance(how, Detector)
    return how.search or Search()


def propose(path: str, split: Split, how: Search, workers: int = 1, progress: Progress | None = None) -> Proposed:
    """The proposals of a split of the detection set at `path`, computed by `workers` threads unless they stand there.

    progress(done, of) counts images. Raises DataError when there is no such split, when proposals of another search or
    of other images stand there, or the folder cannot be written; SpecError where OpenCV is missing.
    """
    place = Path(place_of(path))
    dataset = data.open(str(place), split, boxes=False)
    target = place / NAMES[0].format(split=split)
    words = {"search": asdict(how), "images": len(dataset), "data": data.fingerprint(dataset)}
    asked: dict[str, Any] = json.loads(json.dumps(words))
    parts = target.with_suffix(".parts")
    known = None if parts.is_dir() else _standing(place, split, asked)
    if known is not None:
        return Proposed(target, known["with"], known["boxes"], tuple(known["bad"]), False)
    library = f"OpenCV {opencv().__version__}"
    _claim(parts, asked)
    files = [parts / f"{start // PART:06d}.npz" for start in range(0, len(dataset), PART)]
    for number, file in enumerate(files):
        part = range(number * PART, min(len(dataset), (number + 1) * PART))
        if not file.exists():
            _search(dataset, part, file, how, workers)
        if progress:
            progress(part.stop, len(dataset))
    boxes = _join(files, target)
    named = (name.rpartition("/")[2] for name in getattr(dataset, "names", ()))
    bad = [name for name in named if name not in boxes]
    count = sum(boxes.values())
    found = {"with": len(boxes), "boxes": count, "bad": bad, "library": library}
    write_text(target.with_suffix(".json"), json.dumps({"asked": asked, **found}, indent=1) + "\n")
    shutil.rmtree(parts)
    return Proposed(target, len(boxes), count, tuple(bad), True)


def _standing(place: Path, split: Split, asked: dict[str, Any]) -> dict[str, Any] | None:
    """What is known of the proposals that stand there, None where none do. Raises DataError when they are others."""
    there = [path for name in NAMES if (path := place / name.format(split=split)).exists()]
    if not there:
        return None
    note = there[0].with_suffix(".json")
    if not note.exists():
        raise DataError(
            f"{there[0]} stands there and was not computed by this command; trainings read it as it is: delete it or "
            "move it away to have proposals computed"
        )
    return _agreeing(note, asked, f"delete {there[0].name} to have them computed anew")


def _claim(parts: Path, asked: dict[str, Any]) -> None:
    """Make the folder of parts, or check that those in it are of the same search. Raises DataError when not."""
    note = parts / "asked.json"
    if note.exists():
        _agreeing(note, asked, f"give the same words, or delete {parts}")
    else:
        write_text(note, json.dumps({"asked": asked}, indent=1) + "\n")


def _agreeing(note: Path, asked: dict[str, Any], otherwise: str) -> dict[str, Any]:
    """What a note says, if it asks the same. Raises DataError with the first difference, and what to do `otherwise`."""
    try:
        said: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        difference = first_difference(said["asked"], asked)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{note} cannot be understood ({error}); {otherwise}") from error
    if difference:
        name, was, now = difference
        raise DataError(f"{note.parent} has proposals with {name} = {was}, and {now} is asked now; {otherwise}")
    return said


def _search(dataset: Dataset, part: range, file: Path, how: Search, workers: int) -> None:
    """Search the images of a part and write what was found, by name; those that cannot be decoded are left out."""

    def one(index: int) -> tuple[str, np.ndarray] | None:
        sample = dataset[index]
        try:
            return sample.name.rpartition("/")[2], searched(decode(sample, USUAL.decoder), how)
        except BadImage:
            return None

    pool = ThreadPoolExecutor(max(1, workers))
    try:
        found = dict(each for each in pool.map(one, part) if each is not None)
    finally:
        pool.shutdown(cancel_futures=True)  # when stopped, what is not begun is not begun

    write_whole(file, lambda place: _write(place, found.items()))


def _join(files: list[Path], target: Path) -> dict[str, int]:
    """Write the parts as one file, without holding them in memory; how many boxes each image has."""
    counts: dict[str, int] = {}

    def every() -> Iterator[tuple[str, np.ndarray]]:
        for file in files:
            with np.load(file, allow_pickle=False) as part:
                for name in part.files:
                    boxes = part[name]
                    counts[name] = len(boxes)
                    yield name, boxes

    write_whole(target, lambda place: _write(place, every()))
    return counts


def _write(place: Path, found: Iterable[tuple[str, np.ndarray]]) -> None:
    """An .npz like numpy's own, array by array; whatever the images are called."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file:
        for name, boxes in found:
            with file.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, boxes, allow_pickle=False)
