"""Two claims of Hu et al. 2017: the gate's gain at its price, and its reduction ratio."""

from functools import partial

from torch import nn

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, normalised
from ilsvrc.models import resnet, senet

PAPER = "Hu et al. 2017"
WIDTH = 0.25
REPEATS = (1, 2, 2, 1)
SMALL = "20 layers instead of 50 at a quarter of the width"


def without_gates(classes: int, size: int) -> nn.Module:
    """Bottlenecks as in ResNet-50, fewer of them."""
    return resnet.ResNet(resnet.Bottleneck, REPEATS, classes, size, WIDTH)


def with_gates(r: int, classes: int, size: int) -> nn.Module:
    """The same with gates, whose hidden layer has a part in r of the maps."""
    network = senet.SENet(senet.resnet_block, REPEATS, classes, size, WIDTH)
    for block in network.modules():
        if isinstance(block, senet.Block):
            block.se = senet.SqueezeExcitation(block.se.fc1.in_features, r)
    return network


GAIN = Claim(
    name="se-gain",
    paper=PAPER,
    source="section 5.1, table 2",
    hypothesis="Gates lower the error, for a tenth more parameters and hardly more multiply-adds.",
    published="top-1 error of 50 layers 23.29 against 24.80 % (top-5 6.62 and 7.48 %)",
    unit="% top-1 error",
    variants=(
        Variant(name="with gates", build=partial(with_gates, 16), published=23.29),
        Variant(name="without", build=without_gates, published=24.80),
    ),
    comparisons=(Comparison(first="with gates", second="without"),),
    recipe=normalised(5),
    budget=Budget(images=2000, epochs=5, size=32),
    cannot=f"how gates of the last stage tell a thousand classes apart; {SMALL}",
)

REDUCTION = Claim(
    name="se-reduction",
    paper=PAPER,
    source="section 6.1, table 10",
    hypothesis="A reduction ratio of 16 is as good as one of 2, at a fraction of the gates' parameters.",
    published="top-1 error with r = 2, 4, 8, 16, 32: 22.29, 22.25, 22.26, 22.28, 22.72 %",
    unit="% top-1 error",
    variants=(
        Variant(name="r = 2", build=partial(with_gates, 2), published=22.29),
        Variant(name="r = 16", build=partial(with_gates, 16), published=22.28),
        Variant(name="r = 32", build=partial(with_gates, 32), published=22.72),
    ),
    comparisons=(Comparison(first="r = 2", second="r = 16", expected="not lower"),),
    recipe=normalised(5),
    budget=Budget(images=2000, epochs=5, size=32),
    margin=0.02,
    cannot=f"differences below two points, which are taken for none; {SMALL}, where a ratio of 32 leaves the first "
    "stage's gates two hidden units",
)
