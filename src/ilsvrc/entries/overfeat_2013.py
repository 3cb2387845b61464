"""OverFeat, ILSVRC 2013: Sermanet, Eigen, Zhang, Mathieu, Fergus, LeCun. First in localization.

Sermanet et al. 2013, OverFeat: Integrated Recognition, Localization and Detection using Convolutional Networks.
"""

from dataclasses import replace

from ilsvrc.entries.protocols import PROTOCOLS
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.spec import (
    SGD,
    Dense,
    Entry,
    Member,
    Merging,
    Mirror,
    RandomCrop,
    Recipe,
    Regression,
    Reported,
    ShortSide,
    Steps,
)

ACCURATE = Recipe(
    source="Sermanet et al. 2013, section 3.1, the accurate network",
    epochs=90,
    batch=128,
    optimizer=SGD(lr=0.05, momentum=0.6, weight_decay=1e-5),
    schedule=Steps(at=(30, 50, 60, 70, 80), factor=0.5),
    augment=(ShortSide(256, 256), RandomCrop(221), Mirror()),
    mean="channel",
    init="gaussian",
    unit="deviation",
    gaps=(
        "length: not given; ten epochs behind the last of the printed changes of rate",
        "five crops of each image and their mirrors are seen in a pass; here one of the ten, drawn anew in each",
        "mean and deviation are per colour; the released weights were made with one number of each (unverified)",
        "decay and rate of the biases, and their start, are not given: as the weights', and 0",
    ),
)
FAST = replace(
    ACCURATE,
    source="Sermanet et al. 2013, section 3.1, the fast network",
    augment=(ShortSide(256, 256), RandomCrop(231), Mirror()),
)

NEW = "One network looks at every place of the image at once: classes, and boxes, from the same maps."
FAST_FOUR, ACCURATE_FOUR = PROTOCOLS["overfeat-fast"].protocol, PROTOCOLS["overfeat"].protocol

CLASSIFICATION = Entry(
    key="overfeat-2013-cls",
    year=2013,
    team="OverFeat",
    task="classification",
    members=(Member(model="overfeat_fast", recipe=FAST, copies=7),),
    protocol=FAST_FOUR,
    reported=(
        Reported(metric="top-5 error", percent=14.2, split="test", source="result page of 2013, OverFeat-NYU"),
        Reported(metric="top-5 error", percent=13.86, split="val", source="table of classification, 7 fast, 4 scales"),
        Reported(metric="top-1 error", percent=35.10, split="val", source="table of classification, 7 fast, 4 scales"),
    ),
    source="Sermanet et al. 2013, section 3; result page of 2013",
    new=NEW,
    gaps=("in what the seven networks differ is not said: here in seed",),
)

PAPER = Paper(
    key="overfeat-2013", year=2013, team="OverFeat", source="Sermanet et al. 2013, table of classification", new=NEW
)
TABLE = "table of classification, "
ROWS = (
    *(
        PAPER.row(
            f"fast-{key}",
            f"{TABLE}1 fast, {words}",
            one("overfeat_fast", FAST),
            PROTOCOLS[protocol].protocol,
            val(top1, top5),
        )
        for key, words, protocol, top1, top5 in (
            ("coarse", "scale 1, coarse stride", "overfeat-fast-1-coarse", 39.28, 17.12),
            ("fine", "scale 1, fine stride", "overfeat-fast-1", 39.01, 16.97),
            ("4", "4 scales", "overfeat-fast", 38.57, 16.39),
            ("6", "6 scales", "overfeat-fast-6", 38.12, 16.27),
        )
    ),
    PAPER.row(
        "accurate-ten",
        f"{TABLE}1 accurate, corners, centre, flip",
        one("overfeat_accurate", ACCURATE),
        PROTOCOLS["overfeat-ten"].protocol,
        val(35.60, 14.71),
    ),
    PAPER.row(
        "accurate-4",
        f"{TABLE}1 accurate, 4 scales",
        one("overfeat_accurate", ACCURATE),
        ACCURATE_FOUR,
        val(35.74, 14.18),
    ),
    PAPER.row(
        "accurate-7",
        f"{TABLE}7 accurate, 4 scales",
        Member(model="overfeat_accurate", recipe=ACCURATE, copies=7),
        ACCURATE_FOUR,
        val(33.96, 13.24),
        ("13.6 on test, after the contest",),
    ),
)

BOXES = replace(
    ACCURATE,
    source="Sermanet et al. 2013, section 4.2, the box regressor",
    gaps=(
        "batch, rate, schedule and length of the regressor's training are not given: as the classifier's",
        "it is trained at several scales, drawn anew for every image: which of the six, and how often, is not said; "
        "here the short side is drawn between those of scales 1 and 4",
    ),
    augment=(ShortSide(245, 389), RandomCrop(221), Mirror()),
)
LOCALIZATION = Entry(
    key="overfeat-2013-loc",
    year=2013,
    team="OverFeat",
    task="localization",
    members=(Member(model="overfeat_accurate", recipe=BOXES),),
    protocol=Dense(sizes=((245, 245), (281, 317), (317, 389), (389, 461)), mirror=True, over="max", offsets=3),
    reported=(
        Reported(metric="top-5 localization error", percent=29.9, split="test", source="result page of 2013"),
        Reported(metric="top-5 localization error", percent=30.0, split="val", source="results, SCR, 4 scales"),
        Reported(metric="top-5 localization error", percent=31.3, split="val", source="results, SCR beside PCR"),
        Reported(metric="top-5 localization error", percent=44.1, split="val", source="results, PCR beside SCR"),
    ),
    source="Sermanet et al. 2013, section 4",
    new="A regressor on the classifier's features says where, at every place, and boxes that agree are merged.",
    boxes=Regression(
        classifier="overfeat-2013-cls",
        head="hidden layers",
        per_class=False,
        coordinates="edges",
        trained="new layers",
        least_overlap=0.5,
        merging=Merging(threshold=0.75),
    ),
    gaps=(
        "which network the submission's regressor stood on is not said: the accurate one, whose sizes are printed",
        "which four scales is not said: the first four of the table",
        "match_score is printed as the sum of two distances, of which one grows with the intersection; read here as "
        "the distance of the centres over the mean side, plus what the boxes do not share",
        "the unit and the value at which merging stops are not printed: 0.75 of that distance, ours",
        "that windows with less than half of the object teach nothing is quoted from memory (unverified)",
        "labels come from the classifier's own protocol, and boxes for its five classes at every place",
    ),
)
