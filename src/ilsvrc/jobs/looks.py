"""What each network of a race looks at: occlusion maps of a few validation images, for the report."""

from contextlib import suppress

import numpy as np

from ilsvrc.data.sample import Dataset
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import BadImage
from ilsvrc.jobs import draw
from ilsvrc.jobs.draw import Source, Subject, subject
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.reports.looks import Look, Looked
from ilsvrc.train.run import Run
from ilsvrc.viz.layers import last_maps
from ilsvrc.viz.occlusion import occlude
from ilsvrc.viz.picture import heat, jpeg, mixed, resized

IMAGES, PLACES = 2, 14  # places of the square along a side
SIDE, SQUARE = 128, 50 / 224


def looks(dataset: Dataset, runs: dict[str, Run], device: str) -> tuple[Looked, ...]:
    """Every network of `runs`, by name, at `IMAGES` images of the split that most of them got right.

    Of those, which ones is decided by their place in the split alone.
    """
    if not runs:
        return ()
    people = {name: subject(Source(run.directory, device=device)) for name, run in runs.items()}
    found = []
    for place in _chosen(runs):
        with suppress(BadImage):
            found.append(_looked(dataset, place, people))
    return tuple(found)


def _chosen(runs: dict[str, Run]) -> list[int]:
    stored = [read_predictions(run.directory / "predictions.npz") for run in runs.values()]
    right = np.sum([one.probabilities.argmax(axis=1) == one.labels for one in stored], axis=0)
    best = np.flatnonzero(right == right.max())
    places = np.linspace(0, len(best) - 1, min(IMAGES, len(best))).round().astype(int)
    return [int(place) for place in np.unique(best[places])]


def _looked(dataset: Dataset, place: int, people: dict[str, Subject]) -> Looked:
    sample = dataset[place]
    shown = [(name, who, draw.seen(who, dataset, place)) for name, who in people.items()]
    return Looked(
        name=sample.name,
        truth=dataset.classes.name(int(sample.label)) if sample.label is not None else "",
        jpeg=jpeg(resized(shown[0][2].pixels, SIDE)),
        looks=tuple(_look(name, who, image) for name, who, image in shown),
    )


def _look(name: str, who: Subject, image: draw.Seen) -> Look:
    size = who.found.image_size
    layer = last_maps(who.found.network, size)
    side, stride = max(1, round(size * SQUARE)), max(1, round(size / PLACES))
    found = occlude(who.found.network, image.blob, layer, image.label, side=side, stride=stride)
    over = resized(heat(found.probability, 0.0, float(found.probability.max())), SIDE)
    return Look(
        title=TITLES.get(name, name),
        jpeg=jpeg(mixed(resized(image.pixels, SIDE), over, 0.7)),
        clean=found.clean_probability,
        lowest=float(found.probability.min()),
    )
