"""Which images a report shows of a task of boxes, and how large."""

import numpy as np

from ilsvrc.data.sample import Dataset
from ilsvrc.errors import BadImage
from ilsvrc.jobs.pictures import thumbnail

SHOWN = 12
SIDE = 280  # pixels of the longer side; larger would only make the page heavy


def chosen_places(wrong: np.ndarray, judged: np.ndarray, count: int = SHOWN) -> list[int]:
    """Up to `count` places: half that most entries got, half that most missed, evenly spaced, whatever they look like.

    wrong: (N,) the share of entries that missed; judged: (N,) bool, who may be shown.
    """
    hard, easy = np.flatnonzero(judged & (wrong >= 0.5)), np.flatnonzero(judged & (wrong < 0.5))
    few = min(count // 2, len(hard))
    chosen = np.concatenate([_spread(easy, count - few), _spread(hard, max(few, count - len(easy)))])
    return sorted({int(place) for place in chosen})


def jpeg_of(dataset: Dataset, index: int) -> bytes | None:
    """The image as a JPEG of at most SIDE pixels on its longer side; None for one that cannot be decoded."""
    try:
        return thumbnail(dataset, index, SIDE)
    except BadImage:
        return None


def _spread(places: np.ndarray, count: int) -> np.ndarray:
    chosen = np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int)
    return np.asarray(places[chosen])
