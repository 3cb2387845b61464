"""A claim of Xie et al. 2016: cardinality against width at equal cost."""

from functools import partial

from torch import nn

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, normalised
from ilsvrc.models import resnext

WIDTH = 0.5
REPEATS = (1, 2, 2, 1)


def paths(C: int, d: int, classes: int, size: int) -> nn.Module:
    """C paths of width d at the full width, in 20 layers instead of 50."""
    return resnext.ResNeXt(C, d, REPEATS, classes, size, WIDTH)


CARDINALITY = Claim(
    name="cardinality",
    paper="Xie et al. 2016",
    source="section 5.1, table 3",
    hypothesis="At equal cost many narrow paths give a lower error than one wide path.",
    published="top-1 error of 50 layers 1x64d 23.9, 2x40d 23.0, 4x24d 22.6, 8x14d 22.3, 32x4d 22.2 %",
    unit="% top-1 error",
    variants=(
        Variant(name="1x64d", build=partial(paths, 1, 64), published=23.9),
        Variant(name="4x24d", build=partial(paths, 4, 24), published=22.6),
        Variant(name="32x4d", build=partial(paths, 32, 4), published=22.2),
    ),
    comparisons=(
        Comparison(first="4x24d", second="1x64d"),
        Comparison(first="32x4d", second="1x64d"),
    ),
    recipe=normalised(5),
    budget=Budget(images=2000, epochs=5, size=32),
    cannot="paths of width four: at half the width 32 of them have two maps each. Twenty layers instead of fifty",
)
