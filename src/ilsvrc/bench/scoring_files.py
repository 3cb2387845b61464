"""Files for the benchmark of the scorer: generated, in the sizes of the real ones, the same bytes each time."""

import gzip
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

from ilsvrc.scoring.kaggle import Solution, write_solution
from ilsvrc.scoring.submission import Detections, Guesses, write_detections, write_guesses

CLASSES, IMAGES, BOXES = 1000, 50_000, 80_477  # of the validation set of CLS-LOC 2012 to 2017
DETECTED_CLASSES, HALF, THINGS, LINES = (
    200,
    9_917,
    26_782,
    49_013,
)  # the second half of DET val; the kit's demonstration
LISTED = 20_121  # images of DET val


@dataclass(frozen=True)
class Truth:
    """Objects to detect: of image i (from 1) the label and the box."""

    images: int
    image: np.ndarray  # (B,) int, from 1, ascending
    label: np.ndarray  # (B,) int, from 1
    box: np.ndarray  # (B, 4) whole numbers


def write_classification(folder: Path) -> None:
    """meta.mat, truth.txt, labels.txt: 50,000 images, five guesses each."""
    rng = np.random.default_rng(1)
    write_meta(folder / "meta.mat", CLASSES, "ILSVRC2012_ID")
    truth = rng.permutation(np.repeat(np.arange(1, CLASSES + 1), IMAGES // CLASSES))
    labels = rng.integers(1, CLASSES + 1, (IMAGES, 5))
    right = rng.random(IMAGES) < 0.7
    labels[right, 0] = truth[right]
    write_guesses(folder / "truth.txt", Guesses(truth[:, None]))
    write_guesses(folder / "labels.txt", Guesses(labels))


def write_localization(folder: Path) -> None:
    """groups.txt.gz, boxes.csv.gz, exclude.txt beside the files of classification; 80,477 true boxes."""
    rng = np.random.default_rng(2)
    truth = np.loadtxt(folder / "truth.txt", dtype=np.int64)
    image = np.sort(np.concatenate([np.arange(IMAGES), rng.integers(0, IMAGES, BOXES - IMAGES)]))
    box = _boxes(rng, BOXES).round()
    names = tuple(f"ILSVRC2012_val_{number:08d}" for number in range(1, IMAGES + 1))
    wnids = tuple(f"n{90_000_000 + label}" for label in truth[image].tolist())
    write_solution(folder / "boxes.csv.gz", Solution(names, image, wnids, box))
    labels = np.loadtxt(folder / "labels.txt", dtype=np.int64)
    first = box[np.searchsorted(image, np.arange(IMAGES))]
    guessed = first[:, None, :] + rng.integers(-20, 20, (IMAGES, 5, 4))
    write_guesses(folder / "groups.txt.gz", Guesses(labels, guessed.astype(np.float64)))
    excluded = np.sort(rng.choice(IMAGES, 1762, replace=False)) + 1
    write_guesses(folder / "exclude.txt", Guesses(excluded[:, None]))


def write_detection(folder: Path, images: int, lines: int) -> tuple[Truth, Detections | None]:
    """meta_det.mat, list.txt, boxes.tar.gz, detections.txt for so many images and lines.

    The detections are returned too where they are few enough to have been made in one piece.
    """
    rng = np.random.default_rng(3)
    write_meta(folder / "meta_det.mat", DETECTED_CLASSES, "ILSVRC2013_DET_ID")
    things = images * THINGS // HALF
    labels = rng.integers(1, DETECTED_CLASSES + 1, things)
    truth = Truth(images, np.sort(rng.integers(1, images + 1, things)), labels, _boxes(rng, things).round())
    (folder / "list.txt").write_text("".join(f"image_{number:06d} {number}\n" for number in range(1, images + 1)))
    _write_xml(folder / "boxes.tar.gz", truth)
    piece = 200_000
    if lines <= piece:
        detections = _detections(rng, truth, lines)
        write_detections(folder / "detections.txt", detections)
        return truth, detections
    with (folder / "detections.txt").open("wb") as whole:
        for start in range(0, lines, piece):
            write_detections(folder / "piece.txt", _detections(rng, truth, min(piece, lines - start)))
            whole.write((folder / "piece.txt").read_bytes())
    (folder / "piece.txt").unlink()
    return truth, None


def _detections(rng: np.random.Generator, truth: Truth, lines: int) -> Detections:
    """Half near an object, half anywhere; six decimals, as the kit's demonstration has."""
    place = rng.integers(0, len(truth.image), lines)
    near = rng.random(lines) < 0.5
    image = np.where(near, truth.image[place], rng.integers(1, truth.images + 1, lines))
    label = np.where(near, truth.label[place], rng.integers(1, DETECTED_CLASSES + 1, lines))
    box = np.where(near[:, None], truth.box[place] + rng.normal(0, 8, (lines, 4)), _boxes(rng, lines))
    return Detections(image, label, rng.random(lines).round(6), box.round(6))


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.random((count, 2)) * 300
    return np.asarray(np.concatenate([corner, corner + 5 + rng.random((count, 2)) ** 2 * 195], axis=1))


def write_meta(path: Path, classes: int, field: str) -> None:
    """A table of classes with one root above them, in the fields of the kits."""
    synsets = np.empty((classes + 1, 1), [(name, object) for name in (field, "WNID", "words", "gloss", "children")])
    for number in range(1, classes + 1):
        synsets[number - 1, 0] = (number, f"n{90_000_000 + number}", f"class {number}", "", [])
    synsets[classes, 0] = (classes + 1, "n90000000", "root", "", list(range(1, classes + 1)))
    savemat(path, {"synsets": synsets})


def _write_xml(path: Path, truth: Truth) -> None:
    ends = np.searchsorted(truth.image, np.arange(1, truth.images + 2))
    with gzip.open(path, "wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for number in range(1, truth.images + 1):
            rows = range(int(ends[number - 1]), int(ends[number]))
            data = _xml(f"image_{number:06d}", truth, rows).encode()
            member = tarfile.TarInfo(f"boxes/image_{number:06d}.xml")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _xml(name: str, truth: Truth, rows: range) -> str:
    parts = [f"<annotation>\n\t<folder>val</folder>\n\t<filename>{name}</filename>\n"]
    parts.append("\t<size>\n\t\t<width>500</width>\n\t\t<height>500</height>\n\t</size>\n")
    for row in rows:
        xmin, ymin, xmax, ymax = (int(edge) for edge in truth.box[row])
        corners = (("xmin", xmin), ("xmax", xmax), ("ymin", ymin), ("ymax", ymax))
        edges = "".join(f"\t\t\t<{tag}>{edge}</{tag}>\n" for tag, edge in corners)
        wnid = 90_000_000 + truth.label[row]
        parts.append(f"\t<object>\n\t\t<name>n{wnid}</name>\n\t\t<bndbox>\n{edges}\t\t</bndbox>\n\t</object>\n")
    return "".join([*parts, "</annotation>\n"])
