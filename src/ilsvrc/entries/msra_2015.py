"""MSRA, ILSVRC 2015: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015."""

from dataclasses import replace

from ilsvrc.entries.protocols import CENTER, PROTOCOLS, TEN
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.spec import (
    SGD,
    BatchNorm,
    Dense,
    Detector,
    Entry,
    Member,
    Mirror,
    PcaLighting,
    RandomCrop,
    Recipe,
    Regions,
    Regression,
    Reported,
    ShortSide,
    Steps,
)

RECIPE = Recipe(
    source="He et al. 2015, section 3.4",
    epochs=120,
    batch=256,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, decay_biases=False),
    schedule=Steps(at=(40, 80, 100), factor=0.1),
    augment=(ShortSide(256, 480), RandomCrop(224), Mirror(), PcaLighting(0.1)),
    mean="pixel",
    init="he",
    batch_norm=BatchNorm(recomputed=50_000),
    gaps=(
        "schedule: 'divided by 10 when the error plateaus', up to 60e4 iterations (120 epochs); the epochs are ours",
        "weight decay on convolution and classifier weights only: a note in fb.resnet.torch; the paper does not say",
        "batch norm statistics are recomputed over training images afterwards, as in the authors' release; "
        "how many is not said: 50,000",
        "initialisation: n counts outputs, as in fb.resnet.torch; the cited paper allows either",
    ),
)

NEW = "Shortcuts that let layers learn a residual: 152 layers that train."
FIVE_SCALES = PROTOCOLS["resnet-dense"].protocol

CLASSIFICATION = Entry(
    key="msra-2015-cls",
    year=2015,
    team="MSRA",
    task="classification",
    members=(
        Member(model="resnet152", recipe=RECIPE, copies=2),
        Member(model="resnet101", recipe=RECIPE, copies=2),
        Member(model="resnet50", recipe=RECIPE),
        Member(model="resnet34", recipe=RECIPE),
    ),
    protocol=FIVE_SCALES,
    reported=(Reported(metric="top-5 error", percent=3.57, split="test", source="table 5"),),
    source="He et al. 2015, section 4.1",
    new=NEW,
    gaps=(
        "members: 'six models of different depth', two of 152 layers; the other four are ours",
        "weights of the combination are not published: equal",
    ),
)

BOXES = replace(
    RECIPE,
    source="He et al. 2015, appendix C, the boxes",
    optimizer=replace(RECIPE.optimizer, lr=0.01),
    gaps=(
        "rate and length are not given: a tenth of the classifier's rate, and its length",
        "256 images make a batch, of each of which 8 anchors teach, as many positive as negative",
        "batch norm goes on learning; the appendix does not say whether it did",
    ),
)
JUDGED_AGAIN = replace(
    BOXES,
    source="He et al. 2015, appendix C, the R-CNN",
    augment=(Mirror(), PcaLighting(0.1)),
    gaps=(
        "rate and length are not given: those of the proposals' training",
        "a batch is 256 regions 'in the RoI-centric fashion': one of each of 256 images, in an order that is drawn",
        "augmentation is not given: mirrors and lighting as the classifier's, no crops",
        "batch norm goes on learning; the appendix does not say whether it did",
    ),
)
PROPOSALS = Regression(
    classifier="msra-2015-cls",
    head="proposals",
    per_class=True,
    coordinates="edges",
    trained="all",
    scales=(8, 16, 32),
    regions=Regions(recipe=JUDGED_AGAIN),
)
LOCALIZATION = Entry(
    key="msra-2015-loc",
    year=2015,
    team="MSRA",
    task="localization",
    members=(Member(model="resnet101", recipe=BOXES),),
    protocol=Dense(short_sides=(256,), mirror=False),
    reported=(
        Reported(metric="top-5 localization error", percent=9.0, split="test", source="table 14, the ensemble"),
        Reported(metric="top-5 localization error", percent=8.9, split="val", source="table 13, the ensemble"),
        Reported(
            metric="top-5 localization error", percent=10.6, split="val", source="table 13, one ResNet-101, R-CNN"
        ),
        Reported(metric="top-5 localization error", percent=14.4, split="val", source="table 13, one ResNet-101, RPN"),
    ),
    source="He et al. 2015, appendix C",
    new="A proposal network with a score and a box per class, and an R-CNN that judges its proposals again.",
    boxes=PROPOSALS,
    gaps=(
        "how a single box was chosen is not said: of each class that of its surest proposal, as the R-CNN moves it; of "
        "proposals alone that of the surest anchor",
        "scale of the dense test is not said: 256 pixels on the shorter side",
        "anchors count as positive and negative as in Faster R-CNN; the appendix gives no other rule",
        "whether the 200 best proposals are suppressed first is not said: at an overlap of 0.7, as in Faster R-CNN",
        "which proposals are objects is not said: those that overlap one of the class by half; nor how many of those "
        "that teach are: a quarter (both as in R-CNN)",
        "how boxes are coded is not said: as in R-CNN, over the deviations of Fast R-CNN's code",
        "16 pixels of context about a warped region, as in R-CNN; regions are cut from the image at its own size",
        "members: the networks of the ensemble are not named; one ResNet-101, as in table 13, whose classifier names "
        "the classes and starts both",
    ),
)

