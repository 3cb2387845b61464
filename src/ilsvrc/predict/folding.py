"""Batch norms folded into the convolutions before them: one operation where the network has two."""

import copy

import torch
from torch import Tensor, nn


def folded(network: nn.Module) -> nn.Module:
    """A copy in eval mode in which every convolution followed by a batch norm is one convolution.

    A pair is a Sequential of a `conv` and a `norm`, as our networks are built; a batch norm that stands
    elsewhere stays. Outputs agree to a few units in the last place of float32.
    """
    copied = copy.deepcopy(network).eval()
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Sequential) and [n for n, _ in child.named_children()] == ["conv", "norm"]:
                setattr(module, name, _folded(child[0], child[1]))
    return copied


@torch.no_grad()
def _folded(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    """w · gain and (bias - mean) · gain + shift, with gain = gamma / √(variance + eps); computed in float64."""
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    gain = norm.weight.double() / torch.sqrt(variance.double() + norm.eps)
    before: Tensor = torch.zeros_like(gain) if conv.bias is None else conv.bias.double()
    one = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        stride=conv.stride,  # type: ignore[arg-type]
        padding=conv.padding,  # type: ignore[arg-type]
        groups=conv.groups,
        device="meta",
    )
    one.weight = nn.Parameter((conv.weight.double() * gain[:, None, None, None]).to(conv.weight.dtype))
    one.bias = nn.Parameter(((before - mean.double()) * gain + norm.bias.double()).to(conv.weight.dtype))
    return one
