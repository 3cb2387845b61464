"""Inception-v4 and Inception-ResNet: Szegedy, Ioffe, Vanhoucke, Alemi, 2016.

Two of the five networks of Trimps-Soushen, first in 2016, are of this paper.
"""

from dataclasses import replace

from ilsvrc.entries.inception_2015 import INCEPTION_V3

RECIPE = replace(
    INCEPTION_V3,
    source="Szegedy, Ioffe et al. 2016, section 4; TF-slim",
    init="variance scaling",
    gaps=(
        "20 replicas, images of each and length not given: 32 and 100 epochs, Inception-v3's",
        "label smoothing and clipping at 2: Inception-v3's (unverified)",
        "initialisation: TF-slim's default (unverified)",
        *INCEPTION_V3.gaps[1:],
    ),
)
