"""VGG with batch norm, which today's libraries offer beside the network of 2014 and the paper does not have.

A batch norm (Ioffe and Szegedy 2015) stands behind every convolution, which keeps its bias. Pools
round down, and at other sizes than 224 an average brings the last map to 7×7.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


def vgg11_bn(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration A with batch norm."""
    return VGG((1, 1, 2, 2, 2), classes, image_size, width)


def vgg13_bn(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration B with batch norm."""
    return VGG((2, 2, 2, 2, 2), classes, image_size, width)


def vgg16_bn(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration D with batch norm."""
    return VGG((2, 2, 3, 3, 3), classes, image_size, width)


def vgg19_bn(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "VGG":
    """Configuration E with batch norm."""
    return VGG((2, 2, 4, 4, 4), classes, image_size, width)


class VGG(nn.Module):
    """Five stages of 3×3 convolutions, as many as `stages` says. Images (N, 3, 224, 224), of 32 pixels or more."""

    def __init__(self, stages: tuple[int, ...], classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=32)
        self.stages = stages
        inputs = 3
        for number, (count, maps) in enumerate(zip(stages, (64, 128, 256, 512, 512), strict=True), start=1):
            outputs = max(1, round(maps * width))
            for place in range(1, count + 1):
                self.add_module(f"conv{number}_{place}", conv_bn(inputs, outputs))
                inputs = outputs
            self.add_module(f"pool{number}", nn.MaxPool2d(2, stride=2))
        n4096 = max(1, round(4096 * width))
        self.pool6 = nn.AdaptiveAvgPool2d(7)  # (N, 512, 7, 7)
        self.fc6 = nn.Linear(inputs * 49, n4096)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(n4096, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(n4096, classes)

    def features(self, images: Tensor) -> Tensor:
        """What fc6 sees, (N, 512, 7, 7)."""
        x = images
        for number, count in enumerate(self.stages, start=1):
            for place in range(1, count + 1):
                x = F.relu(self.get_submodule(f"conv{number}_{place}")(x))
            x = self.get_submodule(f"pool{number}")(x)
        pooled: Tensor = self.pool6(x)
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.features(images).flatten(1)
        x = self.drop6(F.relu(self.fc6(x)))
        x = self.drop7(F.relu(self.fc7(x)))
        logits: Tensor = self.fc8(x)
        return logits


def conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    """A 3×3 convolution with its bias, and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
