"""A detector on a split: what it finds in each image, and the kit's verdict on it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilsvrc.data.decode import Reading, decode
from ilsvrc.data.proposals import Given
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import BadImage, DataError
from ilsvrc.jobs.detect_feed import kit_numbers, scene_of, sized, tensor_of
from ilsvrc.jobs.input import Normal
from ilsvrc.models.rcnn import FasterRCNN, RegionClassifier
from ilsvrc.scoring import Detection, Detections, Objects, detect, write_detections
from ilsvrc.spec import Detector
from ilsvrc.tasks.find import Found, Look, Shown, find, find_given
from ilsvrc.train.checkpoint import write_whole
from ilsvrc.transforms.picture import Picture

SPOTTED = "spotted.npz"  # in a run's directory: what it found on val, exactly

# Detections are kept with labels + 1 as ids and places + 1 as numbers; the kit's own come in when a file is written.


def looks_of(
    picture: Picture, how: Detector, normals: Sequence[Normal], device: torch.device
) -> tuple[tuple[Look, ...], ...]:
    """For each normal the image at the scales it is looked at, in the order of `test_sides`."""
    scales = []
    for side in how.test_sides or (how.short_side,):
        longest = round(how.long_side * side / how.short_side)
        small = sized(replace(picture, boxes=picture.boxes[:0]), side, longest)
        scene = scene_of(small, np.zeros(0, np.int64)).to(device)
        images = [tensor_of(small, normal)[None] for normal in normals]
        scales.append([Look(each.to(device, memory_format=torch.channels_last), scene) for each in images])
    return tuple(zip(*scales, strict=True))


@dataclass(frozen=True, eq=False)
class Looker:
    """A detector in eval mode, and how it was taught to be shown images."""

    network: FasterRCNN | RegionClassifier
    normal: Normal
    size: int = 0  # of a warped region, in pixels


@dataclass(frozen=True, eq=False)
class Finder:
    """What looks for objects: Faster R-CNNs, or R-CNNs on the proposals that came with the images.

    All of one kind and by one `how`; several are an ensemble.
    """

    lookers: Sequence[Looker]
    how: Detector
    given: Given | None = None

    def __call__(self, picture: Picture, name: str) -> Found:
        """What is found in a decoded image, in its own pixels, clipped to it."""
        found = self._proposed(picture) if self.how.kind == "faster r-cnn" else self._given(picture, name)
        return Found(found.boxes.cpu(), found.labels.cpu(), found.scores.cpu())

    def _proposed(self, picture: Picture) -> Found:
        networks = [each.network for each in self.lookers if isinstance(each.network, FasterRCNN)]
        device = next(networks[0].parameters()).device
        looks = looks_of(picture, self.how, [each.normal for each in self.lookers], device)
        scenes = [look.scene for look in looks[0]]
        first = min(range(len(scenes)), key=lambda k: abs(scenes[k].height - _height(picture, self.how)))
        found = find(networks, looks, self.how, first)
        scale = found.boxes.new_tensor([picture.width / scenes[first].width, picture.height / scenes[first].height] * 2)
        edge = found.boxes.new_tensor([0, 0, 1, 1])
        return replace(found, boxes=(found.boxes + edge) * scale - edge)

    def _given(self, picture: Picture, name: str) -> Found:
        assert self.given is not None
        networks = [each.network for each in self.lookers if isinstance(each.network, RegionClassifier)]
        device = next(networks[0].parameters()).device
        scene = scene_of(picture, np.zeros(0, np.int64)).to(device)
        proposed = torch.from_numpy(self.given.of(name)).to(device)
        shown = [Shown(tensor_of(picture, each.normal).to(device), each.size) for each in self.lookers]
        return find_given(networks, shown, proposed, scene, self.how)


def _height(picture: Picture, how: Detector) -> float:
    scale = min(how.short_side / min(picture.width, picture.height), how.long_side / max(picture.width, picture.height))
    return picture.height * scale


@dataclass(frozen=True, eq=False)
class Spotted:
    """What was found on a split, and the verdict; None where no image has an object."""

    detections: Detections
    verdict: Detection | None  # with labels + 1 for ids
    official: Detection | None  # the same with the kit's ids, whose order decides which classes are reported
    bad: tuple[str, ...]  # images that could not be decoded, in which nothing was found

    @property
    def mean_ap(self) -> float:
        """By the kit's rules over the classes that have an object; 0 without detections."""
        return self.verdict.mean_of_present.value if self.verdict else 0.0


def has_objects(dataset: Dataset) -> bool:
    """Whether an image of the split has a true box: there is something to judge by."""
    return any(
        sample.boxes is not None and len(sample.boxes) for sample in map(dataset.__getitem__, range(len(dataset)))
    )


