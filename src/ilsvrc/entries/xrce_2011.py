"""XRCE 2011: compressed Fisher vectors, first in classification with the last winner that was no network."""

from dataclasses import replace

from ilsvrc.entries.earlier import Earlier, Shallow
from ilsvrc.spec import Reported

METHOD = Shallow(
    source="Perronnin, Sánchez and Mensink 2010; Sánchez and Perronnin 2011",
    short_side=316,
    descriptors=("gradients", "colours"),
    cells=(4, 6, 8, 11, 16),
    components=64,
    code="Fisher vectors",
    words=256,
    regions=((1, 1), (3, 1)),
    sampled=1_000_000,
    epochs=20,
    regularisation=1e-5,
    gaps=(
        "the source resizes images to 100,000 pixels at most; here the shorter side has 316",
        "SIFT's signed orientations are unsigned here, as scikit-image's HOG has them",
        "how many Gaussians and how many descriptors the entry had is not in a source seen here (unverified: 1,024 and "
        "later 256 are published by the same authors)",
        "the vectors were compressed by product quantization, which changes what memory holds and hardly the error; "
        "here they are float32",
        "rate, regularisation and passes of the classifier are ours",
    ),
)

MINIATURE = replace(
    METHOD,
    source="ours, after Perronnin, Sánchez and Mensink 2010",
    short_side=72,
    cells=(4, 6),
    components=24,
    words=16,
    sampled=50_000,
    regularisation=1e-5,
    gaps=(
        *METHOD.gaps[1:2],
        "16 Gaussians of 24 components on images of 72 pixels instead of hundreds of 64 on a third of a megapixel",
    ),
)

CLASSIFICATION = Earlier(
    key="xrce-2011-cls",
    year=2011,
    team="XRCE",
    task="classification",
    name="fisher_vectors",
    title="Fisher vectors",
    method=METHOD,
    miniature=MINIATURE,
    reported=(
        Reported(
            metric="top-5 error", percent=25.77, split="test", source="results of 2011, from memory", unverified=True
        ),
    ),
    source="the organisers' results of 2011; no paper describes the entry itself",
    new="Gradients of a mixture of Gaussians as a description of an image, with power and L2 normalisation, which a "
    "linear classifier tells apart.",
    gaps=("how many systems were combined is not known here (unverified)",),
)
