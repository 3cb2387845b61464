"""ResNeXt. Xie, Girshick, Dollár, Tu, He: Aggregated Residual Transformations for Deep Neural Networks, 2016.

Read beside table 1; blocks are of form (c) of figure 3, a grouped convolution. C is the
cardinality, d the width of one path in conv2, doubled from stage to stage. As in the authors'
Torch code, and unlike the ResNet of 2015, the stride of a stage sits in the 3×3 and pool1 is
padded by one pixel. Libraries offer 101_32x8d, which is not in the paper.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


def resnext50_32x4d(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNeXt":
    """50 layers, 32 paths of width 4 (table 1)."""
    return ResNeXt(32, 4, (3, 4, 6, 3), classes, image_size, width)


def resnext101_32x4d(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNeXt":
    """101 layers, 32 paths of width 4 (table 3)."""
    return ResNeXt(32, 4, (3, 4, 23, 3), classes, image_size, width)


def resnext101_64x4d(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNeXt":
    """101 layers, 64 paths of width 4: twice the multiply-adds (table 4)."""
    return ResNeXt(64, 4, (3, 4, 23, 3), classes, image_size, width)


class ResNeXt(nn.Module):
    """Table 1, one row of the table per line. Images (N, 3, 224, 224), or any size.

    width scales every layer and keeps C: a path is never narrower than one map.
    """

    def __init__(self, C: int, d: int, repeats: tuple[int, int, int, int], classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=1)
        n64, n256, n512, n1024, n2048 = (max(1, round(n * width)) for n in (64, 256, 512, 1024, 2048))
        d2, d3, d4, d5 = (max(1, round(d * n * width)) for n in (1, 2, 4, 8))
        self.conv1 = conv_bn(3, n64, size=7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)  # (N, 64, 56, 56)
        self.conv2 = stage(C, d2, n64, n256, repeats[0], stride=1)  # (N, 256, 56, 56)
        self.conv3 = stage(C, d3, n256, n512, repeats[1], stride=2)  # (N, 512, 28, 28)
        self.conv4 = stage(C, d4, n512, n1024, repeats[2], stride=2)  # (N, 1024, 14, 14)
        self.conv5 = stage(C, d5, n1024, n2048, repeats[3], stride=2)  # (N, 2048, 7, 7)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 2048, 1, 1)
        self.fc = nn.Linear(n2048, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 2048, 7, 7)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.conv3(self.conv2(x))
        last: Tensor = self.conv5(self.conv4(x))
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool5(self.features(images)).flatten(1)
        logits: Tensor = self.fc(x)
        return logits


class Block(nn.Module):
    """C paths 1×1, 3×3, 1×1 of width d, added up (figure 3c)."""

    def __init__(self, C: int, d: int, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = conv_bn(inputs, C * d, size=1)
        self.conv2 = conv_bn(C * d, C * d, size=3, stride=stride, groups=C)
        self.conv3 = conv_bn(C * d, outputs, size=1)
        self.shortcut = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = F.relu(self.conv1(x))
        y = F.relu(self.conv2(y))
        return F.relu(self.conv3(y) + self.shortcut(x))


def stage(C: int, d: int, inputs: int, outputs: int, repeats: int, stride: int) -> nn.Sequential:
    """`repeats` blocks, the first of which changes the shape."""
    first = Block(C, d, inputs, outputs, stride)
    return nn.Sequential(first, *(Block(C, d, outputs, outputs, 1) for _ in range(repeats - 1)))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Option B: the identity, or a 1×1 projection where the shape changes."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return conv_bn(inputs, outputs, size=1, stride=stride)


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution without bias and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
