"""Judge a box regressor on a split: a classifier's five labels, each with a box, scored by the kit's rules."""

import io
import random
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.data.batch import Batch, Views
from ilsvrc.data.decode import USUAL, Image, Reading, decode
from ilsvrc.data.kept import Kept, Prepared
from ilsvrc.data.loader import Loader, Treatment
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import BadImage, DataError
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.localize_look import Looks, one_window, seen
from ilsvrc.jobs.localize_propose import looker_for
from ilsvrc.jobs.machine import Bench
from ilsvrc.scoring import Guesses, Localization, Objects, localization_errors
from ilsvrc.spec import Crops, Dense, Regression
from ilsvrc.tasks.localize import edges_of, holds_pixels, on_image
from ilsvrc.train import checkpoint
from ilsvrc.train.loss import autocast
from ilsvrc.transforms.picture import NO_SHIFT
from ilsvrc.transforms.resample import by_themselves

TOP = 5  # guesses that the challenge counts


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a split: labels (N,), objects by ILSVRC ids of our own (label + 1), and who has one of its label.

    judged is (N,) bool: the image has a box of its label that holds a pixel.
    """

    labels: np.ndarray
    objects: Objects
    judged: np.ndarray


@dataclass(frozen=True, eq=False)
class Located:
    """Five labels and boxes for each image of a split, best first; boxes in the image's pixels, both edges inside."""

    names: tuple[str, ...]
    truth: np.ndarray  # (N,) labels
    labels: np.ndarray  # (N, G)
    probabilities: np.ndarray  # (N, G)
    boxes: np.ndarray  # (N, G, 4)
    sizes: np.ndarray  # (N, 2) width and height
    judged: np.ndarray  # (N,) bool: the image has a true box of its label


