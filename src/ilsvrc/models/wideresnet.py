"""Wide ResNet for ImageNet. Zagoruyko and Komodakis: Wide Residual Networks, 2016 (section 3, table 8).

ResNet on the skeleton of fb.resnet.torch with k times as many maps in the first 1×1 and the 3×3 of every
bottleneck; what a block adds up, and the stem, stay as wide as they were. ReLU comes after the addition:
the authors' networks for small images alone are pre-activated. The stride of a stage sits in its 3×3, and
pool1 is padded by one pixel and rounds down.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


def wideresnet50_2(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "WideResNet":
    """WRN-50-2-bottleneck."""
    return WideResNet((3, 4, 6, 3), 2, classes, image_size, width)


def wideresnet68_3(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "WideResNet":
    """A reconstruction of a member of the winner of 2016: 22 bottlenecks, three times as wide inside."""
    return WideResNet((3, 4, 12, 3), 3, classes, image_size, width)


def wideresnet101_2(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "WideResNet":
    """The same with 101 layers; of the libraries, not in the paper."""
    return WideResNet((3, 4, 23, 3), 2, classes, image_size, width)


class WideResNet(nn.Module):
    """Four stages. Images (N, 3, 224, 224), or any size. k is how many times wider a bottleneck is inside."""

    def __init__(self, repeats: tuple[int, int, int, int], k: int, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=1)
        n64, n128, n256, n512 = (max(1, round(n * width)) for n in (64, 128, 256, 512))
        self.conv1 = conv_bn(3, n64, size=7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)  # (N, 64, 56, 56)
        self.conv2 = stage(n64, n64, k, repeats[0], stride=1)  # (N, 256, 56, 56)
        self.conv3 = stage(n64 * 4, n128, k, repeats[1], stride=2)  # (N, 512, 28, 28)
        self.conv4 = stage(n128 * 4, n256, k, repeats[2], stride=2)  # (N, 1024, 14, 14)
        self.conv5 = stage(n256 * 4, n512, k, repeats[3], stride=2)  # (N, 2048, 7, 7)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 2048, 1, 1)
        self.fc = nn.Linear(n512 * 4, classes)

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


class Bottleneck(nn.Module):
    """1×1, 3×3 with the stride, 1×1; the first two with k · maps."""

    def __init__(self, inputs: int, maps: int, k: int, stride: int):
        super().__init__()
        self.conv1 = conv_bn(inputs, k * maps, size=1)
        self.conv2 = conv_bn(k * maps, k * maps, size=3, stride=stride)
        self.conv3 = conv_bn(k * maps, 4 * maps, size=1)
        self.shortcut = shortcut(inputs, 4 * maps, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, 4 · maps, H / stride, W / stride)."""
        y = F.relu(self.conv1(x))
        y = F.relu(self.conv2(y))
        return F.relu(self.conv3(y) + self.shortcut(x))


def stage(inputs: int, maps: int, k: int, repeats: int, stride: int) -> nn.Sequential:
    """`repeats` blocks, the first of which changes the shape."""
    first = Bottleneck(inputs, maps, k, stride)
    return nn.Sequential(first, *(Bottleneck(maps * 4, maps, k, 1) for _ in range(repeats - 1)))


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
