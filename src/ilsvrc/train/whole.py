"""Layers that see the whole batch where several processes hold shares of it.

Two layers look beyond an image: batch normalisation, at the statistics of a batch, and dropout, whose mask is drawn
for a batch at once. These two answer for a share what they would answer for its rows of the whole batch, so that the
number of processes changes nothing but rounding.
"""

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Share(Protocol):
    """Which rows of the batch are here, and how to add up over all who hold some."""

    def rows(self, here: int) -> tuple[int, int]:
        """(first, count): where the `here` images of this call begin in a batch of `count`."""

    def summed(self, tensor: Tensor) -> Tensor:
        """The tensor's sum over all processes, in place."""


def see_whole(network: nn.Module, share: Share, *, norm: bool) -> None:
    """Exchange the network's dropouts and, where `norm`, its batch normalisations, in place; names and tensors stay."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Dropout:
                setattr(parent, name, WholeDropout(layer.p, share))
            elif norm and type(layer) is nn.BatchNorm2d:
                setattr(parent, name, WholeBatchNorm(layer, share))


class WholeDropout(nn.Dropout):
    """The rows of the mask that dropout would draw for the whole batch from the same state of the generator."""

    def __init__(self, p: float, share: Share) -> None:
        super().__init__(p)
        self._share = share

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, ...)."""
        if not self.training:
            return x
        first, count = self._share.rows(len(x))
        ones = x.new_ones((count, *x.shape[1:]))
        if x.ndim == 4 and not x.is_contiguous():  # masks are drawn in the order of memory
            ones = ones.contiguous(memory_format=torch.channels_last)
        return x * F.dropout(ones, self.p)[first : first + len(x)]


class WholeBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the mean and variance over all processes, which all keep the same running statistics."""

    def __init__(self, layer: nn.BatchNorm2d, share: Share) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        self._share = share

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if not self.training:
            return super().forward(input)
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        with torch.no_grad():
            mean, variance, count = self._moments(x)
            self._remember(mean, variance * count / (count - 1).clamp(min=1))
            scale = (variance + self.eps).rsqrt()
        y: Tensor = _Normalised.apply(x, self.weight, self.bias, mean, scale, count, self._share)  # type: ignore[no-untyped-call]
        return y.to(input.dtype)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance (C,) over all processes, and over how many values."""
        here = x.numel() // x.shape[1]
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        variance, mean = variance.double(), mean.double()
        sums = torch.cat([here * mean, here * (variance + mean**2), mean.new_tensor([here])])
        sums = self._share.summed(sums)  # in double, where the difference of squares below costs no digits
        total, squares, count = sums[: len(mean)], sums[len(mean) : -1], sums[-1]
        mean = total / count
        return mean.to(x.dtype), (squares / count - mean**2).clamp(min=0).to(x.dtype), count

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


class _Normalised(torch.autograd.Function):
    """(x - mean) · scale · weight + bias, whose gradient knows that mean and scale come from all of x."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        x, weight, bias, mean, scale, count, share = given
        ctx.save_for_backward(x, weight, mean, scale, count)
        ctx.share = share
        factor = weight * scale
        y: Tensor = x * _over(factor) + _over(bias - mean * factor)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, count = ctx.saved_tensors
        gradient = gradients[0]
        normal = (x - _over(mean)) * _over(scale)
        bias_gradient = gradient.sum((0, 2, 3))
        weight_gradient = (gradient * normal).sum((0, 2, 3))
        # The parameters' gradients are added up over processes where all are; those of the statistics here.
        sums = ctx.share.summed(torch.cat([bias_gradient, weight_gradient]).double()) / count
        shift, slope = sums.to(x.dtype).chunk(2)
        x_gradient = (gradient - _over(shift) - normal * _over(slope)) * _over(weight * scale)
        return x_gradient, weight_gradient, bias_gradient, None, None, None, None


def _over(channels: Tensor) -> Tensor:
    """(C,) -> (1, C, 1, 1)."""
    return channels.reshape(1, -1, 1, 1)
