"""Judge a finished run whatever its task, or a file of weights."""

from dataclasses import asdict, dataclass
from typing import Any

from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_tasks import JUDGE
from ilsvrc.jobs.computing import How
from ilsvrc.jobs.evaluate import FASTEST, Asked, Evaluation, evaluate
from ilsvrc.jobs.machine import Bench
from ilsvrc.reports.progress import Watch
from ilsvrc.scoring import Score
from ilsvrc.train.run import Run


@dataclass(frozen=True)
class BoxVerdict:
    """The scores of a run that answers with boxes."""

    scores: tuple[Score, ...]

    def lines(self) -> list[str]:
        """For people."""
        return [f"{score.metric} {score.value:.2%} of {score.images:,} images ({score.rules})" for score in self.scores]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"scores": [asdict(score) for score in self.scores]}


def verdicts(
    asked: Asked, bench: Bench, reading: Reading = USUAL, how: How = FASTEST, watch: Watch | None = None
) -> Evaluation | BoxVerdict:
    """What `evaluate` says of a classifier, or the scores of a run of another task.

    Raises DataError, WeightsError or SpecError when it is no finished run, or has no such protocol.
    """
    of_run = (asked.file / "spec.json").exists()
    task = Run(asked.file).spec()["asked"].get("task", "classification") if of_run else "classification"
    if task == "classification":
        return evaluate(asked, bench, reading, how, watch)
    if task not in JUDGE:
        raise SpecError(
            f"{asked.file} is a run of {task}, which this version cannot judge; use the one that trained it"
        )
    for given, option in ((asked.protocol, "--protocol"), (asked.save, "--save")):
        if given is not None:
            raise SpecError(f"{asked.file} is a run of {task}, which has its own protocol; leave {option} out")
    return BoxVerdict(JUDGE[task](asked.file, asked.data, asked.split, bench, reading))
