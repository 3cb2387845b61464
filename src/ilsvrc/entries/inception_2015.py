"""Inception of 2015: batch normalisation (Ioffe and Szegedy), and Inception-v3 (Szegedy et al., Rethinking).

The second is team ReCeption's, second in 2015, and one of the five networks of Trimps-Soushen, first in 2016.
Where the papers are silent, TensorFlow's released definitions and training ("the release").
"""

from ilsvrc.entries.protocols import CENTER, GOOGLENET, INCEPTION_144, PROTOCOLS
from ilsvrc.entries.row import Paper, on_test, one, val
from ilsvrc.spec import (
    SGD,
    AreaCrop,
    BatchNorm,
    ColorJitter,
    Entry,
    Exponential,
    Member,
    Mirror,
    MovingAverage,
    Recipe,
    Reported,
    RMSProp,
)

BN_INCEPTION = Recipe(
    source="Ioffe and Szegedy 2015, section 4.2, BN-x30",
    epochs=150,
    batch=32,
    optimizer=SGD(lr=0.045, momentum=0.9, weight_decay=4e-5, decay_biases=False),
    schedule=Exponential(factor=0.96, every=8 / 6),
    augment=(AreaCrop(224, low=0.08), Mirror(), ColorJitter(0.25)),
    mean="channel",
    init="caffe xavier",
    side_weight=0.3,
    gaps=(
        "rate: 30 times Inception's 0.0015, falling six times as fast: 0.96 every 8 epochs, from the GoogLeNet paper",
        "length: the best of BN-x30 is at 6 million updates of 32, 150 epochs; none is given",
        "weight decay: a fifth of Inception's, which is not given; BVLC's GoogLeNet has 2e-4",
        "photometric distortions are milder than Inception's: by half, ours; initialisation: BVLC's for GoogLeNet",
        "momentum 0.9 and the form of the update are not given; the paper trains asynchronously, here it does not",
        "batch norm's averages: PyTorch's decay of 0.9; the paper gives none",
    ),
)

INCEPTION_V3 = Recipe(
    source="Szegedy et al. 2016, section 8; the release",
    epochs=100,
    batch=32,
    optimizer=RMSProp(lr=0.045, decay=0.9, momentum=0.9, epsilon=1.0, weight_decay=4e-5),
    schedule=Exponential(factor=0.94, every=2),
    augment=(AreaCrop(299, low=0.08), Mirror(), ColorJitter(0.5)),
    mean="middle",
    init="truncated normal",
    unit="half range",
    side_weight=0.4,
    label_smoothing=0.1,
    clip_norm=2.0,
    average=MovingAverage(decay=0.9999),
    batch_norm=BatchNorm(decay=0.9997),
    gaps=(
        "50 replicas take 32 images each; whether their gradients are summed is not said: an update of 32 images, "
        "as the asynchronous replicas of that system make it",
        "clipping: 'threshold 2.0'; here of the norm of all gradients, before weight decay is added",
        "momentum 0.9 over RMSProp, weight decay 4e-5 on weights alone, side weight 0.4, averages of 0.9999 and "
        "0.9997: the release; the paper gives none of them",
        "colour distortions: factors in 0.5 to 1.5; the release turns the hue too",
        "the release draws areas from 5 % of the image on; the GoogLeNet paper's 8 % are used",
    ),
)

NORMALISED = Paper(
    key="bn-inception-2015",
    year=2015,
    team="Google",
    source="Ioffe and Szegedy 2015, section 4.2 and figure 4",
    new="Batches normalised inside the network: thirty times the rate, and a fourteenth of the steps.",
)
BN = one("bn_inception", BN_INCEPTION)
BN_ROWS = (
    NORMALISED.row("center", "figure 4, BN-x30, 1 crop", BN, CENTER, val(25.2, 7.82)),
    NORMALISED.row("144", "figure 4, BN-Inception, 144 crops", BN, GOOGLENET, val(21.99, 5.82)),
    NORMALISED.row(
        "6",
        "figure 4, BN-Inception ensemble, 144 crops",
        Member(model="bn_inception", recipe=BN_INCEPTION, copies=6),
        GOOGLENET,
        val(20.1, 4.9) + on_test(top5=4.82),
        (
            "the six differ in the scale of their initialisation, in dropout (5 or 10 %) and in whether the last "
            "layers are normalised by activation; here in seed alone",
        ),
    ),
)

NEW = "Windows cut into thin ones, a smoothed loss, and a side head that regularises: a tenth of VGG's arithmetic."
FOUR = Member(model="inception_v3", recipe=INCEPTION_V3, copies=4)
CENTER_299, TWELVE_299 = PROTOCOLS["inception-center"].protocol, PROTOCOLS["inception-12"].protocol
WITHOUT_1700 = "figures leave out some 1,700 blacklisted images, 48,238 remain; on all of them 0.3 and 0.15 worse"

RECEPTION = Entry(
    key="reception-2015-cls",
    year=2015,
    team="ReCeption",
    task="classification",
    members=(FOUR,),
    protocol=INCEPTION_144,
    reported=(
        Reported(metric="top-5 error", percent=3.58, split="test", source="table of ensembles, Inception-v3 x 4"),
        Reported(metric="top-5 error", percent=3.46, split="val", source="table of ensembles, Inception-v3 x 4"),
        Reported(metric="top-1 error", percent=17.2, split="val", source="table of ensembles, Inception-v3 x 4"),
    ),
    source="Szegedy et al. 2016, section 10; result page of 2015",
    new=NEW,
    gaps=("in what the four networks differ is not said: here in seed",),
)

PAPER = Paper(key="reception-2015", year=2015, team="ReCeption", source="Szegedy et al. 2016, tables 3 to 5", new=NEW)
V3 = one("inception_v3", INCEPTION_V3)
ROWS = (
    PAPER.row("v3-center", "table 3, Inception-v3, 1 crop", V3, CENTER_299, val(21.2, 5.6), (WITHOUT_1700,)),
    PAPER.row("v3-twelve", "table 4, Inception-v3, 12 crops", V3, TWELVE_299, val(19.47, 4.48)),
    PAPER.row("v3-144", "table 4, Inception-v3, 144 crops", V3, INCEPTION_144, val(18.77, 4.2)),
)
