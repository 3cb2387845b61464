"""A finished run: its network, what that expects to be shown, and what its classes are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from torch import Tensor, nn

from ilsvrc import data, models
from ilsvrc.data.sample import Classes
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.input import Normal
from ilsvrc.spec import Crops, Member, Protocol, from_json
from ilsvrc.train import checkpoint
from ilsvrc.train.recipe import protocol_at_size, while_training
from ilsvrc.train.run import Run
from ilsvrc.transforms.resample import Resampler
from ilsvrc.weights import Weights
from ilsvrc.weights.networks import sha256


@dataclass(frozen=True)
class Finished:
    """What a run left. network is in eval mode and takes what `normal` makes of pixels; central is one centre crop.

    protocol is the run's own, as it was asked for; size is that of the network's images.
    """

    run: Run
    member: Member
    network: nn.Module
    normal: Normal
    protocol: Protocol
    size: int
    central: Crops
    classes: Classes

    @property
    def resampler(self) -> Resampler:
        """How its images were resized when it was trained, and are whenever it looks at one."""
        reading = self.run.spec()["asked"].get("reading", {})
        return "reference" if reading.get("decoder") == "reference" else "fast"

    def record(self) -> Weights:
        """Where the weights are from and what they expect; a mean image is its mean per channel here.

        What a mean image has beyond that is a matter of the network: see `removed`.
        """
        mean, unit = (value.reshape(3, -1).mean(1).tolist() for value in (self.normal.mean, self.normal.unit))
        return Weights(
            model=self.member.model,
            origin="a training of ilsvrc",
            licence="that of its training data",
            sha256=sha256(self.run.weights),
            channels="RGB",
            top=255.0,
            mean=(mean[0], mean[1], mean[2]),
            std=(unit[0], unit[1], unit[2]),
            image_size=self.central.size,
            resize=self.central.short_sides[0],
            order="own",
            wnids=self.classes.wnids,
            classes=len(self.classes),
            width=self.member.width,
            error=self._error(),
        )

    def removed(self) -> nn.Module:
        """The network for images as the record says them: what a mean image has beyond its mean comes off first."""
        mean = self.normal.mean
        beyond = (mean - mean.reshape(3, -1).mean(1).reshape(3, 1, 1)) / self.normal.unit
        return Less(self.network, nn.Buffer(beyond)).eval() if bool(beyond.any()) else self.network

    def _error(self) -> str:
        scores = (self.run.read_scores() or {}).get("scores", [])
        said = [f"{score['metric']} {score['value']:.2%}" for score in scores]
        return f"{', '.join(said)} on val, by the run's own protocol" if said else ""


class Less(nn.Module):
    """A network behind the subtraction of an image."""

    def __init__(self, network: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.network, self.image = network, image

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) to logits (N, classes)."""
        logits: Tensor = self.network(images - self.image)
        return logits


def finished(directory: Path, data_path: str | PathLike[str] | None = None, *, unfinished: bool = False) -> Finished:
    """What the run in `directory` left; a run from before classes.json has its classes from the data at `data_path`.

    unfinished takes one that is under way, or a copy of its files, by its checkpoint.
    Raises DataError, WeightsError or SpecError when the directory is no finished run or the data has other classes.
    """
    run = Run(directory)
    asked = run.spec()["asked"]
    check_classifies(directory, asked)
    try:
        member: Member = from_json(asked["member"])
        protocol: Protocol = from_json(asked["protocol"])
        size = member.image_size or models.paper_size(member.model)
        network = models.build(member.model, int(asked["classes"]), size, member.width)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{directory / 'spec.json'} cannot be understood: {error}") from error
    classes = classes_of(run, int(asked["classes"]), data_path)
    if unfinished and not run.weights.exists() and run.state.exists():
        state = checkpoint.load_state(run.state)["network"]
        checkpoint.check_fit(run.state, state, network.state_dict())
        network.load_state_dict(state)
    else:
        checkpoint.load_weights(run.weights, network)
    normal = shown_as(directory)
    looks = while_training(protocol, models.paper_size(member.model))
    central = protocol_at_size(replace(looks, layout="center", short_sides=looks.short_sides[:1]), size)
    return Finished(run, member, network.eval(), normal, protocol, size, central, classes)


def shown_as(directory: Path) -> Normal:
    """How a run's network is shown images. Raises DataError or WeightsError when its file cannot be read."""
    file = directory / "input.safetensors"
    found = checkpoint.load_tensors(file)
    try:
        return Normal(found["mean"], found["unit"])
    except KeyError as error:
        raise DataError(f"{file} has no {error}; train again with the same words") from error


def check_classifies(directory: Path, asked: Mapping[str, object]) -> None:
    """Raise SpecError where a run is of another task: its network names no classes."""
    task = asked.get("task", "classification")
    if task != "classification":
        words = {"localization": "ilsvrc localize", "detection": "ilsvrc detect"}.get(str(task), "its own command")
        raise SpecError(f"{directory} is a run of {task}, and a classifier is wanted here; use {words}, or another run")


def classes_of(run: Run, count: int, data_path: str | PathLike[str] | None) -> Classes:
    """The run's own classes, or those of a data set where the run does not name any.

    Raises SpecError where neither says them, or the data set has others than the run.
    """
    known = run.data()
    if known is not None and len(known[1]) != count:
        raise DataError(f"{run.directory / 'classes.json'} names {len(known[1])} classes, and the run has {count}")
    if data_path is None:
        if known is None:
            raise SpecError(f"{run.directory} does not say what its {count} classes are; give its data set with --data")
        return Classes(*known[1:])
    found = data.open(str(data_path), "val").classes
    check_classes(run, count, found, str(data_path))
    return found


def data_of(run: Run) -> str:
    """Where the data set was that the run was trained on. Raises SpecError when that is not known or not there."""
    known = run.data()
    if known is None or not known[0]:
        raise SpecError(f"{run.directory} does not say what data it was trained on; give a data set with --data")
    if "://" not in known[0] and not Path(known[0]).exists():
        raise SpecError(
            f"{run.directory} was trained on {known[0]}, which is not there now; give the data set with --data"
        )
    return known[0]


def check_classes(run: Run, count: int, found: Classes, path: str) -> None:
    """Raise SpecError when a data set's classes are not the run's, in number or in name."""
    known = run.data()
    if len(found) != count:
        raise SpecError(
            f"{run.directory} was trained on {count} classes and {path} has {len(found)}; "
            "give the data it was trained on"
        )
    for own, theirs in zip(known[1] if known else (), found.wnids, strict=False):
        if own != theirs:
            raise SpecError(
                f"{run.directory} knows the class {own} where {path} has {theirs}; give the data it was trained on"
            )
