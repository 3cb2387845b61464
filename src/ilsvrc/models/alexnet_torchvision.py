"""What torchvision calls alexnet: the one tower of Krizhevsky 2014 without response norm.

Padding lies on every side of conv1, pools round down, and dropout stands before the full layers,
not behind them. Neither the network of 2012 (two towers, response norm) nor that of 2014.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def alexnet_torchvision(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "AlexNet":
    """Five convolutions of 64, 192, 384, 256 and 256 maps, three full layers. Images of 63 pixels a side or more."""
    return AlexNet(classes, image_size, width)


class AlexNet(nn.Module):
    """Images (N, 3, 224, 224); at other sizes pool6 brings the last map to 6×6."""

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=63)
        n64, n192, n256, n384, n4096 = (max(1, round(n * width)) for n in (64, 192, 256, 384, 4096))
        self.conv1 = nn.Conv2d(3, n64, 11, stride=4, padding=2)  # (N, 64, 55, 55)
        self.pool1 = nn.MaxPool2d(3, stride=2)  # (N, 64, 27, 27)
        self.conv2 = nn.Conv2d(n64, n192, 5, padding=2)  # (N, 192, 27, 27)
        self.pool2 = nn.MaxPool2d(3, stride=2)  # (N, 192, 13, 13)
        self.conv3 = nn.Conv2d(n192, n384, 3, padding=1)  # (N, 384, 13, 13)
        self.conv4 = nn.Conv2d(n384, n256, 3, padding=1)  # (N, 256, 13, 13)
        self.conv5 = nn.Conv2d(n256, n256, 3, padding=1)  # (N, 256, 13, 13)
        self.pool5 = nn.MaxPool2d(3, stride=2)  # (N, 256, 6, 6)
        self.pool6 = nn.AdaptiveAvgPool2d(6)  # (N, 256, 6, 6)
        self.drop6 = nn.Dropout(0.5)
        self.fc6 = nn.Linear(n256 * 36, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(n4096, n4096)
        self.fc8 = nn.Linear(n4096, classes)

    def features(self, images: Tensor) -> Tensor:
        """What fc6 sees, (N, 256, 6, 6)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.pool2(F.relu(self.conv2(x)))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        pooled: Tensor = self.pool6(self.pool5(F.relu(self.conv5(x))))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.features(images).flatten(1)
        x = F.relu(self.fc6(self.drop6(x)))
        x = F.relu(self.fc7(self.drop7(x)))
        logits: Tensor = self.fc8(x)
        return logits


def check(classes: int, image_size: int, width: float, smallest: int) -> None:
    """Raise ValueError for a network that cannot be."""
    if classes < 1:
        raise ValueError(f"classes is {classes}; a classifier needs at least 1")
    if not 0 < width < float("inf"):
        raise ValueError(f"width is {width}; it multiplies the channels and must be above 0, 1 for the paper's")
    if image_size < smallest:
        raise ValueError(f"image_size is {image_size} pixels; the smallest this network can take is {smallest}")
