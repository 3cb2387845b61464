"""Pure functions from epoch to learning rate."""

import math
from collections.abc import Callable

from ilsvrc.spec import Cosine, Exponential, Polynomial, Recipe, Steps

FIRST = 0.01  # of the schedule's rate: where a warm-up starts


def rate(recipe: Recipe, epochs: float | None = None) -> Callable[[float], float]:
    """The learning rate at epoch t, 0 <= t < epochs.

    epochs shortens the recipe in proportion: what the paper does at epoch 30 of 90 is done at a third of the way.
    """
    stretch = 1.0 if epochs is None else recipe.epochs / epochs

    def at(t: float) -> float:
        t = t * stretch
        warm = 1.0 if t >= recipe.warmup else FIRST + (1 - FIRST) * t / recipe.warmup
        return recipe.optimizer.lr * warm * _of_schedule(recipe, t)

    return at


def _of_schedule(recipe: Recipe, t: float) -> float:
    """What is left of the initial rate at epoch t of the whole recipe."""
    match recipe.schedule:
        case Steps(at=steps, factor=factor):
            # A step falls at a fraction of an epoch when a recipe is shortened: rounding must not delay it.
            left: float = factor ** sum(t >= step - 1e-9 for step in steps)
        case Exponential(factor=factor, every=every):
            left = factor ** math.floor(t / every + 1e-9)
        case Polynomial(power=power):
            left = max(0.0, 1 - t / recipe.epochs) ** power
        case Cosine():
            way = (max(t, recipe.warmup) - recipe.warmup) / (recipe.epochs - recipe.warmup)
            left = 0.5 * (1 + math.cos(math.pi * way))
    return left
