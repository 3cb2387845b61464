"""Squeeze-and-excitation networks. Hu, Shen, Albanie, Sun, Wu: Squeeze-and-Excitation Networks, 2017.

Read beside table 1 and, for SENet-154, its appendix and the authors' Caffe release. The gate
sits on the residual branch, after the last batch norm and before the addition. The stride of
a stage sits in the first 1×1 in SE-ResNet and in the grouped 3×3 in SE-ResNeXt and SENet-154;
pool1 has no padding and rounds up. The gate's two layers have biases, as in the release; later
code rounds their width, the paper divides by 16.
"""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F


def se_resnet50(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "SENet":
    """ResNet-50 with gates (table 1, middle)."""
    return SENet(resnet_block, (3, 4, 6, 3), classes, image_size, width)


def se_resnet101(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "SENet":
    """ResNet-101 with gates."""
    return SENet(resnet_block, (3, 4, 23, 3), classes, image_size, width)


def se_resnet152(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "SENet":
    """ResNet-152 with gates."""
    return SENet(resnet_block, (3, 8, 36, 3), classes, image_size, width)


def se_resnext50_32x4d(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "SENet":
    """ResNeXt-50 (32x4d) with gates (table 1, right)."""
    return SENet(resnext_block, (3, 4, 6, 3), classes, image_size, width)


def se_resnext101_32x4d(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "SENet":
    """ResNeXt-101 (32x4d) with gates."""
    return SENet(resnext_block, (3, 4, 23, 3), classes, image_size, width)


def senet154(classes: int = 1000, image_size: int = 224, width: float = 1.0) -> "SENet":
    """The winner of 2017: a modified ResNeXt-152 (64x4d) with gates, a stem of three 3×3 and dropout 0.2 (appendix)."""
    return SENet(senet154_block, (3, 8, 36, 3), classes, image_size, width, winner=True)


class SENet(nn.Module):
    """Table 1, one row of the table per line. Images (N, 3, 224, 224), or any size from 3 pixels a side.

    winner is for SENet-154's stem of three 3×3 and its dropout. width scales every layer and
    keeps the groups: none of them is narrower than one map.
    """

    def __init__(
        self,
        block: Callable[[int, int, int, float], "Block"],
        repeats: tuple[int, int, int, int],
        classes: int,
        image_size: int,
        width: float,
        winner: bool = False,
    ):
        super().__init__()
        check(classes, image_size, width, smallest=3)
        stem = channels(128 if winner else 64, width)
        n256, n512, n1024, n2048 = (channels(n, width) for n in (256, 512, 1024, 2048))
        self.conv1 = three_convolutions(channels(64, width), stem) if winner else conv_bn(3, stem, size=7, stride=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # (N, 64 or 128, 56, 56)
        self.conv2 = stage(block, stem, 64, repeats[0], width)  # (N, 256, 56, 56)
        self.conv3 = stage(block, n256, 128, repeats[1], width)  # (N, 512, 28, 28)
        self.conv4 = stage(block, n512, 256, repeats[2], width)  # (N, 1024, 14, 14)
        self.conv5 = stage(block, n1024, 512, repeats[3], width)  # (N, 2048, 7, 7)
        self.pool5 = nn.AdaptiveAvgPool2d(1)  # (N, 2048, 1, 1)
        self.drop = nn.Dropout(0.2) if winner else nn.Identity()
        self.fc = nn.Linear(n2048, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last convolutional map, (N, 2048, 7, 7)."""
        x = self.pool1(F.relu(self.conv1(images)))
        x = self.conv3(self.conv2(x))
        last: Tensor = self.conv5(self.conv4(x))
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (N, classes)."""
        x = self.drop(self.pool5(self.features(images)).flatten(1))
        logits: Tensor = self.fc(x)
        return logits


def resnet_block(inputs: int, maps: int, stride: int, width: float) -> "Block":
    """As in ResNet: stride in the first 1×1."""
    n, outputs = channels(maps, width), channels(4 * maps, width)
    return Block(
        outputs,
        conv1=conv_bn(inputs, n, size=1, stride=stride),
        conv2=conv_bn(n, n, size=3),
        conv3=conv_bn(n, outputs, size=1),
        shortcut=shortcut(inputs, outputs, stride, size=1),
    )


def resnext_block(inputs: int, maps: int, stride: int, width: float) -> "Block":
    """As in ResNeXt 32x4d: twice the maps of ResNet in 32 groups, stride in the 3×3."""
    n, outputs = channels(2 * maps, width, groups=32), channels(4 * maps, width)
    return Block(
        outputs,
        conv1=conv_bn(inputs, n, size=1),
        conv2=conv_bn(n, n, size=3, stride=stride, groups=32),
        conv3=conv_bn(n, outputs, size=1),
        shortcut=shortcut(inputs, outputs, stride, size=1),
    )


def senet154_block(inputs: int, maps: int, stride: int, width: float) -> "Block":
    """As in ResNeXt 64x4d, with half the maps in the first 1×1 and a 3×3 where the shortcut has a stride."""
    half, n, outputs = channels(2 * maps, width, 64), channels(4 * maps, width, 64), channels(4 * maps, width)
    return Block(
        outputs,
        conv1=conv_bn(inputs, half, size=1),
        conv2=conv_bn(half, n, size=3, stride=stride, groups=64),
        conv3=conv_bn(n, outputs, size=1),
        shortcut=shortcut(inputs, outputs, stride, size=1 if stride == 1 else 3),
    )


class Block(nn.Module):
    """1×1, 3×3, 1×1, squeeze and excitation, addition (figure 3)."""

    def __init__(self, outputs: int, *, conv1: nn.Module, conv2: nn.Module, conv3: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.conv1 = conv1
        self.conv2 = conv2
        self.conv3 = conv3
        self.se = SqueezeExcitation(outputs)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = F.relu(self.conv1(x))
        y = F.relu(self.conv2(y))
        return F.relu(self.se(self.conv3(y)) + self.shortcut(x))


class SqueezeExcitation(nn.Module):
    """Squeeze: z, the mean of each map. Excitation: s = σ(W2 · ReLU(W1 · z)), one factor per map (equations 2 to 4)."""

    def __init__(self, maps: int, r: int = 16):
        super().__init__()
        hidden = max(1, maps // r)
        self.fc1 = nn.Linear(maps, hidden)
        self.fc2 = nn.Linear(hidden, maps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, maps, H, W) to the same."""
        z = x.mean(dim=(2, 3))
        s: Tensor = self.fc2(F.relu(self.fc1(z))).sigmoid()
        return x * s[:, :, None, None]


def stage(
    block: Callable[[int, int, int, float], Block], inputs: int, maps: int, repeats: int, width: float
) -> nn.Sequential:
    """`repeats` blocks, the first of which changes the shape; every stage but conv2 halves the map."""
    first = block(inputs, maps, 1 if maps == 64 else 2, width)
    outputs = channels(4 * maps, width)
    return nn.Sequential(first, *(block(outputs, maps, 1, width) for _ in range(repeats - 1)))


def three_convolutions(maps: int, outputs: int) -> nn.Sequential:
    """SENet-154's stem in place of the 7×7; the caller adds the last ReLU."""
    return nn.Sequential(
        OrderedDict(
            conv1_1=conv_bn(3, maps, size=3, stride=2),  # (N, 64, 112, 112)
            relu1_1=nn.ReLU(),
            conv1_2=conv_bn(maps, maps, size=3),
            relu1_2=nn.ReLU(),
            conv1_3=conv_bn(maps, outputs, size=3),  # (N, 128, 112, 112)
        )
    )


def shortcut(inputs: int, outputs: int, stride: int, size: int) -> nn.Module:
    """The identity, or a projection where the shape changes."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return conv_bn(inputs, outputs, size=size, stride=stride)


def conv_bn(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution without bias and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))


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
