"""Runs of several networks: each network is a run of its own inside, the run about them has what they score together.

The spec.json of such a run has the words of every network, and under `fused` how many there are. Localization has its
regressors so, and detection its detectors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ilsvrc.spec import Entry
from ilsvrc.train.run import Run

PART = {"localization": "regressor", "detection": "network"}  # what one of several is called, by task


def joined(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The words of a run of several networks: the first's, how many there are, and those of the others."""
    part = PART[each[0]["task"]]
    return {**each[0], "fused": len(each), **{f"{part}{number}": said for number, said in enumerate(each[1:], 2)}}


def places(directory: Path, task: str, count: int) -> tuple[Path, ...]:
    """Where each of several networks is trained, in the order of the entry's members."""
    return tuple(directory / f"{PART[task]}{number}" for number in range(1, count + 1))


def parts_of(directory: Path) -> tuple[Path, ...]:
    """The runs of the networks of a run: itself, or where it joins several, those in it.

    Raises DataError when it is no run.
    """
    asked = Run(directory).spec()["asked"]
    count, task = asked.get("fused", 1), asked.get("task")
    several = task in PART and isinstance(count, int) and count > 1
    return places(directory, task, count) if several else (directory,)


def classifier_name(entry: Entry, one: Entry) -> str:
    """The folder of the classifier that an entry's member starts from: members of one network share theirs."""
    model = one.members[0].model
    return "classifier" if model == entry.members[0].model else f"classifier.{model}"
