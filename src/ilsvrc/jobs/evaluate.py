"""Evaluate a run or a file of weights by a protocol of a paper: errors, and scores kept for reuse.

Nothing but five guesses of each image stays in memory; probabilities go to the file as they come.
"""

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

import ilsvrc
from ilsvrc import data
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.data.kept import Kept
from ilsvrc.data.sample import Dataset
from ilsvrc.entries.protocols import PROTOCOLS
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.bad_images import counted_as_wrong
from ilsvrc.jobs.computing import Computing
from ilsvrc.jobs.computing import How as How
from ilsvrc.jobs.judge import Answer, Judge
from ilsvrc.jobs.machine import Bench, commit, machine
from ilsvrc.jobs.saved_scores import Record, Scores, Writer, writer
from ilsvrc.jobs.subject import Subject, on, subject
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.protocol_words import told
from ilsvrc.scoring import Score, flat_error
from ilsvrc.spec import Protocol, Split, as_json
from ilsvrc.train.recipe import in_proportion

GUESSES = 5
FASTEST = How()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is judged, on what, by what, and what is kept of it."""

    file: Path  # a run's directory, or weights
    model: str | None = None  # whose weights a file holds that does not say it
    data: str | None = None  # a run's own by default
    split: Split = "val"
    protocol: str | None = None  # a name in PROTOCOLS; the run's own, or the record's centre crop, by default
    save: Path | None = None  # a file of scores
    half: bool = False  # save it in 16 bits


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came of it. scores are the top-1 and top-5 error, or none where the split has no labels."""

    scores: tuple[Score, ...]
    record: Record
    classes: int
    seconds: float
    images: int
    saved: Path | None

    def lines(self) -> list[str]:
        """For people."""
        record = self.record
        name = record.protocol_name or "own protocol"
        lines = [f"{record.title()}: {told(record.protocol)}"]
        for score in self.scores:
            lines.append(f"{name}: {score.metric} {score.value:.2%} of {score.images:,} images ({score.rules})")
        if not self.scores:
            lines.append(f"{name}: {self.images:,} images without labels, so no error")
        speed = self.images / max(self.seconds, 1e-9)
        lines.append(f"by engine {record.engine} in {self.seconds:.1f} s, {speed:.3g} images/s")
        return lines + ([f"scores: {self.saved}"] if self.saved else [])

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        record = {**asdict(self.record), "protocol": as_json(self.record.protocol), "told": told(self.record.protocol)}
        return {
            "scores": [asdict(score) for score in self.scores],
            "record": record,
            "classes": self.classes,
            "images": self.images,
            "seconds": self.seconds,
            "saved": None if self.saved is None else str(self.saved),
        }


class Guessed:
    """The first guesses of every image of a split, and what a writer keeps of the rest."""

    def __init__(self, count: int, keep: Writer | None) -> None:
        self.ranked = np.full((count, GUESSES), -1, np.int32)
        self.labels = np.full(count, -1, np.int64)
        self.names = [""] * count
        self._seen, self._keep = np.zeros(count, bool), keep

    def add(self, answer: Answer, places: np.ndarray | None) -> None:
        """places has of each label its column, where the columns are in another order."""
        said = answer.said.probabilities if places is None else answer.said.probabilities[:, places]
        top = min(GUESSES, said.shape[1])
        self.ranked[answer.places, :top] = np.argsort(-said, axis=1, kind="stable")[:, :top]
        self.labels[answer.places], self._seen[answer.places] = answer.said.labels, True
        for place, name, row in zip(answer.places.tolist(), answer.said.names, said, strict=True):
            self.names[place] = name
            if self._keep:
                self._keep.rows.put(place, row[None])

    def close(self, missing: list[int], classes: int) -> None:
        """Count images that could not be decoded as wrong. Raises DataError unless every image was answered."""
        if not self._seen.all():
            raise DataError(f"{int((~self._seen).sum())} of {len(self._seen)} images were not judged; run it again")
        self.ranked[missing] = -1
        for place in missing if self._keep else ():
            assert self._keep is not None
            self._keep.rows.put(place, np.full((1, classes), 1 / classes, np.float32))

    def errors(self, classes: int, note: str) -> tuple[Score, ...]:
        """Top-1 and top-5, or none where no image has a label. Raises DataError where some have and others have not."""
        bare = self.labels < 0
        if bare.all():
            return ()
        if bare.any():
            raise DataError(_unlabelled(self.names[int(np.argmax(bare))]))
        found = (flat_error(self.ranked[:, :top], self.labels, top) for top in (1, min(GUESSES, classes)))
        return tuple(replace(score, rules=score.rules + note) for score in found)


