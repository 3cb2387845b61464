"""The numbers by which files call the classes, with the WordNet id as the pivot.

A kit numbers from 1 in an order of its own (1 is n02119789, kit fox). Frameworks number from 0 by sorted WNID (0 is
n01440764, tench). Kaggle and the TFRecords number from 1 by sorted WNID. The authors of SENet number from 0 in the
kit's order. Mixing two of them up gives an error near 1 without a word of warning.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Numbering = Literal["kit", "kit-from-0", "sorted", "sorted-from-1"]
NUMBERINGS: tuple[Numbering, ...] = get_args(Numbering)


def none_of(numbering: Numbering) -> int:
    """The number that stands for no class: 0 where classes count from 1, -1 where they count from 0."""
    return 0 if numbering in ("kit", "sorted-from-1") else -1


def numbered(wnids: Sequence[str], numbering: Numbering) -> dict[str, int]:
    """From WNID to number. wnids are the classes in the kit's order, without repetitions."""
    order = list(wnids) if numbering.startswith("kit") else sorted(wnids)
    return {wnid: number for number, wnid in enumerate(order, none_of(numbering) + 1)}


def renumber(
    labels: np.ndarray,
    source: Numbering,
    source_wnids: Sequence[str],
    target: Numbering,
    target_wnids: Sequence[str] | None = None,
) -> np.ndarray:
    """The same classes by other numbers, of the shape of labels, int64; none stays none.

    source_wnids and target_wnids are the classes of either side in the kit's order (one and the same by default).
    Raises ValueError for a number the source has not, or a class that the target lacks.
    """
    known = numbered(source_wnids, source)
    wanted = numbered(source_wnids if target_wnids is None else target_wnids, target)
    first = none_of(source)
    given = np.asarray(labels)
    if given.size and (given.min() < first or given.max() > first + len(known)):
        strange = given.max() if given.max() > first + len(known) else given.min()
        raise ValueError(
            f"{strange} is no class: {source} numbers {first + 1} to {first + len(known)}, none is {first}"
        )
    table = np.array([none_of(target), *(wanted.get(wnid, LACKING) for wnid in known)], dtype=np.int64)
    found = table[given.astype(np.int64) - first]
    if (found == LACKING).any():
        lacking = list(known)[int(given[found == LACKING][0]) - first - 1]
        raise ValueError(f"{lacking} is guessed, but is not among the {len(wanted)} classes to be numbered anew")
    return np.asarray(found)


LACKING = -2
