"""A claim of Szegedy et al. 2014: side heads help."""

from dataclasses import replace

from torch import nn

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, plain, undropped
from ilsvrc.models import googlenet

WIDTH = 0.25
RECIPE = plain(4, rate=0.03, batch=16)


def build(classes: int, size: int) -> nn.Module:
    """GoogLeNet, narrow, with its side heads."""
    return undropped(googlenet.googlenet(classes, size, WIDTH))


SIDE_HEADS = Claim(
    name="side-heads",
    paper="Szegedy et al. 2014",
    source="section 5; the size of the gain in section 5 of the version of 2015",
    hypothesis="Two side heads, weighted 0.3 in the loss, lower the error of the trunk.",
    published="around 0.5 points, and one of the two would do (unverified)",
    unit="",
    variants=(
        Variant(name="side heads", build=build),
        Variant(name="none", build=build, recipe=replace(RECIPE, side_weight=0.0)),
    ),
    comparisons=(Comparison(first="side heads", second="none"),),
    recipe=RECIPE,
    budget=Budget(images=2000, epochs=4, size=80),
    cannot="the half point at the end of a long training: in a short one the heads act on how fast the trunk begins to "
    "learn. The network without them has them built and weighs them by zero, so that both draw the same",
)
