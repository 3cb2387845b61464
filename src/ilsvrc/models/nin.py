"""Network in Network. Lin, Chen, Yan, 2013: the network for ImageNet of the Caffe model zoo.

A layer is a convolution and two 1×1 behind it, a small network that looks at every place; the last has a
map per class, whose mean is the logit: no full layer. The paper's own networks are for small images;
this one was released for Caffe.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def nin(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "NiN":
    """Four layers of three convolutions. Images of 39 pixels a side or more."""
    return NiN(classes, image_size, width)


class NiN(nn.Module):
    """Images (N, 3, 224, 224). Layers are named as in the zoo's file, the last 1×1 apart, which is the classifier."""

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=39)
        n96, n256, n384, n1024 = (channels(n, width) for n in (96, 256, 384, 1024))
        self.conv1 = nn.Conv2d(3, n96, 11, stride=4)  # (N, 96, 54, 54)
        self.cccp1 = nn.Conv2d(n96, n96, 1)
        self.cccp2 = nn.Conv2d(n96, n96, 1)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 96, 27, 27)
        self.conv2 = nn.Conv2d(n96, n256, 5, padding=2)  # (N, 256, 27, 27)
        self.cccp3 = nn.Conv2d(n256, n256, 1)
        self.cccp4 = nn.Conv2d(n256, n256, 1)
        self.pool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 256, 13, 13)
        self.conv3 = nn.Conv2d(n256, n384, 3, padding=1)  # (N, 384, 13, 13)
        self.cccp5 = nn.Conv2d(n384, n384, 1)
        self.cccp6 = nn.Conv2d(n384, n384, 1)
        self.pool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 384, 6, 6)
        self.drop = nn.Dropout(0.5)
        self.conv4 = nn.Conv2d(n384, n1024, 3, padding=1)  # (N, 1024, 6, 6)
        self.cccp7 = nn.Conv2d(n1024, n1024, 1)
        self.cccp8 = nn.Conv2d(n1024, classes, 1)  # (N, 1000, 6, 6)
        self.pool4 = nn.AdaptiveAvgPool2d(1)  # (N, 1000, 1, 1)

    def features(self, images: Tensor) -> Tensor:
        """A map per class, (N, classes, 6, 6)."""
        x = self.pool1(three(images, self.conv1, self.cccp1, self.cccp2))
        x = self.pool2(three(x, self.conv2, self.cccp3, self.cccp4))
        x = self.pool3(three(x, self.conv3, self.cccp5, self.cccp6))
        return three(self.drop(x), self.conv4, self.cccp7, self.cccp8)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes): the means of the maps, none below zero."""
        means: Tensor = self.pool4(self.features(images))
        return means.flatten(1)


def three(x: Tensor, first: nn.Module, second: nn.Module, third: nn.Module) -> Tensor:
    """An mlpconv layer: three convolutions, a ReLU behind each."""
    return F.relu(third(F.relu(second(F.relu(first(x))))))


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
