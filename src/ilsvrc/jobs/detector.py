"""Finished detection runs: their networks, the verdict on them, and what they find in images on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc import data
from ilsvrc.data.decode import USUAL, Decoder, Reading, decode
from ilsvrc.data.proposals import Given, find_proposals, read_proposals
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.detect_feed import other_search
from ilsvrc.jobs.detect_judge import (
    Finder,
    Looker,
    has_objects,
    objects_in,
    spotted_in,
    verdict_on,
    write_submission,
)
from ilsvrc.jobs.detecting import detector_of, size_of
from ilsvrc.jobs.draw_boxes import Labelled, write_drawing
from ilsvrc.jobs.finished import check_classes, classes_of, data_of, shown_as
from ilsvrc.jobs.fused_runs import parts_of
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.machine import Bench
from ilsvrc.models.rcnn import FasterRCNN, RegionClassifier
from ilsvrc.scoring import Score
from ilsvrc.spec import Detector, Member, Search, Split, as_json, from_json
from ilsvrc.tasks.selective import opencv, searched
from ilsvrc.train import checkpoint
from ilsvrc.train.run import Run, first_difference
from ilsvrc.transforms.picture import Picture

KINDS = {"faster r-cnn": "a Faster R-CNN", "r-cnn": "an R-CNN"}
# Of a Detector what may differ between two that judge together: training alone reads it, or it is in the network.
TAUGHT = {
    *{"classifier", "steps", "anchors_taught", "anchor_object", "anchor_background", "kept_training", "search"},
    *{"regions_taught", "object_share", "region_background", "context"},
}


@dataclass(frozen=True, eq=False)
class FinishedDetector:
    """A detector in eval mode, and what it takes."""

    run: Run
    entry: str
    member: Member
    how: Detector
    network: FasterRCNN | RegionClassifier
    normal: Normal
    classes: Classes
    decoder: Decoder


def load_detectors(directory: Path) -> tuple[FinishedDetector, ...]:
    """The networks of the detection run in `directory`; of most runs there is one.

    Raises DataError or WeightsError when it is no detection run, or not done.
    """
    return tuple(load_detector(place) for place in parts_of(directory))


def load_detector(directory: Path) -> FinishedDetector:
    """What the run of one network in `directory` left.

    Raises DataError or WeightsError when it is none, or not done.
    """
    run = Run(directory)
    asked = run.spec()["asked"]
    try:
        if asked["task"] != "detection":
            raise ValueError(f"its task is {asked['task']}")
        member: Member = from_json(asked["member"])
        how: Detector = from_json(asked["boxes"])
        network = detector_of(member, how, int(asked["classes"]))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{directory / 'spec.json'} is no detection that can be understood: {error}") from error
    checkpoint.load_weights(run.weights, network)
    return FinishedDetector(
        run=run,
        entry=str(asked["entry"]),
        member=member,
        how=how,
        network=network.eval(),
        normal=shown_as(directory),
        classes=classes_of(run, int(asked["classes"]), None),
        decoder="reference" if asked.get("reading", {}).get("decoder") == "reference" else "fast",
    )


def check_alike(detectors: Sequence[FinishedDetector]) -> None:
    """Raise SpecError unless all can judge the same regions of the same images, by naming two that cannot."""
    first, mine = detectors[0], detectors[0].run.directory
    for other in detectors[1:]:
        its = other.run.directory
        if first.how.kind != other.how.kind:
            raise SpecError(
                f"{mine} is {KINDS[first.how.kind]} and {its} {KINDS[other.how.kind]}; detectors that judge together "
                "are of one kind"
            )
        difference = first_difference(_judging(first.how), _judging(other.how))
        if difference:
            name, own, theirs = difference
            raise SpecError(
                f"{mine} finds objects with {name} = {own} and {its} with {theirs}; detectors that judge together look "
                "at images and regions alike"
            )


def _judging(how: Detector) -> dict[str, Any]:
    """The part of how objects are found that decides a judgement."""
    return {name: value for name, value in as_json(how).items() if name not in TAUGHT}


def lookers(detectors: Sequence[FinishedDetector], bench: Bench) -> list[Looker]:
    """The networks on the bench's device, each with how it is shown images."""
    return [Looker(each.network.to(bench.device), each.normal, size_of(each.member)) for each in detectors]


