"""The mini set: real handwritten digits over real photographs, in the kits' own layout, built in seconds.

It is not ImageNet and no substitute for it: 20 classes (ten digits, filled flat or with texture)
drawn so that a network can learn them within a minute on two processor cores. What it shares with
the challenge is everything around the pictures: folders by WordNet id, a flat val, box files, a
development kit with meta.mat, a withheld test. docs/data.md shows the tree.
"""

import errno
import io
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from ilsvrc.data import mini_kit
from ilsvrc.data.mini_pictures import CLASSES, SPLITS, Picture, draw, draw_crowd, label_of, sources
from ilsvrc.errors import DataError

VERSION = 3  # of the pictures and the layout; raised whenever either changes
QUALITY = 88
CROWDS = 4  # the detection variant has a quarter of the classification pictures of each split
BYTES = 12_000  # of a picture and its box file on disk, in blocks of 4 KiB
MANIFEST = "mini.json"
BUILDING = ".building-"
WITHHELD = "withheld/ILSVRC2012_test_ground_truth.txt"

WHAT = (
    "The mini set of ilsvrc: handwritten digits pasted over windows of two photographs. It is generated, it is not "
    "ImageNet, and errors on it say nothing about errors on ImageNet. The WordNet ids are invented (n9.......); "
    "folders, lists, box files and meta.mat have the form of the official ones."
)
CREDITS = (
    "Digits: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, "
    "1998 (CC BY 4.0), the 1,797 of its test set, as scikit-learn carries them.",
    "Photographs: china.jpg (flickr.com/photos/danielbuechele/6061409035) and flower.jpg "
    "(flickr.com/photos/vultilion/6056698931), CC BY 2.0, as scikit-learn carries and attributes them; "
    "cut, enlarged and recoloured here.",
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What a mini set is made from; two sets with the same plan have the same bytes."""

    train: int
    val: int
    test: int
    seed: int
    detection: bool
    version: int = VERSION


def build(
    directory: Path | str,
    train: int = 1200,
    val: int = 400,
    test: int = 400,
    seed: int = 0,
    *,
    detection: bool = True,
    progress: Progress | None = None,
) -> bool:
    """Build the mini set in `directory`; False when the same set stands there already and nothing was done.

    train, val and test are numbers of pictures, at least 20 each, one per class; classes are balanced
    to within one picture. Picture i of a split is the same whatever the numbers. `directory` may be empty
    or not exist; it gets its manifest, mini.json, last, when everything else stands.
    progress(done, total) is called after each picture.
    Raises DataError when something else is in `directory` or the disk refuses.
    """
    directory = Path(directory)
    plan = Plan(train, val, test, seed, detection)
    _check(plan)
    if _stands(directory, plan):
        return False
    target = Path(os.path.abspath(directory))
    empty = target.is_dir()  # it stays: it may be somebody's working directory or a mounted disk
    building = (target if empty else target.parent) / f".{target.name}{BUILDING}{socket.gethostname()}-{os.getpid()}"
    try:
        building.parent.mkdir(parents=True, exist_ok=True)
        _sweep(building)
        building.mkdir()
        _write(building, plan, progress)
        if empty:
            _move(building, target)
        else:
            os.replace(building, target)
    except OSError as error:
        shutil.rmtree(building, ignore_errors=True)  # before looking: it may be what makes `directory` strange
        if _stands(directory, plan):  # somebody else was faster
            return False
        raise _refusal(error, directory, plan) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return True


def withheld_labels(directory: Path | str) -> dict[str, int]:
    """The labels of the test pictures by name, which the reader of the set does not give.

    Raises DataError when the file is missing or is not what its name says.
    """
    path = Path(directory) / WITHHELD
    labels = {mini_kit.ilsvrc_id(label): label for label in range(CLASSES)}
    try:
        lines = path.read_text().split()
        return {_test_name(k): labels[int(line)] for k, line in enumerate(lines)}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} does not give the withheld labels of a mini set ({error}); build the set again with 'ilsvrc mini'"
        ) from error


def encode(picture: Picture) -> bytes:
    """The picture as JPEG of quality 88; the bytes depend on the JPEG library that Pillow was built with."""
    file = io.BytesIO()
    Image.fromarray(picture.pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _check(plan: Plan) -> None:
    for split in SPLITS:
        asked = getattr(plan, split)
        if not CLASSES <= asked < 100_000_000:
            raise DataError(
                f"a mini set with {asked:,} {split} images was asked for; "
                f"ask for {CLASSES} (one per class) to 99,999,999 (names have eight digits)"
            )
    if plan.seed < 0:
        raise DataError(f"seed {plan.seed} was asked for; a seed is 0 or more")


def _stands(directory: Path, plan: Plan) -> bool:
    """Whether the set is there already. Raises DataError when anything else is."""
    try:
        if not directory.exists():
            return False
        if directory.is_dir() and all(BUILDING in entry.name for entry in directory.iterdir()):
            return False
        manifest = json.loads((directory / MANIFEST).read_text())
        found = Plan(**manifest["plan"])
    except PermissionError as error:
        raise DataError(
            f"{directory} may not be read ({error.strerror}); name a directory in a place where you may write"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{directory} exists and is not a mini set ({MANIFEST} is missing or unreadable); "
            "nothing was changed: name a directory that does not exist yet"
        ) from error
    if found not in (plan, Plan(**{**asdict(plan), "detection": True})):
        raise DataError(
            f"{directory} holds the mini set {_words(found)}, not {_words(plan)}; "
            "nothing was changed: name another directory, or delete this one"
        )
    there = sum(len(files) for _, _, files in os.walk(directory))
    if there < manifest["files"]:
        raise DataError(
            f"{directory} has lost {manifest['files'] - there:,} of the {manifest['files']:,} files it was built "
            "with; delete it and build it again"
        )
    return True


def _move(building: Path, target: Path) -> None:
    """The manifest goes last: what has none is not a set."""
    for entry in sorted(building.iterdir(), key=lambda entry: entry.name == MANIFEST):
        os.rename(entry, target / entry.name)


def _words(plan: Plan) -> str:
    detection = "with" if plan.detection else "without"
    return (
        f"of {plan.train:,} train, {plan.val:,} val and {plan.test:,} test images, seed {plan.seed}, "
        f"version {plan.version}, {detection} detection"
    )


def _sweep(building: Path) -> None:
    """Remove what killed builds of the same directory on this machine left behind."""
    prefix, _, _ = building.name.rpartition("-")
    for left in building.parent.glob(f"{prefix}-*"):
        process = left.name.rpartition("-")[2]
        if process.isdecimal() and not _runs(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _runs(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _refusal(error: OSError, directory: Path, plan: Plan) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        size = (plan.train + plan.val + plan.test) * BYTES * (1 + plan.detection / CROWDS) // 1e6 + 1
        return DataError(
            f"the disk is full at {directory}; the mini set takes about {size:,.0f} MB: "
            "free that much or name a directory on another disk"
        )
    return DataError(
        f"the mini set cannot be written to {directory} ({error.strerror or error}); "
        "name a directory in a place where you may write"
    )


def _write(root: Path, plan: Plan, progress: Progress | None) -> None:
    sources()
    _write_kits(root, plan)
    total = sum(getattr(plan, split) for split in SPLITS)
    total += sum(getattr(plan, split) // CROWDS for split in SPLITS) if plan.detection else 0
    made: set[Path] = set()
    for done, (path, content) in enumerate(_files(plan)):
        if path.parent not in made:
            (root / path.parent).mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        (root / path).write_bytes(content)
        if progress and path.suffix == ".JPEG":
            progress((done // 2) + 1, total)
    _write_manifest(root, plan)


def _files(plan: Plan) -> Iterator[tuple[Path, bytes]]:
    """Every picture and its box file, in that order."""
    for split in SPLITS:
        for index in range(getattr(plan, split)):
            picture = draw(plan.seed, split, index)
            image, box = _paths(split, index, int(picture.labels[0]))
            yield image, encode(picture)
            yield box, mini_kit.box_xml(image.stem, image.parent.name, picture, detection=False).encode()
    for split in SPLITS if plan.detection else ():
        for index in range(getattr(plan, split) // CROWDS):
            picture = draw_crowd(plan.seed, split, index)
            image, box = _crowd_paths(split, index)
            yield image, encode(picture)
            yield box, mini_kit.box_xml(image.stem, image.parent.name, picture, detection=True).encode()


def _paths(split: str, index: int, label: int) -> tuple[Path, Path]:
    """Where a picture and its boxes go; numbers in names count from 1."""
    if split == "train":
        wnid = mini_kit.wnid(label)
        name = f"{wnid}_{index // CLASSES + 1}"
        return Path("train", wnid, f"{name}.JPEG"), Path("bbox", "train", wnid, f"{name}.xml")
    if split == "val":
        name = f"ILSVRC2012_val_{index + 1:08d}"
        return Path("val", f"{name}.JPEG"), Path("bbox", "val", f"{name}.xml")
    return Path("test", f"{_test_name(index)}.JPEG"), Path("withheld", "bbox", "test", f"{_test_name(index)}.xml")


def _test_name(index: int) -> str:
    return f"ILSVRC2012_test_{index + 1:08d}"


def _crowd_name(split: str, index: int) -> str:
    return {
        "train": f"ILSVRC2014_train_{index // 10_000:04d}/ILSVRC2014_train_{index + 1:08d}",
        "val": f"ILSVRC2013_val_{index + 1:08d}",
        "test": f"ILSVRC2013_test_{index + 1:08d}",
    }[split]


def _crowd_paths(split: str, index: int) -> tuple[Path, Path]:
    boxes = Path("det", "withheld", "bbox") if split == "test" else Path("det", "bbox")
    name = _crowd_name(split, index)
    return Path("det", split, f"{name}.JPEG"), boxes / split / f"{name}.xml"


def _write_kits(root: Path, plan: Plan) -> None:
    for place in ("devkit/data", "withheld", *(["det/devkit/data/det_lists"] if plan.detection else [])):
        (root / place).mkdir(parents=True)
    labels = {split: [label_of(plan.seed, split, index) for index in range(getattr(plan, split))] for split in SPLITS}
    kit = root / "devkit/data"
    mini_kit.write_meta(kit / "meta.mat", [labels["train"].count(label) for label in range(CLASSES)])
    for split, path in (("val", kit / "ILSVRC2012_validation_ground_truth.txt"), ("test", root / WITHHELD)):
        path.write_text("".join(f"{mini_kit.ilsvrc_id(label)}\n" for label in labels[split]))
    (kit / "ILSVRC2014_clsloc_validation_blacklist.txt").write_text("")
    if not plan.detection:
        return
    kit = root / "det/devkit/data"
    mini_kit.write_detection_meta(kit / "meta_det.mat")
    (kit / "ILSVRC2014_det_validation_blacklist.txt").write_text("")
    for split in SPLITS:
        names = (f"{_crowd_name(split, index)} {index + 1}\n" for index in range(getattr(plan, split) // CROWDS))
        (kit / "det_lists" / f"{split}.txt").write_text("".join(names))


def _write_manifest(root: Path, plan: Plan) -> None:
    (root / "README.txt").write_text("\n\n".join((WHAT, *CREDITS)) + "\n")
    files = sum(len(files) for _, _, files in os.walk(root)) + 1
    manifest = {
        "name": "mini",
        "what": WHAT,
        "plan": asdict(plan),
        "files": files,
        "classes": CLASSES,
        "credits": CREDITS,
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
