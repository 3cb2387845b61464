"""Check a data set: is it all there, can every image be decoded, is it what the challenge gave?"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc import data
from ilsvrc.data import imagenet
from ilsvrc.data.folders import rows
from ilsvrc.data.health import Health, health, is_known
from ilsvrc.data.remote import url_of
from ilsvrc.data.sample import Dataset
from ilsvrc.data.tar_index import write_whole
from ilsvrc.errors import DataError
from ilsvrc.jobs.check_order import Order, said_of

SPLITS: tuple[data.Split, ...] = ("train", "val", "test")
CHALLENGE = {"train": 1_281_167, "val": 50_000, "test": 100_000}  # CLS-LOC 2012 to 2017; 1,000 classes
PER_CLASS = {"train": (732, 1300), "val": (50, 50)}  # fewest and most images of a class
BOXED = {"train": 544_546, "val": 50_000}  # images with boxes
DETECTION = {"train": (395_909, 456_567), "val": (20_121,), "test": (40_152, 51_294)}  # DET 2013, 2014 to 2017
DETECTION_BOXES = {"val": (55_502,)}  # those of train are known from no source that was seen
EXCEPTION = 0.9  # of the images with boxes, from which on one without is an exception worth naming
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
    boxes: int = 0  # in all
    unboxed: list[str] = field(default_factory=list)  # images without boxes, where nearly all have some
    fewer: dict[str, tuple[int, int]] = field(default_factory=dict)  # WNID: images there, and in the challenge
    odd: dict[str, list[str]] = field(default_factory=dict)  # oddity: names, known ones included
    known: int = 0  # of the odd ones, those the challenge's own images are known to have
    problems: list[str] = field(default_factory=list)  # what makes the set not fit to train on
    remarks: list[str] = field(default_factory=list)  # what is worth knowing
    leave_out: list[str] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)  # by name: why it is left out


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
            yield f"{split.split}: {count}{each}; {split.boxed:,} with boxes, {split.boxes:,} boxes"
            yield from (f"  problem: {problem}" for problem in split.problems)
            yield from (f"  {remark}" for remark in split.remarks)
        yield "sound" if self.sound else "not sound: see the problems above"


def check(path: str, *, workers: int = 1, fix_list: Path | None = None, progress: Progress | None = None) -> Report:
    """Read and decode every image of every split there is.

    fix_list gets the names of the images to leave out, one a line, 'split/name'. progress(done, of) counts images.
    Raises DataError when there is no split that can be opened.
    """
    path = url_of(path) or path
    sets, refused = _open(path)
    total, done = sum(map(len, sets.values())), 0
    reports = [SplitReport(split, 0, 0, problems=[why]) for split, why in refused.items()]
    for split, images in sets.items():
        report, gathered = _counted(split, images), _Gathered(Order(images.classes.wnids))
        for one in _examined(images, workers):
            _note(report, gathered, one)
            done += 1
            if progress:
                progress(done, total)
        report.problems += gathered.order.problems(split)
        _conclude(report, gathered)
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
    absent = ("no folder", "no shard", "no parquet file", "without splits")
    there: dict[str, str] = {split: why for split, why in refused.items() if not any(words in why for words in absent)}
    if not sets:
        raise DataError(next(iter((there or refused).values())))
    return sets, there


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
    lacking = getattr(images, "lacking", ())
    if lacking:
        shown = ", ".join(lacking[:SHOWN])
        report.problems.append(f"{len(lacking):,} images that the kit lists are not there: {shown}")
    if tuple(wnids) == imagenet.detection_classes().wnids:
        _compare_counts(report, DETECTION[split])
    elif tuple(wnids) == imagenet.classes().wnids:
        _compare_counts(report, (CHALLENGE[split],))
        _compare_classes(report, wnids, counts)
    elif len(wnids) == 1000:
        report.remarks.append(f"1,000 classes, but not the challenge's: {wnids[0]} to {wnids[-1]}")
    return report


def _compare_counts(report: SplitReport, wanted: tuple[int, ...]) -> None:
    if report.images not in wanted:
        right = " or ".join(f"{count:,}" for count in wanted)
        report.problems.append(f"{report.images:,} images; the challenge has {right} in {report.split}")


def _compare_classes(report: SplitReport, wnids: tuple[str, ...], counts: np.ndarray) -> None:
    """Images of each class against the challenge's: those of train are in the kit, val has fifty of each."""
    if not len(counts) or report.split == "test":
        return
    wanted = imagenet.train_images() if report.split == "train" else np.full(len(wnids), PER_CLASS["val"][0])
    for label in np.flatnonzero(counts != wanted).tolist():
        report.fewer[wnids[label]] = int(counts[label]), int(wanted[label])
    if report.fewer:
        shown = ", ".join(f"{wnid} {have:,} of {right:,}" for wnid, (have, right) in [*report.fewer.items()][:SHOWN])
        low, high = PER_CLASS[report.split]
        report.problems.append(
            f"{len(report.fewer):,} classes have other counts of images than in the challenge ({low:,} to {high:,}): "
            f"{shown}"
        )


