"""Response norm beside `torch.nn.LocalResponseNorm`: 32 images of 96 maps of 55 by 55, forward and backward.

A process of its own, as every side of the benchmark of training. `python -m ilsvrc.bench.response` answers with JSON;
the word `kept` behind it lets the process keep its memory, as the command line does, for every side alike.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ilsvrc.jobs.machine import keep_memory
from ilsvrc.models.alexnet import ResponseNorm
from ilsvrc.train import response

SHAPE, ROUNDS = (32, 96, 55, 55), 9
Norm = Callable[[Tensor], Tensor]


def main() -> None:
    """Measure and print."""
    if sys.argv[1:] == ["kept"]:
        keep_memory()
    x = 30 * torch.relu(torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)))
    g = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    norms: dict[str, Norm] = {
        "torch.nn.LocalResponseNorm": nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0),
        "ilsvrc": ResponseNorm(2.0),
    }
    loops = response.compiled()
    if loops:
        norms["ilsvrc, compiled"] = partial(response.normalise, k=2.0, towers=1, loops=loops)
    wanted = there_and_back(norms["torch.nn.LocalResponseNorm"], x, g)
    rows = {name: {"off": _off(there_and_back(norm, x, g), wanted)} for name, norm in norms.items()}
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = {}
    half = [t.to(torch.bfloat16, memory_format=torch.channels_last) for t in (x, g)]  # as a network hands them over
    for _ in range(ROUNDS):
        for name, norm in norms.items():
            seconds.setdefault((name, "fp32"), []).append(timed(norm, x, g))
            if name.startswith("ilsvrc"):  # PyTorch's knows no bfloat16 on a CPU
                seconds.setdefault((name, "bf16, channels last"), []).append(timed(norm, *half))
    for (name, kind), each in seconds.items():
        rows[name][f"{kind} forward"] = statistics.median(forward for forward, _ in each)
        rows[name][kind] = statistics.median(both for _, both in each)
    print(json.dumps(rows))


def there_and_back(norm: Norm, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """What comes out, and the gradient of what went in."""
    x = x.detach().requires_grad_()
    y = norm(x)
    y.backward(g)  # type: ignore[no-untyped-call]
    assert x.grad is not None
    return y.detach(), x.grad


def timed(norm: Norm, x: Tensor, g: Tensor) -> tuple[float, float]:
    """Seconds forward, and forward and backward."""
    x = x.detach().requires_grad_()
    start = time.perf_counter()
    y = norm(x)
    forward = time.perf_counter() - start
    y.backward(g)  # type: ignore[no-untyped-call]
    return forward, time.perf_counter() - start


def _off(found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor]) -> float:
    return max(float((f - w).abs().max() / w.abs().max()) for f, w in zip(found, wanted, strict=True))


if __name__ == "__main__":
    main()
