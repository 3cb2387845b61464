"""ResNeXt, ILSVRC 2016: Xie, Girshick, Dollar, Tu, He, Aggregated Residual Transformations, 2016. Second place."""

from ilsvrc.entries import facebook_2016, msra_2015
from ilsvrc.entries.protocols import CENTER, CENTER_320
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.spec import (
    SGD,
    AreaCrop,
    ColorJitter,
    Entry,
    Member,
    Mirror,
    PcaLighting,
    Recipe,
    Reported,
    Steps,
)

RECIPE = Recipe(
    source="Xie et al. 2016, ImageNet training details; the authors' Torch code",
    epochs=90,
    batch=256,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, rate_inside=False, nesterov=True),
    schedule=Steps(at=(30, 60), factor=0.1),
    augment=(AreaCrop(224, low=0.08), ColorJitter(0.4), PcaLighting(0.1), Mirror()),
    mean="channel",
    init="he",
    unit="deviation",
    gaps=(
        "Nesterov momentum, colour jitter and decay on every parameter: the authors' code; the paper does not say",
        "the aspect ratio is uniform in 3/4 to 4/3; the code draws it so and swaps the sides half the time",
    ),
)

NEW = "Cardinality: many narrow paths of one shape in each block instead of one wide one."

CLASSIFICATION = Entry(
    key="resnext-2016-cls",
    year=2016,
    team="ResNeXt",
    task="classification",
    members=(
        Member(model="resnext101_64x4d", recipe=RECIPE, copies=2),
        Member(model="resnext101_32x4d", recipe=RECIPE, copies=2),
    ),
    protocol=msra_2015.FIVE_SCALES,
    reported=(Reported(metric="top-5 error", percent=3.03, split="test", source="result page of 2016, an ensemble"),),
    source="Xie et al. 2016, section 5.1; result page of 2016",
    new=NEW,
    gaps=(
        "members and weights of the submitted ensemble are not published: two each of the paper's largest networks, "
        "equally weighted, stand in for it",
        "protocol: 'multi-scale dense testing' as ResNet; the scales are ResNet's",
    ),
    reconstruction=True,
)

PAPER = Paper(key="resnext-2016", year=2016, team="ResNeXt", source="Xie et al. 2016, tables 3 to 5", new=NEW)
LARGEST = one("resnext101_64x4d", RECIPE)
RESNETS = ("trained by the authors like their own networks, which is Facebook's way",)
ROWS = (
    PAPER.row(
        "resnet50-center", "table 3, ResNet-50", one("resnet50_v1_5", facebook_2016.RECIPE), CENTER, val(23.9), RESNETS
    ),
    PAPER.row(
        "resnet101-center",
        "table 4, ResNet-101",
        one("resnet101_v1_5", facebook_2016.RECIPE),
        CENTER,
        val(22.0, 6.0),
        RESNETS,
    ),
    PAPER.row("50-center", "table 3, ResNeXt-50, 32x4d", one("resnext50_32x4d", RECIPE), CENTER, val(22.2)),
    PAPER.row("101-center", "table 4, ResNeXt-101, 32x4d", one("resnext101_32x4d", RECIPE), CENTER, val(21.2, 5.6)),
    PAPER.row("101-64-center", "table 4, ResNeXt-101, 64x4d", LARGEST, CENTER, val(20.4, 5.3)),
    PAPER.row("101-64-320", "table 5, ResNeXt-101, 64x4d, 320", LARGEST, CENTER_320, val(19.1, 4.4)),
    PAPER.row(
        "101-64-dense",
        "section 5.1, results of a single model, multi-scale",
        LARGEST,
        msra_2015.FIVE_SCALES,
        val(17.7, 3.7),
        ("the scales are not printed: ResNet's",),
    ),
)
