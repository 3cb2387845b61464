"""Check a data set: is it all there, can every image be decoded, is it what the challenge gave?"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc import data
from ilsvrc.data.folders import rows
from ilsvrc.data.health import Health, health, is_known
from ilsvrc.data.sample import Dataset
from ilsvrc.data.tar_index import write_whole
from ilsvrc.errors import DataError

SPLITS: tuple[data.Split, ...] = ("train", "val", "test")
CHALLENGE = {"train": 1_281_167, "val": 50_000, "test": 100_000}  # CLS-LOC 2012 to 2017; 1,000 classes
PER_CLASS = {"train": (732, 1300), "val": (50, 50)}  # fewest and most images of a class
FIRST, LAST = "n01440764", "n15075141"  # of the challenge's 1,000 sorted WordNet ids: tench, toilet tissue
SQUASHED = 0.98  # of the photographs of one size: a set that was resized to squares or to one size before
SHOWN = 20  # names printed per oddity; --json and the fix list have all
AHEAD = 64  # images read before one is waited for

Progress = Callable[[int, int], None]


@dataclass
class SplitReport:
    """What was found in one split."""

    split: str
    images: int
    classes: int
    fewest: int = 0  # images of a class; 0 without labels
    most: int = 0
    boxed: int = 0  # images with boxes
    odd: dict[str, list[str]] = field(default_factory=dict)  # oddity: names, known ones included
    known: int = 0  # of the odd ones, those the challenge's own images are known to have
    problems: list[str] = field(default_factory=list)  # what makes the set not fit to train on
    remarks: list[str] = field(default_factory=list)  # what is worth knowing
    leave_out: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What was found in a data set."""

    data: str
    splits: list[SplitReport]

    @property
    def sound(self) -> bool:
        """Whether nothing stands in the way of training."""
        return not any(split.problems for split in self.splits)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {"data": self.data, "sound": self.sound, "splits": [vars(split) for split in self.splits]}

    def lines(self) -> Iterator[str]:
        """The report as lines of text."""
        for split in self.splits:
            each = f", {split.fewest:,} to {split.most:,} each" if split.most else ""
            count = f"{split.images:,} images of {split.classes:,} classes"
            yield f"{split.split}: {count}{each}; {split.boxed:,} with boxes"
            yield from (f"  problem: {problem}" for problem in split.problems)
            yield from (f"  {remark}" for remark in split.remarks)
        yield "sound" if self.sound else "not sound: see the problems above"


def check(path: str, *, workers: int = 1, fix_list: Path | None = None, progress: Progress | None = None) -> Report:
    """Read and decode every image of every split there is.

    fix_list gets the names of the images to leave out, one a line, 'split/name'. progress(done, of) counts images.
    Raises DataError when there is no split that can be opened.
    """
    sets, refused = _open(path)
    total, done = sum(map(len, sets.values())), 0
    reports = [SplitReport(split, 0, 0, problems=[why]) for split, why in refused.items()]
    for split, images in sets.items():
        report = _counted(split, images)
        sizes: Counter[tuple[int, int]] = Counter()
        for name, boxed, found in _examined(images, workers):
            _note(report, name, boxed, found)
            sizes[found.width, found.height] += 1
            done += 1
            if progress:
                progress(done, total)
        _conclude(report, sizes)
        reports.append(report)
    if len({images.classes.wnids for images in sets.values()}) > 1:
        reports[0].problems.append("the splits have other classes: a label would mean another class in each")
    reports.sort(key=lambda report: [*map(str, SPLITS)].index(report.split))
    if fix_list:
        names = (f"{report.split}/{name}\n" for report in reports for name in report.leave_out)
        write_whole(fix_list, "".join(names).encode("utf-8", "surrogateescape"))
    return Report(path, reports)


