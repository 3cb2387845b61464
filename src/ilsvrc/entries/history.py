"""What was won, 2010 to 2017: the challenge's published results, one line each.

Winners (place 1) and runners-up (place 2) of the three tasks on the test set, as
the organisers announced them and Russakovsky et al. 2015 collected them up to
2014. `provided` entries trained on the year's own images alone; `outside`
entries on more, and were ranked apart. A value is given to as many digits as its
source has been seen with; `unverified` marks one that is quoted from memory of
the result pages.
"""

from dataclasses import dataclass
from typing import Literal

from ilsvrc.spec import Split, Task


@dataclass(frozen=True, kw_only=True)
class Result:
    """One place in one task of one year.

    `value` is an error in [0, 1] with five guesses per image (classification, localization) or a
    mean average precision in [0, 1] over 200 classes (detection).
    """

    year: int
    task: Task
    team: str
    method: str
    value: float
    place: int
    source: str
    split: Split = "test"
    data: Literal["provided", "outside"] = "provided"
    unverified: bool = False

    @property
    def metric(self) -> str:
        """What `value` counts: 'top-5 error' or 'mean AP'."""
        return "mean AP" if self.task == "detection" else "top-5 error"


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """A person who took the classification test, with five guesses out of the 1,000 classes."""

    name: str
    error: float  # in [0, 1]
    images: int
    source: str


HUMAN = Annotator(name="A. Karpathy", error=0.051, images=1500, source="Russakovsky et al. 2015, section 6.4")
SECOND_HUMAN = Annotator(name="second annotator", error=0.120, images=258, source=HUMAN.source)

Line = tuple[int, int, str, str, float, str]  # year, place, team, method, value, 'outside' and '?' (unverified)


def _results(task: Task, *lines: Line) -> tuple[Result, ...]:
    return tuple(
        Result(
            year=year,
            task=task,
            team=team,
            method=method,
            value=value,
            place=place,
            source=f"image-net.org/challenges/LSVRC/{year}, results",
            data="outside" if "outside" in marks else "provided",
            unverified="?" in marks,
        )
        for year, place, team, method, value, marks in lines
    )


CLASSIFICATION = _results(
    "classification",
    (2010, 1, "NEC-UIUC", "SIFT and LBP, local coordinate and super-vector coding, SVM", 0.282, ""),
    (2010, 2, "XRCE", "Fisher vectors", 0.336, "?"),
    (2011, 1, "XRCE", "compressed Fisher vectors, SVM", 0.258, ""),
    (2011, 2, "Amsterdam & Trento", "selective search, SVM", 0.310, "?"),
    (2012, 1, "SuperVision", "AlexNet, 5 networks", 0.16422, ""),
    (2012, 1, "SuperVision", "AlexNet, 7 networks", 0.15315, "outside"),
    (2012, 2, "ISI", "Fisher vectors on several descriptors", 0.26172, ""),
    (2013, 1, "Clarifai", "networks in the manner of ZFNet", 0.117, ""),
    (2013, 1, "Clarifai", "the same, pre-trained on more classes", 0.112, "outside"),
    (2013, 2, "NUS", "networks", 0.130, ""),
    (2014, 1, "GoogLeNet", "Inception v1, 7 networks, 144 crops", 0.06656, ""),
    (2014, 1, "CASIAWS", "weakly supervised localization and networks", 0.114, "outside?"),
    (2014, 2, "VGG", "16 and 19 layers, 7 networks", 0.0732, ""),
    (2014, 2, "Adobe-UIUC", "networks", 0.116, "outside?"),
    (2015, 1, "MSRA", "ResNet, 6 networks of up to 152 layers", 0.0357, ""),
    (2015, 1, "Trimps-Soushen", "Inception and VGG networks combined", 0.0458, "outside?"),
    (2015, 2, "ReCeption", "Inception v3", 0.0358, ""),
    (2016, 1, "Trimps-Soushen", "Inception v3 and v4, Inception-ResNet v2, pre-act. ResNet, Wide ResNet", 0.02991, ""),
    (2016, 2, "ResNeXt", "aggregated residual transformations", 0.0303, ""),
    (2017, 1, "WMW", "SENets", 0.02251, ""),
    (2017, 2, "Trimps-Soushen", "networks combined", 0.0248, ""),
)

