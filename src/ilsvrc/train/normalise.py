"""Batch norm's statistics: how fast they follow, when they are frozen, and how they are computed anew."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm  # of one, two and three dimensions, and synchronised


def norms(model: nn.Module) -> list[BatchNorm]:
    """The network's batch norms, in the order it was built."""
    return [layer for layer in model.modules() if isinstance(layer, BatchNorm)]


def set_decay(model: nn.Module, decay: float) -> None:
    """Let the moving averages keep that part of themselves in an update; PyTorch calls the rest momentum."""
    for layer in norms(model):
        layer.momentum = 1 - decay


def freeze(model: nn.Module) -> None:
    """Normalise by the moving averages and leave them as they are, in training too, until the next model.train()."""
    for layer in norms(model):
        layer.eval()


def release(model: nn.Module) -> None:
    """Drop the gradients of scales and shifts, so that an optimizer passes them by, weight decay and momentum too."""
    for layer in norms(model):
        for parameter in layer.parameters(recurse=False):
            parameter.grad = None


@torch.no_grad()
def recompute(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the moving averages by the mean, over the batches, of each batch's mean and unbiased variance.

    He et al. 2015 do so on training images when training is done. Each batch (B, C, H, W) is normalised by its own
    statistics, as in training, and counts alike; all other layers behave as in testing, and the network is left
    so. A norm that no batch reaches, in a side head, keeps what it had.
    """
    model.eval()
    before = [(layer, layer.momentum, _statistics(layer)) for layer in norms(model)]
    for layer, _, _ in before:
        layer.reset_running_stats()
        layer.momentum = None  # PyTorch's word for a plain mean
        layer.train()
    for images in batches:
        model(images)
    for layer, momentum, (mean, variance, count) in before:
        layer.eval()
        layer.momentum = momentum
        if layer.running_mean is not None and layer.num_batches_tracked is not None and not layer.num_batches_tracked:
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(variance)  # type: ignore[union-attr]
            layer.num_batches_tracked.copy_(count)


def _statistics(layer: BatchNorm) -> tuple[Tensor, Tensor, Tensor]:
    held = (layer.running_mean, layer.running_var, layer.num_batches_tracked)
    mean, variance, count = (torch.zeros(()) if tensor is None else tensor.clone() for tensor in held)
    return mean, variance, count
