"""The localization winners as miniatures: each starts from the miniature of its classifier, as the teams' did.

Head, targets, loss and what learns are the papers'; width, image size and recipe are ours.
"""

from dataclasses import replace

from ilsvrc.entries import msra_2015, overfeat_2013, supervision_2012, trimps_2016, vgg_2014
from ilsvrc.entries.miniature import MINIATURES, NORMALISED, PLAIN, PROTOCOL, SIZE
from ilsvrc.spec import Dense, Entry, Member, RandomCrop, Recipe, Regions, ShortSide

BOXES: Recipe = replace(
    PLAIN,
    source="ours, for box regressors of miniatures without batch normalisation",
    epochs=3,
)
BOXES_OF_SCALES: Recipe = replace(
    BOXES,
    source="ours, for OverFeat's box regressor as a miniature, at several scales as the paper's",
    augment=(ShortSide(SIZE, 80), RandomCrop(SIZE)),
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

BOXES_OF_TWO: Recipe = replace(
    BOXES_NORMALISED,
    source="ours, for box regressors of miniatures with batch normalisation, two in one entry",
    epochs=2,
)
REGIONS_OF_TWO: Recipe = replace(
    REGIONS,
    source="ours, for miniatures that judge proposals again, two in one entry",
    epochs=2,
)

JUDGED_IN_MINIATURE = Regions(recipe=REGIONS, kept=8, region_object=0.3, regions_taught=2, object_share=0.75, around=8)
LITTLE = (
    "one centre crop, anchors of 16, 32 and 48 pixels in windows of 64, 8 proposals of a class",
    "2 regions of an image at each visit, three in four of them of an object that they overlap by 0.3 or more, "
    "and 8 pixels of context: proposals of a map of four cells lie far from their objects",
)

# Classifiers that regressors start from: those of the race, and those that do not race for classes. Of an entry's
# networks all take one recipe.
CLASSIFIERS: dict[str, Member] = {
    **MINIATURES,
    # Windows of 144 pixels: on a last map of two cells, that of 80, what lies beside a window is half of what it sees.
    "overfeat-2013-cls": Member(model="overfeat_fast", recipe=replace(PLAIN, epochs=6), image_size=144, width=0.25),
    "trimps-2016-cls": Member(model="preresnet50", recipe=replace(NORMALISED, epochs=4), image_size=SIZE, width=0.25),
}

# Entry -> what races for it: one member, as large as the miniature of the classifier it starts from; of
# Trimps-Soushen's five two, so that there is something to fuse.
LOCALIZERS: dict[str, Entry] = {
    "supervision-2012-loc": replace(
        supervision_2012.LOCALIZATION,
        members=(replace(MINIATURES["supervision-2012-cls"], recipe=BOXES),),
        protocol=PROTOCOL,
    ),
    "overfeat-2013-loc": replace(
        overfeat_2013.LOCALIZATION,
        members=(replace(CLASSIFIERS["overfeat-2013-cls"], recipe=BOXES_OF_SCALES),),
        protocol=Dense(short_sides=(64, 71), mirror=False, over="max", offsets=2),
        gaps=(
            *overfeat_2013.LOCALIZATION.gaps,
            "two scales, whose short sides are one window, and one window and a step of 16 pixels; no mirrors: digits "
            "have none",
        ),
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
            regions=JUDGED_IN_MINIATURE,
        ),
        gaps=(
            *msra_2015.LOCALIZATION.gaps,
            *LITTLE,
        ),
    ),
    "trimps-2016-loc": replace(
        trimps_2016.LOCALIZATION,
        members=(
            replace(CLASSIFIERS["trimps-2016-cls"], recipe=BOXES_OF_TWO),
            Member(model="inception_v3", recipe=BOXES_OF_TWO, image_size=107, width=0.125),
        ),
        protocol=PROTOCOL,
        boxes=replace(
            trimps_2016.PROPOSALS,
            scales=(1, 2, 3),
            regions=replace(JUDGED_IN_MINIATURE, recipe=REGIONS_OF_TWO),
        ),
        gaps=(
            *trimps_2016.LOCALIZATION.gaps,
            "two trunks, which count the same: a pre-activated ResNet of 50 layers, where theirs had 200, and "
            "Inception-v3 at an eighth of its width, on images of 107 pixels, the smallest it takes",
            *LITTLE,
        ),
    ),
}
