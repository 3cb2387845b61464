"""Members of an ensemble whatever their task: what classifiers said is averaged, detectors look again together."""

from collections.abc import Sequence
from pathlib import Path

from ilsvrc.errors import SpecError
from ilsvrc.jobs.detect_ensemble import ensemble as detectors
from ilsvrc.jobs.ensemble import ensemble, parsed
from ilsvrc.jobs.machine import bench
from ilsvrc.reports.detector_tables import DetectorEnsemble
from ilsvrc.reports.ensemble_tables import Ensemble
from ilsvrc.reports.progress import Watch
from ilsvrc.train.run import Run


def together(
    sources: Sequence[Path], weights: str, out: Path | None, meta: Path | None, device: str, watch: Watch
) -> Ensemble | DetectorEnsemble:
    """Combine score files and runs, as `ensemble`; or detection runs on that device, which count equally.

    Raises DataError for what cannot be read, SpecError for members that do not fit together and for options that the
    task does not have.
    """
    tasks = [_task(source) for source in sources]
    if "detection" not in tasks:
        return ensemble(sources, parsed(weights), out, meta)
    first = sources[tasks.index("detection")]
    for source, task in zip(sources, tasks, strict=True):
        if task != "detection":
            raise SpecError(
                f"{first} is a run of detection and {source} is not; members of an ensemble share their task"
            )
    if parsed(weights) != "equal":
        raise SpecError(f"{first} is a run of detection, whose networks all count the same; leave --weights out")
    if meta is not None:
        raise SpecError(f"{first} is a run of detection, whose numbers are those of its data's kit; leave --meta out")
    return detectors(sources, out, bench(device), watch)


def _task(source: Path) -> str:
    """The task of a run; score files, and runs from before there were tasks, are of classification."""
    return str(Run(source).spec()["asked"].get("task", "classification")) if source.is_dir() else "classification"
