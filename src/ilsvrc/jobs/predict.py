"""Predict what is in images on disk."""

import glob
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ilsvrc.errors import DataError
from ilsvrc.jobs.predictor import Guess, Predictor
from ilsvrc.reports.progress import Watch

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"}


CALIBRATION = 128  # images at most; more do not move the scales


@dataclass(frozen=True)
class Answer:
    """One image and its guesses, best first; or why there are none."""

    image: str
    guesses: tuple[Guess, ...]
    fault: str = ""


def predict(predictor: Predictor, words: Iterable[str], top: int, batch: int, watch: Watch) -> Iterator[Answer]:
    """An answer per image of files, folders (with what is below them) and patterns such as 'photos/*.jpg'.

    Raises DataError when the words name no image at all; an image that cannot be read is an answer with a fault.
    """
    paths = images(words)
    with watch.live(), watch.stage("predicting", len(paths)) as stage:
        for done, (path, found) in enumerate(predictor.each(paths, top, batch), start=1):
            stage.at(done)
            yield Answer(str(path), (), str(found)) if isinstance(found, DataError) else Answer(str(path), found)


def calibrate(predictor: Predictor, words: Iterable[str], batch: int, watch: Watch) -> None:
    """Calibrate int8 on images that the words name, CALIBRATION of them at most, and say the loss; not other engines.

    Raises DataError when none of them can be read.
    """
    if predictor.engine != "int8":
        return
    paths = images(words)
    places = np.unique(np.linspace(0, len(paths) - 1, min(CALIBRATION, len(paths))).round().astype(int))
    blobs = []
    with watch.live(), watch.stage("calibrating", len(places) + 1) as stage:
        for done, place in enumerate(places.tolist()):
            with suppress(DataError):  # named when it is predicted
                blobs.append(predictor.view(paths[place]))
            stage.at(done)
        if not blobs:
            raise DataError(f"none of {len(places)} images could be read to calibrate on; give others")
        change = predictor.calibrate(blobs, batch)
    watch.say(f"engine: {predictor.engine}, calibrated: {change}")


def images(words: Iterable[str]) -> list[Path]:
    """The files that the words name, each once, in the order of the words and by name below a folder."""
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        matches = [path] if path.exists() else sorted(map(Path, glob.glob(word, recursive=True)))
        if not matches:
            raise DataError(f"{word} is no file, folder or pattern of files; give images")
        for match in matches:
            if match.is_dir():
                below = sorted(p for p in match.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
                found |= dict.fromkeys(below)
            else:
                found[match] = None
    if not found:
        raise DataError(f"there is no image in {', '.join(words)}; known are {', '.join(sorted(SUFFIXES))}")
    return list(found)
