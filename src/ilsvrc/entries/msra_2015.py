"""MSRA, ILSVRC 2015: He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2015."""

from ilsvrc.spec import (
    SGD,
    BatchNorm,
    Crops,
    Entry,
    Member,
    Mirror,
    PcaLighting,
    RandomCrop,
    Recipe,
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

CLASSIFICATION = Entry(
    key="msra-2015-cls",
    year=2015,
    team="MSRA",
    task="classification",
    members=(
        Member(model="resnet152", recipe=RECIPE, copies=2),
        Member(model="resnet101", recipe=RECIPE, copies=2),
        Member(model="resnet50", recipe=RECIPE, copies=2),
    ),
    protocol=Crops(layout="ten", short_sides=(256,), size=224),
    reported=(
        Reported(metric="top-5 error", percent=3.57, split="test", source="table 5"),
        Reported(metric="top-5 error", percent=5.71, split="val", source="table 3, ResNet-152, 10 crops"),
        Reported(metric="top-1 error", percent=21.43, split="val", source="table 3, ResNet-152, 10 crops"),
        Reported(metric="top-5 error", percent=6.71, split="val", source="table 3, ResNet-50, 10 crops"),
        Reported(metric="top-1 error", percent=22.85, split="val", source="table 3, ResNet-50, 10 crops"),
    ),
    source="He et al. 2015, section 4.1",
    new="Shortcuts that let layers learn a residual: 152 layers that train.",
    gaps=(
        "members: 'six models of different depth', two of 152 layers; the other four are ours",
        "protocol: ten crops, which table 3 reports; the submission used dense scores over five scales",
    ),
)
