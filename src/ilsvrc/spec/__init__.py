"""The paper as data: what a winner did, in frozen dataclasses of the standard library.

An `Entry` is one challenge entry; its `Member`s are networks with the `Recipe`
each was trained by; a `Protocol` is how it was tested; `Reported` is what was
published. Nothing here executes anything: jobs do. `as_json` and `from_json` carry all of it through files.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from ilsvrc.spec.boxes import Detector as Detector
from ilsvrc.spec.boxes import Merging as Merging
from ilsvrc.spec.boxes import Regions as Regions
from ilsvrc.spec.boxes import Regression as Regression
from ilsvrc.spec.boxes import Search as Search

Task = Literal["classification", "localization", "detection"]
Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent with momentum, as the papers before 2017 mean it."""

    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    decay_biases: bool = True  # False: biases and normalisation parameters are exempt
    bias_rate: float = 1.0  # rate of the biases over that of the weights; Caffe and cuda-convnet use 2
    rate_inside: bool = True  # True: the rate multiplies inside the velocity (Krizhevsky, Caffe); False: PyTorch's form
    nesterov: bool = False


@dataclass(frozen=True, kw_only=True)
class RMSProp:
    """RMSProp as TensorFlow means it, with the rate inside the velocity, as the papers of Inception use it.

    The epsilon is inside the root and the mean of squares starts at 1: PyTorch's own differs in all three.
    """

    lr: float
    decay: float = 0.9  # of the mean of squares
    momentum: float = 0.0
    epsilon: float = 1.0
    weight_decay: float = 0.0  # added to the gradient, as the gradient of a penalty in the loss
    decay_biases: bool = False
    bias_rate: float = 1.0


