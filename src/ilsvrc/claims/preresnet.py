"""A claim of He et al. 2016: pre-activation eases very deep networks."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, normalised
from ilsvrc.models import preresnet, resnet

Unit = resnet.Bottleneck | preresnet.Unit


class Deep(nn.Module):
    """9n + 2 layers for small images: a 3×3, three stages of n bottlenecks of one or the other kind, a classifier.

    The first unit of the pre-activated network is not activated again behind the stem, as in the release for ImageNet.
    """

    def __init__(self, n: int, maps: int, classes: int, *, before: bool):
        super().__init__()
        self.conv1 = resnet.conv_bn(3, maps, size=3)
        blocks: list[nn.Module] = []
        inputs = maps
        for number in range(3 * n):
            width, stride = maps * 2 ** (number // n), 2 if number in (n, 2 * n) else 1
            first = preresnet.Unit(inputs, width, stride, first=number == 0) if before else None
            blocks.append(first or resnet.Bottleneck(inputs, width, stride))
            inputs = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(inputs) if before else nn.Identity()
        self.fc = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, S, S) to logits (N, classes)."""
        x = self.blocks(F.relu(self.conv1(images)))
        logits: Tensor = self.fc(F.relu(self.norm(x)).mean(dim=(2, 3)))
        return logits


def deep(before: bool, depth: int, classes: int, size: int) -> nn.Module:
    """The network of that many layers, half as wide as the paper's."""
    return Deep((depth - 2) // 9, 8, classes, before=before)


PREACTIVATION = Claim(
    name="preactivation",
    paper="He et al. 2016",
    source="section 4.1, tables 2 and 3",
    hypothesis="At great depth the pre-activated unit gives a lower error than the original one.",
    published="CIFAR-10 error at 164 layers 5.46 against 5.93 %, at 1001 layers 4.92 against 7.61 %",
    unit="% error on CIFAR-10",
    variants=(
        Variant(name="pre-activated, 164 layers", build=partial(deep, True, 164), published=5.46),
        Variant(name="original, 164 layers", build=partial(deep, False, 164), published=5.93),
    ),
    comparisons=(Comparison(first="pre-activated, 164 layers", second="original, 164 layers"),),
    recipe=normalised(4, rate=0.02, batch=16),
    budget=Budget(images=1500, epochs=4, size=16),
    cannot="1001 layers, where the paper's difference is large; and what is left of an easier start after 64,000 "
    "updates: in this budget both networks are hardly off chance, and the difference is one of who begins first",
)
