"""fb.resnet.torch, 2016: Facebook's training of ResNets, which ResNeXt, Wide ResNet and today's libraries follow."""

from dataclasses import replace

from ilsvrc.entries.protocols import CENTER, TEN
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.spec import SGD, AreaCrop, ColorJitter, Mirror, PcaLighting, Recipe, Steps

RECIPE = Recipe(
    source="fb.resnet.torch: the options and transforms of its training for ImageNet",
    epochs=90,
    batch=256,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, rate_inside=False, nesterov=True),
    schedule=Steps(at=(30, 60), factor=0.1),
    augment=(AreaCrop(224, low=0.08), ColorJitter(0.4), PcaLighting(0.1), Mirror()),
    mean="channel",
    init="he",
    unit="deviation",
    gaps=(
        "the crop is resized bilinearly; there bicubically",
        "the aspect ratio is uniform in 3/4 to 4/3; there it is drawn so and the sides are swapped half the time",
        "mean and deviation are the data set's; there those of ImageNet",
    ),
)

TEN_LOGITS = replace(TEN, average="logits")  # its script sums what comes before the softmax

PAPER = Paper(
    key="facebook-2016",
    year=2016,
    team="Facebook",
    source="fb.resnet.torch, its table of trained ResNets",
    new="ResNet trained by other rules, with its strides in the 3x3: what later papers compare themselves with.",
)
ROWS = tuple(
    PAPER.row(
        f"{layers}-{key}",
        f"release, ResNet-{layers}, {words}",
        one(f"resnet{layers}_v1_5", RECIPE),
        protocol,
        val(*found),
    )
    for layers, center, ten in (
        (18, (30.43, 10.76), (28.22, 9.42)),
        (34, (26.73, 8.74), (24.76, 7.35)),
        (50, (24.01, 7.02), (22.24, 6.08)),
        (101, (22.44, 6.21), (21.08, 5.35)),
        (152, (22.16, 6.16), (20.69, 5.21)),
    )
    for key, words, protocol, found in (("center", "1 crop", CENTER, center), ("ten", "10 crops", TEN_LOGITS, ten))
)
