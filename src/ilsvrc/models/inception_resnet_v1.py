"""Inception-ResNet-v1. Szegedy, Ioffe, Vanhoucke, Alemi: Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning, 2016.

The paper's cheaper residual network, whose cost is that of Inception-v3. It was never released: stem and widths
are those of the paper's figures, the scales of the additions those of the release of v2.
"""

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def inception_resnet_v1(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionResNetV1":
    """The paper's network. Images of 75 pixels a side or more."""
    return InceptionResNetV1(classes, image_size, width)


class InceptionResNetV1(nn.Module):
    """The paper's figures, one layer or stage per line. Images (N, 3, 299, 299)."""

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=75)
        n32, n64, n80, n192, n256 = (channels(n, width) for n in (32, 64, 80, 192, 256))
        self.conv_1a = conv_bn(3, width, Conv(3, 3, 32, 2, padded=False))  # (N, 32, 149, 149)
        self.conv_2a = conv_bn(n32, width, Conv(3, 3, 32, padded=False))  # (N, 32, 147, 147)
        self.conv_2b = conv_bn(n32, width, Conv(3, 3, 64))  # (N, 64, 147, 147)
        self.pool_3a = nn.MaxPool2d(3, stride=2)  # (N, 64, 73, 73)
        self.conv_3b = conv_bn(n64, width, Conv(1, 1, 80))  # (N, 80, 73, 73)
        self.conv_4a = conv_bn(n80, width, Conv(3, 3, 192, padded=False))  # (N, 192, 71, 71)
        self.conv_4b = conv_bn(n192, width, Conv(3, 3, 256, 2, padded=False))  # (N, 256, 35, 35)
        self.block35 = nn.Sequential(*(block_35(n256, width) for _ in range(5)))  # (N, 256, 35, 35)
        self.mixed_6a = reduction_a(n256, width)  # (N, 896, 17, 17)
        m = self.mixed_6a.outputs
        self.block17 = nn.Sequential(*(block_17(m, width) for _ in range(10)))  # (N, 896, 17, 17)
        self.mixed_7a = reduction_b(m, width)  # (N, 1792, 8, 8)
        k = self.mixed_7a.outputs
        self.block8 = nn.Sequential(*(block_8(k, width) for _ in range(5)))  # (N, 1792, 8, 8)
        self.pool = nn.AdaptiveAvgPool2d(1)  # (N, 1792, 1, 1)
        self.drop = nn.Dropout(0.2)
        self.linear = nn.Linear(k, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 1792, 8, 8)."""
        x = F.relu(self.conv_1a(images))
        x = F.relu(self.conv_2a(x))
        x = self.pool_3a(F.relu(self.conv_2b(x)))
        x = F.relu(self.conv_3b(x))
        x = F.relu(self.conv_4a(x))
        x = self.block35(F.relu(self.conv_4b(x)))
        x = self.block17(self.mixed_6a(x))
        last: Tensor = self.block8(self.mixed_7a(x))
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool(self.features(images)).flatten(1)
        logits: Tensor = self.linear(self.drop(x))
        return logits


def block_35(n: int, width: float) -> "Residual":
    """1×1; 3×3; two 3×3; scaled by 0.17."""
    branches = Mixed(
        n,
        Chain(n, width, Conv(1, 1, 32)),
        Chain(n, width, Conv(1, 1, 32), Conv(3, 3, 32)),
        Chain(n, width, Conv(1, 1, 32), Conv(3, 3, 32), Conv(3, 3, 32)),
    )
    return Residual(n, branches, 0.17)


def reduction_a(n: int, width: float) -> "Mixed":
    """3×3 with a stride; two 3×3, the second with it; a pool with it. k, l, m and n are 192, 192, 256 and 384."""
    return Mixed(
        n,
        Chain(n, width, Conv(3, 3, 384, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 192), Conv(3, 3, 192), Conv(3, 3, 256, 2, padded=False)),
        nn.MaxPool2d(3, stride=2),
    )


def block_17(n: int, width: float) -> "Residual":
    """1×1; 7×7 as 1×7 and 7×1; scaled by 0.1."""
    branches = Mixed(
        n,
        Chain(n, width, Conv(1, 1, 128)),
        Chain(n, width, Conv(1, 1, 128), Conv(1, 7, 128), Conv(7, 1, 128)),
    )
    return Residual(n, branches, 0.1)


def reduction_b(n: int, width: float) -> "Mixed":
    """Two of 3×3 with a stride; two 3×3, the second with it; a pool with it."""
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 256), Conv(3, 3, 384, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 256), Conv(3, 3, 256, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 256), Conv(3, 3, 256), Conv(3, 3, 256, 2, padded=False)),
        nn.MaxPool2d(3, stride=2),
    )


def block_8(n: int, width: float) -> "Residual":
    """1×1; 3×3 as 1×3 and 3×1; scaled by 0.2."""
    branches = Mixed(
        n,
        Chain(n, width, Conv(1, 1, 192)),
        Chain(n, width, Conv(1, 1, 192), Conv(1, 3, 192), Conv(3, 1, 192)),
    )
    return Residual(n, branches, 0.2)


class Residual(nn.Module):
    """x + scale · up(branches), with up a 1×1 with bias and without batch norm; a ReLU behind it."""

    def __init__(self, inputs: int, branches: "Mixed", scale: float):
        super().__init__()
        self.scale = scale
        self.branches = branches
        self.up = nn.Conv2d(branches.outputs, inputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to the same."""
        return F.relu(x + self.scale * self.up(self.branches(x)))


class Conv(NamedTuple):
    """One convolution of a branch. It keeps the map's size unless padded is False."""

    height: int  # of its window
    width: int
    maps: int
    stride: int = 1
    padded: bool = True


class Mixed(nn.Module):
    """Branches side by side, stacked in their order. A pool among them passes its maps through."""

    def __init__(self, inputs: int, *branches: "Chain | nn.MaxPool2d"):
        super().__init__()
        for number, branch in enumerate(branches, start=1):
            self.add_module(f"branch_{number}", branch)
        self.outputs = sum(branch.outputs if isinstance(branch, Chain) else inputs for branch in branches)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ...)."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)


class Chain(nn.Module):
    """Convolutions one behind the other, a ReLU behind each."""

    def __init__(self, inputs: int, width: float, *convolutions: Conv):
        super().__init__()
        self.line = nn.Sequential()
        for conv in convolutions:
            self.line.append(conv_bn(inputs, width, conv))
            inputs = channels(conv.maps, width)
        self.outputs = inputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ...)."""
        for layer in self.line:
            x = F.relu(layer(x))
        return x


def conv_bn(inputs: int, width: float, conv: Conv) -> nn.Sequential:
    """A convolution without bias and its batch norm."""
    padding = (conv.height // 2, conv.width // 2) if conv.padded else 0
    outputs = channels(conv.maps, width)
    layer = nn.Conv2d(inputs, outputs, (conv.height, conv.width), conv.stride, padding, bias=False)
    return nn.Sequential(OrderedDict(conv=layer, norm=nn.BatchNorm2d(outputs, eps=0.001)))


def channels(count: int, width: float) -> int:
    """`count` times `width`, rounded, at least one."""
    return max(1, round(count * width))


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