@dataclass(frozen=True)
class _Examined:
    """What was found of one image."""

    name: str
    label: int | None
    health: Health
    boxes: int | None = None  # None without a box file
    outside: bool = False  # a box reaches past the image, or its corners are swapped
    said: tuple[str, ...] = ()  # WordNet ids of its name or boxes


@dataclass
class _Gathered:
    """What is counted over the images of a split."""

    order: Order
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    unboxed: list[str] = field(default_factory=list)


def _examined(images: Dataset, workers: int) -> Iterator[_Examined]:
    """What is found of each image, in order; read and decoded by threads."""

    def one(index: int) -> _Examined:
        try:
            sample = images[index]
        except DataError as error:
            names = getattr(images, "names", ())
            name = names[index] if names else str(index)
            return _Examined(name, None, Health(("unreadable",), 0, 0, "", str(error)))
        found, boxes = health(sample), sample.boxes
        count = None if boxes is None else len(boxes)
        outside = boxes is not None and found.width > 0 and _outside(boxes, found.width, found.height)
        return _Examined(sample.name, sample.label, found, count, outside, said_of(sample, images.classes.wnids))

    with ThreadPoolExecutor(max(1, workers)) as pool:
        for start in range(0, len(images), AHEAD * max(1, workers)):
            yield from pool.map(one, range(start, min(start + AHEAD * max(1, workers), len(images))))


def _outside(boxes: np.ndarray, width: int, height: int) -> bool:
    """Whether a box leaves its image. Localization counts pixels from 1, so that an edge may be the width itself."""
    swapped = (boxes[:, :2] > boxes[:, 2:]).any()
    return bool(swapped or (boxes < 0).any() or (boxes[:, 2:] > [width, height]).any())


def _note(report: SplitReport, gathered: _Gathered, one: _Examined) -> None:
    oddities = one.health.oddities + (("box",) if one.outside else ())
    for oddity in oddities:
        report.odd.setdefault(oddity, []).append(one.name)
        report.known += is_known(one.name, oddity)
    if one.health.bad:
        report.leave_out.append(one.name)
        report.details[one.name] = one.health.detail
    if one.boxes is None:
        gathered.unboxed.append(one.name)
    else:
        report.boxed += 1
        report.boxes += one.boxes
    gathered.sizes[one.health.width, one.health.height] += 1
    gathered.order.note(one.name, one.said, one.label)


def _conclude(report: SplitReport, gathered: _Gathered) -> None:
    """Turn what was gathered into problems and remarks."""
    if report.leave_out:
        first = report.leave_out[0]
        shown = ", ".join(report.leave_out[:SHOWN])
        report.problems.append(f"{len(report.leave_out):,} images cannot be used: {shown} ({report.details[first]})")
    for oddity, names in sorted(report.odd.items()):
        new = [name for name in names if not is_known(name, oddity)]
        known = f", {len(names) - len(new)} of them known of the challenge" if len(names) > len(new) else ""
        what = "with boxes outside of them" if oddity == "box" else oddity
        report.remarks.append(f"{len(names):,} {what}{known}: {', '.join((new or names)[:SHOWN])}")
    if report.boxed and report.boxed < report.images:
        if report.boxed >= EXCEPTION * report.images:
            report.unboxed = gathered.unboxed
        shown = f": {', '.join(report.unboxed[:SHOWN])}" if report.unboxed else ""
        report.remarks.append(f"{report.images - report.boxed:,} images without boxes{shown}")
    _conclude_boxes(report)
    _conclude_sizes(report, gathered.sizes)


def _conclude_boxes(report: SplitReport) -> None:
    """Compare how many have boxes with the challenge's, where the images are."""
    if report.boxed and report.images == CHALLENGE[report.split] and report.boxed != BOXED.get(report.split):
        wanted = BOXED.get(report.split, 0)
        report.remarks.append(f"{report.boxed:,} images have boxes; the challenge has {wanted:,} in {report.split}")
    if report.boxed and report.images in DETECTION[report.split] and report.split in DETECTION_BOXES:
        wanted = DETECTION_BOXES[report.split][0]
        if report.boxes != wanted:
            report.remarks.append(f"{report.boxes:,} boxes; the challenge has {wanted:,} in {report.split}")


def _conclude_sizes(report: SplitReport, sizes: Counter[tuple[int, int]]) -> None:
    """Photographs of one size, or of one shorter or longer side, were resized before."""
    sides = {
        "{0} by {1} pixels": sizes,
        "a shorter side of {0} pixels": _sides(sizes, min),
        "a longer side of {0} pixels": _sides(sizes, max),
    }
    for what, counts in sides.items():
        size, count = counts.most_common(1)[0] if counts else ((0, 0), 0)
        if count > 1 and count >= SQUASHED * report.images and size[0]:
            how = what.format(*size)
            report.remarks.append(f"{count:,} images have {how}: resized before, and not the challenge's photographs")
            return


def _sides(sizes: Counter[tuple[int, int]], side: Callable[[tuple[int, int]], int]) -> Counter[tuple[int, int]]:
    counts: Counter[tuple[int, int]] = Counter()
    for size, count in sizes.items():
        counts[side(size), side(size)] += count
    return counts
