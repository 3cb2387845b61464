"""Inception-v3. Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception Architecture, 2015.

As Google released it (TF-slim), which differs from the paper's table: one 1×1 in the stem, a true 5×5 in
the modules of 35×35, four modules of 17×17. One side head in training. Averages leave out the padding as
TensorFlow's do; torchvision's and timm's count it, and MXNet's counts it and ends in a maximum: the same
weights run in all three, with other numbers at the borders.
"""

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def inception_v3(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionV3":
    """Google's network. Images of 107 pixels a side or more."""
    return InceptionV3(classes, image_size, width)


def inception_v3_torchvision(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionV3":
    """The network of today's libraries: averages count the padding, dropout is 0.5."""
    return InceptionV3(classes, image_size, width, counted=True, drop=0.5)


def inception_v3_mxnet(classes: int = 1000, image_size: int = 299, width: float = 1.0) -> "InceptionV3":
    """MXNet's network, as converted for Caffe: averages count the padding, the last module has a maximum."""
    return InceptionV3(classes, image_size, width, counted=True, last_pool=nn.MaxPool2d(3, stride=1, padding=1))


class InceptionV3(nn.Module):
    """The released definition, one layer or module per line. Images (N, 3, 299, 299).

    In training mode it returns two logits (its own, side_1's); in eval mode its own alone.
    """

    def __init__(
        self,
        classes: int,
        image_size: int,
        width: float,
        *,
        counted: bool = False,
        last_pool: nn.Module | None = None,
        drop: float = 0.2,
    ):
        super().__init__()
        check(classes, image_size, width, smallest=SMALLEST)
        n32, n64, n80, n192 = (channels(n, width) for n in (32, 64, 80, 192))
        self.conv_1a = conv_bn(3, width, Conv(3, 3, 32, 2, padded=False))  # (N, 32, 149, 149)
        self.conv_2a = conv_bn(n32, width, Conv(3, 3, 32, padded=False))  # (N, 32, 147, 147)
        self.conv_2b = conv_bn(n32, width, Conv(3, 3, 64))  # (N, 64, 147, 147)
        self.pool_3a = nn.MaxPool2d(3, stride=2)  # (N, 64, 73, 73)
        self.conv_3b = conv_bn(n64, width, Conv(1, 1, 80))  # (N, 80, 73, 73)
        self.conv_4a = conv_bn(n80, width, Conv(3, 3, 192, padded=False))  # (N, 192, 71, 71)
        self.pool_5a = nn.MaxPool2d(3, stride=2)  # (N, 192, 35, 35)
        self.mixed_5b = module_35(n192, width, 32, average(counted))  # (N, 256, 35, 35)
        self.mixed_5c = module_35(self.mixed_5b.outputs, width, 64, average(counted))  # (N, 288, 35, 35)
        self.mixed_5d = module_35(self.mixed_5c.outputs, width, 64, average(counted))  # (N, 288, 35, 35)
        self.mixed_6a = reduction_35(self.mixed_5d.outputs, width)  # (N, 768, 17, 17)
        self.mixed_6b = module_17(self.mixed_6a.outputs, width, 128, average(counted))  # (N, 768, 17, 17)
        self.mixed_6c = module_17(self.mixed_6b.outputs, width, 160, average(counted))  # (N, 768, 17, 17)
        self.mixed_6d = module_17(self.mixed_6c.outputs, width, 160, average(counted))  # (N, 768, 17, 17)
        self.mixed_6e = module_17(self.mixed_6d.outputs, width, 192, average(counted))  # (N, 768, 17, 17)
        self.mixed_7a = reduction_17(self.mixed_6e.outputs, width)  # (N, 1280, 8, 8)
        self.mixed_7b = module_8(self.mixed_7a.outputs, width, average(counted))  # (N, 2048, 8, 8)
        self.mixed_7c = module_8(self.mixed_7b.outputs, width, last_pool or average(counted))  # (N, 2048, 8, 8)
        self.pool = nn.AdaptiveAvgPool2d(1)  # (N, 2048, 1, 1)
        self.drop = nn.Dropout(drop)
        self.linear = nn.Linear(self.mixed_7c.outputs, classes)
        self.side_1 = SideHead(self.mixed_6e.outputs, width, map_side(image_size), classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 2048, 8, 8)."""
        return self.to_7c(self.to_6e(images))

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits, (N, classes), twice in training mode."""
        after_6e = self.to_6e(images)
        x = self.pool(self.to_7c(after_6e)).flatten(1)
        logits: Tensor = self.linear(self.drop(x))
        return (logits, self.side_1(after_6e)) if self.training else logits

    def to_6e(self, images: Tensor) -> Tensor:
        """Images to the map of mixed_6e, (N, 768, 17, 17)."""
        x = F.relu(self.conv_1a(images))
        x = F.relu(self.conv_2a(x))
        x = self.pool_3a(F.relu(self.conv_2b(x)))
        x = F.relu(self.conv_3b(x))
        x = self.pool_5a(F.relu(self.conv_4a(x)))
        x = self.mixed_6a(self.mixed_5d(self.mixed_5c(self.mixed_5b(x))))
        after_6e: Tensor = self.mixed_6e(self.mixed_6d(self.mixed_6c(self.mixed_6b(x))))
        return after_6e

    def to_7c(self, x: Tensor) -> Tensor:
        """From mixed_6e's map to mixed_7c's, (N, 2048, 8, 8)."""
        after_7c: Tensor = self.mixed_7c(self.mixed_7b(self.mixed_7a(x)))
        return after_7c


def module_35(n: int, width: float, project: int, pool: nn.Module) -> "Mixed":
    """1×1; 5×5; two 3×3; a pool and its projection."""
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 64)),
        Chain(n, width, Conv(1, 1, 48), Conv(5, 5, 64)),
        Chain(n, width, Conv(1, 1, 64), Conv(3, 3, 96), Conv(3, 3, 96)),
        Chain(n, width, Conv(1, 1, project), pool=pool),
    )


