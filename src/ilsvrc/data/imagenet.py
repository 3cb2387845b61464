"""The classes of the challenge, ids, words and numberings, as small tables: 1,000 of classification, 200 of detection.

From the development kits: meta.mat of 2012 (WNID, ILSVRC2012_ID, words, num_train_images) and meta_det.mat of 2014
(WNID, ILSVRC2013_DET_ID, name).
"""

from functools import cache
from importlib.resources import files

import numpy as np

from ilsvrc.data.sample import Classes


@cache
def classes() -> Classes:
    """The classes of classification, 2012 to 2017, in label order, by WordNet id."""
    return Classes(tuple(row[0] for row in _rows("imagenet")), tuple(row[2] for row in _rows("imagenet")))


@cache
def detection_classes() -> Classes:
    """The classes of detection, 2013 to 2017, in label order, by WordNet id."""
    return Classes(tuple(row[0] for row in _rows("detection")), tuple(row[2] for row in _rows("detection")))


@cache
def devkit_places() -> np.ndarray:
    """(1000,): of each label its place in the order of the kit of 2012, ILSVRC2012_ID - 1.

    Scores in the kit's order become scores by label as scores[:, devkit_places()].
    """
    return _numbers("imagenet", 1) - 1


@cache
def detection_ids() -> np.ndarray:
    """(200,): of each label of detection its number in the kits from 2013 on, ILSVRC2013_DET_ID."""
    return _numbers("detection", 1)


@cache
def train_images() -> np.ndarray:
    """(1000,): of each label how many training images the kit of 2012 says the class has: 732 to 1,300."""
    return _numbers("imagenet", 3)


def _numbers(table: str, column: int) -> np.ndarray:
    numbers = np.array([int(row[column]) for row in _rows(table)], dtype=np.int64)
    numbers.flags.writeable = False
    return numbers


@cache
def _rows(table: str) -> tuple[list[str], ...]:
    lines = files("ilsvrc.data").joinpath(f"{table}.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(line.split("\t") for line in lines[1:])