def judge_run(
    directory: Path,
    path: str | None,
    split: Split,
    bench: Bench,
    reading: Reading = USUAL,
    save: Path | None = None,
) -> tuple[Score, ...]:
    """The mean average precision of a finished detection run on a split: the kit's, and over classes with an object.

    With `save`, what is found is written there as a submission; of a split without true boxes that is all, and there
    is no score. A run of several networks is judged by all of them. Proposals of another search than the entry's are
    said beside the rules. Raises DataError, WeightsError or SpecError when it is no finished run or the data has other
    classes.
    """
    detectors, run = load_detectors(directory), Run(directory)
    first = detectors[0]
    place = path or data_of(run)
    dataset = data.open(place, split)
    check_classes(run, len(first.classes), dataset.classes, place)
    given = find_proposals(Path(place), split) if first.how.kind == "r-cnn" else None
    finder = Finder(lookers(detectors, bench), first.how, given)
    blind = save is not None and not has_objects(dataset)
    objects = None if blind else objects_in(dataset)
    detections, bad = spotted_in(finder, dataset, replace(reading, decoder=first.decoder))
    if save is not None:
        write_submission(save, detections, dataset)
    if objects is None:
        return ()
    spotted = verdict_on(detections, dataset, objects, bad)
    if spotted.official is None:
        raise DataError(f"{directory} finds nothing in {place}, so there is no curve to score; train it for longer")
    other = other_search(given, first.how)
    scores = spotted.official.mean, spotted.official.mean_of_present
    return tuple(replace(score, rules=f"{score.rules}; {other}") for score in scores) if other else scores


@dataclass(frozen=True)
class Thing:
    """One object that was found."""

    wnid: str
    name: str
    confidence: float
    box: tuple[float, float, float, float]  # xmin, ymin, xmax, ymax, in the image's pixels


@dataclass(frozen=True)
class Sight:
    """One image and what was found in it, surest first; or why nothing could be."""

    image: str
    things: tuple[Thing, ...]
    drawing: str = ""  # where the image with its boxes was written
    fault: str = ""


def detect_images(
    runs: Sequence[Path], paths: list[Path], out: Path | None, least: float, bench: Bench, proposals: Path | None = None
) -> Iterator[Sight]:
    """What runs find together in images on disk, by confidences of `least` on; drawings go into `out`, if given.

    An R-CNN looks at the `proposals` of a file, else at those that are computed as for its training. An image that
    cannot be read, or that the file does not name, is a Sight with a fault. Raises SpecError where `least` is not in
    [0, 1], runs do not fit together, a Faster R-CNN is given proposals, or OpenCV is missing that would compute them;
    DataError on a file of proposals that cannot be read.
    """
    if not 0 <= least <= 1:
        raise SpecError(f"detections from a confidence of {least:g} on are asked for; give a number from 0 to 1")
    detectors, given = [each for run in runs for each in load_detectors(run)], None
    check_alike(detectors)
    first = detectors[0]
    if first.how.kind == "faster r-cnn" and proposals is not None:
        raise SpecError(f"{runs[0]} is a Faster R-CNN, which proposes for itself; leave --proposals out")
    if first.how.kind == "r-cnn":
        given = read_proposals(proposals) if proposals else None
        _ = given or opencv()  # missing, it is said before anything is read
    looking = lookers(detectors, bench)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        try:
            sample = Sample(path.stem, path.read_bytes(), None)
            picture = Picture(decode(sample, first.decoder), resampler=first.decoder)
            known = _proposals(first.how, picture, path, given)
            found = Finder(looking, first.how, known)(picture, path.stem)
        except (DataError, OSError) as error:
            yield Sight(str(path), (), fault=str(error))
            continue
        rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
        things = tuple(
            Thing(first.classes.wnids[label], first.classes.name(label), score, (x1, y1, x2, y2))
            for label, score, (x1, y1, x2, y2) in rows
            if score >= least
        )
        yield Sight(str(path), things, _drawn(out, path, picture, things))


def _proposals(how: Detector, picture: Picture, path: Path, given: Given | None) -> Given | None:
    """Where R-CNNs look in one image. Raises DataError where its proposals should be given and are not."""
    if how.kind != "r-cnn":
        return None
    if given is None:
        boxes = searched(picture.pixels, how.search or Search()).astype(np.float32)
        return Given(path, {path.stem: boxes})
    if path.stem not in given.boxes:
        raise DataError(
            f"{given.path} has no proposals of {path}, only of {len(given.boxes):,} other images; give the file of "
            "these images, or leave --proposals out to have them computed"
        )
    return given


def _drawn(out: Path | None, path: Path, picture: Picture, things: tuple[Thing, ...]) -> str:
    """Where the drawing was written; empty where none is wanted."""
    if out is None:
        return ""
    place = out / f"{path.stem}.detections.png"
    boxes = [Labelled(thing.box, f"{thing.name} {thing.confidence:.0%}") for thing in reversed(things)]
    write_drawing(place, picture.pixels, boxes)
    return str(place)
