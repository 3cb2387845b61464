"""VGG, ILSVRC 2014: Simonyan and Zisserman, Very Deep Convolutional Networks, 2014. Second in classification."""

from dataclasses import replace

from ilsvrc.spec import (
    SGD,
    Crops,
    Entry,
    Member,
    Mirror,
    PcaLighting,
    RandomCrop,
    Recipe,
    Reported,
    ShortSide,
    Start,
    Steps,
)

SGD_OF_ALL = SGD(lr=0.01, momentum=0.9, weight_decay=5e-4)
SCHEDULE = Steps(at=(30, 50, 65), factor=0.1)
OPEN = (
    "schedule: divided by 10 'when the validation accuracy stopped improving', three times; the epochs are ours",
    "decay and rate of the biases are not said: as the weights'",
)
# What the deeper networks take from the shallowest: their first layers by stage, and the three full ones.
FROM_A = ("conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc6", "fc7", "fc8")

A = Recipe(  # shallow enough to be trained from random weights
    source="Simonyan and Zisserman 2014, section 3.1, configuration A, S = 256",
    epochs=74,
    batch=256,
    optimizer=SGD_OF_ALL,
    schedule=SCHEDULE,
    augment=(ShortSide(256, 256), RandomCrop(224), Mirror(), PcaLighting(0.1)),
    mean="channel",
    init="gaussian",
    gaps=(*OPEN, "initialisation: the text has a variance of 0.01; everybody reads a deviation of 0.01, as here"),
)
STAGED = replace(
    A,
    source="Simonyan and Zisserman 2014, section 3.1, S = 256, staged",
    starts_from=Start(model="vgg11", recipe=A.source, layers=FROM_A),
    gaps=(
        *A.gaps,
        "which of a deeper network's layers take A's first four is not said: those of their names, the only that fit",
    ),
)
GLOROT = replace(
    A,
    source="Simonyan and Zisserman 2014, section 3.1, S = 256, by Glorot",
    init="glorot",
    gaps=(*OPEN, "initialisation: Glorot's, which the paper found to replace the staged one from configuration A"),
)
S384 = replace(
    A,
    source="Simonyan and Zisserman 2014, section 3.1, S = 384",
    optimizer=replace(SGD_OF_ALL, lr=0.001),
    augment=(ShortSide(384, 384), RandomCrop(224), Mirror(), PcaLighting(0.1)),
    starts_from=Start(model=None, recipe=STAGED.source),
    gaps=(*OPEN, "length after the start from S = 256 is not given: as from random weights"),
)
JITTERED = replace(
    S384,
    source="Simonyan and Zisserman 2014, section 3.1, S from 256 to 512, fine-tuned",
    augment=(ShortSide(256, 512), RandomCrop(224), Mirror(), PcaLighting(0.1)),
    starts_from=Start(model=None, recipe=S384.source),
    gaps=(*OPEN, "rate and length after the start from S = 384 are not given: those of S = 384"),
)
RECIPE = Recipe(  # the one that needs no other training before it
    source="Simonyan and Zisserman 2014, section 3.1, scale jittering",
    epochs=74,
    batch=256,
    optimizer=SGD_OF_ALL,
    schedule=SCHEDULE,
    augment=JITTERED.augment,
    mean="channel",
    init="glorot",
    gaps=(
        *GLOROT.gaps,
        "jittered models were fine-tuned from the one of S = 384; here trained from the start",
    ),
)

CLASSIFICATION = Entry(
    key="vgg-2014-cls",
    year=2014,
    team="VGG",
    task="classification",
    members=(Member(model="vgg16", recipe=RECIPE), Member(model="vgg19", recipe=RECIPE)),
    protocol=Crops(layout="ten", short_sides=(384,), size=224),
    reported=(
        Reported(metric="top-5 error", percent=7.3, split="test", source="table 6, the submission, 7 nets"),
        Reported(metric="top-5 error", percent=6.8, split="test", source="table 6, D and E, multi-crop and dense"),
        Reported(metric="top-5 error", percent=8.1, split="val", source="table 3, D, [256;512], Q = 384"),
        Reported(metric="top-1 error", percent=25.6, split="val", source="table 3, D, [256;512], Q = 384"),
    ),
    source="Simonyan and Zisserman 2014, section 4",
    new="Nothing but 3x3 filters, and depth: 16 and 19 layers.",
    gaps=("protocol: ten crops; the paper evaluates densely over the whole image",),
)
