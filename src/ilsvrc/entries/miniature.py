"""The winners as miniatures: each network narrow and on small images, with a recipe that fits minutes, not weeks.

Depth, wiring, strides and groups are the papers'; width, image size and recipe are ours, and every
report says so beside the name. One recipe for networks with batch normalisation and one for those without.
"""

from dataclasses import replace

from ilsvrc.spec import SGD, CenterSquare, Cosine, Crops, Member, RandomCrop, Recipe, ShortSide

SIZE = 64
LARGER = 80  # GoogLeNet's side heads need 79; at 64 the strides of AlexNet and ZFNet leave a single pixel
PROTOCOL = Crops(layout="center", short_sides=(72,), size=SIZE)
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
