"""VGG, ILSVRC 2014: Simonyan and Zisserman, Very Deep Convolutional Networks, 2014.

First in localization, second in classification.
"""

from dataclasses import replace

from ilsvrc.entries.protocols import PROTOCOLS
from ilsvrc.entries.row import Paper, on_test, one, val
from ilsvrc.spec import (
    SGD,
    Dense,
    Entry,
    Member,
    Merging,
    Mirror,
    PcaLighting,
    Protocol,
    RandomCrop,
    Recipe,
    Regression,
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

NEW = "Nothing but 3x3 filters, and depth: 16 and 19 layers."
Q256, Q384 = PROTOCOLS["vgg-multiscale-256"].protocol, PROTOCOLS["vgg-multiscale-384"].protocol
QALL = PROTOCOLS["vgg-multiscale"].protocol


def _at(model: str, recipe: Recipe, protocol: Protocol | None = None) -> Member:
    return Member(model=model, recipe=recipe, protocol=protocol)


CLASSIFICATION = Entry(
    key="vgg-2014-cls",
    year=2014,
    team="VGG",
    task="classification",
    members=(
        _at("vgg16", STAGED, Q256),
        _at("vgg16", S384, Q384),
        _at("vgg16", JITTERED, QALL),
        _at("vgg16_c", STAGED, Q256),
        _at("vgg16_c", S384, Q384),
        _at("vgg19", STAGED, Q256),
        _at("vgg19", S384, Q384),
    ),
    protocol=QALL,
    reported=(
        Reported(metric="top-5 error", percent=7.3, split="test", source="table 6, the submission, 7 nets"),
        Reported(metric="top-5 error", percent=7.5, split="val", source="table 6, the submission, 7 nets"),
        Reported(metric="top-1 error", percent=24.7, split="val", source="table 6, the submission, 7 nets"),
    ),
    source="Simonyan and Zisserman 2014, section 4.5 and table 6",
    new=NEW,
    gaps=(
        "the one jittered network of the submission was fine-tuned in its full layers alone; here in all, as those of "
        "the paper's tables",
    ),
)

PAPER = Paper(key="vgg-2014", year=2014, team="VGG", source="Simonyan and Zisserman 2014, tables 3 to 6", new=NEW)
CONFIGURATIONS = {"a": "vgg11", "a-lrn": "vgg11_lrn", "b": "vgg13", "c": "vgg16_c", "d": "vgg16", "e": "vgg19"}
TRAINED = {"256": STAGED, "384": S384, "jittered": JITTERED}
SINGLE = {  # section 4.1: Q = S, or the mean of its range
    "256": PROTOCOLS["vgg-dense"].protocol,
    "384": PROTOCOLS["vgg-dense-384"].protocol,
    "jittered": PROTOCOLS["vgg-dense-384"].protocol,
}
SEVERAL = {"256": Q256, "384": Q384, "jittered": QALL}


def _row(key: str, test: str, table: str, protocol: Protocol, top1: float, top5: float) -> Entry:
    letter, s = key.rsplit("-", 1)
    recipe = A if letter in ("a", "a-lrn") else TRAINED[s]
    span = "from 256 to 512" if s == "jittered" else f"= {s}"
    place = f"table {table}, {letter.upper()}, S {span}"
    member = one(CONFIGURATIONS[letter], recipe)
    return PAPER.row(f"{key}-{test}", place, member, protocol, val(top1, top5))


D_AND_E = (one("vgg16", JITTERED), one("vgg19", JITTERED))
GRID, BOTH = PROTOCOLS["vgg-grid"].protocol, PROTOCOLS["vgg-both"].protocol
ROWS = (
    *(
        _row(key, "single", "3", SINGLE[key.rsplit("-", 1)[1]], top1, top5)
        for key, top1, top5 in (
            ("a-256", 29.6, 10.4),
            ("a-lrn-256", 29.7, 10.5),
            ("b-256", 28.7, 9.9),
            ("c-256", 28.1, 9.4),
            ("c-384", 28.1, 9.3),
            ("c-jittered", 27.3, 8.8),
            ("d-256", 27.0, 8.8),
            ("d-384", 26.8, 8.7),
            ("d-jittered", 25.6, 8.1),
            ("e-256", 27.3, 9.0),
            ("e-384", 26.9, 8.7),
            ("e-jittered", 25.5, 8.0),
        )
    ),
    *(
        _row(key, "multi", "4", SEVERAL[key.rsplit("-", 1)[1]], top1, top5)
        for key, top1, top5 in (
            ("b-256", 28.2, 9.6),
            ("c-256", 27.7, 9.2),
            ("c-384", 27.8, 9.2),
            ("c-jittered", 26.3, 8.2),
            ("d-256", 26.6, 8.6),
            ("d-384", 26.5, 8.6),
            ("d-jittered", 24.8, 7.5),
            ("e-256", 26.9, 8.7),
            ("e-384", 26.7, 8.6),
            ("e-jittered", 24.8, 7.5),
        )
    ),
    *(
        _row(key, test, "5", protocol, top1, top5)
        for key, test, protocol, top1, top5 in (
            ("d-jittered", "crops", GRID, 24.6, 7.5),
            ("d-jittered", "both", BOTH, 24.4, 7.2),
            ("e-jittered", "crops", GRID, 24.6, 7.4),
            ("e-jittered", "both", BOTH, 24.4, 7.1),
        )
    ),
    *(
        PAPER.row(f"d-e-{test}", f"table 6, D and E, {words}", D_AND_E, protocol, figures)
        for test, words, protocol, figures in (
            ("multi", "dense", QALL, val(24.0, 7.1) + on_test(top5=7.0)),
            ("crops", "multi-crop", GRID, val(23.9, 7.2)),
            ("both", "multi-crop and dense", BOTH, val(23.7, 6.8) + on_test(top5=6.8)),
        )
    ),
)

BOXES = Recipe(
    source="Simonyan and Zisserman 2014, appendix A, S = 384",
    epochs=74,
    batch=256,
    optimizer=replace(SGD_OF_ALL, lr=0.001),
    schedule=SCHEDULE,
    augment=S384.augment,
    mean="channel",
    init="gaussian",
    gaps=(
        *OPEN,
        "length: not given, and the training is 'similar' to the classifier's: as that",
        "colour noise: as the classifier's, for the same reason",
    ),
)
BOXES_256 = replace(BOXES, source="Simonyan and Zisserman 2014, appendix A, S = 256", augment=A.augment)

LOCALIZATION = Entry(
    key="vgg-2014-loc",
    year=2014,
    team="VGG",
    task="localization",
    members=(
        Member(model="vgg16", recipe=BOXES),
        Member(model="vgg16", recipe=BOXES_256, protocol=Dense(short_sides=(256,), mirror=False)),
    ),
    protocol=Dense(short_sides=(352, 384), mirror=False),
    reported=(
        Reported(metric="top-5 localization error", percent=25.3, split="test", source="table 9, fusion of two"),
        Reported(metric="top-5 localization error", percent=26.9, split="val", source="table 9, fusion of two"),
        Reported(metric="top-5 localization error", percent=27.5, split="val", source="table 9, S = 384, two scales"),
        Reported(metric="top-5 localization error", percent=28.2, split="val", source="table 9, S = 384"),
        Reported(metric="top-5 localization error", percent=26.7, split="test", source="table 9, S = 384"),
        Reported(metric="top-5 localization error", percent=29.5, split="val", source="table 9, S = 256"),
    ),
    source="Simonyan and Zisserman 2014, appendix A",
    new="The classifier's last layer becomes one box per class, and all layers learn again.",
    boxes=Regression(
        classifier="vgg-2014-cls",
        head="last layer",
        per_class=True,
        coordinates="centre",
        trained="all",
        merging=Merging(threshold=0.75),
    ),
    gaps=(
        "in what unit the box is regressed is not said: relative to the window, as OverFeat's",
        "each of the paper's two regressors starts from the classifier of the same S; here all of an entry from one, "
        "which names the classes, too; the paper's classes are those of the seven networks of its other entry",
        "the size of merged boxes' distance that still merges is not given: ours",
        "with several objects of the class the largest in the window is taught; the paper has one object",
        "mirrors are not said to be looked at for boxes: they are not",
        "the boxes that reach beyond the window are not cut off in training; not said",
    ),
)
