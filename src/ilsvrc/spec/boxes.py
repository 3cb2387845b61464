"""How objects are found: the part of an entry that localization and detection have beside classification."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ilsvrc.spec import Recipe


@dataclass(frozen=True, kw_only=True)
class Merging:
    """How boxes that were predicted at many places become one per class (Sermanet et al. 2013, section 4.3).

    The pair of least `far` is replaced by its mean, again and again, as long as that is at most `threshold`. far is the
    distance of the centres over the mean side of both boxes, plus 1, less the intersection over the union: 0 for equal
    boxes. The printed formula adds the area of the intersection, by which boxes that share nothing would merge first.
    """

    threshold: float


@dataclass(frozen=True, kw_only=True)
class Regions:
    """How the proposals of a class are judged again (He et al. 2015, appendix C).

    Each is cropped, warped, and shown to a classifier whose end is a logit and a box for each class. An image teaches
    its own class alone, by `regions_taught` of its proposals at each visit, each drawn by itself. In a test the surest
    proposal of a class, moved, is its answer.
    """

    recipe: "Recipe"  # of this second network; its batch counts images, and its augmentation cuts nothing
    kept: int = 200  # proposals of a class in an image, the surest
    proposal_overlap: float = 0.7  # above it the less sure of two proposals goes before that
    region_object: float = 0.5  # least overlap of a region with an object; one with less is none
    regions_taught: int = 1  # of an image at each visit
    object_share: float = 0.25  # how often an object is drawn, where an image has both
    around: int = 16  # pixels of context about a region after warping
    offset_deviations: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)


@dataclass(frozen=True, kw_only=True)
class Regression:
    """How the box of an object is found: by a network that was a classifier (localization).

    head is what replaces the classifier's end: its last layer alone (Simonyan and Zisserman 2014, appendix A), two
    hidden layers on the last pooled map (Sermanet et al. 2013, section 4.1), or a score and a box per class for every
    anchor of the last map (He et al. 2015, appendix C). coordinates are relative to the window.
    """

    classifier: str  # the entry whose five classes get a box
    head: Literal["last layer", "hidden layers", "proposals"]
    per_class: bool  # a box for each class (PCR), or one for all (SCR)
    coordinates: Literal["centre", "edges"]  # centre, width and height; or left, top, right and bottom
    trained: Literal["all", "full layers", "new layers"]  # which learn
    least_overlap: float = 0.0  # of the object inside the window, in [0, 1]; windows with less do not teach
    merging: Merging | None = None  # None where one window is looked at
    scales: tuple[float, ...] = ()  # of the anchors of proposals, over 16 pixels
    regions: Regions | None = None  # how proposals are judged again; None where the surest is the answer


@dataclass(frozen=True, kw_only=True)
class Search:
    """How proposals are computed: selective search (Uijlings et al. 2013), by default as R-CNN's released code has it.

    That is its fast form: superpixels of each size, in HSV and in Lab, grouped by colour, texture, size and fill, and
    again without colour.
    """

    width: int = 500  # pixels that the image is resized to; one more than four times as high is made that high
    superpixels: tuple[int, ...] = (50, 100)  # their threshold k, and their least size in pixels of that image
    sigma: float = 0.8  # of the blur before them
    least_side: int = 20  # of a proposal, in pixels of that image


@dataclass(frozen=True, kw_only=True)
class Detector:
    """How objects are found: by regions, in a network that was a classifier (detection).

    kind is `faster r-cnn`, a proposal network on the same map (Ren et al. 2015), or `r-cnn`, proposals that are given,
    each warped to the network's input (Girshick et al. 2014). The defaults are those of the papers' code, in pixels of
    the resized image; overlaps are in [0, 1].
    """

    classifier: str  # the entry whose network it starts from
    kind: Literal["faster r-cnn", "r-cnn"] = "faster r-cnn"
    steps: Literal["joint", "alternating"] = "joint"  # both networks at once, or in four steps
    short_side: int = 600  # the image is resized to it
    long_side: int = 1000  # unless its longer side would be more
    scales: tuple[float, ...] = (8, 16, 32)  # of anchors, over 16 pixels
    ratios: tuple[float, ...] = (0.5, 1, 2)  # height over width
    anchors_taught: int = 256  # per image
    anchor_object: float = 0.7  # least overlap with an object
    anchor_background: float = 0.3
    least_side: float = 16  # of a proposal
    kept_training: tuple[int, int] = (12_000, 2_000)  # proposals before and after suppression
    kept_testing: tuple[int, int] = (6_000, 300)
    proposal_overlap: float = 0.7  # above it the less sure of two proposals goes
    pooling: Literal["pool", "align"] = "pool"
    region_size: int | None = None  # cells on a side of a pooled region; None: as the trunk's paper has it
    regions_taught: int = 128  # per image
    object_share: float = 0.25  # of them, at most
    region_background: float = 0.0  # least overlap of a region of the background
    offset_deviations: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)
    search: Search | None = None  # r-cnn: how proposals are computed where none are given; None: by its defaults
    around: int = 16  # r-cnn: pixels of context about a region after warping
    context: bool = False  # global context beside each region (He et al. 2015, appendix B)
    refined: bool = False  # regions pooled again from their own boxes, and box voting
    test_sides: tuple[int, ...] = ()  # short sides of a test at several scales; none: short_side alone
    score: float = 0.05  # below it nothing is a detection
    detection_overlap: float = 0.3  # above it the less sure of two detections of a class goes
    most: int = 100  # detections per image
