"""The synsets of the mini set and the files of its development kit, in the official kits' formats.

The WordNet ids are invented: real ones are offsets into WordNet 3.0 and stay under n16000000, these
begin at n90000001. As in the real kits, the kit's numbers (1 to 20) follow another order than the
sorted ids, and detection numbers the same classes in a third order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ilsvrc.data.mini_pictures import CLASSES, DIGITS, FILLINGS, Picture

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LOOKS = ("flat", "textured")
GLOSSES = ("filled with one flat colour", "filled with texture cut from a photograph")
ROOT = "n90000001"


@dataclass(frozen=True)
class Synset:
    """One record of meta.mat, by its fields there."""

    ilsvrc_id: int
    wnid: str
    words: str
    gloss: str
    children: tuple[int, ...]
    height: int


def wnid(label: int) -> str:
    """The invented id of a class; sorted ids are in label order."""
    return f"n9001{label // FILLINGS:02d}{label % FILLINGS + 1:02d}"


def words(label: int) -> str:
    """'flat three, 3'."""
    digit, filling = divmod(label, FILLINGS)
    return f"{LOOKS[filling]} {NUMBERS[digit]}, {LOOKS[filling]} {digit}"


def ilsvrc_id(label: int) -> int:
    """The number of a class in the classification kit, from 1."""
    return (13 * label + 6) % CLASSES + 1


def detection_id(label: int) -> int:
    """The number of a class in the detection kit, from 1: neither the label nor the classification kit's number."""
    return (17 * label + 9) % CLASSES + 1


def synsets() -> list[Synset]:
    """The 20 classes by number, then the root, then the ten digits: a tree of height 2, numbered as the kit numbers."""
    digits = [
        Synset(
            CLASSES + 2 + digit,
            f"n9000010{digit}",
            f"{NUMBERS[digit]}, {digit}",
            f"a handwritten digit {NUMBERS[digit]}",
            tuple(sorted(ilsvrc_id(FILLINGS * digit + filling) for filling in range(FILLINGS))),
            1,
        )
        for digit in range(DIGITS)
    ]
    root = Synset(
        CLASSES + 1, ROOT, "digit, figure", "a handwritten digit", tuple(digit.ilsvrc_id for digit in digits), 2
    )
    leaves = [
        Synset(ilsvrc_id(label), wnid(label), words(label), _gloss(label), (), 0)
        for label in sorted(range(CLASSES), key=ilsvrc_id)
    ]
    return [*leaves, root, *digits]


def _gloss(label: int) -> str:
    digit, filling = divmod(label, FILLINGS)
    return f"a handwritten digit {NUMBERS[digit]} {GLOSSES[filling]}"


def write_meta(path: Path, train_images: Sequence[int]) -> None:
    """Write meta.mat with the fields of ILSVRC2012_devkit_t12. train_images: count per label."""
    images = {wnid(label): train_images[label] for label in range(CLASSES)}
    records = [
        {
            "ILSVRC2012_ID": _small(s.ilsvrc_id),
            "WNID": s.wnid,
            "words": s.words,
            "gloss": s.gloss,
            "num_children": _small(len(s.children)),
            "children": _row(s.children),
            "wordnet_height": _small(s.height),
            "num_train_images": _small(images.get(s.wnid, 0)),
        }
        for s in synsets()
    ]
    _write_mat(path, records, column=True)


def write_detection_meta(path: Path) -> None:
    """Write meta_det.mat with the fields of the 2013 and 2014 kits; ancestors follow the classes, the root first."""
    by_class = {ilsvrc_id(label): detection_id(label) for label in range(CLASSES)}
    records = [
        {
            "ILSVRC2013_DET_ID": _small(by_class.get(s.ilsvrc_id, s.ilsvrc_id)),
            "WNID": s.wnid,
            "name": s.words.split(",")[0],
            "description": s.gloss,
            "children": _row(sorted(by_class.get(child, child) for child in s.children)),
        }
        for s in sorted(synsets(), key=lambda s: by_class.get(s.ilsvrc_id, s.ilsvrc_id))
    ]
    _write_mat(path, records, column=False)


def _small(number: int) -> np.ndarray:
    return np.array([[number]], np.min_scalar_type(number))


def _row(numbers: Sequence[int]) -> np.ndarray:
    return np.array([numbers], np.uint8).reshape(1, len(numbers))


def _write_mat(path: Path, records: Sequence[dict[str, object]], *, column: bool) -> None:
    from scipy.io import savemat  # a fifth of a second that only building pays

    table = np.empty(len(records), [(field, object) for field in records[0]])
    for row, record in enumerate(records):
        table[row] = tuple(record.values())
    savemat(path, {"synsets": table}, oned_as="column" if column else "row")
    with open(path, "r+b") as file:  # scipy writes the hour here; the same set must be the same bytes
        file.write(b"MATLAB 5.0 MAT-file, the mini set of ilsvrc".ljust(116))


def box_xml(name: str, folder: str, picture: Picture, *, detection: bool) -> str:
    """The annotation of one picture, in the fields and order of the official files; pixels count from 0."""
    height, width, depth = picture.pixels.shape
    lines = ["<annotation>", f"\t<folder>{folder}</folder>", f"\t<filename>{name}</filename>"]
    database = "ILSVRC_2013" if detection else "ILSVRC_2012"
    lines += ["\t<source>", f"\t\t<database>{database}</database>", "\t</source>"]
    lines += ["\t<size>", f"\t\t<width>{width}</width>", f"\t\t<height>{height}</height>"]
    lines += ["\t</size>"] if detection else [f"\t\t<depth>{depth}</depth>", "\t</size>", "\t<segmented>0</segmented>"]
    for label, (xmin, ymin, xmax, ymax) in zip(picture.labels.tolist(), picture.boxes.tolist(), strict=True):
        lines += ["\t<object>", f"\t\t<name>{wnid(label)}</name>"]
        if not detection:
            lines += ["\t\t<pose>Unspecified</pose>", "\t\t<truncated>0</truncated>", "\t\t<difficult>0</difficult>"]
        edges = (("xmin", xmin), ("xmax", xmax), ("ymin", ymin), ("ymax", ymax))
        if not detection:
            edges = (("xmin", xmin), ("ymin", ymin), ("xmax", xmax), ("ymax", ymax))
        lines += ["\t\t<bndbox>", *(f"\t\t\t<{edge}>{value}</{edge}>" for edge, value in edges), "\t\t</bndbox>"]
        lines += ["\t</object>"]
    return "\n".join([*lines, "</annotation>", ""])
