"""The loader's speed, beside torchvision's recipe, and what its shortcuts change.

Run `ilsvrc bench data`. Random area crop to 224, mirror, normalise: both sides end in float32 batches of (32, 3, 224,
224) on the CPU. torchvision's is ImageFolder with Pillow, RandomResizedCrop, flip, ToTensor and Normalize in a
DataLoader with that many worker processes, which live on from epoch to epoch; ours has as many threads. Everything is
in the page cache, rounds are interleaved, and medians are told.
"""

import contextlib
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilsvrc import data, models
from ilsvrc.bench import peers, reads
from ilsvrc.bench.photographs import Forms, forms
from ilsvrc.data.batch import Filling, Seen, Views
from ilsvrc.data.decode import Decoder, Image, Reading
from ilsvrc.data.kept import Kept
from ilsvrc.data.loader import Loader
from ilsvrc.data.sample import Dataset
from ilsvrc.entries.recipes import PAPER
from ilsvrc.jobs.input import Chosen, Feed, Normal, epochs_on, training_loader
from ilsvrc.jobs.machine import machine
from ilsvrc.predict.predict import cutter
from ilsvrc.spec import AreaCrop, Crops, Mirror
from ilsvrc.train.init import initialise
from ilsvrc.train.loop import Place
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import NO_SHIFT, Picture

SIZE, BATCH = 224, 32
MEAN, UNIT = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's, of pixels in [0, 1]
CPU = torch.device("cpu")
RECIPE = replace(PAPER["resnet50"], augment=(AreaCrop(SIZE), Mirror()), mean="channel")
NORMAL = Normal(255 * torch.tensor(MEAN).reshape(3, 1, 1), 255 * torch.tensor(UNIT).reshape(3, 1, 1))
REPEATED = 2  # times that the images follow each other in an epoch: starting one is a smaller part of it then
GOALS = {"original JPEG": 2.0, "shards, short side 256": 3.5, "raw shards": 6.0}
PEER = "torchvision"
DECODERS: tuple[Decoder, Decoder] = ("fast", "reference")
STEPS = ("reading", "decoding", "augmenting", "batching")


@dataclass(frozen=True)
class Contender:
    """Someone who loads an epoch when called, and how many images that is."""

    name: str
    workers: int
    epoch: Callable[[int], int]


def main(images: Path | None = None, rounds: int = 7) -> dict[str, Any]:
    """Measure everything; what came out, as JSON has it."""
    with tempfile.TemporaryDirectory(prefix="ilsvrc-bench-") as name:
        made = forms(images, Path(name))
        rates = measured(contenders(made), rounds)
        return {
            "machine": _machine(),
            "versions": {each: peers.version_of(each) for each in ("torch", "torchvision", "pillow", "simplejpeg")},
            "images": made.origin,
            "rounds": rounds,
            "images_per_second": rates,
            "over_torchvision": over(rates),
            "two_workers_over_twice_one": {who: found["2"] / found["1"] / 2 for who, found in rates.items()},
            "difference": difference(made),
            "microseconds": {which: stages(_train(place)) for which, place in made.by_name().items()},
            "random_reads": reads.random_reads(made, rounds),
            "network": network(made),
        }


def contenders(made: Forms) -> list[Contender]:
    """torchvision's recipe where it is installed, and ours on each form, by one worker and by two."""
    found = []
    for workers in (1, 2):
        with contextlib.suppress(ImportError):
            found.append(Contender(PEER, workers, torchvision_epoch(made.folders / "train", workers)))
        for which, place in made.by_name().items():
            found.append(Contender(which, workers, our_epoch(_train(place), workers)))
    return found


def our_epoch(dataset: Dataset, workers: int) -> Callable[[int], int]:
    """An epoch of the training's own loader."""
    loader = _loader(Chosen(dataset, np.tile(np.arange(len(dataset)), REPEATED)), workers)
    return lambda number: sum(len(labels) for _, labels in epochs_on(loader, NORMAL, CPU, Place(epoch=number)))


