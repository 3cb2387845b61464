"""Wide ResNet: Zagoruyko and Komodakis, 2016. A network of 68 layers of this kind is in the winner of 2016."""

from dataclasses import replace

from ilsvrc.entries import facebook_2016

RECIPE = replace(
    facebook_2016.RECIPE,
    source="Zagoruyko and Komodakis 2016, section 3, ImageNet; their training log",
    gaps=(
        "the paper says 'as fb.resnet.torch'; rate, batch, decay and length are in the authors' log",
        *facebook_2016.RECIPE.gaps,
    ),
)