class BoxJudge:
    """A split and a protocol, ready to have boxes judged; decoded views are kept between calls.

    Images without a usable box of their label are left out of the error, and the score says how many.
    """

    def __init__(
        self,
        dataset: Dataset,
        protocol: Crops | Dense,
        regression: Regression,
        size: int,
        bench: Bench,
        reading: Reading = USUAL,
        truth: Truth | None = None,
    ) -> None:
        """Raises DataError when no image has a box of its label, unless the truth is given."""
        self.dataset, self.protocol, self.regression, self.bench = dataset, protocol, regression, bench
        self.size, self.reading = size, reading
        self.truth = truth or truth_of(dataset)
        if truth is None and not self.truth.judged.any():
            raise DataError(
                f"no image of {getattr(dataset, 'root', 'the data set')} has a box of its label; "
                "localization is judged by boxes: put the box files there"
            )
        if isinstance(protocol, Crops) and one_window(protocol):
            self.loader = windows_loader(dataset, protocol, bench, reading)

    def __call__(self, networks: tuple[nn.Module, nn.Module], normal: Normal, probabilities: np.ndarray) -> Located:
        """Boxes for the classes that a classifier finds most probable; probabilities: (N, C), in the split's order.

        networks: the box regressor, and the classifier, which is asked only where there are several windows.
        """
        if not one_window(self.protocol):
            how = self.protocol, self.regression, self.size
            return self.one_by_one(looker_for(networks, normal, how, self.bench, self.reading), probabilities)
        labels, network = ranked(probabilities), networks[0]
        boxes = np.zeros((*labels.shape, 4))
        sizes = np.zeros((len(labels), 2), np.int64)
        names: list[str] = []
        network.eval()
        with torch.inference_mode():
            for batch in self.loader.epoch(0, write=normal.writer(self.bench.device)):
                at = slice(len(names), len(names) + len(batch.names))
                numbers = self._numbers(network, normal.images(batch, self.bench.device), labels[at])
                boxes[at], sizes[at] = placed(numbers, batch, self.regression)
                names += batch.names
        chosen = np.take_along_axis(probabilities, labels, axis=1)
        return Located(tuple(names), self.truth.labels, labels, chosen, boxes, sizes, self.truth.judged)

    def one_by_one(self, looker: Looks, probabilities: np.ndarray) -> Located:
        """The same, image by image, from all windows that something looks at, whatever the judge's own protocol."""
        labels = ranked(probabilities)
        boxes, names = np.zeros((*labels.shape, 4)), []
        sizes = np.ones((len(labels), 2), np.int64)
        for index in range(len(labels)):
            sample = self.dataset[index]
            names.append(sample.name)
            try:
                pixels = decode(sample, self.reading.decoder)
            except BadImage:
                if self.reading.bad == "stop":
                    raise
                continue
            sizes[index] = pixels.shape[1], pixels.shape[0]
            boxes[index] = looker.boxes(pixels, labels[index])
        chosen = np.take_along_axis(probabilities, labels, axis=1)
        return Located(tuple(names), self.truth.labels, labels, chosen, boxes, sizes, self.truth.judged)

    def _numbers(self, network: nn.Module, images: Tensor, labels: np.ndarray) -> np.ndarray:
        """(B, G, 4) edges relative to the one window of each image, for each of its labels."""
        with autocast(self.bench.device, self.bench.precision):
            outputs = network(images.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        outputs = (outputs[0] if isinstance(outputs, tuple) else outputs).float().cpu()
        edges = edges_of(outputs.unflatten(1, (-1, 4)), self.regression.coordinates)
        places = torch.from_numpy(labels) if self.regression.per_class else torch.zeros(labels.shape, dtype=torch.long)
        return edges[torch.arange(len(edges))[:, None], places].numpy()

    def score(self, located: Located) -> Localization:
        """Both errors by the kit's rules, over the images that have a true box."""
        return verdict(located, self.truth.objects)


def placed(edges: np.ndarray, batch: Batch, regression: Regression) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (B, G, 4) on the images, and the images' sizes; each image's windows came with its views."""
    assert batch.boxes is not None
    boxes, sizes = np.zeros(edges.shape), np.zeros((len(edges), 2), np.int64)
    for place, windows in enumerate(batch.boxes):
        if windows is None:  # the image could not be decoded
            sizes[place] = 1
            continue
        width, height = (int(number) for number in windows[0, 2:])
        sizes[place] = width, height
        boxes[place] = on_image(edges[place], windows[1], width, height)
    return boxes, sizes


def ranked(probabilities: np.ndarray) -> np.ndarray:
    """(N, G) labels, most probable first; equal ones by label, lowest first."""
    top = min(TOP, probabilities.shape[1])
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :top]


def windows_loader(dataset: Dataset, protocol: Crops, bench: Bench, reading: Reading) -> Loader:
    """The protocol's views of every image; the boxes of a batch are the image's own extent and then its windows.

    All in the image's pixels, right and bottom outside; of a mirrored window left and right are exchanged.
    """

    def look(image: Image) -> tuple[np.ndarray, np.ndarray]:
        return seen(image.pixels(), protocol, reading)

    def same(image: Image | Prepared, rng: random.Random) -> Views:
        pixels, windows = (image.array, image.boxes) if isinstance(image, Prepared) else look(image)
        return Views(pixels, NO_SHIFT, windows)

    treatment = Treatment(fixed=look, drawn=same, boxes=True, reading=reading, begin=by_themselves)
    return Loader(dataset, treatment, batch=64, threads=bench.loaders, kept=Kept())


def truth_of(dataset: Dataset) -> Truth:
    """The labels and the true boxes of a split. Raises DataError when an image has no label."""
    labels, image, label, box = [], [], [], []
    judged = np.zeros(len(dataset), bool)
    for index in range(len(dataset)):
        sample = dataset[index]
        if sample.label is None:
            raise DataError(
                f"{sample.name} has no label, so no error can be computed; take a split with ground truth, or --save "
                "what is guessed"
            )
        labels.append(sample.label)
        if sample.boxes is None or sample.box_labels is None:
            continue
        good = holds_pixels(sample.boxes)
        judged[index] = bool((good & (sample.box_labels == sample.label)).any())
        image += [index] * int(good.sum())
        label += (sample.box_labels[good] + 1).tolist()
        box += sample.boxes[good].tolist()
    boxes = np.array(box, np.float64).reshape(-1, 4)
    objects = Objects(len(dataset), np.array(image, np.int64), np.array(label, np.int64), boxes)
    return Truth(np.array(labels, np.int64), objects, judged)


def unknown(images: int) -> Truth:
    """The truth of images of which nothing is known, as of a challenge's test split: labels of -1, no objects."""
    none = Objects(images, np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    return Truth(np.full(images, -1), none, np.zeros(images, bool))


def verdict(located: Located, objects: Objects) -> Localization:
    """Both errors by the kit's rules, of the images with a true box; how many are left out stands in the rules."""
    keep = np.flatnonzero(located.judged)
    place = np.full(len(located.judged), -1)
    place[keep] = np.arange(len(keep))
    mine = place[objects.image] >= 0
    kept = Objects(len(keep), place[objects.image][mine], objects.label[mine], objects.box[mine])
    guesses = Guesses(located.labels[keep] + 1, located.boxes[keep])
    found = localization_errors(guesses, located.truth[keep] + 1, kept)
    lost = len(located.judged) - len(keep)
    if not lost:
        return found
    note = f"; {lost:,} images without a box of their label are left out"
    score = replace(found.localization, rules=found.localization.rules + note, excluded=lost)
    return replace(found, localization=score)


def write_located(path: Path, located: Located) -> None:
    """As npz."""
    buffer = io.BytesIO()
    arrays = {name: getattr(located, name) for name in ("truth", "labels", "probabilities", "boxes", "sizes", "judged")}
    np.savez_compressed(buffer, names=np.array(located.names), **arrays)
    checkpoint.write_whole(path, lambda temporary: temporary.write_bytes(buffer.getvalue()))


def read_located(path: Path) -> Located:
    """What write_located wrote. Raises DataError when it is missing or damaged."""
    names = ("truth", "labels", "probabilities", "boxes", "sizes", "judged")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Located(tuple(map(str, stored["names"])), *(stored[name] for name in names))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as fault:
        raise DataError(
            f"{path} cannot be read ({fault}); delete {path.parent / 'scores.json'} and run the same command again"
        ) from fault