def torchvision_epoch(folder: Path, workers: int) -> Callable[[int], int]:
    """An epoch of torchvision's. Raises ImportError where it is not installed."""
    vision = peers.torchvision()
    steps = vision.transforms
    recipe = steps.Compose(
        [
            steps.RandomResizedCrop(SIZE),
            steps.RandomHorizontalFlip(),
            steps.ToTensor(),
            steps.Normalize(MEAN, UNIT),
        ]
    )
    images: Any = torch.utils.data.ConcatDataset([vision.datasets.ImageFolder(str(folder), recipe)] * REPEATED)
    loader: Iterable[Any] = torch.utils.data.DataLoader(
        images, batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=True
    )
    return lambda number: sum(len(labels) for _, labels in loader)


def measured(who: list[Contender], rounds: int) -> dict[str, dict[str, float]]:
    """Images per second by name and workers: the median over rounds in which everyone runs once."""
    seconds: dict[tuple[str, int], list[float]] = {(each.name, each.workers): [] for each in who}
    for number in range(rounds + 1):  # the first fills caches and starts processes, and does not count
        for each in who:
            started = time.perf_counter()
            count = each.epoch(number)
            if number:
                seconds[each.name, each.workers].append((time.perf_counter() - started) / count)
    names = dict.fromkeys(name for name, _ in seconds)
    return {
        name: {str(n): 1 / statistics.median(seconds[name, n]) for known, n in seconds if known == name}
        for name in names
    }


