"""What goes wrong in a training, told from its log while it runs: a sentence each, with the figure and what to do.

Pure functions of what was measured. A sign is not a proof: each sentence says what it looks like.
"""

import math
from collections.abc import Mapping, Sequence

IMAGES = 20_000  # seen before a loss at chance is remarked: plain networks begin on a plateau
STUCK = 0.02  # nats below ln(classes) within which nothing has been learnt
LEARNT = 0.7  # of ln(classes): a training loss under it means that the training images are known apart
CHANCE = 0.97  # of the error by chance: a validation error above it is no better than guessing
WAITED = 0.2  # part of an epoch that the network stood still for want of images
LONG = 10.0  # seconds of an epoch; in a shorter one the first batch is most of the waiting
JUMP = 3.0  # times the lowest loss so far

Epoch = Mapping[str, float]


def stuck(loss: float, images: float, classes: int) -> str | None:
    """A mean loss that stays at ln(classes) when the run has seen so many images; None while it is too early to say.

    loss is in nats; a network that answers every class alike has ln(classes).
    """
    chance = math.log(classes)
    if images < IMAGES or loss < chance - STUCK:
        return None
    return (
        f"the loss is {loss:.3f} after {images:,.0f} images, and a network that learns nothing has "
        f"ln({classes}) = {chance:.3f}: the rate may be too high or too low, or the weights badly initialised"
    )


def signs(epochs: Sequence[Epoch], classes: int, images: int) -> tuple[str, ...]:
    """What looks wrong after these epochs, each a line of the log; `images` are seen per epoch."""
    if not epochs:
        return ()
    found = (
        stuck(epochs[-1]["loss"], images * len(epochs), classes) if _guesses(epochs[-1], classes) else None,
        _jumped(epochs),
        _other_order(epochs[-1], classes),
        _starved(epochs[-1]),
    )
    return tuple(sign for sign in found if sign)


def _guesses(epoch: Epoch, classes: int) -> bool:
    """Whether the validation error is that of guessing; a loss alone may hold side heads and smoothed labels too."""
    return epoch["top1_error"] >= CHANCE * (1 - 1 / classes)


def _jumped(epochs: Sequence[Epoch]) -> str | None:
    lowest, now = min(epoch["loss"] for epoch in epochs), epochs[-1]["loss"]
    if now <= JUMP * lowest or now - lowest < 0.5:
        return None
    return (
        f"the loss is {now:.3f} in epoch {len(epochs)} and was {lowest:.3f}: the training is coming apart; "
        "a lower rate is the usual cure"
    )


def _other_order(epoch: Epoch, classes: int) -> str | None:
    chance = 1 - 1 / classes
    if epoch["loss"] > LEARNT * math.log(classes) or not _guesses(epoch, classes):
        return None
    return (
        f"the training loss is down to {epoch['loss']:.3f} and the validation error is {epoch['top1_error']:.1%}, "
        f"where guessing has {chance:.1%}: the labels of the validation images may follow another class order; "
        "ilsvrc check compares them"
    )


def _starved(epoch: Epoch) -> str | None:
    waiting, seconds = epoch.get("waiting", 0.0), epoch.get("epoch_seconds", 0.0)
    if seconds < LONG or waiting < WAITED * seconds:
        return None
    speed = epoch["images_per_second"]
    return (
        f"the network waited for images {waiting / seconds:.0%} of the time: {speed:,.0f} a second came, and it could "
        f"take {speed * seconds / (seconds - waiting):,.0f}; give more --loaders, or pack the data (ilsvrc pack)"
    )
