"""Judge a network on a split by a protocol; every image once, by name."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.data.kept import Kept
from ilsvrc.data.loader import Fault, Loader
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.bad_images import counted_as_wrong
from ilsvrc.jobs.input import Chosen, Feed, Normal, judging_loader
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.stream import Groups, Stream
from ilsvrc.predict.dense import dense
from ilsvrc.predict.engines import Runner
from ilsvrc.predict.predict import VIEWS, Predictions, Tally, check, parts, plain, predict
from ilsvrc.predict.views import count
from ilsvrc.scoring import Score, flat_error
from ilsvrc.spec import Crops, Dense, Protocol
from ilsvrc.train import checkpoint
from ilsvrc.train.loss import autocast

TURN = 32  # images that a process judges by a dense protocol before it is another's turn
Prepare = Callable[[nn.Module, int], Runner]  # a network, and how many views it will be shown, to what computes it
NOTHING = Predictions((), np.zeros((0, 0), np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a network says of a split and how wrong it is; of several processes the first alone has the predictions."""

    predictions: Predictions
    top1: Score
    top5: Score


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says of some images, and their places in the data set."""

    places: np.ndarray
    said: Predictions


class Judge:
    """A split and a protocol, ready to judge networks; crops, once decoded, are kept between calls where they fit.

    An image that cannot be decoded and is passed over counts as wrong: no score gets better by a damaged file, and
    every score is over all images. Nothing stands in for it. size is that of the images the networks were built for;
    dense protocols want it.
    """

    def __init__(
        self,
        dataset: Dataset,
        protocol: Protocol,
        bench: Bench,
        kept: Kept | None = None,
        reading: Reading = USUAL,
        size: int = 0,
    ) -> None:
        self.protocol, self.bench, self.size = protocol, bench, size
        self.batch = max(1, VIEWS // count(protocol)) if isinstance(protocol, Crops) else TURN
        self.count, self.dataset = len(dataset), dataset
        self.mine = self._mine()
        self._feed = Feed(threads=bench.loaders, kept=kept, reading=reading)
        self._stream: Stream | None = None
        self.loader: Loader | None = None
        if isinstance(protocol, Crops):
            chosen = dataset if bench.processes.of == 1 else Chosen(dataset, self.mine)
            self.loader = judging_loader(chosen, protocol, self.batch, self._feed)

    def __call__(self, network: nn.Module, normal: Normal) -> Verdict:
        """Every image once, whoever looks at it; all processes call this and are told the same."""
        processes = self.bench.processes
        parts = processes.collected(self._mine_said(network, normal))
        judged: list[Predictions] = []

        def judge() -> tuple[Score, Score]:
            found, faults = self._whole(parts)
            missing, note = sorted(faults), counted_as_wrong(faults.values())
            judged.append(found)
            top1, top5 = (error(found, top, missing) for top in (1, 5))
            return replace(top1, rules=top1.rules + note), replace(top5, rules=top5.rules + note)

        top1, top5 = processes.first_does(judge)
        return Verdict(judged[0] if judged else NOTHING, top1, top5)

    def said(self, network: nn.Module, normal: Normal) -> Predictions:
        """What the network finds probable in every image, whether that has a label or not, seen by this process."""
        return self._whole([self._mine_said(network, normal)])[0]

    def _mine_said(self, network: nn.Module, normal: Normal) -> tuple[np.ndarray, Predictions | None, dict[int, Fault]]:
        context = partial(autocast, self.bench.device, self.bench.precision)
        answers = list(self.answers(network, normal, lambda module, views: plain(module, context)))
        return self.mine, _joined(answers), self.faults

    def _whole(
        self, parts: Sequence[tuple[np.ndarray, Predictions | None, dict[int, Fault]]]
    ) -> tuple[Predictions, dict[int, Fault]]:
        """What was said of all images, and those that could not be decoded."""
        found = _together([part[:2] for part in parts], self.count)
        faults = {index: fault for part in parts for index, fault in part[2].items()}
        found.probabilities[sorted(faults)] = 1 / found.probabilities.shape[1]  # what was not seen says nothing
        return found, faults

    def answers(
        self, network: nn.Module, normal: Normal, prepare: Prepare, name: str = "the network"
    ) -> Iterator[Answer]:
        """What the network says of this process's images, some at a time, each once, in memory no longer than that.

        prepare makes a function of images from a module and the number of views it will be shown. Of images that could
        not be decoded, which `faults` has in the end, the answer means nothing. Raises SpecError where the network
        cannot look as the protocol does.
        """
        runs = self._runs(network, prepare, name)
        if self.loader is not None:
            yield from self._of_crops(self.loader, runs[0], normal)
        elif len(self.mine):
            yield from self._of_all(runs, normal)

    @property
    def faults(self) -> dict[int, Fault]:
        """The images of this process that could not be decoded, by their place in the data set."""
        if self.loader is None:
            return dict(self._stream.faults) if self._stream else {}
        return {int(self.mine[index]): fault for index, fault in self.loader.faults.items()}

    def _runs(self, network: nn.Module, prepare: Prepare, name: str) -> list[Runner]:
        """A runner for each part of the protocol."""
        check(self.protocol, self.size, name)
        wanted = parts(self.protocol)
        modules = [dense(network, part, self.size, name) if isinstance(part, Dense) else network for part in wanted]
        for part, module in zip(wanted, modules, strict=True):
            if isinstance(part, Crops) and self.size not in (0, part.size):
                _check_takes(module, part.size, self.size, name)
        views = [count(part) * len(self.mine) for part in wanted]
        return [prepare(module, many) for module, many in zip(modules, views, strict=True)]

    def _of_crops(self, loader: Loader, run: Runner, normal: Normal) -> Iterator[Answer]:
        assert isinstance(self.protocol, Crops)
        normal = normal.fitting(self.protocol.size)
        done = 0
        for found in predict(run, self._batches(loader, normal), self.protocol):
            yield Answer(self.mine[done : done + len(found.names)], found)
            done += len(found.names)

    def _of_all(self, runs: list[Runner], normal: Normal) -> Iterator[Answer]:
        """Whole images and crops of them, computed in groups of one size."""
        self._stream = stream = Stream(self.dataset, self.mine.tolist(), self.protocol, self._feed)
        groups, tally = Groups(self.protocol, normal, self.bench.device), Tally(self.protocol, runs)
        known: dict[int, tuple[str, int]] = {}
        done: list[tuple[int, Tensor]] = []
        blank = torch.full((len(self.dataset.classes),), 1 / len(self.dataset.classes))
        for looked in stream:
            known[looked.place] = looked.name, looked.label
            if looked.passes is None:
                done.append((looked.place, blank))
            done += [answer for group in groups.add(looked) for answer in tally.add(group)]
            if len(done) >= TURN:
                yield _answer(done, known)
                done = []
        done += [answer for group in groups.rest() for answer in tally.add(group)]
        if done:
            yield _answer(done, known)

    def _mine(self) -> np.ndarray:
        """The images of this process: whole batches, which come out the same to the bit whoever computes them."""
        turns = self.bench.processes.turns(-(-self.count // self.batch))
        runs = [np.arange(turn * self.batch, min((turn + 1) * self.batch, self.count)) for turn in turns]
        return np.concatenate([np.arange(0), *runs])

    def _batches(self, loader: Loader, normal: Normal) -> Iterator[tuple[tuple[str, ...], Tensor, np.ndarray]]:
        for batch in loader.epoch(0, write=normal.writer(self.bench.device)):
            yield batch.names, normal.images(batch, self.bench.device), batch.labels


def _check_takes(network: nn.Module, crop: int, size: int, name: str) -> None:
    """Raise SpecError where a network for images of one size cannot look at crops of another."""
    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, crop, crop, device=device))
    except RuntimeError as fault:
        raise SpecError(
            f"crops of {crop} pixels are asked for and {name} was built for {size}: its full layers take no other; "
            f"use a protocol with crops of {size}, or a dense one"
        ) from fault


def _answer(done: list[tuple[int, Tensor]], known: dict[int, tuple[str, int]]) -> Answer:
    places = [place for place, _ in done]
    names, labels = zip(*(known.pop(place) for place in places), strict=True)
    probabilities = torch.stack([said for _, said in done]).float().numpy()
    return Answer(np.array(places), Predictions(names, probabilities, np.array(labels, np.int64)))


def _joined(answers: list[Answer]) -> Predictions | None:
    """All answers of a process, in the order of the data set; nothing of none."""
    if not answers:
        return None
    order = np.argsort(np.concatenate([answer.places for answer in answers]), kind="stable")
    names = [name for answer in answers for name in answer.said.names]
    probabilities = np.concatenate([answer.said.probabilities for answer in answers])
    labels = np.concatenate([answer.said.labels for answer in answers])
    return Predictions(tuple(names[place] for place in order), probabilities[order], labels[order])


def _together(parts: list[tuple[np.ndarray, Predictions | None]], count: int) -> Predictions:
    """The predictions of all processes in the data set's order. Raises DataError unless each image is there once."""
    indices = np.concatenate([indices for indices, _ in parts])
    if not np.array_equal(np.sort(indices), np.arange(count)):
        raise DataError(f"{len(indices)} of {count} images were judged; give all processes the same data set")
    if len(parts) == 1 and parts[0][1] is not None:
        return parts[0][1]
    order = np.argsort(indices)
    found = [predictions for _, predictions in parts if predictions is not None]
    names = [name for predictions in found for name in predictions.names]
    probabilities = np.concatenate([predictions.probabilities for predictions in found])
    labels = np.concatenate([predictions.labels for predictions in found])
    return Predictions(tuple(names[index] for index in order), probabilities[order], labels[order])


def error(predictions: Predictions, top: int, missing: Sequence[int] = ()) -> Score:
    """Top-k error of the split; equal probabilities are ranked by label, lowest first; those missing are wrong.

    Raises DataError when an image has no label.
    """
    if (predictions.labels < 0).any():
        name = predictions.names[int(np.argmax(predictions.labels < 0))]
        raise DataError(f"{name} has no label, so no error can be computed; evaluate a split with ground truth")
    top = min(top, predictions.probabilities.shape[1])
    ranked = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, :top]
    ranked[list(missing)] = -1
    return flat_error(ranked, predictions.labels, top)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Names, probabilities and labels as npz."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, names=np.array(predictions.names), probabilities=predictions.probabilities, labels=predictions.labels
    )
    checkpoint.write_whole(path, lambda temporary: temporary.write_bytes(buffer.getvalue()))


def read_predictions(path: Path) -> Predictions:
    """What write_predictions wrote. Raises DataError when it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Predictions(tuple(map(str, stored["names"])), stored["probabilities"], stored["labels"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as fault:
        raise DataError(
            f"{path} cannot be read ({fault}); delete {path.parent / 'scores.json'} and run the same command again"
        ) from fault
