"""Judge a network on a split by a protocol; every image once, by name."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from torch import Tensor, nn

from ilsvrc import data, models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.data.kept import Kept
from ilsvrc.data.loader import Fault, Loader
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import DataError
from ilsvrc.jobs.bad_images import counted_as_wrong
from ilsvrc.jobs.finished import check_classes, data_of
from ilsvrc.jobs.input import Chosen, Feed, Normal, judging_loader
from ilsvrc.jobs.machine import Bench
from ilsvrc.predict.predict import Predictions, predict
from ilsvrc.scoring import Score, flat_error
from ilsvrc.spec import Crops, Member, Split, from_json
from ilsvrc.train import checkpoint
from ilsvrc.train.loss import autocast
from ilsvrc.train.recipe import protocol_at_size
from ilsvrc.train.run import Run

NOTHING = Predictions((), np.zeros((0, 0), np.float32), np.zeros(0, np.int64))


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a network says of a split and how wrong it is; of several processes the first alone has the predictions."""

    predictions: Predictions
    top1: Score
    top5: Score


class Judge:
    """A split and a protocol, ready to judge networks; decoded views are kept between calls.

    An image that cannot be decoded and is passed over counts as wrong: no score gets better by a damaged file, and
    every score is over all images. Nothing stands in for it.
    """

    def __init__(
        self,
        dataset: Dataset,
        protocol: Crops,
        bench: Bench,
        kept: Kept | None = None,
        reading: Reading = USUAL,
    ) -> None:
        self.protocol, self.bench = protocol, bench
        views = len(protocol.short_sides) * (10 if protocol.layout == "ten" else 1)
        self.batch = max(1, 64 // views)
        self.count = len(dataset)
        self.mine = self._mine()
        chosen = dataset if bench.processes.of == 1 else Chosen(dataset, self.mine)
        feed = Feed(threads=bench.loaders, kept=kept, reading=reading)
        self.loader: Loader = judging_loader(chosen, protocol, self.batch, feed)

    def __call__(self, network: nn.Module, normal: Normal) -> Verdict:
        """Every image once, whoever looks at it; all processes call this and are told the same."""
        context = partial(autocast, self.bench.device, self.bench.precision)
        processes = self.bench.processes
        predictions = None
        if len(self.mine):
            predictions = predict(network, self._batches(normal), self.protocol, context)
        parts = processes.collected((self.mine, predictions, self.faults))
        judged: list[Predictions] = []

        def judge() -> tuple[Score, Score]:
            found = _together([part[:2] for part in parts], self.count)
            faults = {index: fault for part in parts for index, fault in part[2].items()}
            missing = sorted(faults)
            found.probabilities[missing] = 1 / found.probabilities.shape[1]  # what was not seen says nothing
            note = counted_as_wrong(faults.values())
            judged.append(found)
            top1, top5 = (error(found, top, missing) for top in (1, 5))
            return replace(top1, rules=top1.rules + note), replace(top5, rules=top5.rules + note)

        top1, top5 = processes.first_does(judge)
        return Verdict(judged[0] if judged else NOTHING, top1, top5)

    @property
    def faults(self) -> dict[int, Fault]:
        """The images of this process that could not be decoded, by their place in the data set."""
        return {int(self.mine[index]): fault for index, fault in self.loader.faults.items()}

    def _mine(self) -> np.ndarray:
        """The images of this process: whole batches, which come out the same to the bit whoever computes them."""
        turns = self.bench.processes.turns(-(-self.count // self.batch))
        runs = [np.arange(turn * self.batch, min((turn + 1) * self.batch, self.count)) for turn in turns]
        return np.concatenate([np.arange(0), *runs])

    def _batches(self, normal: Normal) -> Iterator[tuple[tuple[str, ...], Tensor, np.ndarray]]:
        for batch in self.loader.epoch(0, write=normal.writer(self.bench.device)):
            yield batch.names, normal.images(batch, self.bench.device), batch.labels


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


def evaluate(
    directory: Path, path: str | None, split: Split, layout: str | None, bench: Bench, reading: Reading = USUAL
) -> Verdict:
    """Judge a finished run on the split of the data set at `path`, or of the one it was trained on.

    layout: 'center' or 'ten', or None for the protocol it was trained with. The reference decodes where `reading`
    says so, and where the run was trained by it.
    Raises DataError, WeightsError or SpecError when the directory is no finished run or the data has other classes.
    """
    run = Run(directory)
    asked = run.spec()["asked"]
    try:
        member: Member = from_json(asked["member"])
        protocol: Crops = from_json(asked["protocol"])
    except (KeyError, ValueError) as error:
        raise DataError(f"{directory / 'spec.json'} cannot be understood: {error}") from error
    if layout is not None:
        protocol = Crops(layout=layout, short_sides=protocol.short_sides, size=protocol.size)  # type: ignore[arg-type]
    place = path or data_of(run)
    dataset = data.open(place, split)
    check_classes(run, asked["classes"], dataset.classes, place)
    size = member.image_size or models.paper_size(member.model)
    network = models.build(member.model, len(dataset.classes), size, member.width)
    checkpoint.load_weights(run.weights, network)
    normal = Normal(**checkpoint.load_tensors(directory / "input.safetensors"))
    if asked.get("reading", {}).get("decoder") == "reference":
        reading = replace(reading, decoder="reference")
    judge = Judge(dataset, protocol_at_size(protocol, size), bench, reading=reading)
    return judge(network.to(bench.device), normal)
