"""How a step is taken here: what of it is compiled, in how many parts a batch is taken, how fp16 keeps its numbers."""

from dataclasses import replace
from math import prod

import torch
from torch import nn

from ilsvrc.jobs.machine import Bench
from ilsvrc.models.anatomy import layer_table
from ilsvrc.train import response
from ilsvrc.train.step import Loss, LossScale, accumulated, compiled


def settled(bench: Bench, network: nn.Module, image_size: int, batch: int) -> Bench:
    """The bench with what will be compiled of this network: parts only where there are some, and large ones.

    network may be on the meta device. The first time on a machine this compiles, for some ten seconds.
    """
    if bench.compile != "parts":
        return bench
    norms = [layer for layer in layer_table(network, image_size, training=True) if layer.kind == "response norm"]
    numbers = batch // bench.accumulate * sum(prod(layer.shape) for layer in norms)
    worth = bench.device.type == "cpu" and numbers >= response.WORTH and response.compiled() is not None
    return bench if worth else replace(bench, compile="no")


def called(network: nn.Module, bench: Bench) -> nn.Module:
    """What a step calls in place of the network, whose weights it shares."""
    loops = response.compiled() if bench.compile == "parts" else None
    if loops:
        response.quicken(network, loops)
    return compiled(network) if bench.compile == "whole" else network


def paced(loss: Loss, optimizer: torch.optim.Optimizer, bench: Bench) -> Loss:
    """The loss as it is computed here, in parts and scaled where that is asked for."""
    if bench.precision == "fp16":
        loss = LossScale(optimizer).of(loss)
    return accumulated(loss, bench.accumulate) if bench.accumulate > 1 else loss


def outcome(bench: Bench) -> dict[str, object]:
    """What of this decides the last bits of a training, as spec.json keeps it; nothing where nothing is special."""
    compiling = {"compile": bench.compile} if bench.compile != "no" else {}
    return compiling | ({"accumulate": bench.accumulate} if bench.accumulate > 1 else {})
