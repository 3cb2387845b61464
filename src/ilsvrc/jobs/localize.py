"""Say what is in images on disk and where: five classes, each with its box."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilsvrc.data.decode import Reading, decode
from ilsvrc.data.sample import Sample
from ilsvrc.errors import DataError
from ilsvrc.jobs.draw_boxes import Labelled, write_drawing
from ilsvrc.jobs.localizer import Localizer, fused, load_localizers, speakers
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.predict import images
from ilsvrc.predict.combine import over_views
from ilsvrc.predict.members import over_members
from ilsvrc.predict.predict import cutter


@dataclass(frozen=True)
class Place:
    """One class, how likely it is, and where: xmin, ymin, xmax, ymax in pixels, both edges inside."""

    label: int
    wnid: str
    name: str
    probability: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Found:
    """One image: its places, best first, and the drawing of them; or why there are none."""

    image: str
    places: tuple[Place, ...]
    drawing: str = ""
    fault: str = ""

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        each = [
            {"wnid": p.wnid, "label_by_wnid": p.label, "name": p.name, "probability": p.probability, "box": list(p.box)}
            for p in self.places
        ]
        said: dict[str, Any] = {"image": self.image, "places": each}
        return (
            said | ({"drawing": self.drawing} if self.drawing else {}) | ({"fault": self.fault} if self.fault else {})
        )


def localize(directory: Path, words: Iterable[str], out: Path | None, top: int, bench: Bench) -> Iterator[Found]:
    """What the localization run in `directory` finds in images of files, folders and patterns.

    A PNG per image goes into `out`, of the same name, with the box of the first class, and of `top` of them at most;
    None draws nothing. Raises DataError when no image is named or the run is none; an image that cannot be read is an
    answer with a fault.
    """
    localizers, paths = load_localizers(directory), images(words)
    named = _names(paths)
    ask = Asking(localizers, bench)
    for path in paths:
        try:
            pixels = decode(Sample(str(path), path.read_bytes(), None))
        except (DataError, OSError) as error:
            yield Found(str(path), (), fault=str(error))
            continue
        places = ask(pixels)[:top]
        drawing = out / named[path] if out else None
        if drawing:
            write_drawing(drawing, pixels, [Labelled(p.box, f"{p.name} {p.probability:.0%}") for p in places[::-1]])
        yield Found(str(path), places, str(drawing or ""))


class Asking:
    """The regressors of a run, ready to be asked about one image after the other; their classifiers name together."""

    def __init__(self, localizers: Sequence[Localizer], bench: Bench) -> None:
        first = localizers[0]
        self.classes, self.device = first.classes, bench.device
        self._boxes = fused(localizers, bench, Reading(first.decoder))
        self._naming = speakers(localizers)
        self._cuts = [cutter(each.classifier_protocol, each.decoder) for each in self._naming]
        for localizer in self._naming:
            localizer.classifier.to(bench.device).eval()

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """(C,): what the classifiers say of an image, by their own protocols, whatever is looked at for the boxes."""
        said = [
            self._said(localizer, cut(pixels, random.Random(0)))
            for localizer, cut in zip(self._naming, self._cuts, strict=True)
        ]
        return np.asarray(over_members(said, [localizer.member.weight for localizer in self._naming])[0])

    def _said(self, localizer: Localizer, cuts: np.ndarray) -> np.ndarray:
        """(1, C): what one classifier makes of its views of an image, (V, S, S, 3) uint8."""
        normal = localizer.normal
        views = torch.from_numpy(np.ascontiguousarray(cuts)).to(self.device)
        images = (views.movedim(-1, -3).float() - normal.mean.to(self.device)) / normal.unit.to(self.device)
        with torch.inference_mode():
            logits = localizer.classifier(images).float()
        found: np.ndarray = over_views(logits[None], localizer.classifier_protocol.average).cpu().numpy()
        return found

    def __call__(self, pixels: np.ndarray) -> tuple[Place, ...]:
        """Five classes of an image (H, W, 3) uint8, each with its box, best first."""
        scores = self.probabilities(pixels)
        labels = np.argsort(-scores, kind="stable")[:5]
        boxes = self._boxes.boxes(pixels, labels)
        return tuple(
            Place(
                label=int(label),
                wnid=self.classes.wnids[label],
                name=self.classes.name(int(label)),
                probability=float(scores[label]),
                box=tuple(round(float(edge), 2) for edge in box),  # type: ignore[arg-type]
            )
            for label, box in zip(labels, boxes, strict=True)
        )


def _names(paths: list[Path]) -> dict[Path, str]:
    """A drawing's name for each image; of images of the same name the second gets a number."""
    used: set[str] = set()
    names = {}
    for path in paths:
        name, number = f"{path.stem}.png", 1
        while name in used:
            number += 1
            name = f"{path.stem}-{number}.png"
        used.add(name)
        names[path] = name
    return names
