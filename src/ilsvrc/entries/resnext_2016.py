"""ResNeXt, ILSVRC 2016: Xie, Girshick, Dollar, Tu, He, Aggregated Residual Transformations, 2016. Second place."""

from ilsvrc.spec import (
    SGD,
    AreaCrop,
    ColorJitter,
    Crops,
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

CLASSIFICATION = Entry(
    key="resnext-2016-cls",
    year=2016,
    team="ResNeXt",
    task="classification",
    members=(Member(model="resnext101_64x4d", recipe=RECIPE),),
    protocol=Crops(layout="center", short_sides=(256,), size=224),
    reported=(
        Reported(metric="top-5 error", percent=3.03, split="test", source="result page of 2016, an ensemble"),
        Reported(metric="top-5 error", percent=5.3, split="val", source="table 4, ResNeXt-101 64x4d, 1 crop"),
        Reported(metric="top-1 error", percent=20.4, split="val", source="table 4, ResNeXt-101 64x4d, 1 crop"),
        Reported(metric="top-1 error", percent=22.2, split="val", source="table 3, ResNeXt-50 32x4d, 1 crop"),
    ),
    source="Xie et al. 2016, tables 3 and 4; result page of 2016",
    new="Cardinality: many narrow paths of one shape in each block instead of one wide one.",
    gaps=(
        "members and weights of the submitted ensemble are not published; the paper's largest network alone",
        "protocol: the paper's single crop of 224; the submission was tested densely over scales",
    ),
)
