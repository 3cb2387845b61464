"""How a step is taken here: what is compiled, in how many parts a batch is taken, how fp16 keeps its numbers.

And how long it waits for images.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from math import prod

import torch
from torch import nn

from ilsvrc.jobs.machine import Bench
from ilsvrc.models.anatomy import layer_table
from ilsvrc.spec import SGD, Recipe
from ilsvrc.train import halves, response
from ilsvrc.train.loop import Batch, Batches
from ilsvrc.train.optim import VelocitySGD
from ilsvrc.train.step import Loss, LossScale, accumulated, compiled


def settled(bench: Bench, network: nn.Module, image_size: int, batch: int, recipe: Recipe | None = None) -> Bench:
    """The bench with what will be compiled of this network: parts only where there are some, and large ones.

    network may be on the meta device. The first time on a machine this compiles, for some twenty seconds.
    """
    if bench.compile != "parts" or (recipe and _halves(bench, network, recipe) and halves.compiled()):
        return bench
    norms = [layer for layer in layer_table(network, image_size, training=True) if layer.kind == "response norm"]
    numbers = batch // bench.accumulate * sum(prod(layer.shape) for layer in norms)
    worth = bench.device.type == "cpu" and numbers >= response.WORTH and response.compiled() is not None
    return bench if worth else replace(bench, compile="no")


def called(network: nn.Module, bench: Bench) -> nn.Module:
    """What a step calls in place of the network, whose weights it shares."""
    loops = response.compiled() if bench.compile == "parts" and response.response_norms(network) else None
    if loops:
        response.quicken(network, loops)
    return compiled(network) if bench.compile == "whole" else network


def halved(network: nn.Module, moves: torch.optim.Optimizer, bench: Bench, recipe: Recipe) -> None:
    """Let the network's large full layers keep their weights rounded from step to step, where that is compiled."""
    by = halves.compiled() if bench.compile == "parts" and _halves(bench, network, recipe) else None
    if by and isinstance(moves, VelocitySGD):
        halves.halve(network, moves, by)


def _halves(bench: Bench, network: nn.Module, recipe: Recipe) -> bool:
    """Whether large full layers are worth it, and nobody but the papers' optimizer asks for their gradients."""
    papers = isinstance(recipe.optimizer, SGD) and recipe.optimizer.rate_inside and not recipe.clip_norm
    alone = bench.device.type == "cpu" and bench.precision == "bf16" and bench.processes.of == bench.accumulate == 1
    return papers and alone and sum(layer.weight.numel() for layer in halves.large(network)) >= halves.WORTH


def paced(loss: Loss, optimizer: torch.optim.Optimizer, bench: Bench) -> Loss:
    """The loss as it is computed here, in parts and scaled where that is asked for."""
    if bench.precision == "fp16":
        loss = LossScale(optimizer).of(loss)
    return accumulated(loss, bench.accumulate) if bench.accumulate > 1 else loss


def outcome(bench: Bench) -> dict[str, object]:
    """What of this decides the last bits of a training, as spec.json keeps it; nothing where nothing is special."""
    compiling = {"compile": bench.compile} if bench.compile != "no" else {}
    return compiling | ({"accumulate": bench.accumulate} if bench.accumulate > 1 else {})


class Waited:
    """The batches of an epoch, and for how many seconds whoever takes them stood waiting for the next."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.seconds = 0.0

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        coming = iter(self._batches)
        while True:
            asked = time.monotonic()
            batch = next(coming, None)
            self.seconds += time.monotonic() - asked
            if batch is None:
                return
            yield batch
