"""The detection winners as miniatures: each starts from the miniature of its classifier, as the teams' did.

Anchors, targets, losses and what holds still are the papers'; width, image size, numbers of proposals and recipe are
ours.
"""

from dataclasses import replace

from ilsvrc.entries import googlenet_2014, msra_2015
from ilsvrc.entries.miniature import MINIATURES, OURS
from ilsvrc.spec import SGD, Cosine, Dense, Entry, Recipe, Search

REGIONS: Recipe = Recipe(
    source="ours, for miniature detectors",
    epochs=5,
    batch=4,
    optimizer=SGD(lr=0.02, momentum=0.9, weight_decay=1e-4, decay_biases=False),
    schedule=Cosine(),
    warmup=0.5,
    augment=(),
    mean="channel",
    init="he",
    unit="deviation",
    clip_norm=5.0,
    gaps=(
        OURS,
        "images of 128 pixels, anchors and the least side of a proposal in proportion to the objects of the mini set",
        "fewer anchors, regions and proposals per image; half of the regions are of objects; RoIAlign",
        "regions of 6 cells, which conv5 halves to 3",
        "digits are not mirrored",
    ),
)

WINDOWS: Recipe = replace(
    REGIONS,
    source="ours, for miniatures of R-CNN",
    init="he inputs",
    gaps=(
        OURS,
        "images of 128 pixels, windows of 80 with 6 of context, proposals by superpixels of one size",
        "fewer regions per image; half of them are of objects",
        "gradients are clipped to a norm of 5",
        "digits are not mirrored",
    ),
)

# Entry -> what races for it: one network, as large as the miniature of the classifier it starts from.
DETECTORS: dict[str, Entry] = {
    "googlenet-2014-det": replace(
        googlenet_2014.DETECTION,
        members=(replace(MINIATURES["googlenet-2014-cls"], recipe=WINDOWS),),
        protocol=Dense(short_sides=(128,), mirror=False),
        gaps=(*googlenet_2014.DETECTION.gaps, "one network, where the entry is six that judge together"),
        boxes=replace(
            googlenet_2014.DETECTOR,
            short_side=128,
            long_side=200,
            regions_taught=16,
            object_share=0.5,
            search=Search(width=128, superpixels=(100,), least_side=10),
            around=6,
        ),
    ),
    "msra-2015-det": replace(
        msra_2015.DETECTION,
        members=(replace(MINIATURES["msra-2015-cls"], recipe=REGIONS),),
        protocol=Dense(short_sides=(128,), mirror=False),
        gaps=(*msra_2015.DETECTION.gaps, "one network, where the entry is three that judge together"),
        boxes=replace(
            msra_2015.DETECTOR,
            short_side=128,
            long_side=200,
            scales=(2, 3, 4.5),
            least_side=8,
            anchors_taught=64,
            regions_taught=32,
            object_share=0.5,
            kept_training=(1_000, 100),
            kept_testing=(1_000, 100),
            pooling="align",
            region_size=6,
            context=False,
            test_sides=(),
        ),
    ),
}

# Who races only where named: to search for proposals and look at every region alone takes minutes more.
BY_NAME = ("googlenet-2014-det",)
