"""One recipe of today for every network, old or new: of no paper, and it says what it changes.

Two forms: for networks that normalise their batches, and for those that do not and need clipped steps.
"""

from dataclasses import replace

from ilsvrc.spec import SGD, AreaCrop, Cosine, Mirror, MovingAverage, Recipe

NORMALISED = Recipe(
    source="modern, for networks with batch normalisation",
    epochs=90,
    batch=256,
    optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=1e-4, decay_biases=False, rate_inside=False, nesterov=True),
    schedule=Cosine(),
    augment=(AreaCrop(224, low=0.25), Mirror()),
    mean="channel",
    init="he",
    unit="deviation",
    warmup=5,
    label_smoothing=0.1,
    average=MovingAverage(decay=0.9999),
    gaps=(
        "nothing here is the network's own paper's: all of it is replaced, and the network alone is kept",
        "schedule: a warm-up in a line, then half a cosine, in place of steps or plateaus",
        "loss: labels are smoothed by 0.1; side heads count 0.3",
        "optimizer: Nesterov's momentum in PyTorch's form; no decay on biases and normalisation",
        "augmentation: a crop of a quarter of the image or more, of any place, and its mirror; no colours",
        "the weights judged and kept are moving averages",
    ),
)

PLAIN = replace(
    NORMALISED,
    source="modern, for networks without batch normalisation",
    init="he inputs",
    clip_norm=1.0,
    gaps=(
        *NORMALISED.gaps,
        "gradients clipped to a norm of 1, and He's initialisation by inputs: without normalisation free steps of "
        "this rate do not hold",
    ),
)
