"""What can be known before the first step: whether this training can be, on this data, in these processes."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from ilsvrc import models
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.train import recipe as recipes
from ilsvrc.train.init import initialise
from ilsvrc.transforms.pipeline import check as check_augmentation

if TYPE_CHECKING:
    from ilsvrc.jobs.training import Training


def built(training: "Training", classes: int, device: torch.device) -> nn.Module:
    """The network, initialised from the seed, channels last, on the device. Raises SpecError with what does not fit."""
    network = plain(training, classes)
    initialise(network, training.member.recipe.init, training.seed)
    placed: nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def plain(training: "Training", classes: int) -> nn.Module:
    """The network as it is built, wherever torch builds now. Raises SpecError with what does not fit."""
    member = training.member
    try:
        return models.build(member.model, classes, training.size, member.width)
    except ValueError as error:
        raise SpecError(str(error)) from error


def preflight(training: "Training", splits: Splits, bench: Bench) -> nn.Module:
    """The network without its weights, on the meta device.

    Raises SpecError or DataError with what cannot be; nothing is written yet, so better words find no obstacle.
    """
    recipe, processes = training.recipe, bench.processes
    recipes.check(recipe)
    check_augmentation(recipe.augment, training.size)
    if training.colours:
        training.colours.check(recipe, training.size, splits)
    with torch.device("meta"):
        network = plain(training, len(splits.train.classes))
    if recipe.average and processes.how == "fsdp" and processes.of > 1:
        raise SpecError("the recipe keeps averages of the weights, which --parallel fsdp splits; use --parallel sync")
    if bench.accumulate > 1 and processes.how == "fsdp" and processes.of > 1:
        raise SpecError("a batch in parts is asked for, which --parallel fsdp does not take; use --parallel sync")
    others = processes.gathered(splits.fingerprint)
    for rank, fingerprint in enumerate(others):
        if fingerprint != others[0]:
            raise DataError(
                f"process {rank} of {processes.of} sees other images in {splits.path} than the first one; "
                "give every machine the same data set"
            )
    least = _least_share(recipe.batch, splits, processes.of)
    if processes.of == 1 or processes.how == "ddp":
        _check_norm(network, max(1, least // bench.accumulate), training.size)
    return network


def _least_share(batch: int, splits: Splits, processes: int) -> int:
    """Images in the smallest share of a batch that any process gets."""
    count = len(splits.train)
    if count < batch:
        raise SpecError(
            f"{splits.path} has {count:,} training images and a batch is {batch:,}; "
            f"give more images, or --batch {count} or less"
        )
    if batch % processes:
        near = max(processes, batch // processes * processes)
        raise SpecError(
            f"a batch of {batch} does not divide over {processes} processes; give another number of processes, "
            f"or --batch {near}"
        )
    last = count % batch or batch
    if last < processes:
        raise SpecError(
            f"{count:,} training images leave {last} for an epoch's last batch of {batch}, fewer than the {processes} "
            "processes; give another --batch or fewer processes"
        )
    return last // processes


def _check_norm(network: nn.Module, share: int, size: int) -> None:
    """Batch norm has no variance of a single value: a last share of one image must leave it maps of more than that."""
    if share > 1 or not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()):
        return
    try:
        network.train()(torch.empty(share, 3, size, size, device="meta"))
    except ValueError as error:
        raise SpecError(
            "an epoch's last batch leaves one image to a process, of which this network's batch norm has no variance"
            "; give another --batch or larger images"
        ) from error
