"""Steps fed from a data set, decoding included, beside steps alone and the pipeline alone.

Run `ilsvrc bench train --data SHARDS`. The pipeline decodes, cuts a random area to 224 pixels, mirrors and normalises;
no image is kept between visits. All three are timed in turn in one process that keeps its memory. What the fed
steps reach is compared with the slower of the two alone; where both want all the cores, no program can do better than
one after the other, and that bound, 1 / (1 / pipeline + 1 / steps), stands beside it.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ilsvrc.bench.train_side import Side
from ilsvrc.data.kept import Kept
from ilsvrc.entries.msra_2015 import RECIPE
from ilsvrc.jobs.input import Feed, Splits, epochs_on, normal_of, open_splits, training_loader
from ilsvrc.spec import AreaCrop, Crops, Mirror
from ilsvrc.train.loop import Place


@dataclass(frozen=True)
class Fed:
    """Images per second."""

    network: str
    steps: float
    pipeline: float
    both: float

    @property
    def bound(self) -> float:
        """What one after the other would reach."""
        return 1 / (1 / self.steps + 1 / self.pipeline)


def measure(name: str, path: str, batch: int, rounds: int) -> Fed:
    """The three speeds. Raises DataError when the data cannot be read."""
    side = Side(name, "ours", "cpu", batch)
    side.warm()
    stream = batches(open_splits(path), side, batch)
    for _ in range(3):
        next(stream)
    steps = max(2, round(4.0 / side.time(1)["seconds"]))
    alone, pipe, both = [], [], []
    for _ in range(rounds):
        alone.append(side.time(steps)["seconds"] / batch)
        pipe.append(_pulled(stream, 4 * steps) / batch)
        both.append(_fed(stream, side, steps) / batch)
    return Fed(name, *(1 / statistics.median(each) for each in (alone, pipe, both)))


def batches(splits: Splits, side: Side, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of the training split, epoch after epoch."""
    recipe = replace(RECIPE, augment=(AreaCrop(side.size), Mirror()), mean="channel")
    feed = Feed(threads=side.bench.loaders, kept=Kept(0))
    normal = normal_of(splits.train, recipe, Crops(layout="center", size=side.size), feed)
    loader = training_loader(splits.train, recipe, batch, 0, feed)
    epoch = 0
    while True:
        for images, labels in epochs_on(loader, normal, side.device, Place(epoch)):
            if len(labels) == batch:  # the last of an epoch may be smaller, and would not compare
                yield images, labels
        epoch += 1


def _pulled(stream: Iterator[tuple[Tensor, Tensor]], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        next(stream)
    return (time.perf_counter() - start) / count


def _fed(stream: Iterator[tuple[Tensor, Tensor]], side: Side, steps: int) -> float:
    kept = side.images, side.labels
    start = time.perf_counter()
    for _ in range(steps):
        side.images, labels = next(stream)
        side.labels = labels.clamp(0)
        side.step()
    seconds = (time.perf_counter() - start) / steps
    side.images, side.labels = kept
    return seconds


def table(rows: Sequence[Fed]) -> list[str]:
    """Rows of Markdown."""
    lines = [
        "| images/s | steps alone | pipeline alone | steps fed | of the slower alone | one after the other |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        share = row.both / min(row.steps, row.pipeline)
        speeds = " | ".join(f"{speed:,.1f}" for speed in (row.steps, row.pipeline, row.both))
        lines.append(f"| {row.network} | {speeds} | {share:.1%} | {row.bound:,.1f} |")
    return [*lines, ""]
