"""A small data set, decoded once and kept in memory: what many short trainings on the same images are fed from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ilsvrc.train.loop import Batch, Place


@dataclass(frozen=True, eq=False)
class Pixels:
    """Images as uint8 (N, 3, P, P), P the side of a crop and its margin, with labels (N,) int64; all on one device."""

    train: Tensor
    labels: Tensor
    val: Tensor
    val_labels: Tensor
    classes: int
    fingerprint: str  # of the data set

    def normal(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the training images' colours, (1, 3, 1, 1) each, on the scale of 0 to 255."""
        pixels = self.train[:4096].float()
        return pixels.mean(dim=(0, 2, 3), keepdim=True), pixels.std(dim=(0, 2, 3), keepdim=True)


class Feed:
    """Batches of random crops in an order that is a function of (seed, epoch), and central crops to judge on."""

    def __init__(self, pixels: Pixels, size: int, batch: int, seed: int) -> None:
        self.pixels, self.size, self.batch, self.seed = pixels, size, batch, seed
        self.mean, self.deviation = pixels.normal()

    def epoch(self, place: Place) -> "Epoch":
        """The whole epoch at `place`."""
        return Epoch(self, place.epoch)

    def normalised(self, crops: Tensor) -> Tensor:
        """uint8 to what a network sees, float32 and channels last in memory."""
        images: Tensor = ((crops.float() - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        return images

    def central(self, images: Tensor) -> Tensor:
        """The central crops, normalised."""
        edge = (images.shape[-1] - self.size) // 2
        return self.normalised(images[..., edge : edge + self.size, edge : edge + self.size])


class Epoch:
    """One pass over the training images. A last one alone joins the batch before: batch norm cannot take one."""

    def __init__(self, feed: Feed, epoch: int) -> None:
        self.feed, self.epoch = feed, epoch

    def __len__(self) -> int:
        return max(1, -(-(len(self.feed.pixels.train) - 1) // self.feed.batch))

    def __iter__(self) -> Iterator[Batch]:
        feed, images = self.feed, self.feed.pixels.train
        words = f"{feed.seed} {self.epoch}".encode()
        drawn = torch.Generator().manual_seed(int.from_bytes(hashlib.blake2b(words, digest_size=7).digest(), "little"))
        order = torch.randperm(len(images), generator=drawn)
        corners = torch.randint(images.shape[-1] - feed.size + 1, (len(images), 2), generator=drawn).tolist()
        ends = [feed.batch * number for number in range(1, len(self))]
        for chosen in torch.tensor_split(order, ends):
            crops = [images[i, :, y : y + feed.size, x : x + feed.size] for i in chosen for y, x in [corners[i]]]
            yield feed.normalised(torch.stack(crops)), feed.pixels.labels[chosen]
