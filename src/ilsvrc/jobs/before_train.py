"""A training of a winner before the networks: descriptors and codes of every image, a linear classifier, a verdict."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from ilsvrc.data.decode import Reading
from ilsvrc.data.sample import Dataset, Sample
from ilsvrc.entries.earlier import Shallow
from ilsvrc.errors import DataError
from ilsvrc.jobs.coder import codes_of, descriptors_of
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.judge import error, write_predictions
from ilsvrc.predict.predict import Predictions
from ilsvrc.reports.progress import Watch
from ilsvrc.shallow.classifier import fitted, parameters, probabilities
from ilsvrc.shallow.codes import Codebook, learnt
from ilsvrc.train.run import Run

CHUNK = 50  # images that a process takes at a time
ALONE = 400  # so few images are not worth a second process
LOOKED_AT = 1000  # training images that descriptors are drawn from


class Work:
    """One training: what is learnt from some descriptors, then every image's code, then the classifier."""

    def __init__(self, method: Shallow, splits: Splits, seed: int, reading: Reading, watch: Watch) -> None:
        self.method, self.splits, self.seed, self.reading, self.watch = method, splits, seed, reading, watch

    def into(self, run: Run) -> None:
        """Train and judge, and write predictions and scores."""
        started = time.monotonic()
        books = self._books()
        codes, labels, faults = self._codes(self.splits.train, books, "codes of the training images")
        coding = time.monotonic()
        good = np.flatnonzero((labels >= 0) & ~np.isin(np.arange(len(labels)), sorted(faults)))
        if len(np.unique(labels[good])) < 2:
            raise DataError(f"{self.splits.path} has fewer than two classes to tell apart; give another data set")
        machine = fitted(codes[good], labels[good], self.method, self.seed, os.cpu_count() or 1)
        seconds, images = time.monotonic() - started, len(labels)
        del codes
        codes, labels, missing = self._codes(self.splits.val, books, "codes of the validation images")
        found = probabilities(machine, codes, len(self.splits.train.classes))
        found[sorted(missing)] = 1 / found.shape[1]  # what was not seen says nothing
        names = tuple(self.splits.val[index].name for index in range(len(labels)))
        predictions = Predictions(names, found, labels)
        write_predictions(run.directory / "predictions.npz", predictions)
        scores = [asdict(error(predictions, top, sorted(missing))) for top in (1, 5)]
        run.write_scores(
            {
                "scores": scores,
                "seconds": seconds,
                "images_per_second": images / (coding - started),
                "parameters": parameters(machine),
                "bad_images": {"train": sorted(faults.values()), "val": sorted(missing.values())},
            }
        )

    def _books(self) -> list[Codebook]:
        """Of each kind of descriptor, learnt from evenly spaced training images."""
        train, method = self.splits.train, self.method
        at = np.unique(np.linspace(0, len(train) - 1, min(LOOKED_AT, len(train))).round().astype(int))
        most = -(-method.sampled // len(at))
        parts: list[list[np.ndarray]] = [[] for _ in method.descriptors]
        with self.watch.stage("descriptors to learn from", len(at)) as stage:
            for some in _parallel(
                _chunks(train, at), len(at), lambda n, c: delayed(descriptors_of)(c, method, most, n)
            ):
                for kind, found in zip(parts, some, strict=True):
                    kind.append(found)
                stage.at(CHUNK * len(parts[0]))
        together = [np.concatenate(kind) for kind in parts]
        return [
            learnt(kind, found, method, self.seed) for kind, found in zip(method.descriptors, together, strict=True)
        ]

    def _codes(
        self, dataset: Dataset, books: list[Codebook], title: str
    ) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
        """Every image's vector (N, D) float32, labels (N,), -1 where unknown, and why some could not be decoded."""
        count, done, faults = len(dataset), 0, dict[int, str]()
        labels, codes = np.full(count, -1, np.int64), np.zeros((0, 0), np.float32)
        method, reading = self.method, self.reading

        def labelled() -> Iterator[Sequence[Sample]]:
            for number, chunk in enumerate(_chunks(dataset, np.arange(count))):
                for place, sample in enumerate(chunk, number * CHUNK):
                    labels[place] = -1 if sample.label is None else sample.label
                yield chunk

        with self.watch.stage(title, count) as stage:
            for some in _parallel(labelled(), count, lambda n, c: delayed(codes_of)(c, method, books, reading)):
                for index, row in enumerate(some, done):
                    if isinstance(row, str):
                        faults[index] = row
                        continue
                    codes = codes if len(codes) else np.zeros((count, len(row)), np.float32)
                    codes[index] = row
                done += len(some)
                stage.at(done)
        if len(faults) == count:
            raise DataError(f"{self.splits.path}: no image can be decoded; get the data again")
        return codes, labels, faults


def _parallel(chunks: Iterator[Sequence[Sample]], images: int, call: Callable[[int, Any], Any]) -> Iterator[Any]:
    """What `call` makes of each number and chunk, in order; in processes of their own where there is enough to do."""
    processes = 1 if images <= ALONE else os.cpu_count() or 1
    yield from Parallel(n_jobs=processes, return_as="generator")(
        call(number, chunk) for number, chunk in enumerate(chunks)
    )


def _chunks(dataset: Dataset, indices: np.ndarray) -> Iterator[Sequence[Sample]]:
    for start in range(0, len(indices), CHUNK):
        yield [dataset[int(index)] for index in indices[start : start + CHUNK]]
