"""A finished detection run: its network, the verdict on it, and what it finds in images on disk."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ilsvrc import data
from ilsvrc.data.decode import USUAL, Decoder, Reading, decode
from ilsvrc.data.proposals import Given, find_proposals, read_proposals
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.detect_judge import Finder, judge
from ilsvrc.jobs.detect_run import detector_of, size_of
from ilsvrc.jobs.draw_boxes import Labelled, write_drawing
from ilsvrc.jobs.finished import check_classes, classes_of, data_of, shown_as
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.machine import Bench
from ilsvrc.models.rcnn import FasterRCNN, RegionClassifier
from ilsvrc.scoring import Score
from ilsvrc.spec import Detector, Member, Search, Split, from_json
from ilsvrc.tasks.find import Found
from ilsvrc.tasks.selective import opencv, searched
from ilsvrc.train import checkpoint
from ilsvrc.train.run import Run
from ilsvrc.transforms.picture import Picture


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


def load_detector(directory: Path) -> FinishedDetector:
    """What the detection run in `directory` left. Raises DataError or WeightsError when it is none, or not done."""
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


def judge_run(
    directory: Path, path: str | None, split: Split, bench: Bench, reading: Reading = USUAL
) -> tuple[Score, ...]:
    """The mean average precision of a finished detection run on a split: the kit's, and over classes with an object.

    Raises DataError, WeightsError or SpecError when it is no finished run or the data has other classes.
    """
    detector = load_detector(directory)
    place = path or data_of(detector.run)
    dataset = data.open(place, split)
    check_classes(detector.run, len(detector.classes), dataset.classes, place)
    reading = replace(reading, decoder=detector.decoder)
    network, given = detector.network.to(bench.device), None
    if isinstance(network, RegionClassifier):
        given = find_proposals(Path(place), split)
    finder = Finder([network], detector.how, detector.normal, size_of(detector.member), given)  # type: ignore[arg-type]
    spotted = judge(finder, dataset, reading)
    if spotted.official is None:
        raise DataError(f"{directory} finds nothing in {place}, so there is no curve to score; train it for longer")
    return spotted.official.mean, spotted.official.mean_of_present


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
    run: Path, paths: list[Path], out: Path | None, least: float, bench: Bench, proposals: Path | None = None
) -> Iterator[Sight]:
    """What the run finds in images on disk, by confidences of `least` on; drawings go into `out`, where it is given.

    An R-CNN looks at the `proposals` of a file, else at those that are computed as for its training. An image that
    cannot be read, or that the file does not name, is a Sight with a fault. Raises SpecError where `least` is not in
    [0, 1], a Faster R-CNN is given proposals, or OpenCV is missing that would compute them; DataError on a file of
    proposals that cannot be read.
    """
    if not 0 <= least <= 1:
        raise SpecError(f"detections from a confidence of {least:g} on are asked for; give a number from 0 to 1")
    detector = load_detector(run)
    network, given = detector.network.to(bench.device), None
    if isinstance(network, FasterRCNN) and proposals is not None:
        raise SpecError(f"{run} is a Faster R-CNN, which proposes for itself; leave --proposals out")
    if isinstance(network, RegionClassifier):
        given = read_proposals(proposals) if proposals else None
        _ = given or opencv()  # missing, it is said before anything is read
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        try:
            sample = Sample(path.stem, path.read_bytes(), None)
            picture = Picture(decode(sample, detector.decoder), resampler=detector.decoder)
            found = _found(detector, picture, path, given)
        except (DataError, OSError) as error:
            yield Sight(str(path), (), fault=str(error))
            continue
        rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
        things = tuple(
            Thing(detector.classes.wnids[label], detector.classes.name(label), score, (x1, y1, x2, y2))
            for label, score, (x1, y1, x2, y2) in rows
            if score >= least
        )
        yield Sight(str(path), things, _drawn(out, path, picture, things))


def _found(detector: FinishedDetector, picture: Picture, path: Path, given: Given | None) -> Found:
    """What is found in one image. Raises DataError where its proposals should be given and are not."""
    if isinstance(detector.network, RegionClassifier):
        if given is None:
            boxes = searched(picture.pixels, detector.how.search or Search()).astype(np.float32)
            given = Given(path, {path.stem: boxes})
        elif path.stem not in given.boxes:
            raise DataError(
                f"{given.path} has no proposals of {path}, only of {len(given.boxes):,} other images; give the file of "
                "these images, or leave --proposals out to have them computed"
            )
    size = size_of(detector.member)
    return Finder([detector.network], detector.how, detector.normal, size, given)(picture, path.stem)  # type: ignore[arg-type]


def _drawn(out: Path | None, path: Path, picture: Picture, things: tuple[Thing, ...]) -> str:
    """Where the drawing was written; empty where none is wanted."""
    if out is None:
        return ""
    place = out / f"{path.stem}.detections.png"
    boxes = [Labelled(thing.box, f"{thing.name} {thing.confidence:.0%}") for thing in reversed(things)]
    write_drawing(place, picture.pixels, boxes)
    return str(place)
