"""The trainings of a race, one after another; those that are done already are only read."""

from pathlib import Path

from ilsvrc.entries.titles import TITLES
from ilsvrc.jobs.clock import Clock
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.lap import expected_seconds
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.stores import Stores
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.reports.formats import duration
from ilsvrc.reports.progress import Watch
from ilsvrc.train.run import Run


def run_all(trainings: dict[str, Training], splits: Splits, runs: Path, bench: Bench, watch: Watch) -> dict[str, Run]:
    """Each by the name of its directory in `runs`, in the order given.

    Raises as run_training does.
    """
    stores, done = Stores(), {}
    clock = _clock(trainings, splits, runs, bench, watch)
    with watch.stage("race", 1.0) as whole:
        for number, (name, training) in enumerate(trainings.items(), 1):
            run = Run(runs / name)

            def moved(fraction: float) -> None:
                left, gone = clock.left(fraction), clock.gone()
                whole.at(gone / max(gone + left, 1e-9), f"about {duration(left)} left")

            if not run.scores.exists():
                watch.say(
                    f"{number} of {len(trainings)}: {_told(training)}, about {duration(clock.left())} left in all"
                )
            clock.start(name)
            done[name] = run_training(training, splits, run.directory, bench, watch, stores, moved)
            clock.done(name)
    return done


def _clock(trainings: dict[str, Training], splits: Splits, runs: Path, bench: Bench, watch: Watch) -> Clock:
    """An estimate from a lap of each network that still has to run; copies take as long as the first."""
    waiting = {name: training for name, training in trainings.items() if not Run(runs / name).scores.exists()}
    expected: dict[str, float] = {}
    known: dict[object, float] = {}
    with watch.stage("a lap of each", len(waiting)) as stage:
        for number, (name, training) in enumerate(waiting.items()):
            stage.at(number, training.member.model)
            alike = (training.member, training.epochs)
            if alike not in known:
                known[alike] = expected_seconds(training, splits, bench)
            expected[name] = known[alike]
    return Clock(expected)


def _told(training: Training) -> str:
    member = training.member
    small = "" if member.width == 1 else f" at {member.width:g} of its width"
    return f"{TITLES[member.model]}{small}, {training.size} px, {training.epochs} epochs"
