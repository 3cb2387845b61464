"""The thousand classes of the classification task, 2012 to 2017: ids, words and both numberings, as a small table.

From the development kit of 2012 (meta.mat: WNID, ILSVRC2012_ID, words).
"""

from functools import cache
from importlib.resources import files

import numpy as np

from ilsvrc.data.sample import Classes


@cache
def classes() -> Classes:
    """The classes in label order, by WordNet id."""
    return Classes(tuple(row[0] for row in _rows()), tuple(row[2] for row in _rows()))


@cache
def devkit_places() -> np.ndarray:
    """(1000,): of each label its place in the order of the kit of 2012, ILSVRC2012_ID - 1.

    Scores in the kit's order become scores by label as scores[:, devkit_places()].
    """
    places = np.array([int(row[1]) - 1 for row in _rows()], dtype=np.int64)
    places.flags.writeable = False
    return places


@cache
def _rows() -> tuple[list[str], ...]:
    lines = files("ilsvrc.data").joinpath("imagenet.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(line.split("\t") for line in lines[1:])
