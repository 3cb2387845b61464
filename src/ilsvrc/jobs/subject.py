"""What is judged: a run of ours or a file of weights, as a network that is shown RGB pixels and answers by label."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from ilsvrc import models, weights
from ilsvrc.data.sample import Classes
from ilsvrc.errors import SpecError
from ilsvrc.jobs.finished import check_classes, data_of, finished
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.predictor import classes_of
from ilsvrc.spec import Crops, Protocol
from ilsvrc.train.recipe import in_proportion, protocol_at_size
from ilsvrc.train.run import Run
from ilsvrc.weights import Weights


@dataclass(frozen=True, eq=False)
class Subject:
    """A network in eval mode with all that it takes to judge it.

    size is that of the images it was built for; protocol is what it is judged by where nothing else is asked; places
    has of each label its logit, None where they are in that order.
    """

    file: Path
    model: str
    network: nn.Module
    normal: Normal
    size: int
    width: float
    classes: Classes
    protocol: Protocol
    places: np.ndarray | None = None
    decoder: Literal["fast", "reference"] = "fast"

    def check(self, found: Classes, path: str) -> None:
        """Raise SpecError when a data set's classes are not the network's, in number or in name."""
        if self.file.is_dir():
            return check_classes(Run(self.file), len(self.classes), found, path)
        if len(found) != len(self.classes):
            raise SpecError(
                f"{self.file} knows {len(self.classes)} classes and {path} has {len(found)}; give data of its classes"
            )
        for own, theirs in zip(self.classes.wnids, found.wnids, strict=True):
            if own != theirs:
                raise SpecError(
                    f"{self.file} knows the class {own} where {path} has {theirs}; give data of its classes"
                )
        return None


def subject(file: Path, model: str | None, data_path: str | None) -> tuple[Subject, str]:
    """What there is in a file of weights or the directory of a run, and the data set to judge it on.

    model says whose weights a file holds that does not. Raises WeightsError, DataError or SpecError when the file or
    the words do not fit, or no data set is known.
    """
    if file.is_dir() or not file.exists():  # a directory that is not there is told of as a run
        place = data_path or data_of(Run(file)) if (file / "spec.json").exists() else data_path
        return of_run(file, place), place or ""
    if data_path is None:
        raise SpecError(f"{file} does not say what data it is to be judged on; give a data set with --data")
    if model is None and file.suffix != ".safetensors":
        raise SpecError(
            f"{file} does not say which network's weights it holds; name it with --model, as ilsvrc models does"
        )
    network, record = weights.load(model or weights.read_record(file).model, file)
    return of_record(file, network, record), data_path


def of_run(directory: Path, data_path: str | None) -> Subject:
    """A finished training; one from before runs said their classes has them from the data set at `data_path`."""
    found = finished(directory, data_path)
    member = found.member
    return Subject(
        file=directory,
        model=member.model,
        network=found.network,
        normal=found.normal,
        size=found.size,
        width=member.width,
        classes=found.classes,
        protocol=_at_size(found.protocol, models.paper_size(member.model), found.size),
        decoder=found.resampler,
    )


def _at_size(protocol: Protocol, paper_size: int, size: int) -> Protocol:
    """A run's own protocol at the size of its network; crops say themselves what size they are for."""
    if isinstance(protocol, Crops):
        return protocol_at_size(protocol, size)
    return in_proportion(protocol, paper_size, size)


def of_record(file: Path, network: nn.Module, record: Weights) -> Subject:
    """Weights as their record says they are shown images: by one crop of the centre."""
    classes, places = classes_of(record, file)
    turned = record.channels == "BGR"
    mean, unit = (torch.tensor(values[::-1] if turned else values) for values in (record.mean, record.std))
    scale = 255.0 / record.top
    normal = Normal((mean * scale).reshape(3, 1, 1), (unit * scale).reshape(3, 1, 1), bgr=turned)
    protocol = Crops(layout="center", short_sides=(record.resize,), size=record.image_size, warp=record.warp)
    return Subject(
        file=file,
        model=record.model,
        network=network,
        normal=normal,
        size=record.image_size,
        width=record.width,
        classes=classes,
        protocol=protocol,
        places=None if np.array_equal(places, np.arange(len(places))) else places,
    )


def on(subject: Subject, device: torch.device) -> Subject:
    """The same with its network there."""
    return replace(subject, network=subject.network.to(device))
