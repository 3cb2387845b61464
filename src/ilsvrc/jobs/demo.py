"""The challenge re-run in one command: build the mini set, race seven miniatures on it, report."""

from pathlib import Path

from ilsvrc.jobs.box_tasks import RACE
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.mini import mini
from ilsvrc.jobs.race import race
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.race_report import Race
from ilsvrc.spec import Task

# Enough images for networks without batch normalisation, few enough for minutes on two cores.
TRAIN, VAL, TEST = 5000, 1000, 400


def demo(out: Path, seed: int, bench: Bench, watch: Watch, tasks: tuple[Task, ...] = ("classification",)) -> Race:
    """Everything ends in `out`: mini/ (the images), runs/, results.json, report.html. Goes on where it stopped.

    The images of detection are drawn into mini-detection/, with the others again: mini/ stays what it was.
    """
    crowds = "detection" in tasks
    directory = out / ("mini-detection" if crowds else "mini")
    with watch.live(), watch.stage("drawing the mini set", TRAIN + VAL + TEST) as stage:
        built = mini(directory, TRAIN, VAL, TEST, seed, detection=crowds, progress=lambda done, of: stage.at(done))
    watch.say(str(built))
    command = f"ilsvrc demo --out {out} --seed {seed}"
    if tasks != ("classification",):
        command += f" --tasks {' '.join(tasks)}"
    return race(
        str(directory), out, Wishes(seed=seed, tasks=tasks, before=("xrce-2011-cls",)), bench, watch, command=command
    )


def tasks_named(words: tuple[str, ...]) -> tuple[Task, ...]:
    """The tasks of these words, in the challenge's order; 'all' is every one that can be raced."""
    every: tuple[Task, ...] = ("classification", *RACE)
    return tuple(task for task in every if "all" in words or task in words)
