"""Pre-activation ResNet: He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, 2016.

ResNet-200 is one of the five networks of Trimps-Soushen, first in 2016.
"""

from dataclasses import replace

from ilsvrc.entries import msra_2015
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
