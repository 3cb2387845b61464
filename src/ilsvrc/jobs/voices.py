"""What the members of an ensemble said: read from score files and runs, and whether they may be combined."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.saved_scores import read_scores
from ilsvrc.reports.protocol_words import brief
from ilsvrc.spec import from_json
from ilsvrc.train.run import Run


@dataclass(frozen=True, eq=False)
class Voice:
    """What one member said of every image: probabilities (N, C) float32, labels (N,) or -1 where unknown."""

    source: str  # the file or the run, as it was given
    title: str
    names: tuple[str, ...]
    probabilities: np.ndarray
    labels: np.ndarray
    wnids: tuple[str, ...]
    data: str  # what it was judged on, for a sentence
    fingerprint: str  # of that split; empty where it is not known
    unseen: frozenset[str] = frozenset()  # images that could not be decoded: wrong, whatever is said of them


def heard(source: Path) -> Voice:
    """A score file that `ilsvrc evaluate --save` wrote, or a finished run, by its own protocol on its val images.

    Raises DataError when it is neither, or damaged.
    """
    return _run(source) if source.is_dir() else _file(source)


def _file(path: Path) -> Voice:
    if not path.exists():
        raise DataError(f"{path} is not there; give score files of ilsvrc evaluate --save, or finished runs")
    found = read_scores(path)
    record = found.record
    return Voice(
        source=str(path),
        title=f"{record.title()} ({path.name})",
        names=found.names,
        probabilities=found.probabilities,
        labels=found.labels,
        wnids=found.wnids,
        data=f"{record.split} of {record.data}",
        fingerprint=record.fingerprint,
        unseen=frozenset(record.bad_images),
    )


def _run(directory: Path) -> Voice:
    run = Run(directory)
    asked, scores, known = run.spec()["asked"], run.read_scores(), run.data()
    if scores is None:
        raise DataError(f"{directory} is not done; train it to its end with the words it was started with")
    if known is None:
        raise DataError(f"{directory} does not say its classes; write its scores with ilsvrc evaluate --save")
    predictions = read_predictions(directory / "predictions.npz")
    try:
        model, protocol = asked["member"]["model"], brief(from_json(scores["protocol"]))
        fingerprint = str(asked["data"]).partition("-")[2]
        bad = frozenset(scores.get("bad_images", {}).get("val", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{directory} cannot be understood ({error}); was it written by another version?") from error
    return Voice(
        source=str(directory),
        title=f"{model}, {protocol} ({directory.name})",
        names=predictions.names,
        probabilities=predictions.probabilities,
        labels=predictions.labels,
        wnids=known[1],
        data=f"val of {known[0]}",
        fingerprint=fingerprint,
        unseen=bad,
    )


def check_together(voices: Sequence[Voice]) -> None:
    """Raise SpecError unless all know the same classes in the same order and were judged on the same images."""
    if len(voices) < 2:
        raise SpecError(f"{len(voices)} member is given, and an ensemble takes at least 2; name another")
    first = voices[0]
    for voice in voices[1:]:
        check_classes((first.source, first.wnids), (voice.source, voice.wnids))
        _check_images(first, voice)
    twice = given_twice([voice.source for voice in voices])
    if twice is not None:
        raise SpecError(f"{twice} is given twice; give it once, and more --weights if it shall count more")


def given_twice(sources: Sequence[str | Path]) -> str | None:
    """The first of some files or runs that is named more than once."""
    places = [str(Path(source).absolute()) for source in sources]
    return next((place for place in places if places.count(place) > 1), None)


def check_classes(one: tuple[str, tuple[str, ...]], other: tuple[str, tuple[str, ...]]) -> None:
    """Raise SpecError unless two members, each a source and its WordNet ids, know the same classes in one order."""
    (source, wnids), (their_source, their_wnids) = one, other
    if len(wnids) != len(their_wnids):
        raise SpecError(
            f"{source} knows {len(wnids):,} classes and {their_source} {len(their_wnids):,}; members of an "
            "ensemble must be judged on one data set"
        )
    for place, (own, theirs) in enumerate(zip(wnids, their_wnids, strict=True)):
        if own != theirs:
            raise SpecError(
                f"class {place} is {own} in {source} and {theirs} in {their_source}; members of an ensemble must "
                "have the same classes in the same order"
            )


def _check_images(first: Voice, voice: Voice) -> None:
    wanted = "members of an ensemble must be judged on the same images of the same data"
    if len(first.names) != len(voice.names):
        raise SpecError(
            f"{first.source} is of {len(first.names):,} images and {voice.source} of {len(voice.names):,}; {wanted}"
        )
    for place, (own, theirs) in enumerate(zip(first.names, voice.names, strict=True)):
        if own != theirs:
            raise SpecError(
                f"image {place} is {own} in {first.source} and {theirs} in {voice.source}; {wanted}, in one order"
            )
    known = first.fingerprint and voice.fingerprint
    if known and first.fingerprint != voice.fingerprint:
        raise SpecError(
            f"{first.source} is of {first.data} ({first.fingerprint}) and {voice.source} of {voice.data} "
            f"({voice.fingerprint}): images of the same names, of other bytes or labels; {wanted}"
        )
    differ = np.flatnonzero(first.labels != voice.labels)
    if len(differ):
        raise SpecError(
            f"{first.names[differ[0]]} has label {first.labels[differ[0]]} in {first.source} and "
            f"{voice.labels[differ[0]]} in {voice.source}; {wanted}"
        )
