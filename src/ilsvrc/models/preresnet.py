"""Pre-activation ResNet. He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks, 2016.

Batch norm and ReLU come before each convolution and nothing comes after an addition, so that an identity
runs through a whole stage. As in the code released for ImageNet (fb.resnet.torch, preresnet): the stem's
ReLU serves the first unit, a projection takes the activated map and has no batch norm, a last batch norm
and ReLU follow the last addition. The stride of a stage sits in its 3×3. Networks called ResNet-v2 in
later code put the stride at the end of a stage and are others.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F


def preresnet50(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "PreResNet":
    """50 layers."""
    return PreResNet((3, 4, 6, 3), classes, image_size, width)


def preresnet101(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "PreResNet":
    """101 layers."""
    return PreResNet((3, 4, 23, 3), classes, image_size, width)


def preresnet152(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "PreResNet":
    """152 layers."""
    return PreResNet((3, 8, 36, 3), classes, image_size, width)


def preresnet200(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "PreResNet":
    """200 layers, the depth that only this unit trains well."""
    return PreResNet((3, 24, 36, 3), classes, image_size, width)


def preresnet101_caffe(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "PreResNet":
    """101 layers as released for Caffe: pool1 has no padding and rounds up. Images of 3 pixels a side or more."""
    return PreResNet((3, 4, 23, 3), classes, image_size, width, rounded_up=True)


def preresnet152_caffe(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "PreResNet":
    """152 layers as released for Caffe."""
    return PreResNet((3, 8, 36, 3), classes, image_size, width, rounded_up=True)


def preresnet269_caffe(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "PreResNet":
    """269 layers, released for Caffe alone."""
    return PreResNet((3, 30, 48, 8), classes, image_size, width, rounded_up=True)


class PreResNet(nn.Module):
    """Four stages. Images (N, 3, 224, 224), or any size.

    rounded_up is for the releases for Caffe, whose pool1 has no padding and rounds up.
    """

    def __init__(
        self,
        repeats: tuple[int, int, int, int],
        classes: int,
        image_size: int,
        width: float,
        rounded_up: bool = False,
    ):
        super().__init__()
        check(classes, image_size, width, smallest=3 if rounded_up else 1)
        n64, n128, n256, n512 = (max(1, round(n * width)) for n in (64, 128, 256, 512))
        self.conv1 = conv_bn(3, n64, size=7, stride=2)  # (N, 64, 112, 112)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=0 if rounded_up else 1, ceil_mode=rounded_up)  # (N, 64, 56, 56)
        self.conv2 = stage(n64, n64, repeats[0], stride=1)  # (N, 256, 56, 56)
        self.conv3 = stage(4 * n64, n128, repeats[1], stride=2)  # (N, 512, 28, 28)
        self.conv4 = stage(4 * n128, n256, repeats[2], stride=2)  # (N, 1024, 14, 14)
        self.conv5 = stage(4 * n256, n512, repeats[3], stride=2)  # (N, 2048, 7, 7)
        self.norm5 = nn.BatchNorm2d(4 * n512)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 2048, 1, 1)
        self.fc = nn.Linear(4 * n512, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, activated, (N, 2048, 7, 7)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.conv3(self.conv2(x))
        x = self.conv5(self.conv4(x))
        return F.relu(self.norm5(x))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.pool5(self.features(images)).flatten(1)
        logits: Tensor = self.fc(x)
        return logits


class Unit(nn.Module):
    """x + F(x), with F: batch norm, ReLU, 1×1, batch norm, ReLU, 3×3, batch norm, ReLU, 1×1.

    A batch norm is kept with the convolution before it where there is one. first marks the unit behind
    the stem, whose input is activated already.
    """

    def __init__(self, inputs: int, maps: int, stride: int, first: bool):
        super().__init__()
        self.norm = nn.Identity() if first else nn.BatchNorm2d(inputs)
        self.conv1 = conv_bn(inputs, maps, size=1)
        self.conv2 = conv_bn(maps, maps, size=3, stride=stride)
        self.conv3 = nn.Conv2d(maps, 4 * maps, 1, bias=False)
        projected = first or stride > 1
        self.shortcut = nn.Conv2d(inputs, 4 * maps, 1, stride=stride, bias=False) if projected else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, 4 · maps, H / stride, W / stride), not activated."""
        activated = F.relu(self.norm(x))
        y = F.relu(self.conv1(activated))
        y = F.relu(self.conv2(y))
        passed = x if self.shortcut is None else self.shortcut(activated)
        added: Tensor = passed + self.conv3(y)
        return added


def stage(inputs: int, maps: int, repeats: int, stride: int) -> nn.Sequential:
    """`repeats` units, the first of which changes the shape; the one without a stride is the network's first."""
    units = [Unit(inputs, maps, stride, first=stride == 1)]
    return nn.Sequential(*units, *(Unit(4 * maps, maps, 1, first=False) for _ in range(repeats - 1)))


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias and the batch norm behind it."""
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
