"""Inception-v4 and Inception-ResNet: Szegedy, Ioffe, Vanhoucke, Alemi, 2016.

Two of the five networks of Trimps-Soushen, first in 2016, are of this paper.
"""

from dataclasses import replace

from ilsvrc.entries.inception_2015 import CENTER_299, FOUR, INCEPTION_V3, TWELVE_299, WITHOUT_1700
from ilsvrc.entries.protocols import INCEPTION_144
from ilsvrc.entries.row import Paper, on_test, one, val
from ilsvrc.spec import Member

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

PAPER = Paper(
    key="inception-2016",
    year=2016,
    team="Google",
    source="Szegedy, Ioffe et al. 2016, tables 2 to 5",
    new="Inception made uniform, and with residual connections, which train it sooner to the same end.",
)
MODELS = {
    "v3": ("Inception-v3", one("inception_v3", INCEPTION_V3)),
    "resnet-v1": ("Inception-ResNet-v1", one("inception_resnet_v1", RECIPE)),
    "v4": ("Inception-v4", one("inception_v4", RECIPE)),
    "resnet-v2": ("Inception-ResNet-v2", one("inception_resnet_v2", RECIPE)),
}
RELEASED_FORM = ("Inception-ResNet-v2 is here of the released form, which is larger than the printed one",)
ROWS = (
    *(
        PAPER.row(
            f"{key}-{test}",
            f"table {table}, {MODELS[key][0]}, {words}",
            MODELS[key][1],
            protocol,
            val(*figures[place]),
            (*gaps, *(RELEASED_FORM if key == "resnet-v2" else ())),
        )
        for key, figures in (
            ("v3", ((21.2, 5.6), (19.8, 4.6), (18.9, 4.3))),
            ("resnet-v1", ((21.3, 5.5), (19.8, 4.6), (18.8, 4.3))),
            ("v4", ((20.0, 5.0), (18.7, 4.2), (17.7, 3.8))),
            ("resnet-v2", ((19.9, 4.9), (18.7, 4.1), (17.8, 3.7))),
        )
        for place, (test, table, words, protocol, gaps) in enumerate(
            (
                ("center", "2", "1 crop", CENTER_299, (WITHOUT_1700,)),
                ("twelve", "3", "12 crops", TWELVE_299, ()),
                ("144", "4", "144 crops", INCEPTION_144, ()),
            )
        )
    ),
    PAPER.row("v3-4", "table 5, Inception-v3 x 4", FOUR, INCEPTION_144, val(17.3, 3.6)),
    PAPER.row(
        "v4-resnet-v2",
        "table 5, Inception-v4 and Inception-ResNet-v2 x 3",
        (MODELS["v4"][1], Member(model="inception_resnet_v2", recipe=RECIPE, copies=3)),
        INCEPTION_144,
        val(16.5, 3.1) + on_test(top5=3.08),
        ("16.5 is of the preprint; the printed paper has 16.4", *RELEASED_FORM),
    ),
)
