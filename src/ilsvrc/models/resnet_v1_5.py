"""ResNet as today's libraries have it, 'v1.5'. Gross and Wilber 2016 (fb.resnet.torch).

Two things differ from He et al. 2015 and from `resnet.py`: the stride of a stage sits in the 3×3 of
its first bottleneck, and pool1 is padded by one pixel and rounds down. Weights of the one run in
the other without an error and are wrong there.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


def resnet18_v1_5(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNet":
    """18 layers; only pool1 differs from the network of 2015."""
    return ResNet(Basic, (2, 2, 2, 2), classes, image_size, width)


def resnet34_v1_5(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNet":
    """34 layers; only pool1 differs from the network of 2015."""
    return ResNet(Basic, (3, 4, 6, 3), classes, image_size, width)


def resnet50_v1_5(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNet":
    """50 layers: torchvision's and timm's resnet50."""
    return ResNet(Bottleneck, (3, 4, 6, 3), classes, image_size, width)


def resnet101_v1_5(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNet":
    """101 layers: torchvision's and timm's resnet101."""
    return ResNet(Bottleneck, (3, 4, 23, 3), classes, image_size, width)


def resnet152_v1_5(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "ResNet":
    """152 layers: torchvision's and timm's resnet152."""
    return ResNet(Bottleneck, (3, 8, 36, 3), classes, image_size, width)


class ResNet(nn.Module):
    """Four stages. Images (N, 3, 224, 224), or any size."""

    def __init__(
        self,
        block: type["Basic | Bottleneck"],
        repeats: tuple[int, int, int, int],
        classes: int,
        image_size: int,
        width: float,
    ):
        super().__init__()
        check(classes, image_size, width, smallest=1)
        n64, n128, n256, n512 = (max(1, round(n * width)) for n in (64, 128, 256, 512))
        e = block.expansion  # 1 basic, 4 bottleneck
        self.conv1 = conv_bn(3, n64, size=7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)  # (N, 64, 56, 56)
        self.conv2 = stage(block, n64, n64, repeats[0], stride=1)  # (N, 64e, 56, 56)
        self.conv3 = stage(block, n64 * e, n128, repeats[1], stride=2)  # (N, 128e, 28, 28)
        self.conv4 = stage(block, n128 * e, n256, repeats[2], stride=2)  # (N, 256e, 14, 14)
        self.conv5 = stage(block, n256 * e, n512, repeats[3], stride=2)  # (N, 512e, 7, 7)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 512e, 1, 1)
        self.fc = nn.Linear(n512 * e, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 512e, 7, 7)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.conv3(self.conv2(x))
        last: Tensor = self.conv5(self.conv4(x))
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool5(self.features(images)).flatten(1)
        logits: Tensor = self.fc(x)
        return logits


class Basic(nn.Module):
    """Two 3×3."""

    expansion = 1

    def __init__(self, inputs: int, maps: int, stride: int):
        super().__init__()
        self.conv1 = conv_bn(inputs, maps, size=3, stride=stride)
        self.conv2 = conv_bn(maps, maps, size=3)
        self.shortcut = shortcut(inputs, maps, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, maps, H / stride, W / stride)."""
        y = F.relu(self.conv1(x))
        return F.relu(self.conv2(y) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1×1, 3×3 with the stride, 1×1."""

    expansion = 4

    def __init__(self, inputs: int, maps: int, stride: int):
        super().__init__()
        self.conv1 = conv_bn(inputs, maps, size=1)
        self.conv2 = conv_bn(maps, maps, size=3, stride=stride)
        self.conv3 = conv_bn(maps, 4 * maps, size=1)
        self.shortcut = shortcut(inputs, 4 * maps, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, 4 · maps, H / stride, W / stride)."""
        y = F.relu(self.conv1(x))
        y = F.relu(self.conv2(y))
        return F.relu(self.conv3(y) + self.shortcut(x))


def stage(block: type[Basic | Bottleneck], inputs: int, maps: int, repeats: int, stride: int) -> nn.Sequential:
    """`repeats` blocks, the first of which changes the shape."""
    first = block(inputs, maps, stride)
    return nn.Sequential(first, *(block(maps * block.expansion, maps, 1) for _ in range(repeats - 1)))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The identity, or a 1×1 projection where the shape changes."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return conv_bn(inputs, outputs, size=1, stride=stride)


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
