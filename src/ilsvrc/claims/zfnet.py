"""A claim of Zeiler and Fergus 2013: smaller windows and strides in the first layer."""

from functools import partial

from torch import nn

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, plain, undropped
from ilsvrc.models import zfnet

WIDTH = 0.25


def first_layer(kernel: int, stride: int, classes: int, size: int) -> nn.Module:
    """ZFNet with another first layer; with a stride of 4 the second has none, as in AlexNet, and maps are as large."""
    network = zfnet.zfnet(classes, size, WIDTH)
    first, second = network.conv1, network.conv2
    network.conv1 = nn.Conv2d(3, first.out_channels, kernel, stride=stride, padding=(kernel - 5) // 2)
    if stride == 4:
        network.conv2 = nn.Conv2d(second.in_channels, second.out_channels, 5, padding=2)
    return undropped(network)


FIRST_LAYER = Claim(
    name="first-layer",
    paper="Zeiler and Fergus 2013",
    source="section 4.1 and table 3",
    hypothesis="A first layer of 7×7 with stride 2 gives a lower error than one of 11×11 with stride 4.",
    published="top-5 error 16.5 % against 18.1 % of their replica of AlexNet (top-1 38.4 and 40.5 %)",
    unit="% top-1 error",
    variants=(
        Variant(name="7x7, stride 2", build=partial(first_layer, 7, 2), published=38.4),
        Variant(name="7x7, stride 4", build=partial(first_layer, 7, 4)),
        Variant(name="11x11, stride 4", build=partial(first_layer, 11, 4), published=40.5),
    ),
    comparisons=(Comparison(first="7x7, stride 2", second="11x11, stride 4"),),
    recipe=plain(5, rate=0.03, batch=16),
    budget=Budget(images=2000, epochs=5, size=64),
    cannot="which frequencies the filters cover and how many are dead at the full width; the paper's two networks also "
    "differ in the split over two GPUs, these do not",
)
