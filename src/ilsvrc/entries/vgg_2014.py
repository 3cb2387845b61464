"""VGG, ILSVRC 2014: Simonyan and Zisserman, Very Deep Convolutional Networks, 2014. Second in classification."""

from ilsvrc.spec import SGD, Crops, Entry, Member, Mirror, PcaLighting, RandomCrop, Recipe, Reported, ShortSide, Steps

RECIPE = Recipe(
    source="Simonyan and Zisserman 2014, section 3.1, scale jittering",
    epochs=74,
    batch=256,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Steps(at=(30, 50, 65), factor=0.1),
    augment=(ShortSide(256, 512), RandomCrop(224), Mirror(), PcaLighting(0.1)),
    mean="channel",
    init="glorot",
    gaps=(
        "schedule: divided by 10 'when the validation accuracy stopped improving', three times; the epochs are ours",
        "initialisation: Glorot's, which the paper found to replace the staged one from configuration A",
        "jittered models were fine-tuned from the one of S = 384; here trained from the start",
    ),
)

CLASSIFICATION = Entry(
    key="vgg-2014-cls",
    year=2014,
    team="VGG",
    task="classification",
    members=(Member(model="vgg16", recipe=RECIPE), Member(model="vgg19", recipe=RECIPE)),
    protocol=Crops(layout="ten", short_sides=(384,), size=224),
    reported=(
        Reported(metric="top-5 error", percent=7.3, split="test", source="table 6, the submission, 7 nets"),
        Reported(metric="top-5 error", percent=6.8, split="test", source="table 6, D and E, multi-crop and dense"),
        Reported(metric="top-5 error", percent=8.1, split="val", source="table 3, D, [256;512], Q = 384"),
        Reported(metric="top-1 error", percent=25.6, split="val", source="table 3, D, [256;512], Q = 384"),
    ),
    source="Simonyan and Zisserman 2014, section 4",
    new="Nothing but 3x3 filters, and depth: 16 and 19 layers.",
    gaps=("protocol: ten crops; the paper evaluates densely over the whole image",),
)
