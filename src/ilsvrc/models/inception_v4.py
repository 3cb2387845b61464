"""Inception-v4. Szegedy, Ioffe, Vanhoucke, Alemi: Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning, 2016.

As Google released it (TF-slim), without the side head of its training code, which the paper does not mention.
Averages leave out the padding as TensorFlow's do; the conversion for Caffe counts it: the same weights run in
both, with other numbers at the borders.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def inception_v4(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionV4":
    """Google's network. Images of 75 pixels a side or more."""
    return InceptionV4(classes, image_size, width)


def inception_v4_caffe(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionV4":
    """As converted for Caffe: averages count the padding."""
    return InceptionV4(classes, image_size, width, counted=True)


class InceptionV4(nn.Module):
    """The released definition, one layer or module per line. Images (N, 3, 299, 299).

    counted says whether averages count the zeros outside the map as pixels.
    """

    def __init__(self, classes: int, image_size: int, width: float, counted: bool = False):
        super().__init__()
        check(classes, image_size, width, smallest=75)
        n32, n64 = channels(32, width), channels(64, width)
        self.conv_1a = conv_bn(3, width, Conv(3, 3, 32, 2, padded=False))  # (N, 32, 149, 149)
        self.conv_2a = conv_bn(n32, width, Conv(3, 3, 32, padded=False))  # (N, 32, 147, 147)
        self.conv_2b = conv_bn(n32, width, Conv(3, 3, 64))  # (N, 64, 147, 147)
        self.mixed_3a = stem_147(n64, width)  # (N, 160, 73, 73)
        self.mixed_4a = stem_73(self.mixed_3a.outputs, width)  # (N, 192, 71, 71)
        self.mixed_5a = stem_71(self.mixed_4a.outputs, width)  # (N, 384, 35, 35)
        self.inception_a = stack(module_a, 4, self.mixed_5a.outputs, width, counted)  # (N, 384, 35, 35)
        self.reduction_a = reduction_a(self.inception_a.outputs, width)  # (N, 1024, 17, 17)
        self.inception_b = stack(module_b, 7, self.reduction_a.outputs, width, counted)  # (N, 1024, 17, 17)
        self.reduction_b = reduction_b(self.inception_b.outputs, width)  # (N, 1536, 8, 8)
        self.inception_c = stack(module_c, 3, self.reduction_b.outputs, width, counted)  # (N, 1536, 8, 8)
        self.pool = nn.AdaptiveAvgPool2d(1)  # (N, 1536, 1, 1)
        self.drop = nn.Dropout(0.2)
        self.linear = nn.Linear(self.inception_c.outputs, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 1536, 8, 8)."""
        x = F.relu(self.conv_1a(images))
        x = F.relu(self.conv_2a(x))
        x = F.relu(self.conv_2b(x))
        x = self.mixed_5a(self.mixed_4a(self.mixed_3a(x)))
        x = self.reduction_a(self.inception_a(x))
        x = self.reduction_b(self.inception_b(x))
        last: Tensor = self.inception_c(x)
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool(self.features(images)).flatten(1)
        logits: Tensor = self.linear(self.drop(x))
        return logits


def stem_147(n: int, width: float) -> "Mixed":
    """A pool with a stride; 3×3 with it."""
    return Mixed(n, nn.MaxPool2d(3, stride=2), Chain(n, width, Conv(3, 3, 96, 2, padded=False)))


def stem_73(n: int, width: float) -> "Mixed":
    """3×3; 1×7, 7×1 and 3×3."""
    seven = (Conv(1, 1, 64), Conv(1, 7, 64), Conv(7, 1, 64), Conv(3, 3, 96, padded=False))
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 64), Conv(3, 3, 96, padded=False)),
        Chain(n, width, *seven),
    )


def stem_71(n: int, width: float) -> "Mixed":
    """3×3 with a stride; a pool with it."""
    return Mixed(n, Chain(n, width, Conv(3, 3, 192, 2, padded=False)), nn.MaxPool2d(3, stride=2))


def module_a(n: int, width: float, pool: nn.Module) -> "Mixed":
    """1×1; 3×3; two 3×3; a pool and its projection."""
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 96)),
        Chain(n, width, Conv(1, 1, 64), Conv(3, 3, 96)),
        Chain(n, width, Conv(1, 1, 64), Conv(3, 3, 96), Conv(3, 3, 96)),
        Chain(n, width, Conv(1, 1, 96), pool=pool),
    )


def reduction_a(n: int, width: float) -> "Mixed":
    """3×3 with a stride; two 3×3, the second with it; a pool with it. k, l, m and n are 192, 224, 256 and 384."""
    return Mixed(
        n,
        Chain(n, width, Conv(3, 3, 384, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 192), Conv(3, 3, 224), Conv(3, 3, 256, 2, padded=False)),
        nn.MaxPool2d(3, stride=2),
    )


def module_b(n: int, width: float, pool: nn.Module) -> "Mixed":
    """1×1; 7×7 as 1×7 and 7×1; that twice; a pool and its projection."""
    seven = (Conv(1, 1, 192), Conv(1, 7, 224), Conv(7, 1, 256))
    twice = (Conv(1, 1, 192), Conv(7, 1, 192), Conv(1, 7, 224), Conv(7, 1, 224), Conv(1, 7, 256))
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 384)),
        Chain(n, width, *seven),
        Chain(n, width, *twice),
        Chain(n, width, Conv(1, 1, 128), pool=pool),
    )


def reduction_b(n: int, width: float) -> "Mixed":
    """3×3 with a stride; 1×7, 7×1 and a 3×3 with it; a pool with it."""
    seven = (Conv(1, 1, 256), Conv(1, 7, 256), Conv(7, 1, 320), Conv(3, 3, 320, 2, padded=False))
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 192), Conv(3, 3, 192, 2, padded=False)),
        Chain(n, width, *seven),
        nn.MaxPool2d(3, stride=2),
    )


def module_c(n: int, width: float, pool: nn.Module) -> "Mixed":
    """1×1; 1×3 beside 3×1; 3×1 and 1×3, then the same; a pool and its projection."""
    fork = (Conv(1, 3, 256), Conv(3, 1, 256))
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 256)),
        Chain(n, width, Conv(1, 1, 384), fork=fork),
        Chain(n, width, Conv(1, 1, 384), Conv(3, 1, 448), Conv(1, 3, 512), fork=fork),
        Chain(n, width, Conv(1, 1, 256), pool=pool),
    )


def stack(
    module: Callable[[int, float, nn.Module], "Mixed"], repeats: int, inputs: int, width: float, counted: bool
) -> "Stack":
    """Modules of one kind, one behind the other."""
    modules: list[Mixed] = []
    for _ in range(repeats):
        pool = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=counted)
        modules.append(module(modules[-1].outputs if modules else inputs, width, pool))
    return Stack(*modules)


class Stack(nn.Sequential):
    """A Sequential of mixed modules that knows how many maps the last of them has."""

    @property
    def outputs(self) -> int:
        """Maps of the last module."""
        last = self[-1]
        assert isinstance(last, Mixed)
        return last.outputs


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
    """Convolutions one behind the other, a ReLU behind each, after a pool if there is one.

    fork are convolutions that all see the last of them and whose maps are stacked.
    """

    def __init__(
        self,
        inputs: int,
        width: float,
        *convolutions: Conv,
        pool: nn.Module | None = None,
        fork: tuple[Conv, ...] = (),
    ):
        super().__init__()
        self.pool = pool if pool is not None else nn.Identity()
        self.line = nn.Sequential()
        for conv in convolutions:
            self.line.append(conv_bn(inputs, width, conv))
            inputs = channels(conv.maps, width)
        self.fork = nn.Sequential(*(conv_bn(inputs, width, conv) for conv in fork))
        self.outputs = sum(channels(conv.maps, width) for conv in fork) or inputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ...)."""
        x = self.pool(x)
        for layer in self.line:
            x = F.relu(layer(x))
        return torch.cat([F.relu(layer(x)) for layer in self.fork], dim=1) if len(self.fork) else x


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
