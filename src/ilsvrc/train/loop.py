"""The training loop, all of it.

What varies comes in as a function: auxiliary heads and half precision are a `loss`, warm-up is a
`rate`, logging, evaluation and saving are `after_epoch`, being interrupted is `pause`.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from ilsvrc.errors import Diverged

Batch = tuple[Tensor, Tensor]  # images (B, 3, H, W) float32, labels (B,) int64, on the model's device


class Batches(Protocol):
    """A pass over the data: how many batches a whole epoch has, and those still to come."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


@dataclass(frozen=True)
class Place:
    """Where a training stands: the next step, and what this epoch has added up so far."""

    epoch: int = 0
    step: int = 0
    images: int = 0
    loss: float = 0.0  # summed over images
    seconds: float = 0.0  # spent in this epoch


def train(
    model: nn.Module,
    batches: Callable[[Place], Batches],
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[float], float],
    loss: Callable[[nn.Module, Batch], Tensor],
    run: "Course",
) -> Place:
    """Train in place from `run.start` to the end of epoch `run.epochs`, or until `run.pause` says so.

    batches(place) is the rest of an epoch, whose order depends on the epoch alone.
    rate(t) is the learning rate at epoch t, a fraction within an epoch.
    Returns where it stopped: Place(run.epochs) when done. A paused training that is started again from the
    returned place (and the saved model and optimizer) takes the steps it would have taken.
    Raises Diverged when an epoch's mean loss is not a number.
    """
    place = run.start
    while place.epoch < run.epochs:
        model.train()
        started, data = time.monotonic() - place.seconds, batches(place)
        total = torch.tensor(place.loss, dtype=torch.float64, device=device_of(model))
        for batch in data:
            torch.manual_seed(run.draw(place.epoch, place.step))  # dropout depends on the step, not on the past
            t = place.epoch + place.step / len(data)
            set_rate(optimizer, rate(t))
            run.before_step(model, t)
            value = loss(model, batch)
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            run.before_update(model)
            optimizer.step()
            run.after_update(model)
            total += value.detach() * len(batch[1])  # stays on the device: no wait per step
            place = replace(place, step=place.step + 1, images=place.images + len(batch[1]))
            if run.pause(place) and place.step < len(data):
                return replace(place, loss=float(total), seconds=time.monotonic() - started)
        mean = float(total) / place.images  # the one wait of the epoch
        if not math.isfinite(mean):
            raise Diverged(f"epoch {place.epoch + 1} ended with a mean loss of {mean}; {run.advice(place.epoch)}")
        seconds = time.monotonic() - started
        run.after_epoch(Place(place.epoch + 1), {"loss": mean, "seconds": seconds, "images": place.images})
        place = Place(place.epoch + 1)
        if run.pause(place):
            break
    return place


@dataclass(frozen=True, kw_only=True)
class Course:
    """One training's course: from where to where, and what happens on the way."""

    epochs: int
    start: Place
    seed: int
    after_epoch: Callable[[Place, dict[str, float]], None]  # log, evaluate and save; given the place to go on from
    pause: Callable[[Place], bool] = lambda place: False  # asked after each step
    before_step: Callable[[nn.Module, float], None] = lambda model, t: None  # given the epoch, a fraction within one
    before_update: Callable[[nn.Module], None] = lambda model: None  # clip gradients here
    after_update: Callable[[nn.Module], None] = lambda model: None  # project or average weights here

    def draw(self, epoch: int, step: int) -> int:
        """The seed of one step's random draws, a function of (seed, epoch, step) alone, in [0, 2**32)."""
        # PyTorch's generator on the CPU heeds the lowest 32 bits of a seed and no others: mix all three into them.
        words = f"{self.seed} {epoch} {step}".encode()
        return int.from_bytes(hashlib.blake2b(words, digest_size=4).digest(), "little")

    def advice(self, epoch: int) -> str:
        """What a diverged training leaves behind."""
        kept = f"the checkpoint of epoch {epoch} is intact" if epoch else "nothing was saved yet"
        return f"{kept}; a lower learning rate is the usual cure"


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the rate, times the group's `rate_factor` where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)


def device_of(model: nn.Module) -> torch.device:
    """The device of the first parameter."""
    return next(model.parameters()).device
