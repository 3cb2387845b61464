"""What a race leaves behind, as data: who ran, what they scored, on what, by which rules.

The race job fills a `Race`; the page, the terminal's table and `results.json`
are three views of it. Standard library types throughout, so that a `Race` can be
built by hand. An unknown number is None and is shown as a dash, never as zero.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeGuard

from ilsvrc.reports.markup import Html
from ilsvrc.spec import Reported

if TYPE_CHECKING:
    from ilsvrc.reports.looks import Looked
    from ilsvrc.reports.submitted import Submitted
    from ilsvrc.reports.task_result import TaskResult


@dataclass(frozen=True, kw_only=True)
class Point:
    """One moment of a training, usually the end of an epoch."""

    epoch: float  # passes over the training images so far
    seconds: float  # of training so far
    train_loss: float | None = None  # mean cross entropy over the epoch, in nats
    val_top1_error: float | None = None  # in [0, 1]
    val_top5_error: float | None = None  # in [0, 1]
    rate: float | None = None  # learning rate


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One network in a race: what it is, how it was trained here, what it scored and what was published.

    Errors are fractions in [0, 1] on the race's split. `parameters`, `macs` and
    `layers` are of the network that ran; those of the paper's network are apart.
    """

    name: str  # in models.MODELS: 'alexnet'
    title: str  # as people say it: 'AlexNet'
    year: int  # of the challenge
    team: str
    top1_error: float | None
    top5_error: float | None
    parameters: int | None = None
    macs: int | None = None  # multiply-adds of one forward pass of one image
    layers: int | None = None  # with weights, along the longest path, as papers count depth
    seconds: float | None = None  # of training
    epochs: float | None = None  # trained
    full_epochs: float | None = None  # of the paper's recipe
    image_size: int | None = None  # pixels on a side, at the network's input
    paper_image_size: int | None = None
    width: float = 1.0  # of the paper's channels
    precision: str | None = None  # 'float32', 'bfloat16'
    images_per_second: float | None = None  # in training
    paper_parameters: int | None = None
    paper_macs: int | None = None
    paper: str | None = None  # 'Krizhevsky et al. 2012'
    curve: tuple[Point, ...] = ()
    new: str = ""  # what the network brought, in a sentence
    differences: tuple[str, ...] = ()  # from the paper, in sentences
    published: tuple[Reported, ...] = ()
    network: bool = True  # False: of before them; parameters are its classifier's
    miniature: bool = False  # built at another size or width than the paper's
    notes: tuple[str, ...] = ()  # what a reader must know of this run: 'diverged at epoch 5'
    drawing: Html | None = None  # the network that ran as an SVG element, for the page alone


@dataclass(frozen=True, kw_only=True)
class Guess:
    """One of a network's answers for an image."""

    label: int
    word: str
    probability: float  # in [0, 1]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A network's guesses for one image, best first, at most five."""

    contender: str  # the Contender's name
    guesses: tuple[Guess, ...]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A validation image with what each network made of it.

    `jpeg` goes into the page as it is: give a thumbnail of about 160 pixels.
    """

    name: str
    jpeg: bytes
    label: int
    truth: str  # the label's word
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Data:
    """The images of a race. Errors by chance are fractions in [0, 1]."""

    name: str
    classes: int
    train_images: int
    val_images: int
    fingerprint: str
    split: str = "val"  # that the errors are of
    description: str = ""  # what the images are, in a sentence or two
    credits: tuple[str, ...] = ()

    @property
    def chance_top1_error(self) -> float:
        """Error of a guess drawn uniformly among the classes."""
        return 1 - 1 / max(self.classes, 1)

    @property
    def chance_top5_error(self) -> float:
        """Error of five different guesses drawn uniformly among the classes."""
        return 1 - min(5, self.classes) / max(self.classes, 1)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where the race was run and with which versions."""

    cpu: str
    cores: int
    memory_gib: float
    device: str  # 'cpu' or the accelerator's name
    system: str
    python: str
    torch: str
    ilsvrc: str
    commit: str | None = None

    @property
    def hardware(self) -> str:
        """What did the arithmetic: the accelerator's name, or the processor with its cores."""
        if self.device != "cpu":
            return self.device
        return f"{self.cpu}, {self.cores} core{'' if self.cores == 1 else 's'}"


