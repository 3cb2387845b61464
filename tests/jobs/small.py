"""Trainings that take a second: a narrow network, small images, few epochs."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.entries.miniature import NORMALISED, PLAIN, PROTOCOL
from ilsvrc.jobs.computing import How
from ilsvrc.jobs.evaluate import Asked, Evaluation, evaluate
from ilsvrc.jobs.input import Chosen, Splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.train import Training, run_training
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import BatchNorm, Member, MovingAverage

SIZE = 48
BENCH = Bench(torch.device("cpu"), "fp32", 1)
QUIET = Watch(quiet=True)
# A command that trains for two seconds; six epochs are enough to be disturbed in twice.
WORDS = ["train", "resnet18", "--width", "0.1", "--image-size", "48", "--device", "cpu", "--precision", "fp32"]
SIX = [*WORDS, "--epochs", "6"]


def training(model: str = "resnet18", epochs: int = 2, batch: int = 16, seed: int = 0, width: float = 0.1) -> Training:
    """Four steps an epoch on the tiny set's 60 images. alexnet draws dropout, resnet18 has batch norm."""
    recipe = PLAIN if model == "alexnet" else NORMALISED
    member = Member(model=model, recipe=replace(recipe, batch=batch), image_size=SIZE, width=width)
    return Training(member=member, protocol=PROTOCOL, epochs=epochs, seed=seed)


def averaged() -> Training:
    """The small training whose weights are averaged, and whose statistics are recomputed in the end."""
    plain = training("resnet18")
    more = {"average": MovingAverage(decay=0.9), "batch_norm": BatchNorm(decay=0.95, recomputed=48)}
    return replace(plain, member=replace(plain.member, recipe=replace(plain.member.recipe, **more)))


def evaluated(
    file: Path,
    data: str | None,
    split: str = "val",
    protocol: str | None = None,
    save: Path | None = None,
    reading: Reading = USUAL,
) -> Evaluation:
    """A run or a file of weights, judged bit for bit as its network is."""
    asked = Asked(file=file, data=data, split=split, protocol=protocol, save=save)
    return evaluate(asked, BENCH, reading, How("eager"))


def uneven(splits: Splits) -> Splits:
    """The splits less one image to learn from: the last batch of an epoch has 11 images, which two cannot halve."""
    return replace(splits, train=Chosen(splits.train, np.arange(59)))


class Told(Watch):
    """A watch that is quiet, keeps the lines, and does something at one of them."""

    def __init__(self, at: str = "", act: object = None) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._at, self._act = at, act

    def say(self, line: str) -> None:
        """Keep the line; act where it holds the words."""
        self.lines.append(line)
        if self._at and self._at in line and callable(self._act):
            self._act()


def stopped_after(steps: int, asked: Training, splits: Splits, directory: Path, bench: Bench = BENCH) -> None:
    """Train until so many steps of this call are taken, as a signal would have it."""
    taken = []

    def moved(fraction: float) -> None:
        taken.append(fraction)
        if len(taken) == steps:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match=f"stopped in epoch .* saved in {directory}; the same command goes on"):
        run_training(asked, splits, directory, bench, QUIET, moved=moved)
