"""NEC-UIUC 2010: super vectors and local coordinate coding, first in the first classification challenge."""

from dataclasses import replace

from ilsvrc.entries.earlier import Earlier, Shallow
from ilsvrc.spec import Reported

METHOD = Shallow(
    source="Lin et al. 2011; Zhou et al. 2010",
    short_side=316,
    descriptors=("gradients", "patterns"),
    cells=(4, 6, 8),
    components=64,
    code="super vectors",
    words=512,
    regions=((1, 1), (2, 2), (3, 1)),
    sampled=1_000_000,
    epochs=20,
    regularisation=1e-5,
    gaps=(
        "the entry also coded by local coordinates and combined several systems; here it is super vectors alone",
        "HOG and LBP over which grids and at which scales is not in a source seen here (unverified)",
        "the numbers of words and components are ours (unverified)",
        "assignment to words is hard; averaged stochastic gradient descent is scikit-learn's",
    ),
)

MINIATURE = replace(
    METHOD,
    source="ours, after Zhou et al. 2010",
    short_side=72,
    cells=(4, 6),
    components=24,
    words=32,
    regions=((1, 1), (3, 1)),
    sampled=50_000,
    gaps=(
        METHOD.gaps[0],
        "32 words of 24 components on images of 72 pixels",
    ),
)

CLASSIFICATION = Earlier(
    key="nec-2010-cls",
    year=2010,
    team="NEC-UIUC",
    task="classification",
    name="super_vectors",
    title="Super vectors",
    method=METHOD,
    miniature=MINIATURE,
    reported=(
        Reported(
            metric="top-5 error", percent=28.191, split="test", source="results of 2010, from memory", unverified=True
        ),
    ),
    source="the organisers' results of 2010; Lin et al. 2011",
    new="Dense gradients and binary patterns, coded by high-dimensional vectors that a linear classifier tells apart, "
    "trained by stochastic gradient descent on a million images.",
    gaps=("the figure is 0.282 on the organisers' page; its further digits are quoted from memory",),
)
