"""The localization winners as miniatures: each starts from the miniature of its classifier, as the teams' did.

Head, targets, loss and what learns are the papers'; width, image size and recipe are ours.
"""

from dataclasses import replace

from ilsvrc.entries import vgg_2014
from ilsvrc.entries.miniature import MINIATURES, PLAIN, PROTOCOL
from ilsvrc.spec import SGD, Entry, Recipe

BOXES: Recipe = replace(
    PLAIN,
    source="ours, for box regressors of miniatures without batch normalisation",
    epochs=4,
    optimizer=SGD(lr=0.02, momentum=0.9, weight_decay=1e-4, decay_biases=False),
)

# Entry -> what races for it: one member, as large as the miniature of the classifier it starts from.
LOCALIZERS: dict[str, Entry] = {
    "vgg-2014-loc": replace(
        vgg_2014.LOCALIZATION,
        members=(replace(MINIATURES["vgg-2014-cls"], recipe=BOXES),),
        protocol=PROTOCOL,
    ),
}
