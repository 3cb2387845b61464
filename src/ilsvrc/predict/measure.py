"""What an engine costs and how far it goes from the network: measured on images, beside eager."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ilsvrc.predict.engines import Engine, Runner, prepared

ROUNDS = 2  # timed runs after the first; the faster counts, since whatever else the machine does only adds


@dataclass(frozen=True)
class Change:
    """How far probabilities are from eager's.

    agreement is the share of the images whose first guess is the same; largest and mean are of the changes of
    all probabilities, in [0, 1].
    """

    images: int
    agreement: float
    largest: float
    mean: float

    def __str__(self) -> str:
        same = round(self.agreement * self.images)
        return (
            f"on {self.images} images {same} first guesses are the network's own, "
            f"the largest change of a probability is {self.largest:.2g}, the mean {self.mean:.2g}"
        )


@dataclass(frozen=True)
class Measured:
    """One engine on one machine: seconds to prepare, seconds per image in batches of a size, and its change."""

    prepare: float
    image: float
    change: Change


UNCHANGED = Change(0, 1.0, 0.0, 0.0)
BROKEN = Measured(0.0, math.inf, Change(0, 0.0, math.inf, math.inf))  # an engine that cannot be prepared


def change(logits: Tensor, eager: Tensor) -> Change:
    """Of logits (N, classes) from those of eager on the same images."""
    ours, theirs = torch.softmax(logits.double().cpu(), 1), torch.softmax(eager.double().cpu(), 1)
    moved = (ours - theirs).abs()
    same = (ours.argmax(1) == theirs.argmax(1)).double().mean()
    return Change(len(ours), float(same), float(moved.max()), float(moved.mean()))


def timed(run: Runner, images: Tensor) -> tuple[float, Tensor]:
    """Seconds for these images, and their logits."""
    start = time.perf_counter()
    logits = run(images)
    if logits.device.type == "cuda":
        torch.cuda.synchronize(logits.device)
    return time.perf_counter() - start, logits


def measured(network: nn.Module, engine: Engine, images: Tensor, eager: Tensor) -> tuple[Measured, Runner]:
    """Prepare and time an engine on images whose logits eager knows. Raises SpecError as `prepared` does."""
    start = time.perf_counter()
    run = prepared(network, engine, images)
    _, logits = timed(run, images)
    first = time.perf_counter() - start
    fastest = min(timed(run, images)[0] for _ in range(ROUNDS))
    return Measured(max(0.0, first - fastest), fastest / len(images), change(logits, eager)), run


def calibrated(network: nn.Module, engine: Engine, images: Tensor, batch: int) -> tuple[Measured, Runner]:
    """Prepare an engine on images and compare it with eager on all of them, a batch at a time.

    Raises SpecError as `prepared` does.
    """
    start = time.perf_counter()
    run = prepared(network, engine, images)
    prepare = time.perf_counter() - start
    eager = prepared(network, "eager", images)
    parts = [(timed(run, part), eager(part)) for part in torch.split(images, batch)]
    moved = change(torch.cat([logits for (_, logits), _ in parts]), torch.cat([wanted for _, wanted in parts]))
    return Measured(prepare, sum(seconds for (seconds, _), _ in parts) / len(images), moved), run
