"""Several networks as one: the mean of what they said, judged beside each of them, each pair, and each one left out."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from ilsvrc.errors import SpecError
from ilsvrc.jobs.submission import ids_of, write_submission
from ilsvrc.jobs.voices import Voice, check_together, heard
from ilsvrc.predict.members import first_half, fitted_weights, over_members, ranks
from ilsvrc.reports.ensemble_tables import Combination, Ensemble

Weights = Literal["equal", "fitted"] | tuple[float, ...]
ROWS = 2048  # images combined at a time


def parsed(text: str) -> Weights:
    """Weights as a command line has them: equal, fitted, or numbers with commas between. Raises SpecError."""
    if text in ("equal", "fitted"):
        return "equal" if text == "equal" else "fitted"
    try:
        weights = tuple(float(word) for word in text.split(","))
    except ValueError:
        raise SpecError(f"the weights are {text!r}; give equal, fitted, or a number for each member: 1,1,2") from None
    if not all(np.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights):
        raise SpecError(f"the weights are {text}; none may be negative and one must be above 0")
    return weights


def ensemble(
    sources: Sequence[Path], weights: Weights = "equal", out: Path | None = None, meta: Path | None = None
) -> Ensemble:
    """Combine score files and runs, and judge the combination; with `out`, write its submission.

    Fitted weights are those under which the true labels of one half of the images are likeliest, and all errors are
    of the other half; halves are told by a hash of the name. A submission has the kit's ids where `meta`, its
    meta.mat, is given, else positions by sorted WordNet id from 1.
    Raises DataError for what cannot be read, SpecError for members that do not fit together.
    """
    voices = [heard(source) for source in sources]
    check_together(voices)
    labelled = bool((voices[0].labels >= 0).all())
    if not labelled and weights == "fitted":
        raise SpecError(f"{voices[0].source} has images without a label, to which no weights can be fitted; give them")
    shares, judged = _shares(voices, weights)
    found = combined(voices, shares, judged, fitted=weights == "fitted") if labelled else None
    written = None
    if out is not None:
        ids, numbering = ids_of(voices[0].wnids, meta)
        write_submission(out, over_members([voice.probabilities for voice in voices], shares), ids)
        written = f"{out}: {len(voices[0].names):,} lines, classes numbered {numbering}"
    titles = tuple(voice.title for voice in voices)
    empty = Ensemble(members=titles, weights=shares, images=len(voices[0].names), data=voices[0].data)
    return (found or empty).saying(written)


def _shares(voices: list[Voice], weights: Weights) -> tuple[tuple[float, ...], np.ndarray]:
    """The weight of each member, of sum 1, and which images the errors are of."""
    count, everything = len(voices), np.ones(len(voices[0].names), bool)
    if weights == "equal":
        return (1 / count,) * count, everything
    if weights == "fitted":
        half = first_half(voices[0].names)
        if half.all() or not half.any():
            raise SpecError(f"{len(half)} images cannot be halved to fit weights on; give weights")
        rows, labels = np.flatnonzero(half), voices[0].labels[half]
        truths = np.stack([voice.probabilities[rows, labels] for voice in voices], axis=1)
        return tuple(fitted_weights(truths).tolist()), ~half
    if len(weights) != count:
        raise SpecError(f"{len(weights)} weights are given for {count} members; give one for each, in their order")
    return tuple(weight / sum(weights) for weight in weights), everything


def combined(voices: Sequence[Voice], shares: Sequence[float], judged: np.ndarray, *, fitted: bool = False) -> Ensemble:
    """Each member alone, each pair and each one left out by the weights of those who stay, and all of them.

    judged is (N,) bool: the images that the errors are of. Members of weight 0 alone combine equally.
    """
    every = range(len(voices))
    pairs = list(combinations(every, 2)) if len(voices) > 2 else []
    left_out = [tuple(m for m in every if m != out) for out in every] if len(voices) > 2 else []
    groups = dict.fromkeys([*((member,) for member in every), tuple(every), *pairs, *left_out])
    places = {group: _ranks(voices, group, shares, judged) for group in groups}
    found = {group: _combination(group, where) for group, where in places.items()}
    alone = [found[member,] for member in every]
    best = min(every, key=lambda member: (alone[member].top5_error, alone[member].top1_error))
    right, best_right = places[tuple(every)] < 5, places[best,] < 5
    return Ensemble(
        members=tuple(voice.title for voice in voices),
        weights=tuple(shares),
        images=int(judged.sum()),
        data=voices[0].data,
        fitted=fitted,
        alone=tuple(alone),
        pairs=tuple(found[pair] for pair in pairs),
        left_out=tuple(found[rest] for rest in left_out),
        whole=found[tuple(every)],
        best=best,
        mended=int((right & ~best_right).sum()),
        spoilt=int((~right & best_right).sum()),
    )


def _combination(group: tuple[int, ...], places: np.ndarray) -> Combination:
    top1, top5 = (float((places >= top).mean()) for top in (1, 5))
    return Combination(members=group, top1_error=top1, top5_error=top5)


def _ranks(voices: Sequence[Voice], group: tuple[int, ...], shares: Sequence[float], judged: np.ndarray) -> np.ndarray:
    """The rank of the true label in the mean of some members, for the images judged; those unseen are out of reach."""
    weights = [shares[member] for member in group]
    if not sum(weights):
        weights = [1.0] * len(group)
    rows = np.flatnonzero(judged)
    found = []
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        mixed = over_members([voices[member].probabilities[part] for member in group], weights)
        found.append(ranks(mixed, voices[0].labels[part]))
    places = np.concatenate(found)
    unseen = frozenset().union(*(voices[member].unseen for member in group))
    if unseen:
        places[[voices[0].names[row] in unseen for row in rows]] = mixed.shape[1]
    return places
