"""Train one variant of a claim with one seed, by the house's loop, optimizer and schedule."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ilsvrc.claims.claim import Claim, Variant
from ilsvrc.claims.pixels import Feed, Pixels
from ilsvrc.train import recipe as recipes
from ilsvrc.train.init import initialise
from ilsvrc.train.loop import Course, Place, train
from ilsvrc.train.loss import classification
from ilsvrc.train.optim import optimizer
from ilsvrc.train.schedule import rate
from ilsvrc.train.upkeep import Upkeep

LOOKED_AT = 500  # images, evenly spaced, that are looked at on the way: of training, and before the last epoch of val
LOOKS = 4  # at the training error in an epoch, where epochs to it are counted


@dataclass
class Outcome:
    """What one training came to.

    Its epochs as `Run.log` has them; the training error at moments (epoch, error); and the moment at which
    `Claim.reach` was reached, None where it was not.
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    moments: list[tuple[float, float]] = field(default_factory=list)
    reached: float | None = None
    stopped: bool = False


def build(claim: Claim, variant: Variant, classes: int, seed: int) -> nn.Module:
    """The variant's network, initialised by its recipe from the seed: the same for every variant of the same shape."""
    torch.manual_seed(seed)
    network = variant.build(classes, claim.budget.size)
    initialise(network, (variant.recipe or claim.recipe).init, seed)
    return network


def run_variant(
    claim: Claim,
    variant: Variant,
    pixels: Pixels,
    *,
    seed: int,
    epochs: int,
    asked: Callable[[], bool] = lambda: False,
    moved: Callable[[float], None] = lambda epochs: None,
) -> Outcome:
    """Train and judge after each epoch.

    asked() says whether to stop, after each step; then the outcome says `stopped`. moved is told how many epochs are
    done. Raises Diverged as the loop does.
    """
    recipe = claim.recipe_of(variant, epochs)
    feed = Feed(pixels, claim.budget.size, recipe.batch, seed)
    steps = len(feed.epoch(Place()))
    network = build(claim, variant, pixels.classes, seed).to(pixels.train.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    upkeep = Upkeep(network, recipes.in_updates(recipe, steps * epochs))
    outcome, rates = Outcome(), rate(recipe, epochs)
    look = max(1, steps // LOOKS)

    def after_epoch(place: Place, measured: dict[str, float]) -> None:
        started = time.monotonic()
        outcome.epochs.append(_judged(network, feed, place, measured, outcome.epochs, last=place.epoch == epochs))
        outcome.epochs[-1] |= {"rate": rates(place.epoch - 1e-6), "judging": time.monotonic() - started}

    def pause(place: Place) -> bool:
        now = place.epoch + place.step / steps
        moved(now)
        if claim.measure == "epochs" and place.step % look == 0:
            outcome.moments.append((now, training_error(network, feed)))
            outcome.reached = reached(outcome.moments, claim.reach)
        outcome.stopped = asked()
        return outcome.stopped or outcome.reached is not None

    course = Course(
        epochs=epochs,
        start=Place(),
        seed=seed,
        after_epoch=after_epoch,
        pause=pause,
        before_step=upkeep.before_step,
        before_update=upkeep.before_update,
        after_update=upkeep.after_update,
    )
    loss = classification(side_weight=recipe.side_weight, label_smoothing=recipe.label_smoothing, precision="fp32")
    train(network, feed.epoch, optimizer(network, recipe.optimizer), rate=rates, loss=loss, run=course)
    return outcome


def _judged(
    network: nn.Module,
    feed: Feed,
    place: Place,
    measured: dict[str, float],
    before: list[dict[str, Any]],
    *,
    last: bool,
) -> dict[str, Any]:
    """A line of the log; all validation images are judged after the last epoch, some before."""
    val, labels = feed.pixels.val, feed.pixels.val_labels
    chosen = spaced(len(val), len(val) if last else LOOKED_AT)
    right = _ranked(network, feed, val[chosen]) == labels[chosen][:, None]
    return {
        "epoch": place.epoch,
        "loss": measured["loss"],
        "top1_error": 1 - float(right[:, :1].any(dim=1).float().mean()),
        "top5_error": 1 - float(right.any(dim=1).float().mean()),
        "training_error": training_error(network, feed),
        "judged": len(chosen),
        "seconds": measured["seconds"] + (before[-1]["seconds"] if before else 0.0),
        "images": measured["images"],
        "epoch_seconds": measured["seconds"],
        "images_per_second": measured["images"] / max(measured["seconds"], 1e-9),
    }


def training_error(network: nn.Module, feed: Feed) -> float:
    """Top-1 error of LOOKED_AT training images in eval mode; the network's mode is left as it was."""
    chosen = spaced(len(feed.pixels.train), LOOKED_AT)
    ranked = _ranked(network, feed, feed.pixels.train[chosen])
    return float((ranked[:, 0] != feed.pixels.labels[chosen]).float().mean())


def spaced(count: int, most: int) -> Tensor:
    """At most so many of the indices below `count`, evenly spaced, each once."""
    return torch.linspace(0, count - 1, min(most, count), dtype=torch.float64).round().long()


@torch.no_grad()
def _ranked(network: nn.Module, feed: Feed, images: Tensor) -> Tensor:
    """The five best labels of each image, (N, 5), best first."""
    training = network.training
    network.eval()
    parts = [
        network(feed.central(part)).topk(min(5, feed.pixels.classes), dim=1).indices
        for part in torch.split(images, 250)
    ]
    network.train(training)
    return torch.cat(parts)


def reached(moments: list[tuple[float, float]], reach: float) -> float | None:
    """The first moment at which the error is at most `reach`, on the line between two looks; None before it is."""
    before = (0.0, 1.0)
    for now, error in moments:
        if error <= reach:
            way = 0.0 if before[1] == error else (before[1] - reach) / (before[1] - error)
            return before[0] + (now - before[0]) * way
        before = (now, error)
    return None
