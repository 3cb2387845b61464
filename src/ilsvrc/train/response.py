"""Response norm on a CPU at the machine's speed: the networks' own arithmetic, compiled into four loops.

What the window slides over, squares there and their slopes back, lies in rows with two blank maps at either end, so
that the window never meets an edge: what is left is arithmetic on neighbours at a fixed distance, which PyTorch
compiles once for all sizes. Maps are read and written where they are, in their own type. It needs a C++ compiler, and
some twenty seconds, the first time on a machine.
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

PIECE = 2**20  # numbers at a time: what lies between two loops then fits in the cache
WORTH = 2**22  # numbers in a batch from which on compiling pays for itself within an epoch
ALPHA = 1e-4 / 5


@dataclass(frozen=True)
class Loops:
    """The arithmetic on rows (R, maps · step), where a map's neighbour is `step` numbers away.

    A padded row has two blank maps more at either end. Each loop writes into what it is given last.
    """

    squares: Callable[[Tensor, int, Tensor], None]
    forward: Callable[[Tensor, Tensor, int, float, Tensor], None]
    inner: Callable[[Tensor, Tensor, Tensor, int, float, Tensor, Tensor], None]
    outer: Callable[[Tensor, Tensor, Tensor, int, Tensor], None]


def window(padded: Tensor, step: int) -> Tensor:
    """The sums over five neighbours, (R, maps · step)."""
    size = padded.shape[1] - 4 * step
    a, b, c, d, e = (padded[:, first * step : first * step + size] for first in range(5))
    return (a + b) + (c + d) + e


def squares(x: Tensor, step: int, s: Tensor) -> None:
    """The padded s = x²."""
    a = x.float()
    s[:, 2 * step : -2 * step].copy_(a * a)


def forward(x: Tensor, s: Tensor, step: int, k: float, out: Tensor) -> None:
    """x · d ** -0.75 with d = k + alpha · window(s)."""
    root = torch.rsqrt(k + ALPHA * window(s, step))
    out.copy_(x.float() * (root * torch.sqrt(root)))


def inner(x: Tensor, g: Tensor, s: Tensor, step: int, k: float, y: Tensor, t: Tensor) -> None:
    """y = g · d ** -0.75 and the padded t = g · x · d ** -1.75."""
    root = torch.rsqrt(k + ALPHA * window(s, step))
    a = g.float() * (root * torch.sqrt(root))
    y.copy_(a)
    t[:, 2 * step : -2 * step].copy_(a * x.float() * (root * root))


def outer(x: Tensor, y: Tensor, t: Tensor, step: int, out: Tensor) -> None:
    """The gradient of x: y - 2 · 0.75 · alpha · x · window(t)."""
    out.copy_(y - (1.5 * ALPHA) * x.float() * window(t, step))


PLAIN = Loops(squares, forward, inner, outer)


@cache
def compiled() -> Loops | None:
    """The loops, compiled and tried, or None where they cannot be."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loops = Loops(*(torch.compile(loop, dynamic=True) for loop in (squares, forward, inner, outer)))
            _try(loops)
    except Exception:  # no compiler, a broken one, no room for what it writes: whatever it is, there is another way
        return None
    return loops


def _try(loops: Loops) -> None:
    """Run what a network will: channels last, both constants, two sizes, large enough to be shared among threads."""
    for side, k in product((25, 27), (1.0, 2.0)):
        x = torch.rand(8, 24, side, side).to(memory_format=torch.channels_last)
        y = normalise(x.requires_grad_(), k, 1, loops)
        y.backward(torch.ones_like(y))  # type: ignore[no-untyped-call]


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
        (maps, out), step = in_rows((x, y), towers)
        with torch.autocast(x.device.type, enabled=False):  # else there is a second code for each loop
            for s, a, into in pieces(1, step, maps, out):
                loops.squares(a, step, s)
                loops.forward(a, s, step, k, into)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient of x."""
        (x,), (k, towers, loops) = ctx.saved_tensors, ctx.how
        dx = torch.empty_like(x)
        (maps, gradient, out), step = in_rows((x, g, dx), towers)
        for s, t, a, b, into in pieces(2, step, maps, gradient, out):
            y = torch.empty(a.shape)
            loops.squares(a, step, s)
            loops.inner(a, b, s, step, k, y, t)
            loops.outer(a, y, t, step, into)
        return dx, None, None, None


def in_rows(images: tuple[Tensor, ...], towers: int) -> tuple[list[Tensor], int]:
    """Images (N, C, H, W) in rows (R, maps · step), one tower's maps each, and the step from a map to the next.

    Channels last, a row is a pixel's; else an image's. The first decides for all, and all but gradients are views.
    """
    count, maps, height, width = images[0].shape
    if images[0].is_contiguous() or not images[0].is_contiguous(memory_format=torch.channels_last):
        step = height * width
        return [image.reshape(count * towers, maps // towers * step) for image in images], step
    return [image.permute(0, 2, 3, 1).reshape(-1, maps // towers) for image in images], 1


def pieces(padded: int, step: int, *rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """So many padded buffers, the same each time, and a part of each of the rows, of about PIECE numbers."""
    count, size = rows[0].shape
    some = min(max(1, PIECE // max(1, size)), max(1, count))
    buffers = [torch.zeros(some, size + 4 * step) for _ in range(padded)]
    for first in range(0, count, some):
        here = min(some, count - first)
        yield *(part(buffer, 0, here) for buffer in buffers), *(part(row, first, here) for row in rows)


def part(rows: Tensor, first: int, count: int) -> Tensor:
    """So many rows in their memory, yet no view of them: how views relate is compiled in, and would be again."""
    size, strides = (count, rows.shape[1]), rows.stride()
    return rows.new_empty(0).set_(rows.untyped_storage(), rows.storage_offset() + first * strides[0], size, strides)