LOCALIZATION = _results(
    "localization",
    (2011, 1, "Amsterdam & Trento", "selective search, SVM", 0.425, "?"),
    (2011, 2, "ISI", "", 0.565, "?"),
    (2012, 1, "SuperVision", "AlexNet with box regression", 0.342, ""),
    (2012, 1, "SuperVision", "AlexNet with box regression, more classes", 0.335463, "outside"),
    (2012, 2, "VGG", "deformable parts and Fisher vectors", 0.500, "?"),
    (2013, 1, "OverFeat", "one network that classifies and regresses boxes at every place", 0.299, ""),
    (2013, 2, "VGG", "", 0.464, ""),
    (2014, 1, "VGG", "16 layers with box regression", 0.253, ""),
    (2014, 1, "Adobe-UIUC", "networks", 0.301, "outside?"),
    (2014, 2, "GoogLeNet", "", 0.264, ""),
    (2015, 1, "MSRA", "ResNet with per-class proposals and R-CNN", 0.0902, ""),
    (2015, 1, "Trimps-Soushen", "networks combined", 0.1223, "outside?"),
    (2015, 2, "Trimps-Soushen", "networks combined", 0.1229, "?"),
    (2016, 1, "Trimps-Soushen", "Faster R-CNN with the classification of several networks", 0.0771, ""),
    (2016, 2, "Hikvision", "", 0.0874, "?"),
    (2017, 1, "NUS-Qihoo_DPNs", "dual path networks", 0.0623, ""),
    (2017, 2, "Trimps-Soushen", "networks combined", 0.0650, ""),
)

# Ranked by the number of categories won; the value is the mean AP of the team's best entry.
DETECTION = _results(
    "detection",
    (2013, 1, "UvA-Euvision", "selective search, Fisher vectors, prior of the image", 0.225811, ""),
    (2013, 1, "NEC-MU", "regionlets with neural patterns", 0.208954, "outside"),
    (2013, 2, "NEC-MU", "regionlets", 0.196172, ""),
    (2013, 2, "OverFeat", "one network, pre-trained for classification", 0.194009, "outside"),
    (2014, 1, "NUS", "network in network, R-CNN, context", 0.372120, ""),
    (2014, 1, "GoogLeNet", "R-CNN with Inception, 6 networks, pre-trained for classification", 0.439, "outside"),
    (2014, 2, "MSRA", "SPP-net", 0.351103, ""),
    (2014, 2, "CUHK DeepID-Net", "", 0.406659, "outside?"),
    (2015, 1, "MSRA", "Faster R-CNN with ResNet-101", 0.620741, ""),
    (2015, 1, "Amax", "cascaded networks", 0.578, "outside?"),
    (2015, 2, "Qualcomm Research", "NeoNet", 0.535745, ""),
    (2015, 2, "CUImage", "", 0.523, "outside?"),
    (2016, 1, "CUImage", "gated bi-directional network, 6 models", 0.662751, ""),
    (2016, 2, "Hikvision", "", 0.652704, ""),
    (2017, 1, "BDAT", "adaptive attention, deep cascade", 0.732227, ""),
    (2017, 2, "DeepView (ETRI)", "", 0.593084, ""),
)

HISTORY: tuple[Result, ...] = CLASSIFICATION + LOCALIZATION + DETECTION


def winners(task: Task, data: Literal["provided", "outside"] = "provided") -> tuple[Result, ...]:
    """The first places of one task, a year each, oldest first."""
    return tuple(r for r in HISTORY if r.task == task and r.data == data and r.place == 1)
