"""Judge a finished run, whatever its task."""

from pathlib import Path

from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_tasks import JUDGE
from ilsvrc.jobs.evaluate import evaluate
from ilsvrc.jobs.machine import Bench
from ilsvrc.scoring import Score
from ilsvrc.spec import Split
from ilsvrc.train.run import Run


def verdicts(
    directory: Path, path: str | None, split: Split, layout: str | None, bench: Bench, reading: Reading = USUAL
) -> tuple[Score, ...]:
    """The scores of a run on a split of the data set at `path`, or of the one it was trained on.

    Raises DataError, WeightsError or SpecError when it is no finished run, or has no such protocol.
    """
    task = Run(directory).spec()["asked"].get("task", "classification")
    if task == "classification":
        found = evaluate(directory, path, split, layout, bench, reading)
        return found.top1, found.top5
    if task not in JUDGE:
        raise SpecError(f"{directory} is a run of {task}, which this version cannot judge; use the one that trained it")
    if layout is not None:
        raise SpecError(f"{directory} is a run of {task}, which has its own protocol; leave --protocol out")
    return JUDGE[task](directory, path, split, bench, reading)
