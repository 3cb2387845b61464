"""The winners as miniatures: each network narrow and on small images, with a recipe that fits minutes, not weeks.

Depth, wiring, strides and groups are the papers'; width, image size and recipe are ours, and every
report says so beside the name. One recipe for networks with batch normalisation and one for those without.
"""

from dataclasses import replace

from ilsvrc.spec import SGD, CenterSquare, Cosine, Crops, Member, RandomCrop, Recipe, ShortSide

SIZE = 64
LARGER = 80  # GoogLeNet's side heads need 79; at 64 the strides of AlexNet and ZFNet leave a single pixel
PROTOCOL = Crops(layout="center", short_sides=(72,), size=SIZE)
WITHOUT_NORMALISATION = ("alexnet", "caffenet", "zfnet", "overfeat", "nin", "googlenet", "vgg")
OURS = "nothing here is a paper's: batch, rate, schedule and augmentation are chosen for minutes on two cores"

NORMALISED = Recipe(
    source="ours, for miniatures of networks with batch normalisation",
    epochs=5,
    batch=32,
    optimizer=SGD(lr=0.02, momentum=0.9, weight_decay=1e-4, decay_biases=False),
    schedule=Cosine(),
    warmup=0.5,
    augment=(ShortSide(72, 72), CenterSquare(72), RandomCrop(SIZE)),
    mean="channel",
    init="he",
    unit="deviation",
    gaps=(OURS,),
)

PLAIN = Recipe(
    source="ours, for miniatures of networks without batch normalisation",
    epochs=7,
    batch=32,
    optimizer=SGD(lr=0.02, momentum=0.9, weight_decay=1e-4, decay_biases=False),
    schedule=Cosine(),
    warmup=0.5,
    augment=(ShortSide(72, 72), CenterSquare(72), RandomCrop(SIZE)),
    mean="channel",
    init="he inputs",
    unit="deviation",
    clip_norm=1.0,
    gaps=(
        OURS,
        "He's initialisation instead of the papers' Gaussians, which are tuned for the full width",
        "gradients are clipped to a norm of 1",
    ),
)

# Entry -> the network that races for it.
MINIATURES: dict[str, Member] = {
    "supervision-2012-cls": Member(model="alexnet", recipe=replace(PLAIN, epochs=6), image_size=LARGER, width=0.5),
    "clarifai-2013-cls": Member(model="zfnet", recipe=replace(PLAIN, epochs=6), image_size=LARGER, width=0.5),
    "googlenet-2014-cls": Member(model="googlenet", recipe=PLAIN, image_size=LARGER, width=0.25),
    "vgg-2014-cls": Member(model="vgg16", recipe=replace(PLAIN, epochs=8), image_size=SIZE, width=0.25),
    "msra-2015-cls": Member(model="resnet18", recipe=NORMALISED, image_size=SIZE, width=0.25),
    "resnext-2016-cls": Member(
        model="resnext50_32x4d", recipe=replace(NORMALISED, epochs=6), image_size=SIZE, width=0.25
    ),
    "wmw-2017-cls": Member(model="se_resnet50", recipe=NORMALISED, image_size=SIZE, width=0.25),
}

# In a race of whole entries: who stands for a network that would take too long even narrow. Depths stay in order.
STAND_INS: dict[str, str] = {
    "resnet34": "resnet18",
    "resnet50": "resnet18",
    "resnet101": "resnet34",
    "resnet152": "resnet50",
    **{f"preresnet{layers}": "preresnet50" for layers in (101, 152, 200)},
    "wideresnet68_3": "wideresnet50_2",
    "resnext101_32x4d": "resnext50_32x4d",
    "resnext101_64x4d": "resnext50_32x4d",
    "dpn98": "dpn92",
    "dpn131": "dpn92",
    "se_resnet101": "se_resnet50",
    "se_resnet152": "se_resnet50",
    "se_resnext101_32x4d": "se_resnext50_32x4d",
    "senet154": "se_resnext50_32x4d",
}
HALF_WIDE = ("alexnet", "caffenet", "zfnet", "overfeat")  # few layers: a quarter of their channels learns little
SIZES: dict[str, int] = {"inception_v3": 112, "nin": SIZE}  # the others of few or of wide strides: LARGER
EPOCHS: dict[str, int] = {"vgg": 8, "googlenet": 7, "resnext": 6}  # by family; of the others below


def miniature_of(member: Member) -> Member:
    """The network that races for a member of an entry: narrow, on small images, by a recipe of minutes.

    VGG's scales of training images stay apart, in proportion. Which network stands for it is in STAND_INS.
    """
    model = STAND_INS.get(member.model, member.model)
    plain = model.startswith(WITHOUT_NORMALISATION)
    few = model.startswith(HALF_WIDE)
    larger = few or model.startswith("googlenet") or any(kind in model for kind in ("inception_v4", "inception_resnet"))
    recipe = PLAIN if plain else NORMALISED
    epochs = next((count for family, count in EPOCHS.items() if model.startswith(family)), 6 if plain else 5)
    scales = member.recipe.augment[0]
    if plain and isinstance(scales, ShortSide) and (scales.low, scales.high) != (256, 256):
        low, high = (round(side * SIZE / 224) for side in (scales.low, scales.high))
        change = f"short sides of {low} to {high} pixels: those of {scales.low} to {scales.high} in proportion"
        recipe = replace(recipe, augment=(ShortSide(low, high), RandomCrop(SIZE)), gaps=(*recipe.gaps, change))
    return Member(
        model=model,
        recipe=replace(recipe, epochs=epochs),
        image_size=SIZES.get(model, LARGER if larger else SIZE),
        width=0.5 if few else 0.25,
    )
