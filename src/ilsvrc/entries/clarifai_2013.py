"""Clarifai, ILSVRC 2013: Zeiler's company. The nets themselves were never published.

The stand-in is the network of Zeiler and Fergus 2013, Visualizing and Understanding Convolutional Networks,
whose own entry ("ZF") came third.
"""

from dataclasses import replace

from ilsvrc.entries.protocols import TEN
from ilsvrc.entries.row import Paper, on_test, one, val
from ilsvrc.spec import SGD, CenterSquare, Entry, Member, Recipe, Reported, ShortSide, Steps, TenCrop

RECIPE = Recipe(
    source="Zeiler and Fergus 2013, section 3",
    epochs=70,
    batch=128,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Steps(at=(25, 45, 60), factor=0.1),
    augment=(ShortSide(256, 256), CenterSquare(256), TenCrop(224)),
    mean="pixel",
    init="gaussian",
    filter_rms=0.1,
    gaps=(
        "schedule: 'annealed by hand when the validation error plateaus'; the epochs are ours",
        "weight decay: not stated; AlexNet's 5e-4",
        "filters whose root mean square exceeds 0.1 are rescaled after every update; how often is not said",
        "'all weights initialised to 1e-2' is read as N(0, 0.01)",
    ),
)

NEW = "Pictures of what layers respond to showed where AlexNet was coarse: smaller filters and strides below."
SIX = (Member(model="zfnet", recipe=RECIPE, copies=5), Member(model="zfnet_big", recipe=RECIPE))
UNSAID = "protocol: the paper gives none beyond its ten training crops; ten crops as AlexNet"

CLASSIFICATION = Entry(
    key="clarifai-2013-cls",
    year=2013,
    team="Clarifai",
    task="classification",
    members=SIX,
    protocol=TEN,
    reported=(Reported(metric="top-5 error", percent=11.7, split="test", source="result page of 2013, Clarifai"),),
    source="result page of 2013; Zeiler and Fergus 2013, table 2",
    new=NEW,
    gaps=(
        "an average of several large networks, of which neither layers nor recipe were published: the six networks of "
        "Zeiler and Fergus stand in for them, and the figure is not theirs",
        "a single network of Clarifai's made 12.5 on test, as Simonyan and Zisserman quote it",
        UNSAID,
    ),
    reconstruction=True,
)

OUTSIDE = replace(
    CLASSIFICATION,
    key="clarifai-2013-cls-outside",
    reported=(Reported(metric="top-5 error", percent=11.2, split="test", source="result page of 2013, Clarifai"),),
    gaps=("trained on 5,000 classes first (unverified); those images are not here", *CLASSIFICATION.gaps),
    data="outside",
)

ZF = replace(
    CLASSIFICATION,
    key="zf-2013-cls",
    team="ZF",
    reported=(
        Reported(metric="top-5 error", percent=13.5, split="test", source="result page of 2013, entry ZF"),
        Reported(metric="top-5 error", percent=14.8, split="test", source="table 2, 6 nets, (a) and (b)"),
        Reported(metric="top-5 error", percent=14.7, split="val", source="table 2, 6 nets, (a) and (b)"),
        Reported(metric="top-1 error", percent=36.0, split="val", source="table 2, 6 nets, (a) and (b)"),
    ),
    source="Zeiler and Fergus 2013, table 2; result page of 2013",
    gaps=("which networks made the 13.5 of the contest is not said; the paper's six make 14.8", UNSAID),
    reconstruction=False,
)

PAPER = Paper(key="zf-2013", year=2013, team="ZF", source="Zeiler and Fergus 2013, table 2", new=NEW)
ROWS = (
    PAPER.row("1", "table 2, 1 net, figure 3", one("zfnet", RECIPE), TEN, val(38.4, 16.5), (UNSAID,)),
    PAPER.row(
        "5",
        "table 2, 5 nets, (a)",
        Member(model="zfnet", recipe=RECIPE, copies=5),
        TEN,
        val(36.7, 15.3) + on_test(top5=15.3),
        (UNSAID,),
    ),
    PAPER.row(
        "1-big", "table 2, 1 net, (b)", one("zfnet_big", RECIPE), TEN, val(37.5, 16.0) + on_test(top5=16.1), (UNSAID,)
    ),
)
