"""`ilsvrc detect` and `ilsvrc proposals`: what a detector finds in images, and where an R-CNN is to look."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from ilsvrc.commands.options import Flag
from ilsvrc.errors import DataError

Runs = Annotated[tuple[Path, ...], Parameter(negative="")]
Images = Annotated[tuple[str, ...], Parameter(negative="")]
Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Share = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1))]


def detect(
    images: Images,
    /,
    *,
    run: Runs,
    out: Path | None = Path("detections"),
    least: Share = 0.5,
    proposals: Path | None = None,
    device: str = "auto",
    json: Flag = False,
) -> None:
    """Find objects in images and draw them: a PNG beside each image's name, with boxes, classes and confidences.

    Parameters
    ----------
    images
        Files, folders (with what is below them) and patterns such as 'photos/*.jpg'.
    run
        The directory of a finished detection training, by all its networks; repeat it for several that judge together.
    out
        Where the drawings go.
    least
        The confidence from which an object is told and drawn.
    proposals
        For an R-CNN: a file of the images' proposals, .npz or .mat; by default they are computed, as for its training.
    device
        auto, cpu, cuda or cuda:1.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_sights
    from ilsvrc.jobs.detector import detect_images
    from ilsvrc.jobs.machine import bench, keep_memory
    from ilsvrc.jobs.predict import images as named

    keep_memory()
    faults = print_sights(detect_images(run, named(images), out, least, bench(device), proposals), json)
    if faults:
        raise DataError(f"{faults} of the images could not be read, as said above; replace them or leave them out")


def proposals(
    data: Path,
    /,
    *,
    splits: Annotated[tuple[Literal["train", "val", "test"], ...], Parameter(negative="")] = ("train", "val"),
    entry: str = "googlenet-2014-det",
    recipe: Literal["paper", "miniature"] = "paper",
    workers: Positive | None = None,
) -> None:
    """Compute by selective search where an R-CNN is to look; started again after a stop it goes on where it was.

    They are written beside the images, proposals/SPLIT.npz, where trainings look for them. It takes OpenCV:
    pip install 'ilsvrc[proposals]'.

    Parameters
    ----------
    data
        A detection set, or a mini set built with detection.
    splits
        The images to search; repeat the option for several.
    entry
        The entry whose search it is.
    recipe
        paper: at the size of the entry; miniature: for the small images that its miniature sees.
    workers
        Threads that search; as many as there are processors by default.
    """
    import os

    from ilsvrc.jobs.propose import propose, search_of
    from ilsvrc.reports.progress import Watch

    watch, how = Watch(), search_of(entry, recipe)
    for split in splits:
        with watch.live(), watch.stage(f"searching {split}", 1) as stage:
            done = propose(str(data), split, how, workers or os.cpu_count() or 1, lambda k, n: stage.at(k / n))
        print(done)


COMMANDS = (detect, proposals)