def _open(path: str) -> tuple[dict[data.Split, Dataset], dict[str, str]]:
    """The splits that open, and why those that are there do not."""
    sets: dict[data.Split, Dataset] = {}
    refused = {}
    for split in SPLITS:
        try:
            sets[split] = data.open(path, split)
        except DataError as error:
            refused[split] = str(error)
    if not sets:
        raise DataError(next(iter(refused.values())))
    absent = ("no folder", "no shard", "without splits")
    return sets, {split: why for split, why in refused.items() if not any(words in why for words in absent)}


def _counted(split: str, images: Dataset) -> SplitReport:
    """Counts of the split, compared with the challenge's where it has the challenge's classes."""
    labels = [label for _, _, label in rows(images) if label is not None]
    counts = np.bincount(labels, minlength=len(images.classes)) if labels else np.zeros(0, int)
    report = SplitReport(split, len(images), len(images.classes))
    if len(counts):
        report.fewest, report.most = int(counts.min()), int(counts.max())
        empty = [images.classes.wnids[label] for label in np.flatnonzero(counts == 0)]
        if empty:
            report.problems.append(f"{len(empty):,} classes have no image, {empty[0]} first")
    wnids = images.classes.wnids
    if list(wnids) != sorted(wnids):
        report.problems.append("the classes are not sorted by WordNet id, so labels are not those of other software")
    if len(wnids) == 1000 and (wnids[0], wnids[-1]) == (FIRST, LAST):
        _compare(report)
    elif len(wnids) == 1000:
        report.remarks.append(f"1,000 classes, but not the challenge's: {wnids[0]} to {wnids[-1]}")
    return report


def _compare(report: SplitReport) -> None:
    wanted = CHALLENGE[report.split]
    if report.images != wanted:
        report.problems.append(f"{report.images:,} images; the challenge has {wanted:,} in {report.split}")
    low, high = PER_CLASS.get(report.split, (0, 0))
    if report.most and (report.fewest, report.most) != (low, high):
        report.problems.append(
            f"classes have {report.fewest:,} to {report.most:,} images; {low:,} to {high:,} are right"
        )


def _examined(images: Dataset, workers: int) -> Iterator[tuple[str, bool, Health]]:
    """Name, whether it has boxes, and health of each image, in order; read and decoded by threads."""

    def one(index: int) -> tuple[str, bool, Health]:
        try:
            sample = images[index]
        except DataError as error:
            names = getattr(images, "names", ())
            return (names[index] if names else str(index)), False, Health(("undecodable",), 0, 0, "", str(error))
        return sample.name, sample.boxes is not None, health(sample)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        for start in range(0, len(images), AHEAD * max(1, workers)):
            yield from pool.map(one, range(start, min(start + AHEAD * max(1, workers), len(images))))


def _note(report: SplitReport, name: str, boxed: bool, found: Health) -> None:
    report.boxed += boxed
    for oddity in found.oddities:
        report.odd.setdefault(oddity, []).append(name)
        report.known += is_known(name, oddity)
    if found.bad:
        report.leave_out.append(name)


def _conclude(report: SplitReport, sizes: Counter[tuple[int, int]]) -> None:
    """Turn what was gathered into problems and remarks."""
    if report.leave_out:
        shown = ", ".join(report.leave_out[:SHOWN])
        report.problems.append(f"{len(report.leave_out):,} images cannot be used: {shown}")
    for oddity, names in sorted(report.odd.items()):
        new = [name for name in names if not is_known(name, oddity)]
        known = f", {len(names) - len(new)} of them known of the challenge" if len(names) > len(new) else ""
        report.remarks.append(f"{len(names):,} {oddity}{known}: {', '.join((new or names)[:SHOWN])}")
    if report.boxed and report.boxed < report.images:
        report.remarks.append(f"{report.images - report.boxed:,} images without boxes")
    size, count = sizes.most_common(1)[0] if sizes else ((0, 0), 0)
    if count > 1 and count >= SQUASHED * report.images:
        report.remarks.append(
            f"{count:,} images have {size[0]} by {size[1]} pixels: resized before, and not the challenge's photographs"
        )
