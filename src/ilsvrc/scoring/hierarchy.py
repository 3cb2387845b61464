"""The hierarchical cost of the kits 2010 and 2011: a wrong guess costs less the nearer it is in WordNet.

The cost of guessing a where b is true is the height of their lowest common ancestor, measured by the longest way down
to a leaf. WordNet is no tree: some synsets have two parents, so the lowest is taken over all common ancestors.
"""

from collections.abc import Sequence

import numpy as np

from ilsvrc.scoring.score import Score

RULES = "eval_hie.m, kits of 2010 and 2011"


def cost_matrix(children: Sequence[Sequence[int]], classes: int, heights: Sequence[int] | None = None) -> np.ndarray:
    """The (classes, classes) costs: row the guess, column the truth, both by ILSVRC id minus 1; 0 on the diagonal.

    children[i] are the ILSVRC ids (from 1) of the children of record i + 1 of `meta.mat`; the first `classes` records
    are the classes. heights is the field `wordnet_height`; without it heights are measured in this table, which is
    lower wherever the table leaves parts of WordNet out.
    Raises ValueError when two classes have no common ancestor or a record is its own ancestor.
    """
    below = _below(children)
    known = _heights(children, below) if heights is None else heights
    costs = np.full((classes, classes), -1, dtype=np.int64)
    for place in sorted(range(len(children)), key=lambda place: -known[place]):  # lower ancestors overwrite higher
        members = np.array(sorted(c for c in below[place] if c < classes), dtype=np.intp)
        costs[np.ix_(members, members)] = known[place]
    np.fill_diagonal(costs, 0)
    if (costs < 0).any():
        guess, truth = np.argwhere(costs < 0)[0] + 1
        raise ValueError(f"classes {guess} and {truth} have no common ancestor; the hierarchy of the kit is wanted")
    return costs


def hierarchical_cost(labels: np.ndarray, truth: np.ndarray, costs: np.ndarray, top: int = 5) -> Score:
    """The mean over images of the smallest cost among the first `top` guesses, as `eval_hie.m` counts it.

    labels: (N, G) ILSVRC ids, best first, and truth: (N,) or (N, M), both with 0 for none. costs: (K, K), row the
    guess, column the truth. With several true labels the mean over them is taken. No guess costs more than the
    largest cost. The value is a height; it is not divided by the largest one, although the kit's text says so.

    With a uint8 matrix, as the kit of 2010 stores it, the arithmetic is Matlab's for that type: a sum stops at 255 and
    the mean over an image's labels is rounded, halves up. With one label per image there is no difference.
    Raises ValueError when labels and truth have not equally many rows, or a label lies outside of 0 to K.
    """
    guesses = np.asarray(labels)[:, :top].astype(np.int64)
    wanted = np.asarray(truth).reshape(len(truth), -1).astype(np.int64)
    classes = len(costs)
    if len(guesses) != len(wanted) or not len(guesses):
        raise ValueError(f"{len(guesses):,} rows of guesses for {len(wanted):,} images; one row per image is wanted")
    for name, numbers in (("guess", guesses), ("label", wanted)):
        if numbers.size and (numbers.max() > classes or numbers.min() < 0):
            raise ValueError(f"a {name} is {numbers.max()}; the cost matrix has {classes} classes and 0 is none")
    most = costs.max() if costs.size else 0
    table = np.pad(costs, ((1, 0), (1, 0)), constant_values=most)  # row and column 0: no class, as far as can be
    table[0, 0] = 0
    smallest = np.broadcast_to(table[0], (len(wanted), classes + 1))[np.arange(len(wanted))[:, None], wanted]
    for column in guesses.T:
        smallest = np.minimum(smallest, table[column[:, None], wanted])
    each = _mean_of_rows(smallest, (wanted != 0).sum(axis=1), costs.dtype == np.uint8)
    return Score(f"top-{top} hierarchical cost", float(each.sum() / len(each)), len(each), 0, RULES)


def _mean_of_rows(cost: np.ndarray, labels: np.ndarray, as_uint8: bool) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        if not as_uint8:
            return np.asarray(cost.sum(axis=1) / labels)
        exact = np.minimum(cost.sum(axis=1, dtype=np.int64), 255) / labels
        return np.asarray(np.nan_to_num(np.floor(exact + 0.5), nan=0.0, posinf=255.0))  # Matlab's uint8(nan) is 0


def _below(children: Sequence[Sequence[int]]) -> list[set[int]]:
    """For each record the places (from 0) of itself and of all under it."""
    below = []
    for place in range(len(children)):
        found, waiting = {place}, [place]
        while waiting:
            new = {child - 1 for child in children[waiting.pop()]} - found
            found |= new
            waiting.extend(new)
        below.append(found)
    return below


def _heights(children: Sequence[Sequence[int]], below: Sequence[set[int]]) -> list[int]:
    """The longest way down from each record to a leaf."""
    heights = [0] * len(children)
    for place in sorted(range(len(children)), key=lambda place: len(below[place])):  # children before their parents
        if any(place in below[child - 1] for child in children[place]):
            raise ValueError(f"record {place + 1} is its own ancestor; the hierarchy of the kit is wanted")
        heights[place] = max((1 + heights[child - 1] for child in children[place]), default=0)
    return heights
