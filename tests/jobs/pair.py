"""What two processes do in the tests of test_processes.py: several small trainings in one start of torchrun.

Run by torchrun with a data set and a folder for the runs.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from small import BENCH, Told, training, uneven

from ilsvrc.errors import IlsvrcError
from ilsvrc.jobs import train as job
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.train import run_training
from ilsvrc.train.parallel import How, Processes, join, seat
from ilsvrc.train.run import Run


def of(processes: Processes, how: How) -> job.Bench:
    """The tests' bench for these processes, divided in that way."""
    processes.how = how
    return replace(BENCH, processes=processes)


def stopped(model: str, bench: job.Bench, splits: Splits, directory: Path, steps: int) -> None:
    """Train until the second process is told to stop, after so many of its steps."""
    taken = []

    def moved(fraction: float) -> None:
        taken.append(fraction)
        if len(taken) == steps and not bench.processes.first:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        run_training(training(model), splits, directory, bench, Told(), moved=moved)
    except Stopped as stop:
        (directory / f"stopped.{bench.processes.rank}").write_text(f"{stop.number} {len(taken)}")


def refused(processes: Processes, splits: Splits, directory: Path) -> None:
    """What cannot be, into files: the same sentence in both."""
    odd = training(batch=15)
    few = training(batch=58)
    ddp = of(processes, "ddp")
    small = replace(few, member=replace(few.member, image_size=32))
    for name, asked, bench in (("odd", odd, ddp), ("small", small, ddp)):
        try:
            run_training(asked, splits, directory / name, bench, Told())
        except IlsvrcError as error:
            (directory / f"{name}.{processes.rank}").write_text(str(error))


def main() -> None:
    """All of it."""
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    processes = join(seat(), "sync")
    splits = open_splits(str(data))
    for how in ("sync", "ddp", "fsdp"):
        models = ("resnet18",) if how == "ddp" else ("alexnet", "resnet18")
        for model in models:
            run_training(training(model), splits, folder / f"{how}.{model}", of(processes, how), Told())
    for how in ("sync", "fsdp"):
        for model in ("alexnet", "resnet18"):
            run_training(training(model), uneven(splits), folder / f"uneven.{how}.{model}", of(processes, how), Told())
    for how in ("sync", "fsdp"):
        bench, directory = of(processes, how), folder / f"stopped.{how}"
        stopped("resnet18", bench, splits, directory, 6)
        job.SAVE_EVERY = 0.0
        watch = Told()
        run_training(training("resnet18"), splits, directory, bench, watch)
        job.SAVE_EVERY = 600.0
        (directory / f"told.{processes.rank}").write_text("\n".join(watch.lines))
    # A damaged newest state, split over both.
    directory = folder / "damaged.fsdp"
    stopped("resnet18", of(processes, "fsdp"), splits, directory, 6)
    if processes.first:
        shard = Run(directory).shards / "__1_0.distcp"
        shard.write_bytes(shard.read_bytes()[:-2000])
    watch = Told()
    run_training(training("resnet18"), splits, directory, of(processes, "fsdp"), watch)
    (directory / f"told.{processes.rank}").write_text("\n".join(watch.lines))
    refused(processes, splits, folder)
    processes.leave()


main()
