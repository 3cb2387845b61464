"""The weights of large full layers kept in bfloat16 beside their float32 masters, on a CPU.

Under autocast a step rounds every weight to bfloat16 and widens its gradient to float32: for a layer of millions of
weights and a few images that is a large part of the step, which waits for memory. Here the rounded weights stay, the
gradient stays as the multiplication gave it, and the update reads both, moves the master and rounds it anew in one
pass, which PyTorch compiles. Forward and gradients are autocast's to the bit, and the update is in float32: it differs
from the fused kernel's in the last place alone.
"""

import warnings
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.train.optim import Half, VelocitySGD

LAYER = 2**22  # weights of a layer from which on it pays
WORTH = 2**24  # of all such layers from which on compiling pays for itself within an epoch

Update = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], None]


def update(w: Tensor, b: Tensor, half: Tensor, g: Tensor, momentum: Tensor, rate: Tensor, decay: Tensor) -> None:
    """b <- momentum · b + g + decay · w;  w <- w - rate · b;  half <- w: all in place, and in float32 but the last."""
    velocity = momentum * b + (g.float() + decay * w)
    moved = w - rate * velocity
    b.copy_(velocity)
    w.copy_(moved)
    half.copy_(moved)


@cache
def compiled() -> Update | None:
    """The update, compiled and tried, or None where it cannot be."""
    try:
        with warnings.catch_warnings(), torch.no_grad():  # as an optimizer calls it, else it is compiled again there
            warnings.simplefilter("ignore")
            made: Update = torch.compile(update, dynamic=True)
            for count in (4096, 8000):
                w, b, g = torch.rand(count), torch.zeros(count), torch.ones(count, dtype=torch.bfloat16)
                made(w, b, w.bfloat16(), g, *torch.tensor([0.9, 0.1, 1e-4]).unbind())
    except Exception:  # no compiler, a broken one: there is another way
        return None
    return made


def large(network: nn.Module) -> list[nn.Linear]:
    """The full layers that are large enough."""
    return [layer for layer in network.modules() if type(layer) is nn.Linear and layer.weight.numel() >= LAYER]


def halve(network: nn.Module, moves: VelocitySGD, by: Update) -> None:
    """Keep halves of the network's large full layers, and let the optimizer move both. State dicts stay as they are."""
    for layer in large(network):
        half = Half(layer.weight, by)
        moves.halves[layer.weight] = half
        layer.forward = partial(forward, layer, half)  # type: ignore[method-assign]


def forward(layer: nn.Linear, half: Half, x: Tensor) -> Tensor:
    """The layer's output; by the half where a network learns in bfloat16."""
    learns = layer.training and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")
    if not learns or torch.get_autocast_dtype("cpu") != torch.bfloat16:
        return F.linear(x, layer.weight, layer.bias)
    return F.linear(x, half.fresh(), layer.bias)
