"""Pre-activation ResNet: He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, 2016.

ResNet-200 is one of the five networks of Trimps-Soushen, first in 2016.
"""

from dataclasses import replace

from ilsvrc.entries import msra_2015
from ilsvrc.entries.facebook_2016 import TEN_LOGITS
from ilsvrc.entries.protocols import CENTER, CENTER_320
from ilsvrc.entries.row import Paper, one, val
from ilsvrc.spec import SGD, AreaCrop, Mirror, PcaLighting, Recipe, Steps

RECIPE = Recipe(
    source="He et al. 2016, the appendix on implementation, ImageNet",
    epochs=90,
    batch=256,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, decay_biases=False),
    schedule=Steps(at=(30, 60), factor=0.1),
    augment=msra_2015.RECIPE.augment,  # "scale augmentation" of the first paper
    mean="pixel",
    init="he",
    gaps=(
        "90 epochs: from memory (unverified); the changes of rate at 30 and 60 are the paper's, as is no warm-up",
        "weight decay on convolution and classifier weights only, as in ResNet; this paper does not say either",
        "batch norm statistics are moving averages; whether they were recomputed, as for ResNet, is not said",
    ),
)
ASPECT = replace(
    RECIPE,
    source="He et al. 2016, the row with scale and aspect ratio augmentation",
    augment=(AreaCrop(224, low=0.08), Mirror(), PcaLighting(0.1)),
    gaps=(*RECIPE.gaps, "of that row the crop is known, GoogLeNet's; colour noise as before"),
)

PAPER = Paper(
    key="preresnet-2016",
    year=2016,
    team="MSRA",
    source="He et al. 2016, table 5; fb.resnet.torch's release",
    new="Normalisation and ReLU before the convolutions: the shortcut is an identity from end to end.",
)
AS_FACEBOOK = ("trained by Facebook; the recipe here is that of the paper's row with this augmentation",)
V1, V2, DEEPEST = one("resnet152", msra_2015.RECIPE), one("preresnet152", RECIPE), one("preresnet200", ASPECT)
ROWS = (
    PAPER.row("152-original-320", "table 5, ResNet-152, original, 320", V1, CENTER_320, val(21.3, 5.5)),
    PAPER.row("152-320", "table 5, ResNet-152, pre-activated, 320", V2, CENTER_320, val(21.1, 5.5)),
    PAPER.row(
        "200-320", "table 5, ResNet-200, pre-activated, 320", one("preresnet200", RECIPE), CENTER_320, val(20.7, 5.3)
    ),
    PAPER.row("200-aspect-320", "table 5, ResNet-200, aspect, 320", DEEPEST, CENTER_320, val(20.1, 4.8), AS_FACEBOOK),
    PAPER.row("200-aspect-center", "release, ResNet-200, 1 crop", DEEPEST, CENTER, val(21.66, 5.79), AS_FACEBOOK),
    PAPER.row("200-aspect-ten", "release, ResNet-200, 10 crops", DEEPEST, TEN_LOGITS, val(20.15, 4.93), AS_FACEBOOK),
)
