"""`ilsvrc localize`: where, not only what."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ilsvrc.commands.options import Flag, Positive, Precision


def localize(
    images: Annotated[tuple[str, ...], Parameter(negative="")],
    /,
    *,
    run: Path,
    out: Path | None = Path("localized"),
    top: Positive = 1,
    device: str = "auto",
    precision: Precision = "auto",
    json: Flag = False,
) -> int:
    """Say what is in images and where: the five best classes and a box for each, drawn on a copy of the image.

    Parameters
    ----------
    images
        Files, folders, or patterns such as 'photos/*.jpg'.
    run
        A localization run of `ilsvrc train` or `race`; boxes of several regressors in it are merged.
    out
        A folder for the drawings, a PNG of each image's name.
    top
        So many of the five classes are told and drawn.
    device
        auto, cpu, cuda or cuda:1.
    precision
        Of the networks' arithmetic.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_places
    from ilsvrc.jobs.localize import localize as job
    from ilsvrc.jobs.machine import bench, keep_memory

    keep_memory()
    return 1 if print_places(job(run, images, out, top, bench(device, precision)), json=json) else 0


COMMANDS = (localize,)
