"""The way of a training for boxes through its epochs: stopped, saved, and gone on with."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ilsvrc.jobs.interrupt import Interruption, Stopped
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.train import Reins
from ilsvrc.reports.progress import Watch
from ilsvrc.train import checkpoint
from ilsvrc.train.keeper import Keeper
from ilsvrc.train.loop import Course, Place, train
from ilsvrc.train.run import Run

INPUT = "input.safetensors"  # in a run's directory: what its networks are shown


class Work(Protocol):
    """A training under way: what it is called, what moves it, and its directory."""

    name: str
    seed: int
    of: int  # epochs
    steps: int  # in each
    run: Run
    bench: Bench
    optimizer: torch.optim.Optimizer
    keeper: Keeper
    epochs: list[dict[str, Any]]  # as logged
    rate: Callable[[float], float]

    @property
    def network(self) -> nn.Module:
        """What learns."""
        ...

    def batches(self, place: Place) -> Any:
        """The rest of the epoch at `place`."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        """The loss of a batch."""
        ...

    def before_step(self, model: nn.Module, t: float) -> None:
        """The step at epoch t is about to be taken."""
        ...

    def before_update(self, model: nn.Module) -> None:
        """Gradients are there."""
        ...

    def after_update(self, model: nn.Module) -> None:
        """Weights are new."""
        ...

    def close_epoch(self, place: Place, measured: dict[str, float]) -> str:
        """Log and save; the epoch in a few words."""
        ...


def go(work: Work, watch: Watch, moved: Callable[[float], None], remark: Callable[[], None] = lambda: None) -> None:
    """Take the steps that are left; remark, first and after each epoch, says what is new of the data.

    Raises Stopped when a signal asked to stop, and the place is saved.
    """
    name = work.name
    start = work.keeper.load(watch.say) or Place()
    work.epochs = work.run.log()[: start.epoch]
    interruption = Interruption()
    with interruption, watch.stage(name, work.of) as stage:
        reins = Reins(interruption, work.bench.processes)
        remark()

        def after_epoch(place: Place, measured: dict[str, float]) -> None:
            line = reins.saving(lambda: work.close_epoch(place, measured))
            stage.at(place.epoch, line)
            remark()
            watch.say(f"  {name:>18}  epoch {place.epoch:>2} of {work.of}  {line}")

        def pause(place: Place) -> bool:
            epochs = place.epoch + place.step / work.steps
            stage.at(epochs)
            moved(epochs / work.of)
            return reins.asked()

        course = Course(
            epochs=work.of,
            start=start,
            seed=work.seed,
            after_epoch=after_epoch,
            pause=pause,
            due=lambda: reins.due,
            save=lambda place: reins.saving(lambda: work.keeper.save(place)),
            before_step=work.before_step,
            before_update=work.before_update,
            after_update=work.after_update,
        )
        place = train(work.network, work.batches, work.optimizer, rate=work.rate, loss=work.loss, run=course)
        if place.epoch < work.of:
            work.keeper.save(place)
            raise Stopped(
                f"stopped in epoch {place.epoch + 1} of {name}, saved in {work.run.directory}; "
                "the same command goes on from there",
                reins.signal or 2,
            )


def take(run: Run, files: Mapping[str, Path]) -> None:
    """Copy what a training starts from into its run, by the names it has there, so that the run stands alone."""
    for name, source in files.items():
        if not (run.directory / name).exists():
            content = source.read_bytes()
            checkpoint.write_whole(run.directory / name, partial(Path.write_bytes, data=content))


def close(work: Work, place: Place, measured: dict[str, float], more: Mapping[str, float]) -> float:
    """Log an epoch, with `more` that was found out about it, and save; images per second."""
    before = work.epochs[-1]["seconds"] if work.epochs else 0.0
    speed = measured["images"] / measured["seconds"]
    work.epochs.append(
        {
            "epoch": place.epoch,
            "loss": measured["loss"],
            **more,
            "rate": work.rate(place.epoch - 1e-6),
            "seconds": before + measured["seconds"],
            "images_per_second": speed,
            "images": measured["images"],
        }
    )
    work.run.write_log(work.epochs)
    work.keeper.save(place)
    return speed