def over(rates: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """How many times torchvision's rate at the same number of workers; empty without it."""
    if PEER not in rates:
        return {}
    return {
        who: {workers: rate / rates[PEER][workers] for workers, rate in found.items()}
        for who, found in rates.items()
        if who != PEER
    }


def difference(made: Forms) -> dict[str, float]:
    """Fast decoder and resampler against Pillow's, over one epoch of the same crops of the original files.

    In units of the network's input (a deviation) and in grey levels: means over all pixels, the largest one, and of
    whole decoded images, which the two decoders should give alike.
    """
    dataset = _train(made.folders)
    fast, reference = (_loader(dataset, 2, Reading(decoder)).epoch(0) for decoder in DECODERS)
    total, largest, count = 0.0, 0, 0
    for one, other in zip(fast, reference, strict=True):
        apart = np.abs(one.pixels.astype(np.int16) - other.pixels)
        total, largest, count = (
            total + float(apart.sum(dtype=np.int64)),
            max(largest, int(apart.max())),
            count + apart.size,
        )
    decoded = [
        np.abs(Image(dataset[i], "fast").pixels().astype(np.int16) - Image(dataset[i], "reference").pixels()).mean()
        for i in range(len(dataset))
    ]
    return {
        "grey_levels": total / count,
        "normalised": total / count / 255 * float(np.mean([1 / unit for unit in UNIT])),
        "largest_grey_levels": largest,
        "decoding_grey_levels": float(np.mean(decoded)),
    }


def stages(dataset: Dataset) -> dict[str, Any]:
    """Microseconds per image of each step, by one thread, and which takes longest; medians over images."""
    write, spent = NORMAL.writer(CPU), np.zeros((len(dataset), len(STEPS)))
    filling = Filling(BATCH, (SIZE, SIZE, 3), write)
    for turn in range(2):  # the first pass fills the caches
        for index in range(len(dataset)):
            rng, marks = random.Random(index), [time.perf_counter()]
            sample = dataset[index]
            marks.append(time.perf_counter())
            image = Image(sample)
            part = geometry.area_part(image.width, image.height, rng, 0.08)
            pixels = image.pixels(part[3])
            marks.append(time.perf_counter())
            picture = geometry.mirror(geometry.stretched(Picture(pixels), part, SIZE, SIZE), rng, 0.5)
            marks.append(time.perf_counter())
            filling.put((index + turn) % BATCH, Seen(image.name, image.label, Views(picture.pixels, NO_SHIFT)))
            marks.append(time.perf_counter())
            spent[index] = np.diff(marks)
    found = dict(zip(STEPS, (1e6 * spent.mean(axis=0)).tolist(), strict=True))
    return {**found, "bottleneck": max(found, key=lambda step: found[step])}


def network(made: Forms) -> dict[str, float]:
    """What decoding and resampling change in a network: ResNet-50 from seed 0, one centre crop of each image.

    Its logits' mean change over their deviation between images, and how often the best class changes.
    """
    dataset = _train(made.folders)
    net = models.build("resnet50")
    initialise(net, RECIPE.init, 0)
    net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    protocol = Crops(layout="center")
    cuts = {decoder: cutter(protocol, decoder) for decoder in DECODERS}
    logits: dict[Decoder, list[np.ndarray]] = {decoder: [] for decoder in cuts}
    for start in range(0, len(dataset), BATCH):
        samples = [dataset[index] for index in range(start, min(start + BATCH, len(dataset)))]
        for decoder, cut in cuts.items():
            pixels = np.stack([cut(Image(s, decoder).pixels(), random.Random(0))[0] for s in samples])
            images = (torch.from_numpy(pixels).movedim(-1, 1).float() - NORMAL.mean) / NORMAL.unit
            with torch.inference_mode():
                logits[decoder].append(net(images).numpy())
    fast, reference = (np.concatenate(each) for each in logits.values())
    best = [np.sort(np.argsort(-each, axis=1)[:, :5], axis=1) for each in (fast, reference)]
    return {
        "images": len(dataset),
        "logit_change_over_deviation": float(np.abs(fast - reference).mean() / reference.std(axis=0).mean()),
        "top1_changes": int((fast.argmax(1) != reference.argmax(1)).sum()),
        "top5_changes": int((best[0] != best[1]).any(axis=1).sum()),
    }


def lines(found: dict[str, Any], command: str) -> list[str]:
    """The same as tables in Markdown, with what one must know to repeat them."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    apart, changed = found["difference"], found["network"]
    return [
        f"machine: {found['machine']}",
        f"versions: {versions}",
        f"command: {command}",
        f"images: {found['images']}; medians of {found['rounds']} interleaved rounds",
        "",
        *_rates(found),
        "",
        f"| microseconds per image, one thread | {' | '.join(STEPS)} | bottleneck |",
        "| --- |" + " ---: |" * len(STEPS) + " --- |",
        *(
            f"| {which} | {' | '.join(f'{spent[step]:.0f}' for step in STEPS)} | {spent['bottleneck']} |"
            for which, spent in found["microseconds"].items()
        ),
        "",
        f"fast against Pillow, same crops: {apart['normalised']:.5f} of a deviation ({apart['grey_levels']:.3f} grey "
        f"levels, {apart['largest_grey_levels']} at most); decoding alone {apart['decoding_grey_levels']:.3f}",
        f"ResNet-50 of random weights, {changed['images']} images: logits change by "
        f"{changed['logit_change_over_deviation']:.4%} of their deviation, the best class of "
        f"{changed['top1_changes']}, the best five of {changed['top5_changes']}",
        *reads.line(found["random_reads"]),
    ]


def _rates(found: dict[str, Any]) -> list[str]:
    rates, over, twice = (found[key] for key in ("images_per_second", "over_torchvision", "two_workers_over_twice_one"))
    table = [
        "| images per second | 1 worker | 2 workers | over torchvision | 2 workers | two over twice one | wanted |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for who, rate in rates.items():
        ratios = [f"{over[who][n]:.2f}" if who in over else "" for n in ("1", "2")]
        goal = f"{GOALS[who]:.1f}" if who in GOALS else ""
        table.append(
            f"| {who} | {rate['1']:,.0f} | {rate['2']:,.0f} | {' | '.join(ratios)} | {twice[who]:.2f} | {goal} |"
        )
    return table


def _train(place: Path) -> Dataset:
    return data.open(place, "train")


def _loader(dataset: Dataset, workers: int, reading: Reading | None = None) -> Loader:
    """The training's loader; nothing is kept in memory."""
    feed = Feed(threads=workers, kept=Kept(0), reading=reading or Reading())
    return training_loader(dataset, RECIPE, BATCH, 0, feed)


def _machine() -> str:
    found = machine(CPU)
    return f"{found.cpu}, {found.cores} cores, {found.system}, Python {found.python}, {os.cpu_count()} processors"
