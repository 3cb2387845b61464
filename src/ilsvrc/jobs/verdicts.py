"""Judge a finished run whatever its task, or a file of weights."""

from dataclasses import asdict, dataclass
from pathlib import Path
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

    scores: tuple[Score, ...]  # none of a split of which nothing is known
    saved: Path | None = None

    def lines(self) -> list[str]:
        """For people."""
        lines = [
            f"{score.metric} {score.value:.2%} of {score.images:,} images ({score.rules})" for score in self.scores
        ]
        if not lines:
            lines.append("images without a truth, so no score")
        return lines + ([f"submission: {self.saved}"] if self.saved else [])

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        saved = None if self.saved is None else str(self.saved)
        return {"scores": [asdict(score) for score in self.scores], "saved": saved}


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
    if asked.protocol is not None:
        raise SpecError(f"{asked.file} is a run of {task}, which has its own protocol; leave --protocol out")
    if asked.save is not None and asked.save.suffix == ".npz":
        raise SpecError(
            f"{asked.file} is a run of {task}, of which a submission is kept, as text; name it {asked.save.stem}.txt"
        )
    if asked.save is not None and not asked.save.absolute().parent.is_dir():
        raise SpecError(f"{asked.save.parent} is no folder to write a submission into; make it, or name another file")
    return BoxVerdict(JUDGE[task](asked.file, asked.data, asked.split, bench, reading, asked.save), asked.save)
