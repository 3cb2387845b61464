"""The operators of detection, timed: ours, the loops that say what they mean, and torchvision's where they import.

Suppression on one core, pooling on two: the numbers of PyTorch's threads are set for each and put back. The share of a
training step that is spent outside of the network is measured on a ResNet-50 of random weights.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ilsvrc import models
from ilsvrc.bench import box_loops
from ilsvrc.models.rcnn import STRIDE, FasterRCNN, initialise
from ilsvrc.spec import Detector
from ilsvrc.tasks import native
from ilsvrc.tasks.detect import Scene
from ilsvrc.tasks.learn import step_loss
from ilsvrc.tasks.regions import plain_roi_align, plain_roi_pool, roi_align, roi_pool
from ilsvrc.tasks.suppress import plain_nms

GOALS = {"suppression of 2,000": 0.020, "suppression of 6,000": 0.150, "RoIAlign of 300": 0.060, "outside": 0.25}
WIDTH, HEIGHT = 1000, 600  # of the image whose regions are pooled
LOOPED = 10  # regions that the loop pools, for it takes a second for each


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    by: str
    seconds: float  # the median
    goal: float | None = None  # for ours


def measure(rounds: int) -> list[Row]:
    """Every operator by everyone, and last the share of a step outside of the network (in `seconds`)."""
    rows: list[Row] = []
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        rows += [*_suppression(2000, rounds), *_suppression(6000, rounds)]
        torch.set_num_threads(2)
        rows += _pooling(rounds)
        rows.append(
            Row("a training step outside of the network, its share", "ilsvrc", _outside(rounds), GOALS["outside"])
        )
    finally:
        torch.set_num_threads(threads)
    return rows


def lines(rows: list[Row]) -> list[str]:
    """The measurements, a line each."""
    return [
        f"{row.what:52} {row.by:12} "
        + (f"{row.seconds:8.1%}" if row.goal == GOALS["outside"] else f"{1000 * row.seconds:8.1f} ms")
        + (
            f"   goal {row.goal:.0%}"
            if row.goal == GOALS["outside"]
            else f"   goal {1000 * row.goal:.0f} ms"
            if row.goal
            else ""
        )
        for row in rows
    ]


def boxes(count: int, draws: torch.Generator) -> Tensor:
    """(count, 4): boxes of 16 to 300 pixels a side all over the image."""
    middle = torch.rand(count, 2, generator=draws) * torch.tensor([WIDTH, HEIGHT])
    half = (16 + torch.rand(count, 2, generator=draws) * 284) / 2
    some = torch.cat([middle - half, middle + half], dim=1)
    return torch.minimum(some.clamp(min=0), torch.tensor([WIDTH - 1, HEIGHT - 1] * 2))


def _suppression(count: int, rounds: int) -> list[Row]:
    draws = torch.Generator().manual_seed(0)
    some, scores = boxes(count, draws), torch.rand(count, generator=draws)
    what, goal = f"suppression of {count:,} boxes at 0.7, one core", GOALS[f"suppression of {count:,}"]
    rows = [Row(what, "ilsvrc", median(lambda: plain_nms(some, scores, 0.7), rounds), goal)]
    operator = native.torchvision_ops()
    if operator is not None:
        rows.append(Row(what, "torchvision", median(lambda: operator.nms(some, scores, 0.7), rounds)))
    arrays = some.numpy(), scores.numpy()
    if count <= 2000:
        rows.append(Row(what, "the loop", median(lambda: box_loops.nms(*arrays, 0.7), 1)))
    return rows


def _pooling(rounds: int) -> list[Row]:
    draws = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 256, -(-HEIGHT // STRIDE), -(-WIDTH // STRIDE), generator=draws)
    regions, image = boxes(300, draws), torch.zeros(300, dtype=torch.long)
    rows: list[Row] = []
    align = median(lambda: plain_roi_align(maps, regions, image, 7, STRIDE), rounds)
    pool = median(lambda: plain_roi_pool(maps, regions, image, 7, STRIDE), rounds)
    words = ("RoIAlign of 300 regions, 256 maps, two cores", "RoIPool of 300 regions, 256 maps, two cores")
    rows += [Row(words[0], "ilsvrc", align, GOALS["RoIAlign of 300"]), Row(words[1], "ilsvrc", pool)]
    if native.torchvision_ops() is not None:
        rows.append(Row(words[0], "torchvision", median(lambda: roi_align(maps, regions, image, 7, STRIDE), rounds)))
        rows.append(Row(words[1], "torchvision", median(lambda: roi_pool(maps, regions, image, 7, STRIDE), rounds)))
    cells = maps[0].numpy()

    def loop() -> None:
        for region in regions[:LOOPED].numpy():
            box_loops.roi_align(cells, region, 7, STRIDE)

    rows.append(Row(words[0], "the loop", median(loop, 1) * 300 / LOOPED))
    return rows


def _outside(rounds: int) -> float:
    """The share of a step that is not the network's: anchors, targets, proposals, pooling and their gradients."""
    how = Detector(classifier="")
    network = FasterRCNN(models.build("resnet50", 1), 200, 9)
    initialise(network, 0)
    draws = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, 304, 400, generator=draws)
    objects = torch.tensor([[20.0, 30, 180, 220], [150, 60, 390, 300]])
    scene = Scene(400, 304, objects, torch.tensor([1, 2]))
    cells = torch.randn(how.regions_taught, network.trunk.channels, network.trunk.size, network.trunk.size)

    def whole() -> None:
        network.zero_grad()
        step_loss(network, images, [scene], how, draws).backward()  # type: ignore[no-untyped-call]

    def alone() -> None:
        network.zero_grad()
        maps = network.shared(images)
        logits, offsets = network.propose(maps)
        classes, where = network.judge(network.trunk.head(cells))
        (logits.mean() + offsets.mean() + classes.mean() + where.mean()).backward()  # type: ignore[no-untyped-call]

    few = max(3, rounds // 3)
    everything, inside = median(whole, few), median(alone, few)
    return max(0.0, 1 - inside / everything)


def median(call: Callable[[], Any], rounds: int) -> float:
    """Seconds of a call, the median of so many after one that does not count where there is more than one."""
    if rounds > 1:
        call()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
