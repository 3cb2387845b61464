"""GoogLeNet, ILSVRC 2014: Szegedy et al., Going Deeper with Convolutions, 2015.

Where the paper is silent: BVLC's replica, made with an author's help ("Caffe").
"""

from dataclasses import replace

from ilsvrc.spec import (
    SGD,
    AreaCrop,
    ColorJitter,
    Crops,
    Entry,
    Exponential,
    Member,
    Mirror,
    PcaLighting,
    Polynomial,
    RandomCrop,
    Recipe,
    Reported,
    TailMean,
    Warp,
)

RECIPE = Recipe(
    source="Szegedy et al. 2015, section 6",
    epochs=250,
    batch=32,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=2e-4, decay_biases=False, bias_rate=2.0),
    schedule=Exponential(factor=0.96, every=8),
    augment=(AreaCrop(224, low=0.08), Mirror(), ColorJitter(0.5), PcaLighting(0.1)),
    mean="channel",
    init="caffe xavier",
    side_weight=0.3,
    average=TailMean(last=0.1),
    gaps=(
        "initial rate, batch, weight decay, length and initialisation are not in the paper: Caffe's",
        "the weights tested are averaged (Polyak); form and length are not given: the mean over the last tenth",
        "the paper trains asynchronously, on many machines at once; here one update follows the other",
        "sampling changed through their campaign; this is the one verified after the contest",
        "photometric distortions 'of Andrew Howard': factors in 0.5 to 1.5, then AlexNet's noise (range unverified)",
        "interpolation is bilinear; late in training the paper draws it at random",
    ),
)

BVLC = Recipe(
    source="BVLC's bvlc_googlenet: slow solver and training definition",
    epochs=250,
    batch=32,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=2e-4, decay_biases=False, bias_rate=2.0),
    schedule=Exponential(factor=0.96, every=8),
    augment=(Warp(256), RandomCrop(224), Mirror()),
    mean="channel",
    init="caffe xavier",
    side_weight=0.3,
    gaps=(
        "epochs: 10,000,000 updates, 0.96 of the rate every 320,000, over 1,281,167 images",
        "the mean is the data set's; there 123, 117 and 104",
        "the same warped images are judged there; here the protocol's, which keep their shape",
    ),
)
BVLC_QUICK = replace(
    BVLC,
    source="BVLC's bvlc_googlenet: quick solver, the one its released weights are of",
    epochs=60,
    schedule=Polynomial(power=0.5),
    gaps=("epochs: 2,400,000 updates over 1,281,167 images", *BVLC.gaps[1:]),
)

CLASSIFICATION = Entry(
    key="googlenet-2014-cls",
    year=2014,
    team="GoogLeNet",
    task="classification",
    members=(Member(model="googlenet", recipe=RECIPE, copies=7),),
    protocol=Crops(layout="ten", short_sides=(256,), size=224),
    reported=(
        Reported(metric="top-5 error", percent=6.67, split="test", source="table 2, 7 nets, 144 crops"),
        Reported(metric="top-5 error", percent=7.62, split="val", source="table 3, 7 nets, 10 crops"),
        Reported(metric="top-5 error", percent=9.15, split="val", source="table 3, 1 net, 10 crops"),
        Reported(metric="top-5 error", percent=10.07, split="val", source="table 3, 1 net, 1 crop"),
    ),
    source="Szegedy et al. 2015, section 7",
    new="Modules of parallel filters behind 1x1 reductions: 22 layers for a tenth of AlexNet's parameters.",
    gaps=(
        "protocol: ten crops, which table 3 reports; the submission used 144",
        "members: seven equal networks; one of the seven was wider, and all started from the same weights",
    ),
)
