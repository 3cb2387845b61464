"""What localization and detection leave behind in a race, as data: beside the `Contender`s of classification.

A job per task fills a `TaskResult`; the page's part, the terminal's lines and the rows of `results.json` are views
of it. Standard library types throughout; an unknown number is None.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ilsvrc.reports.race_report import interval, known
from ilsvrc.spec import Reported, Task


@dataclass(frozen=True, kw_only=True)
class Finder:
    """One entry in a task of boxes: what ran, how it was trained here, what it scored and what was published."""

    key: str  # in ENTRIES: 'vgg-2014-loc'
    name: str  # of its network, in models.MODELS
    title: str  # as people say it: 'VGG-16, a box per class'
    year: int
    team: str
    localization_error: float | None = None  # with five guesses, in [0, 1]
    top5_error: float | None = None  # of the labels alone, on the same images
    mean_ap: float | None = None  # in [0, 1]
    parameters: int | None = None
    seconds: float | None = None  # of training, without what it started from
    epochs: float | None = None
    image_size: int | None = None
    width: float = 1.0  # of the paper's channels
    miniature: bool = False
    new: str = ""
    differences: tuple[str, ...] = ()
    published: tuple[Reported, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What something that looks for no object scores on the same images."""

    label: str  # 'the whole image'
    value: float  # the task's figure, in [0, 1]
    note: str = ""  # which box: 'left 0.25, top 0.25, right 0.75, bottom 0.8 of the image'
    of: str = ""  # whose labels it has

    @property
    def said(self) -> str:
        """With whose labels it is."""
        return f"{self.of}'s labels, {self.label}" if self.of else self.label


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A box on a picture, in its pixels, both edges inside."""

    box: tuple[float, float, float, float]  # xmin, ymin, xmax, ymax
    word: str  # the class
    kind: Literal["truth", "right", "wrong"]
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one entry drew on one picture."""

    entry: str
    right: bool | None  # None where a picture alone has no verdict
    boxes: tuple[Drawn, ...]  # without the true ones
    note: str = ""  # 'overlap 0.71'


@dataclass(frozen=True, kw_only=True)
class BoxPicture:
    """An image with its true boxes and what each entry found; `jpeg` goes into the page as it is."""

    name: str
    jpeg: bytes
    width: int  # of the image the boxes are in, in pixels
    height: int
    truth: tuple[Drawn, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class ClassCurve:
    """Precision over recall of one class, surest detection first."""

    entry: str
    word: str
    ap: float  # average precision, in [0, 1]
    objects: int  # to be found
    points: tuple[tuple[float, float], ...]  # recall and precision, both in [0, 1]


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """One task of a race, whole."""

    task: Task
    finders: tuple[Finder, ...]
    data: str  # what the images are called
    classes: int
    train_images: int
    val_images: int
    protocol: str  # how the images were looked at
    rules: str  # by which kit's rule it was scored
    baselines: tuple[Baseline, ...] = ()
    curves: tuple[ClassCurve, ...] = ()  # of detection
    pictures: tuple[BoxPicture, ...] = ()


METRIC = {"localization": "localization_error", "detection": "mean_ap"}


def figure_of(task: Task, finder: Finder) -> float | None:
    """What the task ranks by: an error, of which less is better, or a mean average precision."""
    value: float | None = getattr(finder, METRIC[task])
    return value


def best_first(result: TaskResult) -> tuple[Finder, ...]:
    """The finders with a figure, best first; ties in the race's order."""
    scored = [finder for finder in result.finders if known(figure_of(result.task, finder))]
    sign = -1 if result.task == "detection" else 1
    return tuple(sorted(scored, key=lambda finder: sign * (figure_of(result.task, finder) or 0.0)))


def entry_rows(result: TaskResult) -> list[dict[str, Any]]:
    """An object per finder for `results.json`'s "entries"; of an error also its 95 % interval."""
    rows = []
    for finder in result.finders:
        row = {"task": result.task, **asdict(finder)}
        error = finder.localization_error
        if known(error) and result.val_images:
            row["localization_error_interval"] = interval(error, result.val_images)
        rows.append(row)
    return rows


def record(result: TaskResult) -> dict[str, Any]:
    """The rest of it for `results.json`: every number but no image."""
    kept = {field.name for field in fields(result)} - {"finders", "pictures"}
    pictures = [{k: v for k, v in asdict(picture).items() if k != "jpeg"} for picture in result.pictures]
    own = {name: value for name, value in asdict(result).items() if name in kept}
    return own | {"ranking": [finder.key for finder in best_first(result)], "pictures": pictures}
