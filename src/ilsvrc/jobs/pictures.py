"""Validation images for the report, with what each network made of them."""

import io
from contextlib import suppress

import numpy as np
from PIL import Image

from ilsvrc.data.decode import decode
from ilsvrc.data.sample import Classes, Dataset
from ilsvrc.errors import BadImage
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.reports.race_report import Answer, Guess, Picture
from ilsvrc.train.run import Run

SHOWN = 24
SIDE = 160  # pixels; longer thumbnails would only make the page heavy


def pictures(dataset: Dataset, runs: dict[str, Run], count: int = SHOWN) -> tuple[Picture, ...]:
    """Up to `count` images of the split the runs were judged on: half that most networks got, half that most missed.

    Which ones is decided by their place in the split alone, never by how they look in the report.
    """
    stored = {name: read_predictions(run.directory / "predictions.npz") for name, run in runs.items()}
    if not stored:
        return ()
    first = next(iter(stored.values()))
    wrong = np.mean([p.probabilities.argmax(axis=1) != p.labels for p in stored.values()], axis=0)
    hard, easy = np.flatnonzero(wrong >= 0.5), np.flatnonzero(wrong < 0.5)
    chosen = np.concatenate([_spread(easy, count - min(count // 2, len(hard))), _spread(hard, count // 2)])
    thumbnails = {}
    for index in np.sort(chosen):
        with suppress(BadImage):  # passed over, as the run was asked to
            thumbnails[index] = thumbnail(dataset, int(index))
    return tuple(
        Picture(
            name=first.names[index],
            jpeg=jpeg,
            label=int(first.labels[index]),
            truth=dataset.classes.name(int(first.labels[index])),
            answers=tuple(
                Answer(contender=name, guesses=guesses(p.probabilities[index], dataset.classes))
                for name, p in stored.items()
            ),
        )
        for index, jpeg in thumbnails.items()
    )


def guesses(probabilities: np.ndarray, classes: Classes) -> tuple[Guess, ...]:
    """The five most probable classes, best first; equal ones by label."""
    best = np.argsort(-probabilities, kind="stable")[:5]
    return tuple(
        Guess(label=int(label), word=classes.name(int(label)), probability=float(probabilities[label]))
        for label in best
    )


def thumbnail(dataset: Dataset, index: int, side: int = SIDE) -> bytes:
    """The image as a JPEG of at most `side` pixels on its longer side."""
    image = Image.fromarray(decode(dataset[index]))
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _spread(indices: np.ndarray, count: int) -> np.ndarray:
    """`count` of them, evenly spaced."""
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return np.asarray(indices[places])
