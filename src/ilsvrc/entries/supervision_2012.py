"""SuperVision, ILSVRC 2012: Krizhevsky, Sutskever, Hinton. AlexNet, its replicas and its successor.

Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks; where the paper is
silent, the 2012 source code and the notes kept in its parameter files ("the 2012 code").
"""

from dataclasses import replace

from ilsvrc.spec import (
    SGD,
    CenterSquare,
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
    Warp,
)

RECIPE = Recipe(
    source="Krizhevsky et al. 2012, sections 4 and 5",
    epochs=90,
    batch=128,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4, decay_biases=False, bias_rate=2.0),
    schedule=Steps(at=(25, 51, 79), factor=0.1),
    augment=(ShortSide(256, 256), CenterSquare(256), RandomCrop(224), Mirror(), PcaLighting(0.1)),
    mean="pixel",
    init="krizhevsky",
    gaps=(
        "schedule: 'divided by 10 when the validation error stopped improving', three times; "
        "the epochs are those of net 145 in the 2012 code",
        "bias rate 2 and no decay on biases: the 2012 code; the paper has one rate for all layers",
        "the 2012 code switches the colour noise off at epoch 67 and freezes conv1 at 72; here both stay as they are",
        "colour noise: the components are fb.resnet.torch's, since the paper prints none; the 2012 code also "
        "divides the crop by 1.1 after adding it",
        "initialisation: N(0, 0.01) throughout as printed; the 2012 code has 0.03 in conv3 to conv5",
        "the 2012 code draws crop and mirror once per 32 images and always subtracts the centre of the mean image; "
        "here each image draws its own and the mean image's centre is subtracted too",
    ),
)

BVLC_ALEXNET = Recipe(
    source="BVLC's bvlc_alexnet: solver and training definition",
    epochs=89.92,
    batch=256,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4, decay_biases=False, bias_rate=2.0),
    schedule=Steps(at=(19.98, 39.96, 59.94, 79.93), factor=0.1),
    augment=(Warp(256), RandomCrop(227), Mirror()),
    mean="pixel",
    init="bvlc alexnet",
    gaps=(
        "epochs: 450,000 updates, and a tenth of the rate every 100,000, over 1,281,167 images",
        "the mean image's place under the crop is subtracted there; here its centre, whatever the crop",
        "the same warped images are judged there; here the protocol's, which keep their shape",
    ),
)
BVLC_CAFFENET = replace(
    BVLC_ALEXNET,
    source="BVLC's bvlc_reference_caffenet: solver and training definition",
    init="bvlc caffenet",
)

ONE_TOWER = Recipe(
    source="Krizhevsky 2014; cuda-convnet2's parameters for one GPU",
    epochs=90,
    batch=128,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4, decay_biases=False, bias_rate=2.0),
    schedule=Steps(at=(22.5, 45, 67.5), factor=0.1587),
    augment=(ShortSide(256, 256), CenterSquare(256), RandomCrop(224), Mirror(), PcaLighting(0.1)),
    mean="pixel",
    init="krizhevsky 2014",
    gaps=(
        "four equal quarters at 0.01, 0.00159, 0.000252 and 0.00004: the released parameters; "
        "90 epochs: from memory (unverified)",
        "biases have rate 0.02 in the first half and 0.002 in the second there; here twice the weights' throughout",
        "augmentation: AlexNet's; the released parameters do not hold it",
        "loss: a softmax, as released; the paper may have trained 1000 logistic units (unverified)",
    ),
)

CLASSIFICATION = Entry(
    key="supervision-2012-cls",
    year=2012,
    team="SuperVision",
    task="classification",
    members=(Member(model="alexnet", recipe=RECIPE, copies=5),),
    protocol=Crops(layout="ten", short_sides=(256,), size=224),
    reported=(
        Reported(metric="top-5 error", percent=16.4, split="test", source="table 2, 5 CNNs"),
        Reported(metric="top-5 error", percent=16.4, split="val", source="table 2, 5 CNNs"),
        Reported(metric="top-1 error", percent=38.1, split="val", source="table 2, 5 CNNs"),
        Reported(metric="top-5 error", percent=18.2, split="val", source="table 2, 1 CNN"),
        Reported(metric="top-1 error", percent=40.7, split="val", source="table 2, 1 CNN"),
    ),
    source="Krizhevsky et al. 2012, section 6; result page of 2012",
    new="ReLU, dropout and two GPUs made a deep convolutional network trainable on a million images.",
    gaps=(
        "members: five copies of one network; the five submitted nets (131, 135, 137, 145, 145f) differ in their "
        "first layers, and 145f in its training set",
    ),
)