Optimizer = SGD | RMSProp


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Multiply the rate by `factor` at each epoch in `at`."""

    at: tuple[float, ...]
    factor: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """Multiply the rate by `factor` after every `every` epochs (Szegedy et al. 2015: 0.96 every 8)."""

    factor: float
    every: float


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """The initial rate times (1 - t / epochs) to the `power` (Caffe's "poly")."""

    power: float


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from the initial rate, where the warm-up ends, to zero. Of no winner."""


Schedule = Steps | Exponential | Polynomial | Cosine


@dataclass(frozen=True, kw_only=True)
class MovingAverage:
    """Weights averaged exponentially, after each update n = 1, 2, ...: a <- d a + (1 - d) w.

    d is the smaller of `decay` and (1 + n) / (10 + n), as TensorFlow has it.
    """

    decay: float


@dataclass(frozen=True, kw_only=True)
class TailMean:
    """The plain mean of the weights after each update in the `last` part of the training (Polyak and Juditsky 1992)."""

    last: float  # over the whole training, in (0, 1]


Average = MovingAverage | TailMean


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """What becomes of batch norm's statistics. The defaults are PyTorch's; without meaning where a network has none."""

    decay: float = 0.9  # of the moving averages, per update; PyTorch calls 1 - decay its momentum
    frozen: float = 0.0  # last epochs in which statistics are used but not gathered, and scale and shift stay
    recomputed: int = 0  # training images whose statistics replace the moving averages in the end; 0 for none


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights that another training leaves to this one."""

    model: str | None  # whose: a name in models.MODELS; None for the network itself, trained before
    recipe: str  # the source of the recipe it was trained by
    layers: tuple[str, ...] = ()  # those taken, as both networks call them; all of them where empty


@dataclass(frozen=True)
class ShortSide:
    """Resize so that the shorter side is drawn uniformly from [`low`, `high`] pixels."""

    low: int
    high: int


@dataclass(frozen=True)
class Warp:
    """Resize to a square of `size` pixels, whatever the image's shape (BVLC's replicas)."""

    size: int


@dataclass(frozen=True)
class CenterSquare:
    """Keep the central square of `size` pixels (Krizhevsky et al. 2012, section 2: 256 of the resized image)."""

    size: int


@dataclass(frozen=True)
class RandomCrop:
    """Cut a square of `size` pixels at a uniformly drawn place."""

    size: int


@dataclass(frozen=True)
class TenCrop:
    """Cut one of ten fixed squares: corners and centre, mirrored or not (Zeiler and Fergus 2013, section 3)."""

    size: int


@dataclass(frozen=True)
class AreaCrop:
    """Cut a rectangle of random area and aspect ratio and resize it to a square (Szegedy et al. 2015, section 6).

    Area is uniform in [`low`, 1] of the image's; the ratio is uniform in [3/4, 4/3].
    """

    size: int
    low: float = 0.08


@dataclass(frozen=True)
class Mirror:
    """Reflect left to right with probability one half."""


@dataclass(frozen=True)
class Rotation:
    """Turn about the centre by an angle uniform within ± `degrees` (the authors' release of Hu et al. 2017: 10)."""

    degrees: float = 10.0


@dataclass(frozen=True)
class PcaLighting:
    """Add colour noise along the principal components of RGB (Krizhevsky et al. 2012, section 4.1).

    axes are three rows, red, green and blue; column k is component k, as long as the standard deviation along it, of
    pixels as fractions of 255. None: the constants of fb.resnet.torch, which everybody copies.
    """

    std: float = 0.1
    axes: tuple[tuple[float, float, float], ...] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ColorJitter:
    """Brightness, contrast and saturation factors in 1 ± `strength`, in random order (Howard 2013; fb.resnet.torch)."""

    strength: float = 0.4


Augmentation = (
    ShortSide | Warp | CenterSquare | RandomCrop | TenCrop | AreaCrop | Mirror | Rotation | PcaLighting | ColorJitter
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network was trained."""

    source: str  # 'He et al. 2015, section 3.4'
    epochs: float
    batch: int  # images per update, over all devices
    optimizer: Optimizer
    schedule: Schedule
    augment: tuple[Augmentation, ...]  # applied left to right
    mean: Literal["pixel", "channel", "middle"]  # what is subtracted from the input; middle is 127.5 of 0-255
    init: str  # a name in train.init
    unit: Literal["grey level", "deviation", "half range"] = "grey level"  # of the rest; half range is 127.5
    warmup: float = 0.0  # epochs in which the rate rises in a line, from a hundredth of the schedule's
    side_weight: float = 0.3  # weight of auxiliary heads in the loss; without meaning where a network has none
    label_smoothing: float = 0.0
    clip_norm: float = 0.0  # largest norm of the gradient; 0 for none
    filter_rms: float = 0.0  # largest root mean square of a convolution's filter, scaled back after updates; 0 for none
    average: Average | None = None  # what is judged and kept instead of the last weights
    batch_norm: BatchNorm = BatchNorm()
    starts_from: Start | None = None  # trained weights instead of `init`'s, where it names layers in those alone
    gaps: tuple[str, ...] = ()  # what the paper leaves open and what we chose


@dataclass(frozen=True, kw_only=True)
class Crops:
    """A protocol that looks at the image in pieces.

    layout is `center`; `ten`, the corners and the centre of the central square and their mirrors (Krizhevsky et al.
    2012, section 4.1); `googlenet`, from each of three squares the corners, the centre and the whole, and their
    mirrors, 36 at each short side (Szegedy et al. 2015, section 7); `twelve`, the same of the central square alone;
    `grid`, a regular 5 by 5 grid over the whole image and its mirrors (Simonyan and Zisserman 2014, section 4.3).
    warp makes the image a square of each short side, whatever its shape, as BVLC's replicas were tested.
    """

    layout: Literal["center", "ten", "twelve", "googlenet", "grid"]
    short_sides: tuple[int, ...] = (256,)
    size: int = 224
    average: Literal["probabilities", "logits"] = "probabilities"
    warp: bool = False


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A protocol that convolves over the whole image, the fully connected layers as convolutions.

    At each short side, and of the mirror if asked, the map of `places`, the logits or the probabilities at each place,
    is reduced over its places by `over`; `average` says what is then averaged over sides and mirrors. `sizes`,
    (height, width) of a landscape image and exchanged for a portrait, replaces `short_sides` where a paper warps to
    fixed sizes (Sermanet et al. 2013, table 5). `offsets` is the number of shifts of the last pooling in each
    direction, 3 in Sermanet et al. 2013, section 3.3.
    """

    short_sides: tuple[int, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    mirror: bool = True
    over: Literal["mean", "max"] = "mean"
    places: Literal["logits", "probabilities"] = "logits"
    offsets: int = 1
    average: Literal["probabilities", "logits"] = "probabilities"


@dataclass(frozen=True, kw_only=True)
class Together:
    """Several protocols on the same images, their probabilities averaged (multi-crop and dense in VGG's table 5)."""

    of: tuple[Crops | Dense, ...]


Protocol = Crops | Dense | Together


@dataclass(frozen=True, kw_only=True)
class NamedProtocol:
    """A protocol of a paper, under a name of its own; `image_size` is that of the networks its lengths are for."""

    protocol: Protocol
    image_size: int
    source: str  # 'Simonyan and Zisserman 2014, section 3.2 and table 3'
    gaps: tuple[str, ...] = ()  # what the paper leaves open and what we chose


@dataclass(frozen=True, kw_only=True)
class Member:
    """One seat in an ensemble."""

    model: str  # a name in models.MODELS
    recipe: Recipe
    copies: int = 1  # trainings that differ in seed alone
    image_size: int | None = None  # None: the paper's
    width: float = 1.0  # below 1 the member is a miniature
    protocol: Protocol | None = None  # how this one was tested; None: as the entry
    weight: float = 1.0  # of each copy in the combination, over the sum of all


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What the paper or the organisers published."""

    metric: str  # 'top-5 error'
    percent: float
    split: Literal["val", "test"]
    source: str  # 'table 5'
    unverified: bool = False  # quoted from memory


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One challenge entry, or one row of a paper's table of results, executable: its figures are of its own protocol.

    In the challenge's way members are combined by the mean of their probabilities, each by its weight.
    """

    key: str  # 'msra-2015-cls'
    year: int
    team: str
    task: Task
    members: tuple[Member, ...]
    protocol: Protocol
    reported: tuple[Reported, ...]
    source: str
    new: str  # what it brought, in a sentence
    boxes: Regression | Detector | None = None  # how objects are found; None in classification
    gaps: tuple[str, ...] = ()
    row: str = ""  # of which table it is a row: 'table 3'; empty for what was entered in the challenge
    data: Literal["provided", "outside"] = "provided"  # trained on the year's own images alone, or on more
    reconstruction: bool = False  # members, recipes or weights were not published and are ours: gaps say which


def as_json(value: Any) -> Any:
    """A specification as JSON values: each dataclass becomes an object with its name under "is"."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"is": type(value).__name__, **{f.name: as_json(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    return value


def from_json(value: Any) -> Any:
    """The specification that as_json wrote. Raises ValueError on an object this version does not know."""
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    if not isinstance(value, dict):
        return value
    known = globals().get(value.get("is", ""))
    given = {name: from_json(item) for name, item in value.items() if name != "is"}
    try:
        if not (isinstance(known, type) and is_dataclass(known)):
            raise TypeError(f"nothing is called {value.get('is')!r}")
        return known(**given)
    except TypeError as error:
        raise ValueError(f"a specification of another version ({error}); use the version that wrote it") from error
