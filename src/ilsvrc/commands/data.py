"""`ilsvrc index`: data sets as they are distributed."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

JsonFlag = Annotated[bool, Parameter(negative="")]


def index(archive: Path, /, *, json: JsonFlag = False) -> None:
    """Index a tar of images, so that it is read in place: one pass over the headers, then any image by its offset.

    The index is a small file beside the archive, or in the user's cache where that may not be written. It is refused
    when the archive has changed.

    Parameters
    ----------
    archive
        A plain tar, such as ILSVRC2012_img_train.tar (a tar of 1,000 tars) or ILSVRC2012_img_val.tar.
    json
        Print JSON, for machines.
    """
    from dataclasses import asdict

    from ilsvrc.commands.output import print_json
    from ilsvrc.jobs.index import index as job
    from ilsvrc.reports.progress import Watch

    watch = Watch(quiet=json)
    with watch.live(), watch.stage("reading headers", 1) as stage:
        made = job(archive, lambda done, of: stage.at(done / of))
    if json:
        return print_json({**asdict(made), "archive": str(made.archive), "written": str(made.written)})
    return print(made)


COMMANDS = (index,)