def reduction_35(n: int, width: float) -> "Mixed":
    """3×3 with a stride; two 3×3, the second with it; a pool with it."""
    return Mixed(
        n,
        Chain(n, width, Conv(3, 3, 384, 2, padded=False)),
        Chain(n, width, Conv(1, 1, 64), Conv(3, 3, 96), Conv(3, 3, 96, 2, padded=False)),
        nn.MaxPool2d(3, stride=2),
    )


def module_17(n: int, width: float, c: int, pool: nn.Module) -> "Mixed":
    """1×1; 7×7 as 1×7 and 7×1; that twice; a pool and its projection. c are the maps inside."""
    seven = (Conv(1, 1, c), Conv(1, 7, c), Conv(7, 1, 192))
    twice = (Conv(1, 1, c), Conv(7, 1, c), Conv(1, 7, c), Conv(7, 1, c), Conv(1, 7, 192))
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 192)),
        Chain(n, width, *seven),
        Chain(n, width, *twice),
        Chain(n, width, Conv(1, 1, 192), pool=pool),
    )


def reduction_17(n: int, width: float) -> "Mixed":
    """3×3 with a stride; 1×7, 7×1 and a 3×3 with it; a pool with it."""
    seven = (Conv(1, 1, 192), Conv(1, 7, 192), Conv(7, 1, 192), Conv(3, 3, 192, 2, padded=False))
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 192), Conv(3, 3, 320, 2, padded=False)),
        Chain(n, width, *seven),
        nn.MaxPool2d(3, stride=2),
    )


def module_8(n: int, width: float, pool: nn.Module) -> "Mixed":
    """1×1; 1×3 beside 3×1; 3×3, then the same; a pool and its projection."""
    fork = (Conv(1, 3, 384), Conv(3, 1, 384))
    return Mixed(
        n,
        Chain(n, width, Conv(1, 1, 320)),
        Chain(n, width, Conv(1, 1, 384), fork=fork),
        Chain(n, width, Conv(1, 1, 448), Conv(3, 3, 384), fork=fork),
        Chain(n, width, Conv(1, 1, 192), pool=pool),
    )


def average(counted: bool) -> nn.AvgPool2d:
    """The mean of 3×3 with steps of one; counted says whether zeros outside the map count as pixels."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=counted)


class SideHead(nn.Module):
    """The auxiliary classifier with batch norm, in training alone; its second convolution spans the pooled map.

    side is that of mixed_6e's map, 17 at the released size.
    """

    def __init__(self, inputs: int, width: float, side: int, classes: int):
        super().__init__()
        window = min(5, (side - 5) // 3 + 1)
        self.pool = nn.AvgPool2d(5, stride=3)  # (N, 768, 5, 5)
        self.conv_1 = conv_bn(inputs, width, Conv(1, 1, 128))  # (N, 128, 5, 5)
        self.conv_2 = conv_bn(channels(128, width), width, Conv(window, window, 768, padded=False))  # (N, 768, 1, 1)
        self.linear = nn.Linear(channels(768, width), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes). On a larger map the mean of the places where conv_2 fits."""
        x = F.relu(self.conv_1(self.pool(x)))
        logits: Tensor = self.linear(F.relu(self.conv_2(x)).mean(dim=(2, 3)))
        return logits


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


SMALLEST = 107  # pixels; gives mixed_6e's map the 5 that the side head's window needs


def map_side(size: int) -> int:
    """Side of mixed_6e's map: conv_2a and conv_4a lose two pixels, what has a stride rounds down."""
    pool_3a = ((size - 1) // 2 - 3) // 2
    pool_5a = (pool_3a - 3) // 2
    return (pool_5a - 1) // 2


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
