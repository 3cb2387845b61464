"""Inception of 2015: batch normalisation (Ioffe and Szegedy), and Inception-v3 (Szegedy et al., Rethinking).

The second is team ReCeption's, second in 2015, and one of the five networks of Trimps-Soushen, first in 2016.
Where the papers are silent, TensorFlow's released definitions and training ("the release").
"""

from ilsvrc.spec import (
    SGD,
    AreaCrop,
    BatchNorm,
    ColorJitter,
    Exponential,
    Mirror,
    MovingAverage,
    Recipe,
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
