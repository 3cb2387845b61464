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

LOOK = 100  # steps between two looks at whether the loss is still a number: each look waits for the device
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
    images: int = 0  # of this process
    loss: float = 0.0  # summed over them
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
    Raises Diverged when the sum of an epoch's losses is no number: when it ends, before its place is returned or
    saved, and every LOOK steps, so that what was saved stays good.
    """
    place, saved = run.start, run.start != Place()
    while place.epoch < run.epochs:
        model.train()
        started, data = time.monotonic() - place.seconds, batches(place)
        total = torch.tensor(place.loss, dtype=torch.float64, device=device_of(model))
        for batch in data:
            torch.manual_seed(run.draw(place.epoch, place.step))  # dropout depends on the step, not on the past
            t = place.epoch + place.step / len(data)
            set_rate(optimizer, rate(t))
            run.before_step(model, t)
            weight = run.weigh(place)
            value = loss(model, batch)
            optimizer.zero_grad()
            (value * weight).backward()  # type: ignore[no-untyped-call]
            run.before_update(model)
            optimizer.step()
            run.after_update(model)
            total += value.detach() * len(batch[1])  # stays on the device: no wait per step
            place = replace(place, step=place.step + 1, images=place.images + len(batch[1]))
            stop, save = run.pause(place), run.due()
            if place.step == len(data):
                continue  # the epoch is closed first
            if stop or save or place.step % LOOK == 0:
                here = replace(place, loss=float(total), seconds=time.monotonic() - started)
                run.check(here.loss, here, saved)
            if stop:
                return here
            if save:
                saved = True
                run.save(here)
        loss_sum, images = run.added_up(float(total), place.images)  # the one wait of the epoch
        run.check(loss_sum, place, saved)
        seconds = time.monotonic() - started
        run.after_epoch(Place(place.epoch + 1), {"loss": loss_sum / images, "seconds": seconds, "images": images})
        place, saved = Place(place.epoch + 1), True
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
    due: Callable[[], bool] = lambda: False  # asked after each step: is it time to save within the epoch?
    save: Callable[[Place], None] = lambda place: None
    before_step: Callable[[nn.Module, float], None] = lambda model, t: None  # given the epoch, a fraction within one
    before_update: Callable[[nn.Module], None] = lambda model: None  # clip gradients here
    after_update: Callable[[nn.Module], None] = lambda model: None  # project or average weights here
    weigh: Callable[[Place], float] = lambda place: 1.0  # of this process's mean loss in the step at `place`
    added_up: Callable[[float, int], tuple[float, int]] = lambda loss, images: (loss, images)  # over processes

    def draw(self, epoch: int, step: int) -> int:
        """The seed of one step's random draws, a function of (seed, epoch, step) alone, in [0, 2**32)."""
        # PyTorch's generator on the CPU heeds the lowest 32 bits of a seed and no others: mix all three into them.
        words = f"{self.seed} {epoch} {step}".encode()
        return int.from_bytes(hashlib.blake2b(words, digest_size=4).digest(), "little")

    def check(self, loss: float, place: Place, saved: bool) -> None:
        """Raise Diverged, with what is left, when the sum of an epoch's losses is no number."""
        if not math.isfinite(loss):
            kept = "the last checkpoint is intact" if saved else "nothing was saved yet"
            raise Diverged(
                f"epoch {place.epoch + 1} has a loss of {loss} by step {place.step}; {kept}; "
                "a lower learning rate is the usual cure"
            )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the rate, times the group's `rate_factor` where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)


def device_of(model: nn.Module) -> torch.device:
    """The device of the first parameter."""
    return next(model.parameters()).device
