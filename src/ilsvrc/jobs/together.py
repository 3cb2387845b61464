"""Members of an ensemble whatever their task: what classifiers said is averaged, detectors look again together."""

from collections.abc import Sequence
from pathlib import Path

from ilsvrc.errors import SpecError
from ilsvrc.jobs.detect_ensemble import ensemble as detectors
from ilsvrc.jobs.ensemble import ensemble, parsed
from ilsvrc.jobs.localize_ensemble import ensemble as localizers
from ilsvrc.jobs.machine import bench
from ilsvrc.reports.box_ensemble_tables import BoxEnsemble
from ilsvrc.reports.ensemble_tables import Ensemble
from ilsvrc.reports.progress import Watch
from ilsvrc.train.run import Run


def together(
    sources: Sequence[Path], weights: str, out: Path | None, meta: Path | None, device: str, watch: Watch
) -> Ensemble | BoxEnsemble:
    """Combine score files and runs, as `ensemble`; or runs of localization or detection, which look again on `device`.

    Raises DataError for what cannot be read, SpecError for members that do not fit together and for options that the
    task does not have.
    """
    tasks = [_task(source) for source in sources]
    task = next((task for task in tasks if task != "classification"), None)
    if task is None:
        return ensemble(sources, parsed(weights), out, meta)
    first = sources[tasks.index(task)]
    for source, other in zip(sources, tasks, strict=True):
        if other != task:
            raise SpecError(f"{first} is a run of {task} and {source} is not; members of an ensemble share their task")
    if parsed(weights) != "equal":
        count = "all count the same" if task == "detection" else "count as their entries say"
        raise SpecError(f"{first} is a run of {task}, whose networks {count}; leave --weights out")
    if task == "localization":
        return localizers(sources, out, meta, bench(device), watch)
    if meta is not None:
        raise SpecError(f"{first} is a run of detection, whose numbers are those of its data's kit; leave --meta out")
    return detectors(sources, out, bench(device), watch)


def _task(source: Path) -> str:
    """The task of a run; score files, and runs from before there were tasks, are of classification."""
    return str(Run(source).spec()["asked"].get("task", "classification")) if source.is_dir() else "classification"
