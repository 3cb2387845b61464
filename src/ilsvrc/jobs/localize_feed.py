"""What a box regressor is shown: the images that have a box of their label, and what each window of them teaches."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ilsvrc.data.batch import Batch
from ilsvrc.data.loader import Epoch
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import DataError
from ilsvrc.jobs.input import Normal, Splits
from ilsvrc.reports.progress import Watch
from ilsvrc.tasks.localize import holds_pixels, target

BoxBatch = tuple[Tensor, Tensor]  # images, and (B, 6): label, whether it teaches, four edges


def boxed(dataset: Dataset) -> np.ndarray:
    """The images that have a box of their label which holds a pixel, by their places."""
    found = []
    for index in range(len(dataset)):
        sample = dataset[index]
        if sample.boxes is None or sample.box_labels is None:
            continue
        if (holds_pixels(sample.boxes) & (sample.box_labels == sample.label)).any():
            found.append(index)
    return np.array(found, np.int64)


def boxed_images(splits: Splits, watch: Watch) -> np.ndarray:
    """Those of the images to learn from, and a line of how many others there are. Raises DataError where none is."""
    found = boxed(splits.train)
    lost = len(splits.train) - len(found)
    if lost:
        watch.say(f"  {lost:,} of {len(splits.train):,} training images have no box of their label and teach none")
    if not len(found):
        raise DataError(f"no training image of {splits.path} has a box of its label; put the box files there")
    return found


class Taught:
    """An epoch's batches as images and, (B, 6), what they teach."""

    def __init__(self, epoch: Epoch, normal: Normal, device: torch.device, size: int, least_overlap: float) -> None:
        self._epoch, self._normal, self._device = epoch, normal, device
        self._size, self._least = size, least_overlap

    def __len__(self) -> int:
        return len(self._epoch)

    def __iter__(self) -> Iterator[BoxBatch]:
        for batch in self._epoch:
            taught = torch.from_numpy(taught_by(batch, self._size, self._least)).to(self._device)
            yield self._normal.images(batch, self._device), taught


def taught_by(batch: Batch, size: int, least_overlap: float) -> np.ndarray:
    """(B, 6) float32: label, 1 where there is something to learn, and the four edges."""
    assert batch.boxes is not None
    assert batch.box_labels is not None
    taught = np.zeros((len(batch.labels), 6), np.float32)
    taught[:, 0] = batch.labels
    for row, (boxes, labels) in enumerate(zip(batch.boxes, batch.box_labels, strict=True)):
        if boxes is None or labels is None or not len(boxes):
            continue
        edges = target(boxes, labels, int(batch.labels[row]), size, least_overlap)
        if edges is not None:
            taught[row, 1], taught[row, 2:] = 1.0, edges
    return taught
