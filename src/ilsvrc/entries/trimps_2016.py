"""Trimps-Soushen, ILSVRC 2016: The Third Research Institute of the Ministry of Public Security, Shanghai.

There is no paper. What is known is on the result page with the team's paragraph, and in slides shown at the workshop
of ECCV 2016, Good Practices for Deep Feature Fusion ("the slides"): five networks of other people's papers, combined.
The entry is a reconstruction, and says where.
"""

from dataclasses import replace

from ilsvrc.entries import inception_2015, inception_2016, preresnet_2016, wideresnet_2016
from ilsvrc.entries.row import Paper, val
from ilsvrc.spec import Dense, Entry, Member, Mirror, Protocol, Recipe, Regions, Regression, Reported

NEW = "Nothing new but the sum: five different networks err on different images, and together below three percent."

OF_224 = Dense(short_sides=(224, 256, 320, 384, 448))
OF_299 = Dense(short_sides=(299, 342, 427, 513, 598))  # the same by 299 / 224


def _member(model: str, recipe: Recipe, protocol: Protocol, percent: float, boost: float = 1.0) -> Member:
    """One of the five, weighted by its accuracy with five guesses."""
    return Member(model=model, recipe=recipe, protocol=protocol, weight=round(boost * (1 - percent / 100), 4))


V3 = _member("inception_v3", inception_2015.INCEPTION_V3, OF_299, 4.20)
V4 = _member("inception_v4", inception_2016.RECIPE, OF_299, 4.01)
RESNET_V2 = _member("inception_resnet_v2", inception_2016.RECIPE, OF_299, 3.52, boost=2.0)
PRE_200 = _member("preresnet200", preresnet_2016.ASPECT, OF_224, 4.26)
WIDE_68 = _member("wideresnet68_3", wideresnet_2016.RECIPE, OF_224, 4.65)

OPEN = (
    "a reconstruction: no paper, no code and no weights were published",
    "recipes: of training nothing is public but 'multi-scale augmentation, large batches'; the networks' own papers'",
    "protocol: dense over several scales and mirrored; which scales is not public",
)
CLASSIFICATION = Entry(
    key="trimps-2016-cls",
    year=2016,
    team="Trimps-Soushen",
    task="classification",
    members=(V3, V4, RESNET_V2, PRE_200, WIDE_68),
    protocol=OF_299,
    reported=(
        Reported(metric="top-5 error", percent=2.99, split="test", source="result page of 2016"),
        Reported(metric="top-5 error", percent=2.92, split="val", source="results in the slides, fusion"),
    ),
    source="result page of 2016; the slides of the workshop",
    new=NEW,
    gaps=(
        *OPEN,
        "weights: accuracy 'as weights', Inception-ResNet-v2 more; here 1 less the top-5 error, of that one twice",
        "the wide network: 68 layers, whose layout was not published; in some summaries of twice the width, in others "
        "of three times: stages of 3, 4, 12 and 3 blocks, three times as wide",
    ),
    reconstruction=True,
)


def _boxes(recipe: Recipe, words: str) -> Recipe:
    """What trains proposals on a trunk: its own paper's recipe, for want of a public one."""
    return replace(
        recipe,
        source=f"Trimps-Soushen 2016, localization, {words}, a reconstruction",
        gaps=("of this training nothing is public: the network's own paper's recipe",),
    )


BOXES_V3 = _boxes(inception_2015.INCEPTION_V3, "Inception-v3")
BOXES = _boxes(inception_2016.RECIPE, "Inception-v4 and Inception-ResNet-v2")
BOXES_PRE_200 = _boxes(preresnet_2016.ASPECT, "pre-activated ResNet-200")
BOXES_WIDE_68 = _boxes(wideresnet_2016.RECIPE, "WRN-68-3")
JUDGED_AGAIN = replace(
    BOXES,
    source="Trimps-Soushen 2016, localization, the regions, a reconstruction",
    augment=(Mirror(),),
)
PROPOSALS = Regression(
    classifier="trimps-2016-cls",
    head="proposals",
    per_class=True,
    coordinates="edges",
    trained="all",
    scales=(8, 16, 32),
    regions=Regions(recipe=JUDGED_AGAIN),
)
WHOLE_224 = Dense(short_sides=(256,), mirror=False)
LOCALIZATION = Entry(
    key="trimps-2016-loc",
    year=2016,
    team="Trimps-Soushen",
    task="localization",
    members=(
        *(
            Member(model=member.model, recipe=recipe, weight=member.weight)
            for member, recipe in ((V3, BOXES_V3), (V4, BOXES), (RESNET_V2, BOXES))
        ),
        *(
            Member(model=member.model, recipe=recipe, weight=member.weight, protocol=WHOLE_224)
            for member, recipe in ((PRE_200, BOXES_PRE_200), (WIDE_68, BOXES_WIDE_68))
        ),
    ),
    protocol=Dense(short_sides=(342,), mirror=False),
    reported=(
        Reported(metric="top-5 localization error", percent=7.71, split="test", source="result page of 2016"),
        Reported(metric="top-5 localization error", percent=7.58, split="val", source="results in slides, all fused"),
        Reported(metric="top-5 localization error", percent=8.51, split="val", source="results in slides, best one"),
    ),
    source="result page of 2016; the slides of the workshop",
    new="Faster R-CNN asked for the boxes of five classes; classes, proposals and boxes are those of several networks.",
    boxes=PROPOSALS,
    gaps=(
        "how a Faster R-CNN was asked for the boxes of given classes is not public; here proposals of a class and "
        "regions that are judged again, as MSRA's of 2015, whose scale, anchors and sampling these are",
        "trunks: 'several', whose proposals and boxes were fused by accuracy; which is not public: the five of its "
        "other entry, each of which proposes and judges the proposals of all",
        "weights: of the boxes those of the classes; of proposals that several make each is judged, none is left out",
        "of the regions' training nothing is public: Inception-v4's recipe for all five",
        "anchors stand at multiples of the stride from the image's corner, as on networks with padding; Inceptions "
        "have none at first and look some pixels further in",
    ),
    reconstruction=True,
)

PAPER = Paper(key="trimps-2016", year=2016, team="Trimps-Soushen", source="the slides of the workshop", new=NEW)
ROWS = tuple(
    PAPER.row(key, f"results in the slides, {words}", member, member.protocol or OF_299, val(top5=top5), OPEN)
    for key, words, member, top5 in (
        ("v3", "Inception-v3", V3, "4.20?"),
        ("v4", "Inception-v4", V4, "4.01?"),
        ("resnet-v2", "Inception-ResNet-v2", RESNET_V2, 3.52),
        ("pre-200", "pre-activated ResNet-200", PRE_200, "4.26?"),
        ("wide-68", "WRN-68-3", WIDE_68, "4.65?"),
    )
)