def objects_in(dataset: Dataset) -> Objects:
    """The true boxes of a split. Raises DataError where it has none: there is nothing to judge by."""
    image, label, box = [], [], []
    for place in range(len(dataset)):
        sample = dataset[place]
        if sample.boxes is None or sample.box_labels is None:
            continue
        image += [place] * len(sample.boxes)
        label += (np.asarray(sample.box_labels) + 1).tolist()
        box += np.asarray(sample.boxes, np.float64).tolist()
    if not box:
        raise DataError("no image of the split has an object; put its box files there, or judge another split")
    return Objects(len(dataset), np.array(image), np.array(label), np.array(box).reshape(-1, 4))


def judge(finder: Finder, dataset: Dataset, reading: Reading, objects: Objects | None = None) -> Spotted:
    """Find objects in every image of the split and score them. Raises BadImage where reading says so."""
    detections, bad = spotted_in(finder, dataset, reading)
    return verdict_on(detections, dataset, objects or objects_in(dataset), bad)


def spotted_in(finder: Finder, dataset: Dataset, reading: Reading) -> tuple[Detections, tuple[str, ...]]:
    """What is found in every image of the split, and those that could not be decoded. Raises as `judge`."""
    networks = [looker.network for looker in finder.lookers]
    modes = [network.training for network in networks]
    rows, bad = [], []
    for looking in networks:
        looking.eval()
    for place in range(len(dataset)):
        sample = dataset[place]
        try:
            picture = Picture(decode(sample, reading.decoder), resampler=reading.decoder)
        except BadImage:
            if reading.bad == "stop":
                raise
            bad.append(sample.name)
            continue
        found = finder(picture, sample.name)
        numbers = torch.full((len(found.labels), 1), place + 1.0)
        rows.append(torch.cat([numbers, found.labels[:, None] + 1.0, found.scores[:, None], found.boxes], dim=1))
    for seen, mode in zip(networks, modes, strict=True):
        seen.train(mode)
    table = torch.cat(rows).double().numpy() if rows else np.zeros((0, 7))
    return detections_of(table), tuple(bad)


def verdict_on(detections: Detections, dataset: Dataset, objects: Objects, bad: tuple[str, ...] = ()) -> Spotted:
    """Detections of a split and what they score."""
    if not len(detections):
        return Spotted(detections, None, None, bad)
    verdict = detect(detections, objects, np.arange(1, len(dataset) + 1))
    return Spotted(detections, verdict, by_kit(detections, objects, dataset), bad)


def by_kit(detections: Detections, objects: Objects, dataset: Dataset) -> Detection:
    """The verdict with the kit's ids of the classes."""
    numbers = np.array([0, *kit_numbers(dataset)], np.int32)
    theirs = replace(objects, label=numbers[objects.label])
    return detect(replace(detections, label=numbers[detections.label]), theirs, np.arange(1, len(dataset) + 1))


def detections_of(table: np.ndarray) -> Detections:
    """Rows of image, label, confidence and four edges as a submission."""
    return Detections(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2], table[:, 3:])


def leave(directory: Path, spotted: Spotted, dataset: Dataset) -> dict[str, Any]:
    """Write what was found on val into a run; the verdict, for its scores."""
    write_spotted(directory / SPOTTED, spotted.detections)
    write_submission(directory / "detections.txt", spotted.detections, dataset)
    kit = spotted.official
    return {
        "split": "val",
        "scores": [] if kit is None else [asdict(kit.mean), asdict(kit.mean_of_present)],
        "mean_ap": spotted.mean_ap,
        "ap": [] if spotted.verdict is None else [_number(each) for each in spotted.verdict.ap.tolist()],
        "detections": len(spotted.detections),
    }


def _number(value: float) -> float | None:
    """JSON knows no nan."""
    return value if np.isfinite(value) else None


def write_submission(path: Path, detections: Detections, dataset: Dataset) -> None:
    """Write them as the kit wants them: its numbers of the classes, images by their place in its list."""
    numbers = np.array([0, *kit_numbers(dataset)], np.int32)
    write_detections(path, replace(detections, label=numbers[detections.label]))


def write_spotted(path: Path, detections: Detections) -> None:
    """Keep detections, exactly, for reports."""
    table = np.column_stack([detections.image, detections.label, detections.confidence, detections.box])

    def write(place: Path) -> None:
        with open(place, "wb") as file:
            np.savez_compressed(file, detections=table)

    write_whole(path, write)


def read_spotted(path: Path) -> Detections:
    """What write_spotted wrote. Raises DataError when it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return detections_of(file["detections"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read ({error}); delete the run's scores.json and train again") from error
