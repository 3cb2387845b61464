"""Three claims of Simonyan and Zisserman 2014: depth, the uselessness of response norm, small filters."""

from functools import partial

from torch import nn

from ilsvrc.claims.claim import Budget, Claim, Comparison, Variant, plain, undropped
from ilsvrc.models import MODELS, vgg

PAPER = "Simonyan and Zisserman 2014"
WIDTH = 0.25


def configuration(name: str, classes: int, size: int) -> nn.Module:
    """A column of table 1, narrow."""
    return undropped(MODELS[name](classes, size, WIDTH))


def large_filters(classes: int, size: int) -> nn.Module:
    """B with each pair of 3×3 replaced by one 5×5 (section 2.3 and the end of 4.1)."""
    stages = tuple(((5, maps),) for maps in (64, 128, 256, 512, 512))
    return undropped(vgg.VGG(stages, classes, size, WIDTH))


DEPTH = Claim(
    name="vgg-depth",
    paper=PAPER,
    source="section 4.1, table 3",
    hypothesis="The error falls with depth, from 11 layers (A) to 16 (D).",
    published="top-1 error A 29.6, B 28.7, C 28.1, D 27.0, E 27.3 % at one scale: it saturates at 19 layers",
    unit="% top-1 error",
    variants=(
        Variant(name="A, 11 layers", build=partial(configuration, "vgg11"), published=29.6),
        Variant(name="B, 13 layers", build=partial(configuration, "vgg13"), published=28.7),
        Variant(name="C, 16 layers", build=partial(configuration, "vgg16_c"), published=28.1),
        Variant(name="D, 16 layers", build=partial(configuration, "vgg16"), published=27.0),
        Variant(name="E, 19 layers", build=partial(configuration, "vgg19"), published=27.3),
    ),
    comparisons=(
        Comparison(first="B, 13 layers", second="A, 11 layers"),
        Comparison(first="D, 16 layers", second="B, 13 layers"),
        Comparison(first="D, 16 layers", second="C, 16 layers"),
    ),
    recipe=plain(5, rate=0.03, batch=16),
    budget=Budget(images=2000, epochs=5, size=24),
    cannot="what depth is worth when training is long: in some thousand updates a deeper network without batch "
    "normalisation has above all more trouble to begin. A to E start from He's initialisation here, not from A",
)

USELESS_NORM = Claim(
    name="vgg-response-norm",
    paper=PAPER,
    source="section 4.1, table 3",
    hypothesis="Response norm does not lower the error of A.",
    published="top-1 error 29.6 % without and 29.7 % with it (top-5 10.4 and 10.5 %)",
    unit="% top-1 error",
    variants=(
        Variant(name="A-LRN", build=partial(configuration, "vgg11_lrn"), published=29.7),
        Variant(name="A", build=partial(configuration, "vgg11"), published=29.6),
    ),
    comparisons=(Comparison(first="A-LRN", second="A", expected="not lower"),),
    recipe=plain(5, rate=0.03, batch=16),
    budget=Budget(images=2000, epochs=5, size=24),
    margin=0.02,
    cannot="that the norm gains nothing at all: three seeds on these images bound a gain at best to some points, and "
    "two points are taken for none",
)

SMALL_FILTERS = Claim(
    name="small-filters",
    paper=PAPER,
    source="section 2.3 and section 4.1",
    hypothesis="Two layers of 3×3 give a lower error than one of 5×5, which sees as much.",
    published="B's top-1 error is lower by 7 points than that of the shallow network of 5×5 (centre crop)",
    unit="",
    variants=(
        Variant(name="pairs of 3x3 (B)", build=partial(configuration, "vgg13")),
        Variant(name="one 5x5 each", build=large_filters),
    ),
    comparisons=(Comparison(first="pairs of 3x3 (B)", second="one 5x5 each"),),
    recipe=plain(5, rate=0.03, batch=16),
    budget=Budget(images=2000, epochs=5, size=24),
    cannot="the seven points of 1,000 classes; the paper prints neither network's error",
)
