"""What two processes do in the tests of test_processes.py: several small trainings in one start.

Run with a data set and a folder for the runs.
"""

import copy
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from forked import together
from small import BENCH, SIX, Told, averaged, training, uneven

from ilsvrc.cli import run as command
from ilsvrc.errors import IlsvrcError
from ilsvrc.jobs import train as job
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.preflight import built
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.train.parallel import How, Processes, join, seat
from ilsvrc.train.run import Run


def of(processes: Processes, how: How) -> job.Bench:
    """The tests' bench for these processes, divided in that way."""
    processes.how = how
    return replace(BENCH, processes=processes)


def stopped(asked: Training, bench: job.Bench, splits: Splits, directory: Path, steps: int) -> None:
    """Train until the second process is told to stop, after so many of its steps."""
    taken = []

    def moved(fraction: float) -> None:
        taken.append(fraction)
        if len(taken) == steps and not bench.processes.first:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        run_training(asked, splits, directory, bench, Told(), moved=moved)
    except Stopped as stop:
        (directory / f"stopped.{bench.processes.rank}").write_text(f"{stop.number} {len(taken)}")


def gradients(processes: Processes, model: str, images: int) -> float:
    """How far a step's gradients of two processes are from those of one, over the largest of their tensor.

    In double: in single precision a rounding may flip a ReLU or a pool's maximum, which is no rounding any more.
    """
    asked = training(model)
    one = built(asked, 20, BENCH.device).double().train()
    generator = torch.Generator().manual_seed(images)
    inputs = torch.randn(images, 3, 48, 48, generator=generator, dtype=torch.float64)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 20, (images,), generator=generator)
    two = copy.deepcopy(one)
    torch.manual_seed(1)
    F.cross_entropy(one(inputs), labels).backward()
    processes.how = "sync"
    model_of_two, weight = processes.spread(two), processes.weigh(images)
    mine = slice(processes.share(images).start, processes.share(images).stop)
    torch.manual_seed(1)
    (F.cross_entropy(model_of_two(inputs[mine]), labels[mine]) * weight).backward()
    pairs = zip(two.parameters(), one.parameters(), strict=True)
    buffers = zip(two.buffers(), one.buffers(), strict=True)
    tensors = [(ours.grad, theirs.grad) for ours, theirs in pairs] + list(buffers)
    return max(float((ours - theirs).abs().max() / theirs.abs().max()) for ours, theirs in tensors)


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


def work(data: Path, folder: Path) -> None:
    """All of it, in one of them."""
    processes = join(seat(), "sync")
    splits = open_splits(str(data))
    for how in ("sync", "ddp", "fsdp"):
        models = ("resnet18",) if how == "ddp" else ("alexnet", "resnet18")
        for model in models:
            run_training(training(model), splits, folder / f"{how}.{model}", of(processes, how), Told())
    found = {f"{model} {n}": gradients(processes, model, n) for model in ("alexnet", "resnet18") for n in (12, 11, 3)}
    (folder / f"gradients.{processes.rank}").write_text(json.dumps(found))
    for how in ("sync", "fsdp"):
        run_training(training("alexnet"), uneven(splits), folder / f"uneven.{how}", of(processes, how), Told())
    for how in ("sync", "fsdp"):
        bench, directory = of(processes, how), folder / f"stopped.{how}"
        stopped(training("resnet18"), bench, splits, directory, 6)
        job.SAVE_EVERY = 0.0
        watch = Told()
        run_training(training("resnet18"), splits, directory, bench, watch)
        job.SAVE_EVERY = 600.0
        (directory / f"told.{processes.rank}").write_text("\n".join(watch.lines))
    for steps in (5, 0):  # averages and recomputed statistics, stopped in the second epoch and continued; and whole
        bench, directory = of(processes, "sync"), folder / f"averaged.{steps}"
        if steps:
            stopped(averaged(), bench, splits, directory, steps)
        run_training(averaged(), splits, directory, bench, Told())
    # A damaged newest state, split over both.
    directory = folder / "damaged.fsdp"
    stopped(training("resnet18"), of(processes, "fsdp"), splits, directory, 6)
    if processes.first:
        shard = Run(directory).shards / "__1_0.distcp"
        shard.write_bytes(shard.read_bytes()[:-2000])
    watch = Told()
    run_training(training("resnet18"), splits, directory, of(processes, "fsdp"), watch)
    (directory / f"told.{processes.rank}").write_text("\n".join(watch.lines))
    refused(processes, splits, folder)
    processes.leave()


def commanded(data: Path, folder: Path) -> None:
    """Six epochs of the command, which nobody disturbs."""
    sys.exit(command([*SIX, "--data", str(data), "--out", str(folder / "six")]))


together(2, work, Path(sys.argv[1]), Path(sys.argv[2]))
together(2, commanded, Path(sys.argv[1]), Path(sys.argv[2]))
