"""What a recipe does to a network around an update, beside the update itself.

Before a step: whether batch norm is frozen. Before the update: gradients that are dropped or clipped. After it:
filters that are scaled back, weights that are averaged.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ilsvrc.errors import WeightsError
from ilsvrc.spec import Recipe
from ilsvrc.train import normalise
from ilsvrc.train.average import Averages


class Upkeep:
    """One recipe's care for one network, through a training of `recipe.epochs`.

    The hooks are called by the loop with the network; `state_dict` holds what a training goes on from.
    """

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        self.averages = Averages(model, recipe.average) if recipe.average else None
        self._t = 0.0  # the epoch of the step under way
        normalise.set_decay(model, recipe.batch_norm.decay)

    @property
    def frozen(self) -> bool:
        """Whether batch norm is frozen in the step under way."""
        frozen = self.recipe.batch_norm.frozen
        return frozen > 0 and self._t >= self.recipe.epochs - frozen - 1e-9

    def before_step(self, model: nn.Module, t: float) -> None:
        """The step at epoch t, a fraction within an epoch, is about to be taken."""
        self._t = t
        if self.frozen:
            normalise.freeze(model)

    def before_update(self, model: nn.Module) -> None:
        """The gradients are there: drop those that are not wanted, and clip the rest."""
        if self.frozen:
            normalise.release(model)
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(model.parameters(), self.recipe.clip_norm)

    def after_update(self, model: nn.Module) -> None:
        """The weights have moved."""
        if self.recipe.filter_rms:
            limit_filters(model, self.recipe.filter_rms)
        if self.averages:
            self.averages.update(self._t / self.recipe.epochs)

    @contextmanager
    def judged(self) -> Iterator[None]:
        """The network with the weights that count, its averages where the recipe keeps some, as long as it lasts."""
        if self.averages is None:
            yield
            return
        with self.averages.applied():
            yield

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue; empty where nothing is carried from step to step."""
        return {} if self.averages is None else {"averages": self.averages.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what state_dict gave. Raises WeightsError where averages are wanted and none were saved."""
        if self.averages is None:
            return
        try:
            self.averages.load_state_dict(state["averages"])
        except KeyError as error:
            raise WeightsError(
                f"the checkpoint has no averages of {error}, which the recipe keeps; it is of another version: "
                "delete it to start this training anew"
            ) from error


@torch.no_grad()
def limit_filters(model: nn.Module, most: float) -> None:
    """Scale each filter of a convolution whose root mean square is above `most` back to it (Zeiler and Fergus 2013).

    A filter is all that one output map sees: input maps times kernel. Biases and full layers stay as they are.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            rms = layer.weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
            layer.weight.mul_(most / rms.clamp(min=most))
