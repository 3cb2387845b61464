"""OverFeat. Sermanet et al.: Integrated Recognition, Localization and Detection using Convolutional Networks, 2013.

Read beside the two tables of layers, fast and accurate. No contrast norm, pools that do not overlap, the
first two convolutions without padding. The first full layer is a convolution over the whole last map;
run as one, the network slides over larger images, which is how the paper tests it.
"""

from torch import Tensor, nn
from torch.nn import functional as F


def overfeat_fast(classes: int = 1000, image_size: int = 231, width: float = 1.0) -> "Fast":
    """The network of the entry of 2013. Images of 71 pixels a side or more."""
    return Fast(classes, image_size, width)


def overfeat_accurate(classes: int = 1000, image_size: int = 221, width: float = 1.0) -> "Accurate":
    """The larger network, of after the challenge. Images of 77 pixels a side or more."""
    return Accurate(classes, image_size, width)


class Fast(nn.Module):
    """The table of the fast model, one layer per line. Images (N, 3, 231, 231)."""

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=71)
        n96, n256, n512, n1024, n3072, n4096 = (channels(n, width) for n in (96, 256, 512, 1024, 3072, 4096))
        side = (((image_size - 7) // 4 // 2) - 4) // 2 // 2
        self.conv1 = nn.Conv2d(3, n96, 11, stride=4)  # (N, 96, 56, 56)
        self.pool1 = nn.MaxPool2d(2, stride=2)  # (N, 96, 28, 28)
        self.conv2 = nn.Conv2d(n96, n256, 5)  # (N, 256, 24, 24)
        self.pool2 = nn.MaxPool2d(2, stride=2)  # (N, 256, 12, 12)
        self.conv3 = nn.Conv2d(n256, n512, 3, padding=1)  # (N, 512, 12, 12)
        self.conv4 = nn.Conv2d(n512, n1024, 3, padding=1)  # (N, 1024, 12, 12)
        self.conv5 = nn.Conv2d(n1024, n1024, 3, padding=1)  # (N, 1024, 12, 12)
        self.pool5 = nn.MaxPool2d(2, stride=2)  # (N, 1024, 6, 6)
        self.fc6 = nn.Linear(n1024 * side * side, n3072)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(n3072, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(n4096, classes)

    def unpooled(self, images: Tensor) -> Tensor:
        """The map of conv5 before its pool, (N, 1024, 12, 12): what offset pooling starts from."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.pool2(F.relu(self.conv2(x)))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        return F.relu(self.conv5(x))

    def features(self, images: Tensor) -> Tensor:
        """What fc6 sees: the last convolutional map, pooled, (N, 1024, 6, 6)."""
        pooled: Tensor = self.pool5(self.unpooled(images))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.features(images).flatten(1)
        x = self.drop6(F.relu(self.fc6(x)))
        x = self.drop7(F.relu(self.fc7(x)))
        logits: Tensor = self.fc8(x)
        return logits


class Accurate(nn.Module):
    """The table of the accurate model, one layer per line. Images (N, 3, 221, 221)."""

    def __init__(self, classes: int, image_size: int, width: float):
        super().__init__()
        check(classes, image_size, width, smallest=77)
        n96, n256, n512, n1024, n4096 = (channels(n, width) for n in (96, 256, 512, 1024, 4096))
        side = (((image_size - 5) // 2 // 3) - 6) // 2 // 3
        self.conv1 = nn.Conv2d(3, n96, 7, stride=2)  # (N, 96, 108, 108)
        self.pool1 = nn.MaxPool2d(3, stride=3)  # (N, 96, 36, 36)
        self.conv2 = nn.Conv2d(n96, n256, 7)  # (N, 256, 30, 30)
        self.pool2 = nn.MaxPool2d(2, stride=2)  # (N, 256, 15, 15)
        self.conv3 = nn.Conv2d(n256, n512, 3, padding=1)  # (N, 512, 15, 15)
        self.conv4 = nn.Conv2d(n512, n512, 3, padding=1)  # (N, 512, 15, 15)
        self.conv5 = nn.Conv2d(n512, n1024, 3, padding=1)  # (N, 1024, 15, 15)
        self.conv6 = nn.Conv2d(n1024, n1024, 3, padding=1)  # (N, 1024, 15, 15)
        self.pool6 = nn.MaxPool2d(3, stride=3)  # (N, 1024, 5, 5)
        self.fc7 = nn.Linear(n1024 * side * side, n4096)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(n4096, n4096)
        self.drop8 = nn.Dropout(0.5)
        self.fc9 = nn.Linear(n4096, classes)

    def unpooled(self, images: Tensor) -> Tensor:
        """The map of conv6 before its pool, (N, 1024, 15, 15): what offset pooling starts from."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.pool2(F.relu(self.conv2(x)))
        x = F.relu(self.conv3(x))
        x = F.relu(self.conv4(x))
        x = F.relu(self.conv5(x))
        return F.relu(self.conv6(x))

    def features(self, images: Tensor) -> Tensor:
        """What fc7 sees: the last convolutional map, pooled, (N, 1024, 5, 5)."""
        pooled: Tensor = self.pool6(self.unpooled(images))
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.features(images).flatten(1)
        x = self.drop7(F.relu(self.fc7(x)))
        x = self.drop8(F.relu(self.fc8(x)))
        logits: Tensor = self.fc9(x)
        return logits


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
