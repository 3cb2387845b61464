"""Response norm on a CPU at the machine's speed: the networks' own arithmetic, compiled into three loops.

A piece of the maps is laid out in a line with two blank maps between images and between towers, so that the window
never meets an edge: what is left is arithmetic on neighbours at a fixed distance, which PyTorch compiles once for all
sizes. It needs a C++ compiler, and some ten seconds, the first time on a machine.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

PIECE = 2**19  # numbers at a time: a few of such lines fit in the cache
WORTH = 2**22  # numbers in a batch from which on compiling pays for itself within an epoch
ALPHA = 1e-4 / 5


@dataclass(frozen=True)
class Loops:
    """The arithmetic on a line, where a map's neighbour is `step` numbers away.

    Each result is shorter than what it was made from by four maps, two at either end.
    """

    forward: Callable[[Tensor, int, float], Tensor]
    inner: Callable[[Tensor, Tensor, int, float], tuple[Tensor, Tensor]]
    outer: Callable[[Tensor, Tensor, Tensor, int], Tensor]


def window(x: Tensor, step: int) -> Tensor:
    """The sums over five neighbours."""
    pairs = x[step:] + x[:-step]
    return pairs[: -3 * step] + pairs[2 * step : -step] + x[4 * step :]


def forward(x: Tensor, step: int, k: float) -> Tensor:
    """x · d ** -0.75 with d = k + alpha · window(x²)."""
    root = torch.rsqrt(k + ALPHA * window(x * x, step))
    return x[2 * step : -2 * step] * (root * torch.sqrt(root))


def inner(x: Tensor, g: Tensor, step: int, k: float) -> tuple[Tensor, Tensor]:
    """g · d ** -0.75 and g · x · d ** -1.75."""
    root = torch.rsqrt(k + ALPHA * window(x * x, step))
    y = g[2 * step : -2 * step] * (root * torch.sqrt(root))
    return y, y * x[2 * step : -2 * step] * (root * root)


def outer(x: Tensor, y: Tensor, t: Tensor, step: int) -> Tensor:
    """The gradient of x: y - 2 · 0.75 · alpha · x · window(t)."""
    return y[2 * step : -2 * step] - (1.5 * ALPHA) * x[4 * step : -4 * step] * window(t, step)


PLAIN = Loops(forward, inner, outer)


@cache
def compiled() -> Loops | None:
    """The loops, compiled and tried, or None where they cannot be."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loops = Loops(
                torch.compile(forward, dynamic=True),
                torch.compile(inner, dynamic=True),
                torch.compile(outer, dynamic=True),
            )
            _try(loops)
    except Exception:  # no compiler, a broken one, no room for what it writes: whatever it is, there is another way
        return None
    return loops


def _try(loops: Loops) -> None:
    """Run what will be run: both memory formats, both constants, two sizes."""
    for side, k in product((5, 7), (1.0, 2.0)):
        x = torch.rand(2, 6, side, side)
        for images in (x, x.to(memory_format=torch.channels_last)):
            normalise(images.requires_grad_(), k, 1, loops).sum().backward()  # type: ignore[no-untyped-call]


def response_norms(network: nn.Module) -> list[nn.Module]:
    """Those of a network, whichever family it is of."""
    return [module for module in network.modules() if type(module).__name__ == "ResponseNorm" and hasattr(module, "k")]


def quicken(network: nn.Module, loops: Loops) -> None:
    """Let the network's response norms run in these loops from now on. Parameters and state dict stay as they are."""
    for norm in response_norms(network):
        norm.forward = partial(normalise, k=norm.k, towers=norm.towers, loops=loops)  # type: ignore[arg-type]


def normalise(x: Tensor, k: float, towers: int, loops: Loops = PLAIN) -> Tensor:
    """Response norm of images (N, C, H, W), each tower's maps by themselves; type and memory format are kept."""
    y: Tensor = Response.apply(x, k, towers, loops)  # type: ignore[no-untyped-call]
    return y


class Response(torch.autograd.Function):
    """The operation and its gradient, computed in float32; only x is kept in between."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, k: float, towers: int, loops: Loops) -> Tensor:
        """The normalised maps."""
        if not x.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous()
        ctx.save_for_backward(x)
        ctx.how = k, towers, loops
        y = torch.empty_like(x)
        for line, (maps, out) in pieces((x, y), towers):
            a = line.fill(0, maps)
            line.take(loops.forward(a, line.step, k), 2, out)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient of x."""
        (x,), (k, towers, loops) = ctx.saved_tensors, ctx.how
        dx = torch.empty_like(x)
        for line, (maps, gradient, out) in pieces((x, g, dx), towers):
            a, b = line.fill(0, maps), line.fill(1, gradient)
            line.take(loops.outer(a, *loops.inner(a, b, line.step, k), line.step), 0, out)
        return dx, None, None, None


class Line:
    """Maps (R, towers, C, P) one behind the other: four blank ones before all, two behind each tower and behind all."""

    def __init__(self, shape: torch.Size) -> None:
        _, towers, maps, self.step = shape
        self.shape, tower = shape, (maps + 2) * self.step
        self.strides = (towers * tower, tower, self.step, 1)
        length = shape[0] * towers * tower + 6 * self.step
        self._lines = [torch.zeros(length) for _ in range(2)]

    def fill(self, number: int, maps: Tensor) -> Tensor:
        """Line 0 or 1 with these maps."""
        line = self._lines[number]
        line.as_strided(self.shape, self.strides, 4 * self.step).copy_(maps)
        return line

    def take(self, line: Tensor, before: int, out: Tensor) -> None:
        """Copy the maps of a line that has `before` maps before them."""
        out.copy_(line.as_strided(self.shape, self.strides, before * self.step))


def pieces(images: tuple[Tensor, ...], towers: int) -> Iterator[tuple[Line, tuple[Tensor, ...]]]:
    """Views of images in pieces of about PIECE numbers, (R, towers, C, P), and a line to lay them out in.

    Channels last, R counts pixels and P is 1; else R counts images and P their pixels. The first decides for all.
    """
    count, maps, height, width = images[0].shape
    if images[0].is_contiguous() or not images[0].is_contiguous(memory_format=torch.channels_last):
        rows = [image.reshape(count, towers, maps // towers, height * width) for image in images]
    else:
        rows = [image.permute(0, 2, 3, 1).reshape(-1, towers, maps // towers, 1) for image in images]
    some = max(1, PIECE // max(1, rows[0][0:1].numel()))
    line: Line | None = None
    for parts in zip(*(torch.split(row, some) for row in rows), strict=True):
        if line is None or line.shape != parts[0].shape:
            line = Line(parts[0].shape)
        yield line, parts
