"""OverFeat, ILSVRC 2013: Sermanet, Eigen, Zhang, Mathieu, Fergus, LeCun. First in localization.

Sermanet et al. 2013, OverFeat: Integrated Recognition, Localization and Detection using Convolutional Networks.
"""

from dataclasses import replace

from ilsvrc.spec import SGD, Mirror, RandomCrop, Recipe, ShortSide, Steps

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
