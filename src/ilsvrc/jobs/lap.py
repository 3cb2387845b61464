"""A lap: a few steps of a throwaway copy of a network on noise, to know how long the real thing takes here."""

import time

import torch

from ilsvrc import models
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.training import Training
from ilsvrc.train.loss import autocast, classification
from ilsvrc.train.optim import optimizer

STEPS = 6  # the first is not counted: it chooses kernels and touches memory


def expected_seconds(training: Training, splits: Splits, bench: Bench) -> float:
    """Seconds the training will take: its steps, and a validation after every epoch. Raises SpecError like it."""
    recipe, classes = training.recipe, len(splits.train.classes)
    batch = min(recipe.batch, len(splits.train))
    try:
        network = models.build(training.member.model, classes, training.size, training.member.width)
    except ValueError as error:
        raise SpecError(str(error)) from error
    network = network.to(bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = classification(side_weight=recipe.side_weight, label_smoothing=0.0, precision=bench.precision)
    moves = optimizer(network, recipe.optimizer)
    images = torch.zeros(batch, 3, training.size, training.size, device=bench.device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(batch, dtype=torch.long, device=bench.device)
    seconds = []
    for _ in range(STEPS):
        started = time.perf_counter()
        moves.zero_grad()
        loss(network, (images, labels)).backward()  # type: ignore[no-untyped-call]
        moves.step()
        _wait(bench)
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    network.eval()
    with torch.inference_mode(), autocast(bench.device, bench.precision):
        network(images)
    _wait(bench)
    judging = (time.perf_counter() - started) / batch * len(splits.val)
    steps = -(-len(splits.train) // batch)
    return training.epochs * (steps * min(seconds[1:]) + judging)


def _wait(bench: Bench) -> None:
    if bench.device.type == "cuda":
        torch.cuda.synchronize(bench.device)
