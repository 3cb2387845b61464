"""Judge a network on a split by a protocol; every image once, by name."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from torch import Tensor, nn

from ilsvrc import data, models
from ilsvrc.data.loader import Kept, Loader
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import DataError
from ilsvrc.jobs.finished import check_classes, data_of
from ilsvrc.jobs.input import Normal, judging_loader
from ilsvrc.jobs.machine import Bench
from ilsvrc.predict.predict import Predictions, predict
from ilsvrc.scoring import Score, flat_error
from ilsvrc.spec import Crops, Member, Split, from_json
from ilsvrc.train import checkpoint
from ilsvrc.train.loss import autocast
from ilsvrc.train.recipe import protocol_at_size
from ilsvrc.train.run import Run


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a network says of a split and how wrong it is."""

    predictions: Predictions
    top1: Score
    top5: Score


class Judge:
    """A split and a protocol, ready to judge networks; decoded views are kept between calls."""

    def __init__(self, dataset: Dataset, protocol: Crops, bench: Bench, kept: Kept | None = None) -> None:
        self.protocol, self.bench = protocol, bench
        views = len(protocol.short_sides) * (10 if protocol.layout == "ten" else 1)
        batch = max(1, 64 // views)
        self.loader: Loader = judging_loader(dataset, protocol, batch, bench.loaders, kept)

    def __call__(self, network: nn.Module, normal: Normal) -> Verdict:
        """Every image once."""
        context = partial(autocast, self.bench.device, self.bench.precision)
        predictions = predict(network, self._batches(normal), self.protocol, context)
        return Verdict(predictions, error(predictions, 1), error(predictions, 5))

    def _batches(self, normal: Normal) -> Iterator[tuple[tuple[str, ...], Tensor, np.ndarray]]:
        for batch in self.loader.epoch(0):
            yield batch.names, normal.images(batch, self.bench.device), batch.labels


def error(predictions: Predictions, top: int) -> Score:
    """Top-k error of the split; equal probabilities are ranked by label, lowest first.

    Raises DataError when an image has no label.
    """
    if (predictions.labels < 0).any():
        name = predictions.names[int(np.argmax(predictions.labels < 0))]
        raise DataError(f"{name} has no label, so no error can be computed; evaluate a split with ground truth")
    top = min(top, predictions.probabilities.shape[1])
    ranked = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, :top]
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


def evaluate(directory: Path, path: str | None, split: Split, layout: str | None, bench: Bench) -> Verdict:
    """Judge a finished run on the split of the data set at `path`, or of the one it was trained on.

    layout: 'center' or 'ten', or None for the protocol it was trained with.
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
    return Judge(dataset, protocol_at_size(protocol, size), bench)(network.to(bench.device), normal)
