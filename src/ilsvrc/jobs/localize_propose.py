"""Proposals for a class in one image at a time: in one centre crop, or in the whole image (He et al. 2015, appendix C).

What is proposed for the images to learn from is kept in files, in parts: a search that stops goes on from there.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.data.decode import Reading, decode
from ilsvrc.data.sample import Dataset, Sample
from ilsvrc.errors import BadImage, DataError
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.interrupt import Interruption, Stopped
from ilsvrc.jobs.localize_look import Looker, Looks, densely_proposed, seen, sizes_of
from ilsvrc.jobs.machine import Bench
from ilsvrc.models.regressor import ClassProposals
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Crops, Dense, Regions, Regression
from ilsvrc.tasks.class_proposals import best_proposals, moved_anchors
from ilsvrc.tasks.localize import on_image
from ilsvrc.train import checkpoint
from ilsvrc.train.loss import autocast
from ilsvrc.transforms import geometry
from ilsvrc.transforms.picture import Picture

PART = 4096  # images whose proposals are in one file
AHEAD = 16  # images decoded ahead of the network
NONE = (1, 1, 0, 0)  # a box that holds no pixel: there is no proposal at this place


class Proposer:
    """A network that proposes boxes for every class, looking at an image by a protocol."""

    def __init__(
        self, network: ClassProposals, normal: Normal, protocol: Crops | Dense, bench: Bench, reading: Reading
    ) -> None:
        self.network = network.eval()
        self.normal = normal.fitting(protocol.size if isinstance(protocol, Crops) else None)
        self.protocol, self.bench, self.reading = protocol, bench, reading

    def boxes(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(G, 4): of each label the box of its surest anchor on an image (H, W, 3) uint8, both edges inside."""
        boxes, scores = self.every(pixels, labels)
        surest = boxes[scores.argmax(dim=0), torch.arange(len(labels), device=boxes.device)]
        height, width = pixels.shape[:2]
        extent = np.array([width, height, width, height], np.float64)
        edges = (surest.cpu().numpy().astype(np.float64) + np.array([0, 0, 1, 1])) / extent
        return on_image(edges, np.array([0, 0, width, height]), width, height)

    def proposals(self, pixels: np.ndarray, labels: np.ndarray, how: Regions) -> list[Tensor]:
        """Of each label its proposals, (K, 4) in whole pixels of the image, surest first."""
        boxes, scores = (each.cpu() for each in self.every(pixels, labels))
        size = pixels.shape[1], pixels.shape[0]
        return [best_proposals(boxes[:, place], scores[:, place], size, how) for place in range(len(labels))]

    def every(self, pixels: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
        """The boxes of all anchors of all looks on the image, (P, G, 4), and their logits, (P, G)."""
        wanted = torch.from_numpy(np.asarray(labels, np.int64)).to(self.bench.device)
        boxes, scores = [], []
        for look, window in self._looks(pixels):
            with torch.inference_mode(), autocast(self.bench.device, self.bench.precision):
                found, sure = moved_anchors(self.network, self._image(look), wanted)
            boxes.append(placed(found, look.shape[1], look.shape[0], window))
            scores.append(sure)
        return torch.cat(boxes), torch.cat(scores)

    def _looks(self, pixels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What is looked at, (H, W, 3) uint8, and the window of the image that it shows.

        Left and right of a mirrored one are exchanged.
        """
        if isinstance(self.protocol, Crops):
            views, windows = seen(pixels, self.protocol, self.reading)
            yield views[0], windows[1]
            return
        height, width = pixels.shape[:2]
        for high, wide in sizes_of(self.protocol, height, width, self.network.size):
            whole = geometry.resized(Picture(pixels, resampler=self.reading.decoder), wide, high).pixels
            yield whole, np.array([0.0, 0.0, width, height])
            if self.protocol.mirror:
                yield whole[:, ::-1], np.array([width, 0.0, 0.0, height])

    def _image(self, look: np.ndarray) -> Tensor:
        images = self.normal.shown(np.ascontiguousarray(look)[None], self.bench.device)
        return images.contiguous(memory_format=torch.channels_last)


def placed(boxes: Tensor, width: int, height: int, window: np.ndarray) -> Tensor:
    """Boxes (..., 4) in the pixels of a look of that size, on the image that it shows the window (4,) of."""
    left, top, right, bottom = window.tolist()
    scale = boxes.new_tensor([(right - left) / width, (bottom - top) / height] * 2)
    edges = (boxes + boxes.new_tensor([0, 0, 1, 1])) * scale + boxes.new_tensor([left, top, left, top])
    if right < left:
        edges = edges[..., [2, 1, 0, 3]]
    return edges - boxes.new_tensor([0, 0, 1, 1])


def looker_for(
    networks: tuple[nn.Module, nn.Module],
    normal: Normal,
    how: tuple[Crops | Dense, Regression, int],
    bench: Bench,
    reading: Reading,
) -> Looks:
    """What looks with a regressor and a classifier; how: the protocol, how boxes are regressed, the windows' size."""
    protocol, regression, size = how
    if isinstance(networks[0], ClassProposals) and densely_proposed(protocol):
        return Proposer(networks[0], normal, protocol, bench, reading)
    return Looker(networks, normal, protocol, regression, size, bench, reading)


class Proposed:
    """The proposals of the images of a data set, each for its own class, as files have them; memory is not filled."""

    def __init__(self, files: Sequence[Path], count: int, kept: int) -> None:
        self._parts = [_opened(file, min(PART, count - PART * place), kept) for place, file in enumerate(files)]

    def of(self, index: int) -> np.ndarray:
        """(K, 4) float32, surest first; none where nothing was proposed."""
        boxes = np.asarray(self._parts[index // PART][index % PART], np.float32)
        return boxes[boxes[:, 2] >= boxes[:, 0]]

    def some(self) -> np.ndarray:
        """The images that have any, by their places."""
        first = np.concatenate([np.asarray(part[:, 0], np.int64) for part in self._parts])
        return np.flatnonzero(first[:, 2] >= first[:, 0])


def _opened(file: Path, count: int, kept: int) -> np.ndarray:
    try:
        part: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
        if part.shape != (count, kept, 4) or part.dtype != np.uint16:
            raise ValueError(f"it has {part.shape} of {part.dtype}")
    except (OSError, ValueError, EOFError) as fault:
        raise DataError(
            f"{file} has no proposals that can be read ({fault}); delete it and run the same command again"
        ) from fault
    return part


def propose(proposer: Proposer, dataset: Dataset, folder: Path, how: Regions, watch: Watch) -> Proposed:
    """The proposals of every image of `dataset` for its own label, found unless they stand in `folder`.

    An image that cannot be decoded has none, where such are passed over. Raises Stopped when a signal asked to stop:
    parts that are whole stay.
    """
    starts = range(0, len(dataset), PART)
    files = [folder / f"{start // PART:06d}.npy" for start in starts]
    with Interruption() as interruption, watch.stage("proposals", len(dataset)) as stage:
        for start, file in zip(starts, files, strict=True):
            if file.exists():
                continue
            count = min(PART, len(dataset) - start)
            found = np.full((count, how.kept, 4), NONE, np.uint16)
            for place, (pixels, label) in enumerate(_decoded(dataset, range(start, start + count), proposer)):
                if interruption.asked():
                    raise Stopped(
                        f"stopped after the proposals of {start:,} images, kept in {folder}; the same command goes on "
                        "from there",
                        interruption.number or 2,
                    )
                stage.at(start + place)
                if pixels is not None:
                    (boxes,) = proposer.proposals(pixels, np.array([label]), how)
                    found[place, : len(boxes)] = boxes.numpy().clip(max=np.iinfo(np.uint16).max)
            checkpoint.write_whole(file, lambda place, found=found: _write(place, found))  # type: ignore[misc]
    return Proposed(files, len(dataset), how.kept)


def _write(place: Path, found: np.ndarray) -> None:
    with place.open("wb") as file:
        np.lib.format.write_array(file, found, allow_pickle=False)


def _decoded(dataset: Dataset, places: range, proposer: Proposer) -> Iterator[tuple[np.ndarray | None, int]]:
    """Pixels and label of each image, decoded ahead by threads; no pixels where it cannot be and is passed over."""
    reading = proposer.reading

    def one(sample: Sample) -> np.ndarray | None:
        try:
            return decode(sample, reading.decoder)
        except BadImage:
            if reading.bad == "stop":
                raise
            return None

    pending: deque[tuple[Future[np.ndarray | None], int]] = deque()
    with ThreadPoolExecutor(max(1, proposer.bench.loaders)) as pool:
        for place in places:
            sample = dataset[place]
            pending.append((pool.submit(one, sample), -1 if sample.label is None else sample.label))
            if len(pending) > AHEAD:
                future, label = pending.popleft()
                yield future.result(), label
        for future, label in pending:
            yield future.result(), label
