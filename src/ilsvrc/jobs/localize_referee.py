"""Boxes from proposals that are judged again, one image at a time: by one network, or by several together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.localize_propose import Proposer
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.region_feed import warp_of
from ilsvrc.models.rcnn import RegionClassifier
from ilsvrc.spec import Regions
from ilsvrc.tasks.class_regions import agreed, judged
from ilsvrc.tasks.localize import on_image
from ilsvrc.train.loss import autocast


@dataclass(frozen=True, eq=False)
class Side:
    """What proposes, and the network that judges it, which sees `size` pixels of what `normal` makes of them."""

    proposer: Proposer
    network: RegionClassifier
    normal: Normal
    how: Regions
    size: int
    weight: float = 1.0  # of what it says, relative to others


class Referee:
    """Proposals and what judges them again, looking at an image: of each class the box of the surest.

    Of several sides every network judges the proposals of all; boxes and probabilities are averaged by weight.
    """

    def __init__(self, sides: Sequence[Side], bench: Bench) -> None:
        self.sides, self.bench = tuple(sides), bench
        for side in self.sides:
            side.network.eval()
        self.warps = [warp_of(side.size, side.how, side.normal) for side in self.sides]

    def boxes(self, pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(G, 4) boxes for those labels on an image (H, W, 3) uint8, both edges inside.

        A class without a proposal has the box of its surest anchor, of the first side's.
        """
        height, width = pixels.shape[:2]
        each = [side.proposer.proposals(pixels, labels, side.how) for side in self.sides]
        given = [torch.cat(some).to(self.bench.device) for some in zip(*each, strict=True)]
        found = self._judged(pixels, given, labels)
        boxes = np.zeros((len(labels), 4))
        for place, (some, scores) in enumerate(found):
            if len(some):
                edges = some[scores.argmax()].double().cpu().numpy() + np.array([0, 0, 1, 1])
                window, extent = np.array([0, 0, width, height]), np.array([width, height, width, height])
                boxes[place] = on_image(edges / extent, window, width, height)
            else:
                boxes[place] = self.sides[0].proposer.boxes(pixels, labels[place : place + 1])[0]
        return boxes

    def _judged(self, pixels: np.ndarray, given: Sequence[Tensor], labels: np.ndarray) -> list[tuple[Tensor, Tensor]]:
        """Of each label its proposals, moved, and how sure of them all sides are."""
        image = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.bench.device).movedim(-1, 0).float()
        size = pixels.shape[1], pixels.shape[0]
        with torch.inference_mode(), autocast(self.bench.device, self.bench.precision):
            found = [
                judged(side.network, self._crops(place, image), given, labels.tolist(), size, side.how)
                for place, side in enumerate(self.sides)
            ]
        return found[0] if len(found) == 1 else agreed(found, [side.weight for side in self.sides])

    def _crops(self, place: int, image: Tensor) -> Callable[[Tensor], Tensor]:
        """What cuts regions of the image (3, H, W) for the network of one side."""
        normal, warp = self.sides[place].normal, self.warps[place]
        mean, unit = normal.mean.to(image.device), normal.unit.to(image.device)

        def crops(regions: Tensor) -> Tensor:
            return ((warp(image, regions) - mean) / unit).contiguous(memory_format=torch.channels_last)

        return crops
