"""`ilsvrc index`, `check`, `statistics` and `pack`: data sets as they are distributed, and as they are fast."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
JsonFlag = Annotated[bool, Parameter(negative="")]


def index(archive: Path, /, *, json: JsonFlag = False) -> None:
    """Index a tar of images, so that it is read in place: one pass over the headers, then any image by its offset.

    The index is a small file beside the archive, or in the user's cache where that may not be written. It is refused
    when the archive has changed.

    Parameters
    ----------
    archive
        A plain tar, such as ILSVRC2012_img_train.tar (a tar of 1,000 tars) or ILSVRC2012_img_val.tar; a zip; a
        directory of shards; or the URL of one, whose table is then kept in the user's cache.
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


def check(
    data: Path, /, *, json: JsonFlag = False, fix_list: Path | None = None, workers: Positive | None = None
) -> int:
    """Check a data set: counts, boxes, labels and whether every image can be decoded; it leaves with 1 when not sound.

    Parameters
    ----------
    data
        A data set in any form that is read.
    json
        Print JSON, for machines.
    fix_list
        Write the names of the images to leave out, one a line.
    workers
        Threads that decode; as many as there are processors by default.
    """
    import os

    from ilsvrc.commands.output import print_json
    from ilsvrc.jobs.check import check as job
    from ilsvrc.reports.progress import Watch

    watch = Watch(quiet=json)
    threads = workers or os.cpu_count() or 1
    with watch.live(), watch.stage("decoding", 1) as stage:
        report = job(str(data), workers=threads, fix_list=fix_list, progress=lambda done, of: stage.at(done / of))
    print_json(report.as_json()) if json else print("\n".join(report.lines()))
    return 0 if report.sound else 1


def statistics(
    data: Path,
    /,
    *,
    out: Path = Path("statistics.json"),
    split: Literal["train", "val", "test"] = "train",
    size: Positive | None = None,
    images: Positive | None = None,
    json: JsonFlag = False,
    workers: Positive | None = None,
) -> None:
    """Compute mean, deviation and principal axes of a data set's colours, and with a size the mean image.

    All are of RGB pixels as fractions of 255, and are written with what they were computed from. The result is the
    same for any number of workers.

    Parameters
    ----------
    data
        A data set in any form that is read.
    out
        The JSON file to write; a mean image is written beside it, as .mean.npz.
    split
        The images to compute from.
    size
        Take the central square of so many pixels, after scaling the shorter side to it; whole images by default.
    images
        Take so many images, evenly spaced; all by default.
    json
        Print JSON, for machines.
    workers
        Threads that decode; as many as there are processors by default.
    """
    import os

    from ilsvrc.commands.output import print_json
    from ilsvrc.jobs.statistics import statistics as job
    from ilsvrc.jobs.statistics import write_statistics
    from ilsvrc.reports.progress import Watch

    watch, threads = Watch(quiet=json), workers or os.cpu_count() or 1
    with watch.live(), watch.stage("adding up", 1) as stage:
        found = job(
            str(data), split=split, size=size, images=images, workers=threads, progress=lambda k, n: stage.at(k / n)
        )
    written = write_statistics(found, out)
    if json:
        return print_json(found.as_json())
    return print("\n".join([*found.lines(), f"written to {' and '.join(map(str, written))}"]))


def pack(
    data: Path,
    out: Path,
    /,
    *,
    splits: Annotated[tuple[Literal["train", "val", "test"], ...], Parameter(negative="")] = ("train", "val"),
    short_side: Positive | None = None,
    max_side: Positive | None = None,
    quality: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=100))] = 95,
    raw: JsonFlag = False,
    leave_out: Path | None = None,
    workers: Positive | None = None,
) -> None:
    """Pack a data set into shards that are fast to read; started again after a stop it goes on where it was.

    Without a side the images keep their bytes. Boxes move with the pixels. Images are never enlarged.

    Parameters
    ----------
    data
        A data set in any form that is read.
    out
        A new directory, or one that the same command has begun.
    splits
        What to pack; repeat the option for several.
    short_side
        Pixels of the shorter side.
    max_side
        Pixels of the longer side at most.
    quality
        Of the JPEG files written.
    raw
        Write pixels, not JPEG: larger, and nothing is left to decode.
    leave_out
        A list of images to leave out, as check --fix-list writes it.
    workers
        Threads that decode, resize and encode; as many as there are processors by default.
    """
    import os

    from ilsvrc.jobs.pack import Packing
    from ilsvrc.jobs.pack import pack as job
    from ilsvrc.reports.progress import Watch

    watch = Watch()
    packing = Packing(short_side, max_side, quality, raw)
    with watch.live(), watch.stage("packing", 1) as stage:
        threads = workers or os.cpu_count() or 1
        done = job(str(data), out, packing, splits, threads, lambda k, n: stage.at(k / n), leave_out)
    print(done)


COMMANDS = (index, check, statistics, pack)
