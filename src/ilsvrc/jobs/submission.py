"""Predictions as a submission in the kit's form: a line per image of its five likeliest classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ilsvrc.data import labels
from ilsvrc.data.devkit import Synsets, read_synsets
from ilsvrc.errors import SpecError
from ilsvrc.scoring.numbering import Numbering, numbered
from ilsvrc.scoring.submission import Guesses, write_guesses

BY_NAME = "by sorted WordNet id from 1"


def kit_beside(path: str) -> Synsets | None:
    """The synset table of the kit that lies beside the images of a data set; None where there is none."""
    root = Path(path)
    kit = labels.kit_in(root) if root.is_dir() else None
    return labels.synsets_of(kit) if kit else None


def ids_of(wnids: Sequence[str], meta: Path | Synsets | None) -> tuple[np.ndarray, str]:
    """(C,) the number of each class, in label order, and how they are numbered in words.

    meta is a kit's table or its meta.mat, whose ILSVRC ids they are; without it, positions by sorted WordNet id from 1.
    Raises SpecError where the kit does not know a class.
    """
    synsets = read_synsets(str(meta)) if isinstance(meta, Path) else meta
    numbering: Numbering = "kit" if synsets else "sorted-from-1"
    known = synsets.ids if synsets else numbered(wnids, numbering)
    unknown = [wnid for wnid in wnids if wnid not in known]
    if unknown:
        raise SpecError(f"the class {unknown[0]} is not in the kit's table {meta}; give the meta.mat of its data set")
    return np.array([known[wnid] for wnid in wnids], np.int64), "by the kit's ILSVRC ids" if synsets else BY_NAME


def write_submission(path: Path, probabilities: np.ndarray, ids: np.ndarray, unseen: np.ndarray | None = None) -> None:
    """Write the five likeliest classes of each image, (N, C), best first; equal ones by label, lowest first.

    Images that are unseen, (N,) bool, get no guess. Raises SubmissionError when the file cannot be written.
    """
    guesses = ids[np.argsort(-probabilities, axis=1, kind="stable")[:, :5]]
    if unseen is not None:
        guesses[unseen] = 0
    write_guesses(path, Guesses(guesses))
