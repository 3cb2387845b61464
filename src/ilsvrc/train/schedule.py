"""Pure functions from epoch to learning rate."""

import math
from collections.abc import Callable

from ilsvrc.spec import Cosine, Exponential, Recipe, Steps


def rate(recipe: Recipe, epochs: float | None = None) -> Callable[[float], float]:
    """The learning rate at epoch t, 0 <= t < epochs.

    epochs shortens the recipe in proportion: what the paper does at epoch 30 of 90 is done at a third of the way.
    """
    stretch = 1.0 if epochs is None else recipe.epochs / epochs
    lr, full = recipe.optimizer.lr, recipe.epochs

    def at(t: float) -> float:
        t = t * stretch
        match recipe.schedule:
            case Steps(at=steps, factor=factor):
                # A step falls at a fraction of an epoch when a recipe is shortened: rounding must not delay it.
                return lr * factor ** sum(t >= step - 1e-9 for step in steps)
            case Exponential(factor=factor, every=every):
                return lr * factor ** math.floor(t / every + 1e-9)
            case Cosine(warmup=warmup):
                if t < warmup:
                    return lr * (0.01 + 0.99 * t / warmup)
                return lr * 0.5 * (1 + math.cos(math.pi * (t - warmup) / (full - warmup)))

    return at