@dataclass(frozen=True, kw_only=True)
class Race:
    """One race, whole: what a report is made of."""

    title: str
    data: Data
    contenders: tuple[Contender, ...]
    machine: Machine
    command: str  # that runs it again
    started: str  # ISO 8601, with the offset from UTC
    seconds: float  # from start to end, all of it
    protocol: str  # how the images were looked at: 'one centre crop, 56 of 64 pixels'
    seed: int
    pictures: tuple[Picture, ...] = ()
    looks: "tuple[Looked, ...]" = ()  # for the page alone
    tasks: "tuple[TaskResult, ...]" = ()  # the other tasks, where they were raced too
    entries: "tuple[Submitted, ...]" = ()  # whole entries, where they raced: contenders are then their networks


def known(number: float | None) -> TypeGuard[float]:
    """Whether a measured number is there: neither None nor nan nor infinite."""
    return number is not None and math.isfinite(number)


def interval(error: float, images: int) -> tuple[float, float]:
    """The 95 % interval of Wilson 1927 for an error measured on that many images; both ends in [0, 1].

    It says how far the error of another draw of as many images could lie; it says nothing of another training.
    """
    z = 1.959964  # two-sided 95 % of the normal distribution
    centre = (error + z * z / (2 * images)) / (1 + z * z / images)
    half = z / (1 + z * z / images) * math.sqrt(error * (1 - error) / images + z * z / (4 * images * images))
    return max(0.0, centre - half), min(1.0, centre + half)


def ranked(race: Race) -> tuple[Contender, ...]:
    """The contenders with a top-5 error, best first; ties by top-1 error, then in the race's order."""

    def key(contender: Contender) -> tuple[float, float]:
        first = contender.top1_error
        return contender.top5_error or 0.0, first if known(first) else 1.0

    return tuple(sorted((c for c in race.contenders if known(c.top5_error)), key=key))


def by_error(entries: "tuple[Submitted, ...]") -> "list[Submitted]":
    """Whole entries, best first: by top-5 error, then by top-1."""
    return sorted(entries, key=lambda entry: (entry.top5_error, entry.top1_error))


def results(race: Race) -> dict[str, Any]:
    """The race as JSON-able data, the content of `results.json`: every number of the page but no image.

    'entries' holds one object per contender, in the race's order, with its fields
    (errors as fractions), the 95 % intervals and the published figures, and behind them
    those of the other tasks. In a race of whole entries it holds these, and 'networks'
    the contenders. Numbers that are not finite are None.
    """
    from ilsvrc.reports import task_result

    record: dict[str, Any] = {
        "title": race.title,
        "entries": [
            *(_entry(one, race.data) for one in race.entries or race.contenders),
            *(row for task in race.tasks for row in task_result.entry_rows(task)),
        ],
        **({"networks": [_entry(one, race.data) for one in race.contenders]} if race.entries else {}),
        "ranking": [one.name for one in by_error(race.entries) or ranked(race)],
        "data": {
            **asdict(race.data),
            "chance_top1_error": race.data.chance_top1_error,
            "chance_top5_error": race.data.chance_top5_error,
        },
        "protocol": race.protocol,
        "seed": race.seed,
        "command": race.command,
        "started": race.started,
        "seconds": race.seconds,
        "machine": asdict(race.machine),
        "pictures": [_picture(picture) for picture in race.pictures],
        "tasks": {task.task: task_result.record(task) for task in race.tasks},
    }
    clean: dict[str, Any] = _finite(record)
    return clean


def _entry(contender: "Contender | Submitted", data: Data) -> dict[str, Any]:
    entry = {"task": "classification", **asdict(contender)}
    entry.pop("drawing", None)
    for metric in ("top1_error", "top5_error"):
        error = entry[metric]
        entry[f"{metric}_interval"] = interval(error, data.val_images) if data.val_images and known(error) else None
    return entry


def _picture(picture: Picture) -> dict[str, Any]:
    kept = (field.name for field in fields(picture) if field.name not in ("jpeg", "answers"))
    return {
        **{name: getattr(picture, name) for name in kept},
        "answers": {answer.contender: [asdict(guess) for guess in answer.guesses] for answer in picture.answers},
    }


def _finite(value: Any) -> Any:
    """The same data as lists, dicts and finite numbers: JSON has no tuple, no nan and no infinity."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