REGIONS = Recipe(
    source="He et al. 2015, appendix A; Ren et al. 2015 where it is silent",
    epochs=5.5,
    batch=8,
    optimizer=SGD(lr=0.001, momentum=0.9, weight_decay=5e-4, decay_biases=False, bias_rate=2.0),
    schedule=Steps(at=(4.125,), factor=0.1),
    augment=(Mirror(),),
    mean="channel",
    init="he",
    gaps=(
        "length: 240,000 updates at 0.001 and 80,000 at a tenth, as given for COCO, of 8 images each over the 466,629 "
        "of DET's train and val1; for DET it is not said",
        "COCO's Fast R-CNN step has 16 images per update, its proposal step 8; joint training takes 8 for both",
        "mean and deviation are those of the classifier this starts from",
        "batch norm's statistics are those that the classifier's recipe left, and hold still with scale and shift",
        "objects of DET's train are not all boxed; images without any teach the background all the same",
    ),
)

DETECTOR = Detector(
    classifier="msra-2015-cls",
    context=True,
    refined=True,
    test_sides=(200, 400, 600, 800, 1000),
)
DETECTION = Entry(
    key="msra-2015-det",
    year=2015,
    team="MSRA",
    task="detection",
    members=(Member(model="resnet101", recipe=REGIONS, copies=3),),
    protocol=Dense(short_sides=(200, 400, 600, 800, 1000), mirror=False),
    reported=(
        Reported(metric="mean AP", percent=62.07, split="test", source="result page of 2015"),
        Reported(metric="mean AP", percent=62.1, split="test", source="results of appendix B, three networks"),
        Reported(metric="mean AP", percent=63.6, split="val", source="results of appendix B, three networks, val2"),
        Reported(metric="mean AP", percent=58.8, split="test", source="results of appendix B, one network"),
        Reported(metric="mean AP", percent=60.5, split="val", source="results of appendix B, one network, val2"),
    ),
    source="He et al. 2015, appendices A and B",
    new="Faster R-CNN on a residual network: conv4 shared, conv5 per region; boxes refined, context, several scales.",
    boxes=DETECTOR,
    gaps=(
        "cells of a pooled region are not printed: 14, which conv5 halves to 7, as re-implementations have it",
        "steps: the paper alternates between proposals and regions; here both learn at once (`steps` of the "
        "specification has the other way)",
        "refinement pools again from the box of each region's surest class; the paper does not say which of its boxes",
        "which two scales a region takes is not printed: the largest at which it has at most 224² pixels, and the next",
        "three networks: of what they differ in nothing is said; seed alone, all from one classifier",
        "trained on train and val1, judged on val2 (halves of R-CNN, not of the challenge); here on train and val",
    ),
)

PAPER = Paper(key="msra-2015", year=2015, team="MSRA", source="He et al. 2015, tables 2 to 4; the release", new=NEW)
ROWS = (
    *(
        PAPER.row(f"{key}-ten", f"table {table}, {words}, 10 crops", one(model, RECIPE), TEN, val(top1, top5))
        for key, table, words, model, top1, top5 in (
            ("plain18", "2", "plain-18", "plain18", 27.94, None),
            ("plain34", "3", "plain-34", "plain34", 28.54, 10.02),
            ("34", "3", "ResNet-34 B", "resnet34", 24.52, 7.46),
            ("50", "3", "ResNet-50", "resnet50", 22.85, 6.71),
            ("101", "3", "ResNet-101", "resnet101", 21.75, 6.05),
            ("152", "3", "ResNet-152", "resnet152", 21.43, 5.71),
        )
    ),
    *(
        PAPER.row(
            f"{layers}-center",
            f"release, ResNet-{layers}, 1 crop",
            one(f"resnet{layers}", RECIPE),
            CENTER,
            val(top1, top5),
        )
        for layers, top1, top5 in (("50", 24.7, 7.8), ("101", 23.6, 7.1), ("152", 23.0, 6.7))
    ),
    *(
        PAPER.row(
            f"{layers}-dense",
            f"table 4, ResNet-{layers}{b}",
            one(f"resnet{layers}", RECIPE),
            FIVE_SCALES,
            val(top1, top5),
        )
        for layers, b, top1, top5 in (
            ("34", " B", 21.84, 5.71),
            ("50", "", 20.74, 5.25),
            ("101", "", 19.87, 4.60),
            ("152", "", 19.38, 4.49),
        )
    ),
)
