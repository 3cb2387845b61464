"""Averages of weights: what is judged and kept instead of the last ones, where a recipe says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ilsvrc.spec import Average, MovingAverage


class Averages:
    """The running averages of a network's weights, and of its batch norms' statistics, which belong to them.

    Everything in the network's state dict that is a fraction is averaged; counters are not.
    """

    def __init__(self, model: nn.Module, spec: Average) -> None:
        self.spec = spec
        self.updates = 0  # that are averaged
        state: dict[str, Tensor] = model.state_dict(keep_vars=True)
        self._live = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
        self.values = {name: tensor.detach().clone() for name, tensor in self._live.items()}

    @torch.no_grad()
    def update(self, way: float) -> None:
        """Take in the network's weights as they are after an update begun at that part of the way, in [0, 1)."""
        if isinstance(self.spec, MovingAverage):
            self.updates += 1
            share = 1 - min(self.spec.decay, (1 + self.updates) / (10 + self.updates))
        elif way >= 1 - self.spec.last - 1e-12:
            self.updates += 1
            share = 1 / self.updates
        else:
            return
        torch._foreach_lerp_(list(self.values.values()), list(self._live.values()), share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network with the averages for weights, as long as it lasts; untouched where nothing is averaged yet."""
        if not self.updates:
            yield
            return
        kept = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        self._fill(self.values)
        try:
            yield
        finally:
            self._fill(kept)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on averaging."""
        return {"updates": self.updates, "values": self.values}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what state_dict gave. Raises KeyError where it is of another network."""
        for name, tensor in self.values.items():
            tensor.copy_(state["values"][name])
        self.updates = state["updates"]

    @torch.no_grad()
    def _fill(self, values: dict[str, Tensor]) -> None:
        for name, tensor in self._live.items():
            tensor.copy_(values[name])
