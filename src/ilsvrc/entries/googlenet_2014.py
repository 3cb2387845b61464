"""GoogLeNet, ILSVRC 2014: Szegedy et al., Going Deeper with Convolutions, 2015.

Where the paper is silent: BVLC's replica, made with an author's help ("Caffe").
"""

from dataclasses import replace

from ilsvrc.entries.protocols import CENTER, GOOGLENET, TEN
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.entries.supervision_2012 import REPLICA
from ilsvrc.spec import (
    SGD,
    AreaCrop,
    ColorJitter,
    Crops,
    Detector,
    Entry,
    Exponential,
    Member,
    Mirror,
    PcaLighting,
    Polynomial,
    RandomCrop,
    Recipe,
    Regression,
    Reported,
    Search,
    Steps,
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

NEW = "Modules of parallel filters behind 1x1 reductions: 22 layers for a tenth of AlexNet's parameters."
SEVEN = Member(model="googlenet", recipe=RECIPE, copies=7)
EQUAL = (
    "members: seven equal networks that differ in seed; of the seven one was wider, and all started from the same "
    "weights and differed in the order and the sampling of their images"
)

CLASSIFICATION = Entry(
    key="googlenet-2014-cls",
    year=2014,
    team="GoogLeNet",
    task="classification",
    members=(SEVEN,),
    protocol=GOOGLENET,
    reported=(
        Reported(metric="top-5 error", percent=6.67, split="test", source="table 2, 7 nets, 144 crops"),
        Reported(metric="top-5 error", percent=6.67, split="val", source="table 3, 7 nets, 144 crops"),
    ),
    source="Szegedy et al. 2015, section 7",
    new=NEW,
    gaps=(EQUAL,),
)

BOXES = replace(
    RECIPE,
    source="Simonyan and Zisserman 2014, appendix A, for GoogLeNet",
    gaps=("of this training nothing was published: VGG's way of the same year, by the classifier's recipe",),
)
LOCALIZATION = Entry(
    key="googlenet-2014-loc",
    year=2014,
    team="GoogLeNet",
    task="localization",
    members=(Member(model="googlenet", recipe=BOXES),),
    protocol=Crops(layout="center", short_sides=(256,), size=224),
    reported=(
        Reported(metric="top-5 localization error", percent=26.4, split="test", source="result page of 2014"),
        Reported(metric="top-5 localization error", percent=26.7, split="test", source="VGG's paper, table 10"),
    ),
    source="result page of 2014",
    new="Boxes for the winner of the classification; how is not known.",
    boxes=Regression(
        classifier="googlenet-2014-cls",
        head="last layer",
        per_class=True,
        coordinates="centre",
        trained="all",
    ),
    gaps=(
        "a reconstruction: the paper says nothing of localization; by VGG's method",
        "26.4 is unverified; VGG's paper prints 26.7 for the same entry",
    ),
    reconstruction=True,
)

REGIONS = Recipe(
    source="Szegedy et al. 2015, section 8; the released code of R-CNN where it is silent",
    epochs=50,
    batch=2,
    optimizer=SGD(lr=0.001, momentum=0.9, weight_decay=5e-4, decay_biases=False, bias_rate=2.0),
    schedule=Steps(at=(20, 40), factor=0.1),
    augment=(Warp(224), Mirror()),
    mean="channel",
    init="caffe xavier",
    gaps=(
        "rate, batch, share of objects, momentum and decay are those of R-CNN's released code",
        "length and schedule are not said: ours",
        "a batch of 128 windows comes from 2 images with 64 of each; R-CNN draws windows over all images",
    ),
)

DETECTOR = Detector(
    classifier="googlenet-2014-cls",
    kind="r-cnn",
    regions_taught=64,
    kept_testing=(2_400, 1_200),
    search=Search(superpixels=(100, 200)),
)
DETECTION = Entry(
    key="googlenet-2014-det",
    year=2014,
    team="GoogLeNet",
    task="detection",
    members=(Member(model="googlenet", recipe=REGIONS, copies=6),),
    protocol=Crops(layout="center", size=224),
    reported=(
        Reported(metric="mean AP", percent=43.9, split="test", source="table 4, 6 nets"),
        Reported(metric="mean AP", percent=38.02, split="test", source="table 5, 1 net"),
    ),
    source="Szegedy et al. 2015, section 8",
    new="R-CNN with GoogLeNet as the classifier of regions.",
    boxes=DETECTOR,
    data="outside",
    gaps=(
        "proposals: selective search with superpixels of twice the size and 200 of MultiBox, whose network was not "
        "released; here whatever is read from proposals/ beside the images, or selective search alone",
        "superpixels of twice the size: thresholds and least sizes of 100 and 200 for the 50 and 100 of R-CNN's code",
        "whether the classes are R-CNN's linear SVMs or the network's own is not said: the network's own",
        "boxes are not regressed in the paper (lack of time); here a regressor learns, as in R-CNN",
        "six networks: of what they differ in nothing is said; seed alone, all from one classifier",
    ),
)

PAPER = Paper(key="googlenet-2014", year=2014, team="GoogLeNet", source="Szegedy et al. 2015, table 3", new=NEW)
BEST = ("the network is the one of the seven with the lowest top-1 error",)
TEN_UNSAID = "ten crops: the short side is not stated; 256, as AlexNet"
ROWS = (
    PAPER.row("1-center", "table 3, 1 net, 1 crop", one("googlenet", RECIPE), CENTER, val(top5=10.07), BEST),
    PAPER.row("1-ten", "table 3, 1 net, 10 crops", one("googlenet", RECIPE), TEN, val(top5=9.15), (*BEST, TEN_UNSAID)),
    PAPER.row("1-144", "table 3, 1 net, 144 crops", one("googlenet", RECIPE), GOOGLENET, val(top5=7.89), BEST),
    PAPER.row("7-center", "table 3, 7 nets, 1 crop", SEVEN, CENTER, val(top5=8.09), (EQUAL,)),
    PAPER.row("7-ten", "table 3, 7 nets, 10 crops", SEVEN, TEN, val(top5=7.62), (EQUAL, TEN_UNSAID)),
)
WARPED = replace(CENTER, warp=True)
REPLICAS = (REPLICA.row("googlenet", "release, bvlc_googlenet", one("googlenet", BVLC_QUICK), WARPED, val(31.3, 11.1)),)
