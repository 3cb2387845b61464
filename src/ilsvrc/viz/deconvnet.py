"""The deconvnet: one activation of a trained network, mapped back to pixels. Zeiler and Fergus 2013, section 2.1.

All of a layer but one activation is set to zero, and that is carried down: a pool puts each value where its
maximum was (the switches), a ReLU keeps what is above zero of the signal that comes down, a convolution is
transposed, without its bias. Contrast norm is passed as it is. Where windows overlap and share a switch their
values are added, which the paper leaves open. There is no ReLU on the pixels.

All but two of these are what PyTorch does backwards anyway: the gradient of a max-pool is the unpooling with
summed switches, that of a convolution its transpose. So the way down is the backward pass with two rules
replaced, ReLU's and the norm's; a gradient would mask a ReLU by the sign of what went up.

What later networks have is no matter of the paper. Here a batch norm scales and its shift is dropped, as a
bias is; an addition sends the signal down both ways; an average pool spreads it evenly; a gate keeps the
factors that it had for the image, as a pool keeps its switches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ilsvrc.viz.layers import output_of

RELUS = {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
SIGMOIDS = {torch.sigmoid, Tensor.sigmoid, F.sigmoid}
LATER = {
    "BatchNorm2d": "batch norm is taken as a scale per map, its shift left out as biases are",
    "add": "an addition sends the signal down both ways, so what a shortcut carries is shown too",
    "cat": "stacked branches each carry down their own part",
    "sigmoid": "a gate keeps the factors it had for the image, as a pool keeps its switches",
    "AvgPool2d": "an average pool spreads the signal evenly over its window",
}


@dataclass(frozen=True, eq=False)
class Projection:
    """One activation per image and its way back. places are (row, column) in the map, None for a full layer.

    pixels (N, 3, S, S) is in the range and the channel order of the network's input, zero where nothing is said.
    """

    pixels: Tensor
    activations: Tensor  # (N,)
    places: tuple[tuple[int, int], ...] | None


def project(
    network: nn.Module, images: Tensor, layer: str, maps: Sequence[int], places: Sequence[int] | None = None
) -> Projection:
    """The projection of one activation of each of images (N, 3, S, S): of map maps[n] of the layer for image n.

    It is the strongest in the image, or the one at places[n] of the flattened map. An activation that is not
    above zero projects to nothing. The network runs in eval mode and is left as it was.
    """
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad(), downwards(network):
        output = output_of(network, images, layer)
    flat = output.flatten(2) if output.dim() == 4 else output[:, :, None]
    rows = torch.arange(len(images), device=images.device)
    mine = flat[rows, torch.as_tensor(maps, device=images.device)]  # (N, H · W)
    chosen = mine.argmax(1) if places is None else torch.as_tensor(places, device=images.device)
    activations = mine[rows, chosen].detach().relu()
    seed = torch.zeros_like(flat)
    seed[rows, torch.as_tensor(maps, device=images.device), chosen] = activations
    (pixels,) = torch.autograd.grad(flat, images, seed)
    width = output.shape[-1]
    found = tuple(divmod(place, width) for place in chosen.tolist()) if output.dim() == 4 else None
    return Projection(pixels, activations, found)


@contextmanager
def downwards(network: nn.Module) -> Iterator[None]:
    """Inside, backward passes of the network go down as the deconvnet does."""
    norms = [module for module in network.modules() if type(module).__name__ in ("ResponseNorm", "LocalResponseNorm")]
    handles = [norm.register_forward_hook(_passed) for norm in norms]
    try:
        with _Rules():
            yield
    finally:
        for handle in handles:
            handle.remove()


def meaning(operations: set[str]) -> tuple[str, ...]:
    """What the method means in a network with these operations or modules that the paper has not; a sentence each."""
    return tuple(sentence for word, sentence in LATER.items() if word in operations)


class _Rules(TorchFunctionMode):
    """ReLU rectifies the signal that comes down; a sigmoid is a constant on the way down."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), named: Any = None
    ) -> Any:
        if func in RELUS:
            return _Rectified.apply(args[0])  # type: ignore[no-untyped-call]
        found = func(*args, **(named or {}))
        return found.detach() if func in SIGMOIDS else found


class _Rectified(torch.autograd.Function):
    """ReLU upwards, ReLU downwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, signal: Tensor) -> Tensor:
        return signal.clamp(min=0)


class _Straight(torch.autograd.Function):
    """Upwards what was computed, downwards nothing is done."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, computed: Tensor) -> Tensor:
        return computed.clone()

    @staticmethod
    def backward(ctx: Any, signal: Tensor) -> tuple[Tensor, None]:
        return signal, None


def _passed(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    passed: Tensor = _Straight.apply(inputs[0], output)  # type: ignore[no-untyped-call]
    return passed