def evaluate(
    asked: Asked, bench: Bench, reading: Reading = USUAL, how: How = FASTEST, watch: Watch | None = None
) -> Evaluation:
    """Judge it. A run that was trained with the reference decoder is judged so.

    Raises DataError, WeightsError or SpecError when the files, the data or the protocol do not fit each other.
    """
    watch = watch or Watch(quiet=True)
    found, place = subject(asked.file, asked.model, asked.data)
    dataset = data.open(place, asked.split, boxes=False)
    found.check(dataset.classes, place)
    _check_labels(dataset, asked)
    found = on(found, bench.device)
    protocol = found.protocol if asked.protocol is None else named(asked.protocol, found.size)
    if found.decoder == "reference":
        reading = replace(reading, decoder="reference")
    judge = Judge(dataset, protocol, bench, Kept(0), reading, found.size)  # each image is seen once
    keep = (
        writer(asked.save, len(found.classes), "float16" if asked.half else "float32") if asked.save else nullcontext()
    )
    with keep as file, watch.live():
        guessed, runs, seconds = _judged(judge, found, how, watch, file)
        record = _record(found, asked, dataset, protocol, (judge, runs))
        if file:
            file.close(Scores(record, tuple(guessed.names), guessed.labels, found.classes.wnids))
    scores = guessed.errors(len(found.classes), counted_as_wrong(judge.faults.values()))
    return Evaluation(scores, record, len(found.classes), seconds, len(dataset), asked.save)


def named(name: str, size: int) -> Protocol:
    """The protocol of that name for a network of `size` pixels. Raises SpecError with the nearest names otherwise."""
    if name not in PROTOCOLS:
        near = get_close_matches(name, PROTOCOLS, cutoff=0.5)
        raise SpecError(f"no protocol is called {name!r}; did you mean {', '.join(near or PROTOCOLS)}?")
    return in_proportion(PROTOCOLS[name].protocol, PROTOCOLS[name].image_size, size)


def _judged(
    judge: Judge, found: Subject, how: How, watch: Watch, file: Writer | None
) -> tuple[Guessed, list[Computing], float]:
    """The guesses of all images, what computed them, and the seconds it took."""
    runs: list[Computing] = []

    def prepare(module: Any, views: int) -> Computing:
        runs.append(Computing(module, views, replace(how, say=watch.say), judge.bench.device))
        return runs[-1]

    guessed, began, done = Guessed(judge.count, file), time.perf_counter(), 0
    with watch.stage("judging", judge.count) as stage:
        for answer in judge.answers(found.network, found.normal, prepare, found.model):
            guessed.add(answer, found.places)
            done += len(answer.places)
            stage.at(done)
    guessed.close(sorted(judge.faults), len(found.classes))
    return guessed, runs, time.perf_counter() - began


def _record(
    found: Subject, asked: Asked, dataset: Dataset, protocol: Protocol, judged: tuple[Judge, list[Computing]]
) -> Record:
    judge, runs = judged
    here = machine(judge.bench.device)
    return Record(
        model=found.model,
        weights=str(asked.file),
        image_size=found.size,
        width=found.width,
        protocol_name=asked.protocol or "",
        protocol=protocol,
        data=data.name(dataset),
        split=asked.split,
        fingerprint=data.fingerprint(dataset),
        engine=" and ".join(dict.fromkeys(run.engine for run in runs)),
        bad_images=tuple(fault.name for _, fault in sorted(judge.faults.items())),
        ilsvrc=ilsvrc.__version__,
        commit=commit(),
        machine=f"{here.cpu}, {here.cores} cores, {here.device}",
    )


def _check_labels(dataset: Dataset, asked: Asked) -> None:
    """Raise DataError before anything is computed where there is nothing to compare with and nothing to keep."""
    first = dataset[0] if len(dataset) else None
    if first is not None and first.label is None and asked.save is None:
        raise DataError(_unlabelled(first.name))


def _unlabelled(name: str) -> str:
    return f"{name} has no label, so no error can be computed; evaluate a split with ground truth, or --save the scores"
