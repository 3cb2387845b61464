"""Two claims of He et al. 2015: the degradation of plain networks and its cure, and depth on small images."""

from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, normalised
from ilsvrc.models import MODELS
from ilsvrc.models.resnet import conv_bn

PAPER = "He et al. 2015"
WIDTH = 0.25


def of_table_1(name: str, classes: int, size: int) -> nn.Module:
    """A network of table 1 or the plain one beside it, narrow."""
    return MODELS[name](classes, size, WIDTH)


class SmallResNet(nn.Module):
    """Section 4.2: a 3×3, three stages of 2n layers with maps of one, two and four widths, a mean and a classifier.

    Shortcuts, where there are any, are the identity everywhere (option A). maps are 16, 32 and 64 in the paper.
    """

    def __init__(self, n: int, maps: int, classes: int, *, residual: bool):
        super().__init__()
        self.conv1 = conv_bn(3, maps, size=3)
        blocks, inputs = [], maps
        for stage in (1, 2, 4):
            for number in range(n):
                stride = 2 if stage > 1 and number == 0 else 1
                blocks.append(SmallBlock(inputs, stage * maps, stride, residual=residual))
                inputs = stage * maps
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S) to logits (N, classes)."""
        x = self.blocks(F.relu(self.conv1(images)))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits


class SmallBlock(nn.Module):
    """Two 3×3 and, if residual, an identity around them that skips every other pixel and adds empty maps."""

    def __init__(self, inputs: int, maps: int, stride: int, *, residual: bool):
        super().__init__()
        self.conv1 = conv_bn(inputs, maps, size=3, stride=stride)
        self.conv2 = conv_bn(maps, maps, size=3)
        self.stride, self.more, self.residual = stride, maps - inputs, residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, maps, H / stride, W / stride)."""
        y = self.conv2(F.relu(self.conv1(x)))
        if self.residual:
            y = y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return F.relu(y)


def small(kind: Literal["plain", "residual"], depth: int, maps: int, classes: int, size: int) -> nn.Module:
    """The network of 6n + 2 layers."""
    return SmallResNet((depth - 2) // 6, maps, classes, residual=kind == "residual")


DEGRADATION = Claim(
    name="degradation",
    paper=PAPER,
    source="section 4.1, figure 4 and table 2",
    hypothesis="A plain network of 34 layers has a higher error than one of 18; with shortcuts it has a lower one.",
    published="top-1 error plain 27.94 (18 layers) and 28.54 % (34), ResNet 27.88 and 25.03 %",
    unit="% top-1 error",
    variants=(
        Variant(name="plain-18", build=partial(of_table_1, "plain18"), published=27.94),
        Variant(name="plain-34", build=partial(of_table_1, "plain34"), published=28.54),
        Variant(name="ResNet-18", build=partial(of_table_1, "resnet18"), published=27.88),
        Variant(name="ResNet-34", build=partial(of_table_1, "resnet34"), published=25.03),
    ),
    comparisons=(
        Comparison(first="plain-18", second="plain-34"),
        Comparison(first="ResNet-34", second="ResNet-18"),
        Comparison(first="ResNet-34", second="plain-34"),
    ),
    recipe=normalised(6, rate=0.02, batch=16),
    budget=Budget(images=2000, epochs=6, size=32),
    cannot="whether the plain network would catch up: the paper trains three times as long and sees it does not; and "
    "34 layers are more than 20 easy classes need, so that the gain of depth may be missing",
)

SMALL_DEPTH = Claim(
    name="cifar-depth",
    paper=PAPER,
    source="section 4.2, table 6 and figure 6",
    hypothesis="On small images, too, plain networks get worse with depth and residual ones do not.",
    published="CIFAR-10 error of ResNet-20, 32, 44, 56, 110: 8.75, 7.51, 7.17, 6.97, 6.61 %; plain ones get worse from "
    "20 to 56 layers (figure 6)",
    unit="% error on CIFAR-10",
    variants=(
        Variant(name="plain-20", build=partial(small, "plain", 20, 8)),
        Variant(name="plain-56", build=partial(small, "plain", 56, 8)),
        Variant(name="ResNet-20", build=partial(small, "residual", 20, 8), published=8.75),
        Variant(name="ResNet-56", build=partial(small, "residual", 56, 8), published=6.97),
        Variant(name="ResNet-110", build=partial(small, "residual", 110, 8), published=6.61),
    ),
    comparisons=(
        Comparison(first="plain-20", second="plain-56"),
        Comparison(first="ResNet-56", second="ResNet-20"),
        Comparison(first="ResNet-56", second="plain-56"),
    ),
    recipe=normalised(6, rate=0.02, batch=16),
    budget=Budget(images=1500, epochs=6, size=16),
    cannot="64,000 updates; half the paper's width and some hundred updates, in which the deepest networks have only "
    "begun to learn",
)
