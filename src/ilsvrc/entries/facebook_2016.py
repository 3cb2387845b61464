"""fb.resnet.torch, 2016: Facebook's training of ResNets, which ResNeXt, Wide ResNet and today's libraries follow."""

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
