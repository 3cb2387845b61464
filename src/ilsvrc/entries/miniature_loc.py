"""The localization winners as miniatures: each starts from the miniature of its classifier, as the teams' did.

Head, targets, loss and what learns are the papers'; width, image size and recipe are ours.
"""

from dataclasses import replace

from ilsvrc.entries import msra_2015, overfeat_2013, supervision_2012, vgg_2014
from ilsvrc.entries.miniature import LARGER, MINIATURES, NORMALISED, PLAIN, PROTOCOL
from ilsvrc.spec import Dense, Entry, Member, Recipe, Regions

BOXES: Recipe = replace(
    PLAIN,
    source="ours, for box regressors of miniatures without batch normalisation",
    epochs=3,
)
BOXES_NORMALISED: Recipe = replace(
    NORMALISED,
    source="ours, for box regressors of miniatures with batch normalisation",
    epochs=3,
)
REGIONS: Recipe = replace(
    NORMALISED,
    source="ours, for miniatures that judge proposals again",
    epochs=3,
    augment=(),
    gaps=(*NORMALISED.gaps, "digits are not mirrored"),
)

# Classifiers that a regressor starts from: those of the race, and OverFeat's, which does not race for classes.
CLASSIFIERS: dict[str, Member] = {
    **MINIATURES,
    "overfeat-2013-cls": Member(model="overfeat_fast", recipe=replace(PLAIN, epochs=6), image_size=LARGER, width=0.25),
}

# Entry -> what races for it: one member, as large as the miniature of the classifier it starts from.
LOCALIZERS: dict[str, Entry] = {
    "supervision-2012-loc": replace(
        supervision_2012.LOCALIZATION,
        members=(replace(MINIATURES["supervision-2012-cls"], recipe=BOXES),),
        protocol=PROTOCOL,
    ),
    "overfeat-2013-loc": replace(
        overfeat_2013.LOCALIZATION,
        members=(replace(CLASSIFIERS["overfeat-2013-cls"], recipe=BOXES),),
        protocol=Dense(short_sides=(72, 88), mirror=True, over="max", offsets=2),
    ),
    "vgg-2014-loc": replace(
        vgg_2014.LOCALIZATION,
        members=(replace(MINIATURES["vgg-2014-cls"], recipe=BOXES),),
        protocol=PROTOCOL,
        gaps=(
            *vgg_2014.LOCALIZATION.gaps,
            "one centre crop: two places of a map of two are too few to merge",
            "one regressor: its boxes are joined with no other's",
        ),
    ),
    "msra-2015-loc": replace(
        msra_2015.LOCALIZATION,
        members=(replace(MINIATURES["msra-2015-cls"], recipe=BOXES_NORMALISED),),
        protocol=PROTOCOL,
        boxes=replace(
            msra_2015.PROPOSALS,
            scales=(1, 2, 3),
            regions=Regions(recipe=REGIONS, kept=8, region_object=0.3, regions_taught=2, object_share=0.75, around=8),
        ),
        gaps=(
            *msra_2015.LOCALIZATION.gaps,
            "one centre crop, anchors of 16, 32 and 48 pixels in windows of 64, 8 proposals of a class",
            "2 regions of an image at each visit, three in four of them of an object that they overlap by 0.3 or more, "
            "and 8 pixels of context: proposals of a map of four cells lie far from their objects",
        ),
    ),
}
