"""The challenge re-run in one command: build the mini set, race seven miniatures on it, report."""

from pathlib import Path

from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.mini import mini
from ilsvrc.jobs.race import Wishes, race
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.race_report import Race

# Enough images for networks without batch normalisation, few enough for minutes on two cores.
TRAIN, VAL, TEST = 5000, 1000, 400


def demo(out: Path, seed: int, bench: Bench, watch: Watch) -> Race:
    """Everything ends in `out`: mini/ (the images), runs/, results.json, report.html. Goes on where it stopped."""
    directory = out / "mini"
    with watch.live(), watch.stage("drawing the mini set", TRAIN + VAL + TEST) as stage:
        built = mini(directory, TRAIN, VAL, TEST, seed, detection=False, progress=lambda done, of: stage.at(done))
    watch.say(str(built))
    return race(str(directory), out, Wishes(seed=seed), bench, watch, command=f"ilsvrc demo --out {out} --seed {seed}")
