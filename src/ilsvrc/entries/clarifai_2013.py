"""Clarifai, ILSVRC 2013: Zeiler's company. The nets themselves were never published.

The stand-in is the network of Zeiler and Fergus 2013, Visualizing and Understanding Convolutional Networks,
whose own entry ("ZF") came third.
"""

from ilsvrc.spec import SGD, CenterSquare, Crops, Entry, Member, Recipe, Reported, ShortSide, Steps, TenCrop

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

CLASSIFICATION = Entry(
    key="clarifai-2013-cls",
    year=2013,
    team="Clarifai",
    task="classification",
    members=(Member(model="zfnet", recipe=RECIPE, copies=5),),
    protocol=Crops(layout="ten", short_sides=(256,), size=224),
    reported=(
        Reported(metric="top-5 error", percent=11.7, split="test", source="result page of 2013, Clarifai"),
        Reported(metric="top-5 error", percent=13.5, split="test", source="result page of 2013, entry ZF"),
        Reported(metric="top-5 error", percent=15.3, split="test", source="Zeiler and Fergus, table 2, 5 nets"),
        Reported(metric="top-5 error", percent=16.5, split="val", source="Zeiler and Fergus, table 2, 1 net"),
        Reported(metric="top-1 error", percent=38.4, split="val", source="Zeiler and Fergus, table 2, 1 net"),
    ),
    source="Zeiler and Fergus 2013, table 2; result page of 2013",
    new="Pictures of what layers respond to showed where AlexNet was coarse: smaller filters and strides below.",
    gaps=(
        "Clarifai published neither networks nor recipe; five ZFNets stand in for them",
        "protocol: the paper gives none beyond its ten training crops; ten crops as AlexNet",
    ),
)
