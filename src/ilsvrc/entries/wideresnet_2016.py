"""Wide ResNet: Zagoruyko and Komodakis, 2016. A network of 68 layers of this kind is in the winner of 2016."""

from dataclasses import replace

from ilsvrc.entries import facebook_2016
from ilsvrc.entries.protocols import CENTER
from ilsvrc.entries.row import Paper, one, val

RECIPE = replace(
    facebook_2016.RECIPE,
    source="Zagoruyko and Komodakis 2016, section 3, ImageNet; their training log",
    gaps=(
        "the paper says 'as fb.resnet.torch'; rate, batch, decay and length are in the authors' log",
        *facebook_2016.RECIPE.gaps,
    ),
)

PAPER = Paper(
    key="wideresnet-2016",
    year=2016,
    team="WRN",
    source="Zagoruyko and Komodakis 2016, table 8",
    new="Twice the channels inside the blocks of 50 layers are worth as much as three times the layers.",
)
ROWS = (
    PAPER.row("50-2-center", "table 8, WRN-50-2-bottleneck", one("wideresnet50_2", RECIPE), CENTER, val(21.9, 6.03)),
)
