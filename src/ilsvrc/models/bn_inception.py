"""BN-Inception. Ioffe and Szegedy: Batch Normalization, 2015; with gates, Hu et al. 2017.

GoogLeNet with batch norm behind every convolution, two 3×3 in place of the 5×5, averages in most modules,
and modules with a stride in place of the pools between stages. Widths, pools and padding are those of the
release for Caffe, which the SENet authors' release with gates shares. Later code calls this network, or
another with a separable first layer, Inception-v2.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def bn_inception(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "BNInception":
    """Ten modules. Images of 7 pixels a side or more."""
    return BNInception(classes, image_size, width)


def se_bn_inception(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "BNInception":
    """The same with a gate behind every module (Hu et al. 2017)."""
    return BNInception(classes, image_size, width, gated=True)


class BNInception(nn.Module):
    """One row of the paper's table per line. Images (N, 3, 224, 224)."""

    def __init__(self, classes: int, image_size: int, width: float, gated: bool = False):
        super().__init__()
        check(classes, image_size, width, smallest=7)
        n64, n192 = channels(64, width), channels(192, width)
        self.conv1 = conv_bn(3, n64, size=7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 64, 56, 56)
        self.conv2_reduce = conv_bn(n64, n64, size=1)
        self.conv2 = conv_bn(n64, n192, size=3)  # (N, 192, 56, 56)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 192, 28, 28)
        #        1×1  3×3  3×3 double double pool
        #           reduce     reduce   3×3  proj
        rows = {
            "3a": (64, 64, 64, 64, 96, 32),  # (N, 256, 28, 28)
            "3b": (64, 64, 96, 64, 96, 64),  # (N, 320, 28, 28)
            "3c": (0, 128, 160, 64, 96, 0),  # (N, 576, 14, 14); with a stride
            "4a": (224, 64, 96, 96, 128, 128),  # (N, 576, 14, 14)
            "4b": (192, 96, 128, 96, 128, 128),  # (N, 576, 14, 14)
            "4c": (160, 128, 160, 128, 160, 128),  # (N, 608, 14, 14)
            "4d": (96, 128, 192, 160, 192, 128),  # (N, 608, 14, 14)
            "4e": (0, 128, 192, 192, 256, 0),  # (N, 1056, 7, 7); with a stride
            "5a": (352, 192, 320, 160, 224, 128),  # (N, 1024, 7, 7)
            "5b": (352, 192, 320, 192, 224, 128),  # (N, 1024, 7, 7); the one with a max pool
        }
        self.modules_of_the_table = tuple(f"inception_{row}" for row in rows)
        maps = n192
        for row, widths in rows.items():
            pool = nn.MaxPool2d(3, stride=1, padding=1) if row == "5b" else nn.AvgPool2d(3, stride=1, padding=1)
            module = Inception(maps, width, widths, pool, gated) if widths[0] else Halving(maps, width, widths, gated)
            self.add_module(f"inception_{row}", module)
            maps = module.outputs
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 1024, 1, 1)
        self.linear = nn.Linear(maps, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 1024, 7, 7)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = F.relu(self.conv2_reduce(x))
        last: Tensor = self.pool2(F.relu(self.conv2(x)))
        for name in self.modules_of_the_table:
            last = self.get_submodule(name)(last)
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool5(self.features(images)).flatten(1)
        logits: Tensor = self.linear(x)
        return logits


class Inception(nn.Module):
    """Four branches side by side.

    maps are one row of the table: #1×1, #3×3 reduce, #3×3, #double 3×3 reduce, both #double 3×3, pool proj.
    """

    def __init__(
        self, inputs: int, width: float, maps: tuple[int, int, int, int, int, int], pool: nn.Module, gated: bool
    ):
        super().__init__()
        n1, reduce3, n3, reduce_double, double, project = (channels(n, width) for n in maps)
        self.outputs = n1 + n3 + double + project
        self.conv_1x1 = conv_bn(inputs, n1, size=1)
        self.reduce_3x3 = conv_bn(inputs, reduce3, size=1)
        self.conv_3x3 = conv_bn(reduce3, n3, size=3)
        self.reduce_double = conv_bn(inputs, reduce_double, size=1)
        self.double_a = conv_bn(reduce_double, double, size=3)
        self.double_b = conv_bn(double, double, size=3)
        self.pool = pool
        self.pool_proj = conv_bn(inputs, project, size=1)
        self.se = SqueezeExcitation(self.outputs) if gated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        a = F.relu(self.conv_1x1(x))
        b = F.relu(self.conv_3x3(F.relu(self.reduce_3x3(x))))
        c = F.relu(self.double_a(F.relu(self.reduce_double(x))))
        c = F.relu(self.double_b(c))
        d = F.relu(self.pool_proj(self.pool(x)))
        y: Tensor = self.se(torch.cat([a, b, c, d], dim=1))
        return y


class Halving(nn.Module):
    """Three branches with a stride of two in their last layer; the pool passes its maps through."""

    def __init__(self, inputs: int, width: float, maps: tuple[int, int, int, int, int, int], gated: bool):
        super().__init__()
        reduce3, n3, reduce_double, double = (channels(n, width) for n in maps[1:5])
        self.outputs = n3 + double + inputs
        self.reduce_3x3 = conv_bn(inputs, reduce3, size=1)
        self.conv_3x3 = conv_bn(reduce3, n3, size=3, stride=2)
        self.reduce_double = conv_bn(inputs, reduce_double, size=1)
        self.double_a = conv_bn(reduce_double, double, size=3)
        self.double_b = conv_bn(double, double, size=3, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.se = SqueezeExcitation(self.outputs) if gated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / 2, W / 2), rounded up."""
        b = F.relu(self.conv_3x3(F.relu(self.reduce_3x3(x))))
        c = F.relu(self.double_a(F.relu(self.reduce_double(x))))
        c = F.relu(self.double_b(c))
        y: Tensor = self.se(torch.cat([b, c, self.pool(even(x))], dim=1))
        return y


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


def even(x: Tensor) -> Tensor:
    """The map, with a row or column that no maximum takes where its size is odd.

    At the paper's size there is none; elsewhere the pool then has as many windows as the convolutions beside it.
    """
    rows, columns = x.shape[2] % 2, x.shape[3] % 2
    return F.pad(x, (0, columns, 0, rows), value=float("-inf")) if rows or columns else x


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))


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
