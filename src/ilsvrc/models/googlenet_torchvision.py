"""What torchvision calls googlenet: TensorFlow's later version of the network of Szegedy et al. 2014.

Batch norm (eps 0.001) behind every convolution and no response norm; a 3×3 where the 5×5 of the
paper belongs; a window of 2×2 in pool4; dropout 0.2; side heads on a mean of 4×4 whatever the size.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def googlenet_torchvision(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "GoogLeNet":
    """Nine modules and two side heads. Images of 15 pixels a side or more."""
    return GoogLeNet(classes, image_size, width)


class GoogLeNet(nn.Module):
    """Images (N, 3, 224, 224). In training mode three logits (the last, side_1's, side_2's); in eval mode the last."""

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=15)
        n64, n192 = channels(64, width), channels(192, width)
        self.conv1 = conv_bn(3, n64, size=7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 64, 56, 56)
        self.conv2_reduce = conv_bn(n64, n64, size=1)
        self.conv2 = conv_bn(n64, n192, size=3)  # (N, 192, 56, 56)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 192, 28, 28)
        self.inception_3a = Inception(n192, width, (64, 96, 128, 16, 32, 32))  # (N, 256, 28, 28)
        self.inception_3b = Inception(self.inception_3a.outputs, width, (128, 128, 192, 32, 96, 64))  # (N, 480, ...)
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 480, 14, 14)
        self.inception_4a = Inception(self.inception_3b.outputs, width, (192, 96, 208, 16, 48, 64))  # (N, 512, ...)
        self.inception_4b = Inception(self.inception_4a.outputs, width, (160, 112, 224, 24, 64, 64))  # (N, 512, ...)
        self.inception_4c = Inception(self.inception_4b.outputs, width, (128, 128, 256, 24, 64, 64))  # (N, 512, ...)
        self.inception_4d = Inception(self.inception_4c.outputs, width, (112, 144, 288, 32, 64, 64))  # (N, 528, ...)
        self.inception_4e = Inception(self.inception_4d.outputs, width, (256, 160, 320, 32, 128, 128))  # (N, 832, ...)
        self.pool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # (N, 832, 7, 7)
        self.inception_5a = Inception(self.inception_4e.outputs, width, (256, 160, 320, 32, 128, 128))  # (N, 832, 7, 7)
        self.inception_5b = Inception(self.inception_5a.outputs, width, (384, 192, 384, 48, 128, 128))  # (N, 1024, ...)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 1024, 1, 1)
        self.drop = nn.Dropout(0.2)
        self.linear = nn.Linear(self.inception_5b.outputs, classes)
        n128, n1024 = channels(128, width), channels(1024, width)
        self.side_1 = SideHead(self.inception_4a.outputs, n128, n1024, classes)
        self.side_2 = SideHead(self.inception_4d.outputs, n128, n1024, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 1024, 7, 7)."""
        return self.to_5b(self.to_4d(self.to_4a(images)))

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Logits, (N, classes), three times in training mode."""
        after_4a = self.to_4a(images)
        after_4d = self.to_4d(after_4a)
        x = self.pool5(self.to_5b(after_4d)).flatten(1)
        logits: Tensor = self.linear(self.drop(x))
        if not self.training:
            return logits
        return logits, self.side_1(after_4a), self.side_2(after_4d)

    def to_4a(self, images: Tensor) -> Tensor:
        """Images to the map of inception_4a, (N, 512, 14, 14)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = F.relu(self.conv2_reduce(x))
        x = self.pool2(F.relu(self.conv2(x)))
        x = self.pool3(self.inception_3b(self.inception_3a(x)))
        after_4a: Tensor = self.inception_4a(x)
        return after_4a

    def to_4d(self, x: Tensor) -> Tensor:
        """From inception_4a's map to inception_4d's, (N, 528, 14, 14)."""
        after_4d: Tensor = self.inception_4d(self.inception_4c(self.inception_4b(x)))
        return after_4d

    def to_5b(self, x: Tensor) -> Tensor:
        """From inception_4d's map to inception_5b's, (N, 1024, 7, 7)."""
        x = self.pool4(self.inception_4e(x))
        after_5b: Tensor = self.inception_5b(self.inception_5a(x))
        return after_5b


class Inception(nn.Module):
    """Four branches side by side; maps as in the paper's table, with a second 3×3 for its 5×5."""

    def __init__(self, inputs: int, width: float, maps: tuple[int, int, int, int, int, int]):
        super().__init__()
        n1, reduce3, n3, reduce5, n5, project = (channels(n, width) for n in maps)
        self.outputs = n1 + n3 + n5 + project
        self.conv_1x1 = conv_bn(inputs, n1, size=1)
        self.reduce_3x3 = conv_bn(inputs, reduce3, size=1)
        self.conv_3x3 = conv_bn(reduce3, n3, size=3)
        self.reduce_second = conv_bn(inputs, reduce5, size=1)
        self.conv_second = conv_bn(reduce5, n5, size=3)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True)
        self.pool_proj = conv_bn(inputs, project, size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        a = F.relu(self.conv_1x1(x))
        b = F.relu(self.conv_3x3(F.relu(self.reduce_3x3(x))))
        c = F.relu(self.conv_second(F.relu(self.reduce_second(x))))
        d = F.relu(self.pool_proj(self.pool(x)))
        return torch.cat([a, b, c, d], dim=1)


class SideHead(nn.Module):
    """An auxiliary classifier, on a mean of 4×4 of the map whatever its size."""

    def __init__(self, inputs: int, maps: int, hidden: int, classes: int):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)  # (N, inputs, 4, 4)
        self.conv = conv_bn(inputs, maps, size=1)  # (N, 128, 4, 4)
        self.fc = nn.Linear(maps * 16, hidden)
        self.drop = nn.Dropout(0.7)
        self.linear = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = F.relu(self.conv(self.pool(x))).flatten(1)
        logits: Tensor = self.linear(self.drop(F.relu(self.fc(x))))
        return logits


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs, eps=0.001)))


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
