"""`ilsvrc demo`, `race` and `mini`: the challenge re-run."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ilsvrc.commands.groups import Decoding
from ilsvrc.commands.options import Flag, Natural, Positive, Precision, Seed, Threads, Width

Tasks = Annotated[
    tuple[Literal["classification", "localization", "detection", "all"], ...],
    Parameter(negative="", consume_multiple=True),
]

Several = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)]


def demo(*, out: Path = Path("demo"), seed: Seed = 0, tasks: Tasks = ("classification",)) -> None:
    """Re-run the challenge in miniature: build the mini set, race eight winners, write the report (10 to 20 minutes).

    Parameters
    ----------
    out
        Where the images, the runs, results.json and report.html go.
    seed
        Of the images, the initialisations and every draw.
    tasks
        One or several of the challenge's three, or all of them.
    """
    from ilsvrc.commands.output import show_race
    from ilsvrc.jobs.demo import demo as job
    from ilsvrc.jobs.demo import tasks_named
    from ilsvrc.jobs.machine import bench, keep_memory
    from ilsvrc.reports.progress import Watch

    keep_memory()
    show_race(job(out, seed, bench(), Watch(), tasks_named(tasks)), out)


def race(
    *,
    data: Path,
    out: Path = Path("race"),
    task: Literal["classification", "localization", "detection"] = "classification",
    models: Several = (),
    entries: Several = (),
    full: Flag = False,
    epochs: Positive | None = None,
    image_size: Positive | None = None,
    width: Width | None = None,
    seed: Seed = 0,
    device: str = "auto",
    precision: Precision = "auto",
    loaders: Threads | None = None,
    images: Decoding = Decoding(),
) -> None:
    """Race the winners on a data set and write the report; started again with the same words it redoes nothing.

    Parameters
    ----------
    data
        A data set: folders of classes, the official layout, Tiny ImageNet, or a mini set.
    out
        Where the runs, results.json and report.html go.
    task
        Of the challenge's three.
    models
        Only these networks or entries; one network stands for an entry, in localization all its regressors.
    entries
        Whole entries or rows of tables: every network trained, tested by its protocol, combined, submitted, scored.
    full
        The papers' networks, sizes and recipes instead of miniatures: for a GPU and patience.
    epochs
        Shorten or stretch every recipe to so many epochs.
    image_size
        Pixels on a side, for all.
    width
        Channels over the paper's, for all.
    seed
        Of the initialisations and every draw.
    device
        auto, cpu, cuda or cuda:1.
    precision
        Of the networks' arithmetic; auto takes bf16 where the machine multiplies it in hardware.
    loaders
        Threads that decode and augment.
    """
    from ilsvrc.commands.output import show_race
    from ilsvrc.jobs import race as job
    from ilsvrc.jobs.input import reading
    from ilsvrc.jobs.machine import bench, keep_memory
    from ilsvrc.reports.progress import Watch

    keep_memory()
    more: dict[str, Any] = {"epochs": epochs, "image_size": image_size, "width": width, "seed": seed}
    read = reading(images.reference_decode, images.bad_images)
    wishes = job.Wishes(tasks=(task,), full=full, names=models, entries=entries, reading=read, **more)
    show_race(job.race(str(data), out, wishes, bench(device, precision, loaders), Watch()), out)


def mini(
    directory: Path,
    /,
    *,
    train: Natural = 1200,
    val: Natural = 400,
    test: Natural = 400,
    seed: Seed = 0,
    detection: bool = True,
) -> None:
    """Build the embedded data set: handwritten digits over photographs, in the challenge's own layout.

    Parameters
    ----------
    directory
        A new directory.
    train
        Images to learn from.
    val
        Images to be judged on.
    test
        Images whose labels are kept aside.
    seed
        The same seed gives the same images on every machine.
    detection
        Also build the variant with several objects per image.
    """
    from ilsvrc.jobs.mini import mini as job
    from ilsvrc.reports.progress import Watch

    watch = Watch()
    with watch.live(), watch.stage("drawing", train + val + test) as stage:
        built = job(directory, train, val, test, seed, detection=detection, progress=lambda done, of: stage.at(done))
    print(built)


COMMANDS = (demo, race, mini)
