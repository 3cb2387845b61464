"""Inception-ResNet. Szegedy, Ioffe, Vanhoucke, Alemi: Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning, 2016; with gates, Hu et al. 2017.

Blocks whose branches meet in a 1×1 without batch norm, scaled down and added to their input. This is v2 as
Google released it (TF-slim): Inception-v3's stem, 10, 20 and 10 blocks where the paper has 5, 10 and 5, a last
1×1, and no side head, which is of its training code alone. The average of mixed_5b leaves out the padding as
TensorFlow's does; the conversion for Caffe counts it.
"""

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def inception_resnet_v2(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionResNet":
    """Google's released network. Images of 75 pixels a side or more."""
    return InceptionResNet(classes, image_size, width)


def inception_resnet_v2_caffe(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionResNet":
    """As converted for Caffe: the average counts the padding."""
    return InceptionResNet(classes, image_size, width, counted=True)


def se_inception_resnet_v2(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionResNet":
    """With a gate in every module (Hu et al. 2017), a reconstruction: theirs was never released."""
    return InceptionResNet(classes, image_size, width, gated=True)


class InceptionResNet(nn.Module):
    """The released definition, one layer or stage per line. Images (N, 3, 299, 299).

    counted says whether the average of mixed_5b counts the zeros outside the map as pixels; gated puts a gate behind
    every mixed module and on every residual branch.
    """

    def __init__(self, classes: int, image_size: int, width: float, counted: bool = False, gated: bool = False):
        super().__init__()
        check(classes, image_size, width, smallest=75)
        n32, n64, n80, n192 = (channels(n, width) for n in (32, 64, 80, 192))
        self.conv_1a = conv_bn(3, width, Conv(3, 3, 32, 2, padded=False))  # (N, 32, 149, 149)
        self.conv_2a = conv_bn(n32, width, Conv(3, 3, 32, padded=False))  # (N, 32, 147, 147)
        self.conv_2b = conv_bn(n32, width, Conv(3, 3, 64))  # (N, 64, 147, 147)
        self.pool_3a = nn.MaxPool2d(3, stride=2)  # (N, 64, 73, 73)
        self.conv_3b = conv_bn(n64, width, Conv(1, 1, 80))  # (N, 80, 73, 73)
        self.conv_4a = conv_bn(n80, width, Conv(3, 3, 192, padded=False))  # (N, 192, 71, 71)
        self.pool_5a = nn.MaxPool2d(3, stride=2)  # (N, 192, 35, 35)
        self.mixed_5b = module_35(n192, width, counted)  # (N, 320, 35, 35)
        n = self.mixed_5b.outputs
        self.block35 = nn.Sequential(*(block_35(n, width, gated) for _ in range(10)))  # (N, 320, 35, 35)
        self.mixed_6a = reduction_a(n, width)  # (N, 1088, 17, 17)
        m = self.mixed_6a.outputs
        self.block17 = nn.Sequential(*(block_17(m, width, gated) for _ in range(20)))  # (N, 1088, 17, 17)
        self.mixed_7a = reduction_b(m, width)  # (N, 2080, 8, 8)
        k = self.mixed_7a.outputs
        self.block8 = nn.Sequential(*(block_8(k, width, gated) for _ in range(9)))  # (N, 2080, 8, 8)
        self.block8_last = block_8(k, width, gated, last=True)  # (N, 2080, 8, 8)
        self.conv_7b = conv_bn(k, width, Conv(1, 1, 1536))  # (N, 1536, 8, 8)
        self.gate_5b, self.gate_6a, self.gate_7a = (gate(maps, gated) for maps in (n, m, k))
        self.pool = nn.AdaptiveAvgPool2d(1)  # (N, 1536, 1, 1)
        self.drop = nn.Dropout(0.2)
        self.linear = nn.Linear(channels(1536, width), classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 1536, 8, 8)."""
        x = F.relu(self.conv_1a(images))
        x = F.relu(self.conv_2a(x))
        x = self.pool_3a(F.relu(self.conv_2b(x)))
        x = F.relu(self.conv_3b(x))
        x = self.pool_5a(F.relu(self.conv_4a(x)))
        x = self.block35(self.gate_5b(self.mixed_5b(x)))
        x = self.block17(self.gate_6a(self.mixed_6a(x)))
        x = self.block8(self.gate_7a(self.mixed_7a(x)))
        return F.relu(self.conv_7b(self.block8_last(x)))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool(self.features(images)).flatten(1)
        logits: Tensor = self.linear(self.drop(x))
        return logits


def module_35(n: int, width: float, counted: bool) -> "Mixed":
    """1×1; 5×5; two 3×3; an average and its projection."""
    pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=counted)
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 96)),
        Chain(n, width, Conv(1, 1, 48), Conv(5, 5, 64)),
        Chain(n, width, Conv(1, 1, 64), Conv(3, 3, 96), Conv(3, 3, 96)),
        Chain(n, width, Conv(1, 1, 64), pool=pool),
    )


def block_35(n: int, width: float, gated: bool) -> "Residual":
    """1×1; 3×3; two 3×3; scaled by 0.17."""
    branches = Mixed(
        n,
        Chain(n, width, Conv(1, 1, 32)),
        Chain(n, width, Conv(1, 1, 32), Conv(3, 3, 32)),
        Chain(n, width, Conv(1, 1, 32), Conv(3, 3, 48), Conv(3, 3, 64)),
    )
    return Residual(n, branches, 0.17, gated)


def reduction_a(n: int, width: float) -> "Mixed":
    """3×3 with a stride; two 3×3, the second with it; a pool with it. k, l, m and n are 256, 256, 384 and 384."""
    return Mixed(
        n,
        Chain(n, width, Conv(3, 3, 384, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 256), Conv(3, 3, 256), Conv(3, 3, 384, 2, padded=False)),
        nn.MaxPool2d(3, stride=2),
    )


def block_17(n: int, width: float, gated: bool) -> "Residual":
    """1×1; 7×7 as 1×7 and 7×1; scaled by 0.1."""
    branches = Mixed(
        n,
        Chain(n, width, Conv(1, 1, 192)),
        Chain(n, width, Conv(1, 1, 128), Conv(1, 7, 160), Conv(7, 1, 192)),
    )
    return Residual(n, branches, 0.1, gated)


def reduction_b(n: int, width: float) -> "Mixed":
    """Two of 3×3 with a stride; two 3×3, the second with it; a pool with it."""
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 256), Conv(3, 3, 384, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 256), Conv(3, 3, 288, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 256), Conv(3, 3, 288), Conv(3, 3, 320, 2, padded=False)),
        nn.MaxPool2d(3, stride=2),
    )


def block_8(n: int, width: float, gated: bool, last: bool = False) -> "Residual":
    """1×1; 3×3 as 1×3 and 3×1; scaled by 0.2, but the last: by 1 and without a ReLU."""
    branches = Mixed(
        n,
        Chain(n, width, Conv(1, 1, 192)),
        Chain(n, width, Conv(1, 1, 192), Conv(1, 3, 224), Conv(3, 1, 256)),
    )
    return Residual(n, branches, 1.0 if last else 0.2, gated, activated=not last)


class Residual(nn.Module):
    """x + scale · up(branches), with up a 1×1 with bias and without batch norm; a ReLU behind it where activated."""

    def __init__(self, inputs: int, branches: "Mixed", scale: float, gated: bool, activated: bool = True):
        super().__init__()
        self.scale = scale
        self.activated = activated
        self.branches = branches
        self.up = nn.Conv2d(branches.outputs, inputs, 1)
        self.se = gate(inputs, gated)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to the same."""
        y = x + self.scale * self.se(self.up(self.branches(x)))
        return F.relu(y) if self.activated else y


class SqueezeExcitation(nn.Module):
    """The mean of each map, two small layers, a sigmoid: one factor per map (Hu et al. 2017, equations 2 to 4)."""

    def __init__(self, maps: int, r: int = 16):
        super().__init__()
        hidden = max(1, maps // r)
        self.fc1 = nn.Linear(maps, hidden)
        self.fc2 = nn.Linear(hidden, maps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, maps, H, W) to the same."""
        z = x.mean(dim=(2, 3))
        s: Tensor = self.fc2(F.relu(self.fc1(z))).sigmoid()
        return x * s[:, :, None, None]


def gate(maps: int, gated: bool) -> nn.Module:
    """Squeeze and excitation, or nothing."""
    return SqueezeExcitation(maps) if gated else nn.Identity()


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
    """Convolutions one behind the other, a ReLU behind each, after a pool if there is one."""

    def __init__(self, inputs: int, width: float, *convolutions: Conv, pool: nn.Module | None = None):
        super().__init__()
        self.pool = pool if pool is not None else nn.Identity()
        self.line = nn.Sequential()
        for conv in convolutions:
            self.line.append(conv_bn(inputs, width, conv))
            inputs = channels(conv.maps, width)
        self.outputs = inputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ...)."""
        x = self.pool(x)
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
