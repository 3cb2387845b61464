"""Where a submission to classification or localization goes wrong: by class, by pair of classes, by cause."""

from dataclasses import dataclass

import numpy as np

from ilsvrc.scoring.classification import missed
from ilsvrc.scoring.localization import Localization


@dataclass(frozen=True)
class ClassErrors:
    """One class: how many images have it, and how many of those are wrong for which cause."""

    label: int  # ILSVRC id
    images: int
    wrong_label: int
    wrong_box: int = 0  # in localization: the label is guessed, but no box of it overlaps an object enough

    @property
    def error(self) -> float:
        """The share of wrong images, in [0, 1]."""
        return (self.wrong_label + self.wrong_box) / self.images


@dataclass(frozen=True)
class Confusion:
    """Two classes: how often the first guess was one where the other is true."""

    truth: int  # ILSVRC ids
    guess: int
    images: int


def errors_by_guesses(labels: np.ndarray, truth: np.ndarray, top: int) -> tuple[float, ...]:
    """The share of true labels missed by the first 1, 2, ... `top` guesses; labels of 0 in truth are left out.

    labels: (N, G) ILSVRC ids, best first; truth: (N,) or (N, M), 0 for none.
    """
    wanted = np.asarray(truth).reshape(len(truth), -1)
    there = wanted != 0
    return tuple(float((missed(labels, wanted, k) & there).sum() / max(there.sum(), 1)) for k in range(1, top + 1))


def class_errors(labels: np.ndarray, truth: np.ndarray, top: int = 5) -> tuple[ClassErrors, ...]:
    """Each class that occurs in truth, most errors first, then by ILSVRC id.

    labels: (N, G) ILSVRC ids, best first; truth: (N,) or (N, M), 0 for none; an image counts in each of its classes.
    """
    wanted = np.asarray(truth).reshape(len(truth), -1)
    there = wanted != 0
    high = int(wanted.max(initial=0)) + 1
    images = np.bincount(wanted[there], minlength=high)
    wrong = np.bincount(wanted[there & missed(labels, wanted, top)], minlength=high)
    found = [ClassErrors(label, int(images[label]), int(wrong[label])) for label in np.flatnonzero(images).tolist()]
    return tuple(sorted(found, key=lambda one: (-one.error, one.label)))


def localization_class_errors(found: Localization, truth: np.ndarray) -> tuple[ClassErrors, ...]:
    """Each class, most errors first, with both causes; images on the exclusion list are left out.

    truth: (N,) or (N, M) ILSVRC ids; the first label of an image is its class.
    """
    first = np.asarray(truth).reshape(len(truth), -1)[:, 0]
    counts = [
        np.bincount(first[rows], minlength=int(first.max(initial=0)) + 1)
        for rows in (~found.excluded & (first != 0), found.wrong_label, found.wrong_box)
    ]
    errors = [
        ClassErrors(label, *(int(count[label]) for count in counts)) for label in np.flatnonzero(counts[0]).tolist()
    ]
    return tuple(sorted(errors, key=lambda one: (-one.error, one.label)))


def confusions(labels: np.ndarray, truth: np.ndarray) -> tuple[Confusion, ...]:
    """Which class was guessed first where which was true, most frequent first, then by ILSVRC id.

    Right first guesses and images without a guess are left out; of several true labels the first is taken.
    """
    wanted = np.asarray(truth).reshape(len(truth), -1)
    guess = np.asarray(labels)[:, 0].astype(np.int64) if labels.shape[1] else np.zeros(len(wanted), dtype=np.int64)
    wrong = (guess > 0) & ~(wanted == guess[:, None]).any(axis=1) & (wanted[:, 0] > 0)
    pairs, images = np.unique(np.stack([wanted[wrong, 0], guess[wrong]], axis=1), axis=0, return_counts=True)
    found = [Confusion(t, g, n) for (t, g), n in zip(pairs.tolist(), images.tolist(), strict=True)]
    return tuple(sorted(found, key=lambda one: (-one.images, one.truth, one.guess)))
