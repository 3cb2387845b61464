"""`ilsvrc detect`: what a finished detector finds in images on disk."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from ilsvrc.commands.options import Flag
from ilsvrc.errors import DataError

Images = Annotated[tuple[str, ...], Parameter(negative="")]
Share = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=1))]


def detect(
    images: Images,
    /,
    *,
    run: Path,
    out: Path | None = Path("detections"),
    least: Share = 0.5,
    device: str = "auto",
    json: Flag = False,
) -> None:
    """Find objects in images and draw them: a PNG beside each image's name, with boxes, classes and confidences.

    Parameters
    ----------
    images
        Files, folders (with what is below them) and patterns such as 'photos/*.jpg'.
    run
        The directory of a finished detection training.
    out
        Where the drawings go.
    least
        The confidence from which an object is told and drawn.
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
    faults = print_sights(detect_images(run, named(images), out, least, bench(device)), json)
    if faults:
        raise DataError(f"{faults} of the images could not be read, as said above; replace them or leave them out")


COMMANDS = (detect,)
