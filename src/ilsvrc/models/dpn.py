"""Dual-path networks. Chen, Li, Xiao, Jin, Yan, Feng: Dual Path Networks, 2017.

Two paths through every stage: one whose maps are added up as in a ResNet, one that grows by a few maps per
block as in a DenseNet. A block sees both stacked, behind batch norm and ReLU, and gives to both. Strides sit in
the grouped 3×3. Layers, widths and batch norm's epsilon are those of the authors' released networks, as
converted for Caffe; the paper's text was not at hand.
"""

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 0.001  # of batch norm


def dpn92(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "DPN":
    """DPN-92 (32x3d)."""
    return DPN(Form(64, 96, 32, (3, 4, 20, 3), (16, 32, 24, 128)), classes, image_size, width)


def dpn98(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "DPN":
    """DPN-98 (40x4d)."""
    return DPN(Form(96, 160, 40, (3, 6, 20, 3), (16, 32, 32, 128)), classes, image_size, width)


def dpn131(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "DPN":
    """DPN-131 (40x4d)."""
    return DPN(Form(128, 160, 40, (4, 8, 28, 3), (16, 32, 32, 128)), classes, image_size, width)


class Form(NamedTuple):
    """What tells one network of the family from another."""

    stem: int  # maps of conv1
    inner: int  # maps of the grouped 3×3 in conv2; twice as many in each next stage
    groups: int
    repeats: tuple[int, int, int, int]
    grow: tuple[int, int, int, int]  # maps that a block adds to the growing path


class DPN(nn.Module):
    """Four stages. Images (N, 3, 224, 224), or any size.

    width scales every layer and keeps the groups: none of them is narrower than one map.
    """

    def __init__(self, form: Form, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=1)
        maps = channels(form.stem, width)
        self.conv1 = conv_bn(3, maps, size=7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)  # (N, 64, 56, 56)
        self.conv2 = stage(form, 0, maps, width)  # (N, 336, 56, 56) in DPN-92
        self.conv3 = stage(form, 1, stacked(form, 0, width), width)  # (N, 704, 28, 28)
        self.conv4 = stage(form, 2, stacked(form, 1, width), width)  # (N, 1552, 14, 14)
        self.conv5 = stage(form, 3, stacked(form, 2, width), width)  # (N, 2688, 7, 7)
        maps = stacked(form, 3, width)
        self.norm5 = nn.BatchNorm2d(maps, eps=EPSILON)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 2688, 1, 1)
        self.fc = nn.Linear(maps, classes)

    def features(self, images: Tensor) -> Tensor:
        """Both paths of the last block, stacked and activated, (N, 2688, 7, 7)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.conv3(self.conv2(x))
        x = self.conv5(self.conv4(x))
        return F.relu(self.norm5(x))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool5(self.features(images)).flatten(1)
        logits: Tensor = self.fc(x)
        return logits


def stage(form: Form, place: int, inputs: int, width: float) -> nn.Sequential:
    """The stage of that place, from 0. Its first block makes both paths anew by a projection."""
    add, grow = paths(form, place, width)
    inner = channels(form.inner << place, width, form.groups)
    stride = 2 if place else 1
    projection = Projection(inputs, add + 2 * grow, stride)
    first = Block(Convolutions(inputs, inner, form.groups, stride, add + grow), projection, add)
    sizes = (add + (2 + number) * grow for number in range(1, form.repeats[place]))
    return nn.Sequential(first, *(Block(Convolutions(n, inner, form.groups, 1, add + grow), None, add) for n in sizes))


def paths(form: Form, place: int, width: float) -> tuple[int, int]:
    """Maps that are added up in a stage, 256 in the first, and maps by which each of its blocks lets the other grow."""
    return channels(256 << place, width), channels(form.grow[place], width)


def stacked(form: Form, place: int, width: float) -> int:
    """Maps of both paths behind a stage: the projection gives the growing one its first two steps."""
    add, grow = paths(form, place, width)
    return add + (2 + form.repeats[place]) * grow


class Block(nn.Module):
    """Adds the first `add` maps of what it computes to the one path, stacks the rest onto the other."""

    def __init__(self, convolutions: "Convolutions", projection: "Projection | None", add: int):
        super().__init__()
        self.add = add
        self.shortcut = projection
        self.branch = convolutions

    def forward(self, x: Tensor) -> Tensor:
        """Both paths stacked, in and out."""
        y = self.branch(x)
        passed = x if self.shortcut is None else self.shortcut(x)
        return torch.cat([passed[:, : self.add] + y[:, : self.add], passed[:, self.add :], y[:, self.add :]], dim=1)


class Convolutions(nn.Module):
    """Batch norm, ReLU, 1×1, batch norm, ReLU, grouped 3×3, batch norm, ReLU, 1×1.

    A batch norm is kept with the convolution before it where there is one.
    """

    def __init__(self, inputs: int, inner: int, groups: int, stride: int, outputs: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs, eps=EPSILON)
        self.conv1 = conv_bn(inputs, inner, size=1)
        self.conv2 = conv_bn(inner, inner, size=3, stride=stride, groups=groups)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride), not activated."""
        y = F.relu(self.conv1(F.relu(self.norm(x))))
        z: Tensor = self.conv3(F.relu(self.conv2(y)))
        return z


class Projection(nn.Module):
    """Batch norm, ReLU and the 1×1 that makes both paths of a stage from the last's."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs, eps=EPSILON)
        self.conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride), not activated."""
        projected: Tensor = self.conv(F.relu(self.norm(x)))
        return projected


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution without bias and the batch norm behind it."""
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs, eps=EPSILON)))


def channels(count: int, width: float, groups: int = 1) -> int:
    """`count` times `width`, rounded to a multiple of the groups, at least one per group."""
    return groups * max(1, round(count * width / groups))


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
