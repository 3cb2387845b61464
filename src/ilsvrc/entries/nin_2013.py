"""Network in Network: Lin, Chen, Yan, 2013. Of no challenge entry; the parent of GoogLeNet."""

from ilsvrc.spec import SGD, CenterSquare, Mirror, RandomCrop, Recipe, ShortSide, Steps

RECIPE = Recipe(
    source="Lin et al. 2013, section 4.1",
    epochs=90,
    batch=128,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4),
    schedule=Steps(at=(45, 70), factor=0.1),
    augment=(ShortSide(256, 256), CenterSquare(256), RandomCrop(224), Mirror()),
    mean="pixel",
    init="wider gaussian",
    gaps=(
        "the paper trains on small images; the network for ImageNet is of Caffe's zoo, whose solver was not found",
        "rate 0.1, decay 1e-4 and N(0, 0.05) are of the definition for CIFAR-10, from ports of it",
        "schedule: divided by 10 when training stalls, until a hundredth is left; length and epochs are ours",
        "augmentation: AlexNet's without its colour noise; decay and rate of the biases: as the weights'",
    ),
)
