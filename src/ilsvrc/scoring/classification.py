"""Classification: how often the right label is not among the first guesses.

Two routines answer that. `eval_flat.m` of the kits 2010 to 2012 scores files of labels; the first output of
`eval_clsloc.m`, in the kits from 2013 on, scores the labels of a localization submission. They are the same with one
label per image and differ with several.
"""

import numpy as np

from ilsvrc.scoring.score import Score


def flat_error(labels: np.ndarray, truth: np.ndarray, top: int = 5, *, none: int = -1) -> Score:
    """The share of true labels that are not among the first `top` guesses, as `eval_flat.m` counts it.

    labels: (N, G) guesses, best first; a row with fewer than G guesses is filled with `none`.
    truth: (N,), or (N, M) where images have several labels, filled with `none` likewise.
    Labels may be positions from 0 (`none` is -1) or ILSVRC ids from 1 (`none` is 0, as in the kit's files); with one
    label per image -1 serves both. Every image counts: this score knows no exclusion list.

    A repeated guess uses up a place; a `top` above G takes all guesses and a `top` of 0 none. An image without any
    true label is 0/0 and makes the value nan, as it does in the kit. A true label that occurs twice counts twice.
    Raises ValueError when labels and truth have not equally many rows, or none.
    """
    guesses, wanted = _rows(labels, truth, top)
    missed = _missed(guesses, wanted) & (wanted != none)
    with np.errstate(invalid="ignore"):
        each = missed.sum(axis=1) / (wanted != none).sum(axis=1)
    return Score(f"top-{top} error", float(each.sum() / len(each)), len(each), 0, "eval_flat.m, kits of 2010 to 2012")


def clsloc_flat_error(labels: np.ndarray, truth: np.ndarray, top: int = 5) -> Score:
    """The share of true labels not among the first `top` guesses, as the first output of `eval_clsloc.m` counts it.

    labels: (N, G) ILSVRC ids of a localization submission, best first, 0 for none. truth: (N,) or (N, M), filled with
    0. Every image counts, those on the exclusion list too. With one label per image this is `flat_error`. With several
    it is not: a 0 that fills a row of truth is looked for like a label, so it costs 1 unless the guesses hold a 0, and
    an image without any label makes the value inf.
    Raises ValueError when labels and truth have not equally many rows, or none.
    """
    guesses, wanted = _rows(labels, truth, top)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = _missed(guesses, wanted).sum(axis=1) / (wanted != 0).sum(axis=1)
    return Score(f"top-{top} error", float(each.sum() / len(each)), len(each), 0, "eval_clsloc.m, kits from 2013 on")


def missed(labels: np.ndarray, truth: np.ndarray, top: int = 5) -> np.ndarray:
    """(N, M): whether a true label is not among the first `top` guesses; of the shape of truth, (N, 1) if that is (N,).

    Raises ValueError as `flat_error` does.
    """
    return _missed(*_rows(labels, truth, top))


def _rows(labels: np.ndarray, truth: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `top` guesses, (N, min(top, G)), and the true labels, (N, M)."""
    wanted = np.asarray(truth)
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    guesses = np.asarray(labels)
    if guesses.ndim != 2 or wanted.ndim != 2:
        raise ValueError(f"labels are (N, G) and truth is (N,) or (N, M), not {guesses.shape} and {wanted.shape}")
    if len(guesses) != len(wanted):
        raise ValueError(f"{len(guesses):,} rows of guesses for {len(wanted):,} images; one row per image is wanted")
    if not len(guesses):
        raise ValueError("no image to score")
    if top < 0:
        raise ValueError(f"top is {top}; the number of guesses that count is 0 or more")
    return guesses[:, :top], wanted


def _missed(guesses: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(N, M): whether the true label is not among the guesses of its row."""
    missed = np.ones(wanted.shape, dtype=bool)
    for column in guesses.T:  # G columns of N: no (N, G, M) array
        missed &= column[:, None] != wanted
    return missed
