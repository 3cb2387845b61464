"""Weights: where a network's numbers are from, and what they expect to be shown.

A network computes on exactly the blob its original expects; `preprocess` makes that blob from an image.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc.errors import WeightsError

CAFFE_RANGE, UNIT_RANGE = 255.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The record beside a network's weights; every field survives `as_json` and `from_json`."""

    model: str  # a name in models.MODELS
    origin: str  # whose release in which format: 'BVLC, Caffe'
    licence: str  # of the weights, as their authors state it; 'unverified' where that was not seen
    sha256: str  # of the file they were read from
    channels: Literal["RGB", "BGR"]
    top: float  # of the range a pixel has before the mean is removed: 255 or 1
    mean: tuple[float, float, float]  # per channel, in the order of `channels`, in that range
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    image_size: int = 224  # pixels on a side of what the network sees
    resize: int = 256  # pixels; of the shorter side, or of both where `warp`
    warp: bool = False  # to a square whatever the shape of the image, as AlexNet's training images were
    order: Literal["wnid", "devkit", "own"] = "wnid"  # of the classes: by WordNet id, by ILSVRC2012_ID, or `wnids`
    wnids: tuple[str, ...] = ()  # of the classes where the order is 'own'
    classes: int = 1000
    width: float = 1.0
    error: str = ""  # a measured error with its split, protocol and source; empty where none is known
    note: str = ""  # what one should know of this file: 'without side heads'

    def preprocess(self, image: Any) -> Tensor:
        """The blob of one image, (1, 3, image_size, image_size), as the network expects it.

        image is RGB, (H, W, 3) uint8, or anything `numpy.asarray` makes that of, such as a Pillow image.
        Resized with antialiasing, centre cropped at the whole offset below, channels ordered, scaled,
        mean removed. Raises WeightsError for another shape or type.
        """
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise WeightsError(
                f"an image of shape {pixels.shape} and type {pixels.dtype} cannot be shown to {self.model}; "
                "give RGB, (H, W, 3) uint8: for Pillow, image.convert('RGB')"
            )
        blob = torch.from_numpy(np.ascontiguousarray(pixels).copy()).permute(2, 0, 1)[None]
        blob = self._crop(F.interpolate(blob, self._resized(*pixels.shape[:2]), mode="bilinear", antialias=True))
        return self.normalise(blob)

    def normalise(self, pixels: Tensor) -> Tensor:
        """RGB pixels (N, 3, H, W), 0 to 255, as the network expects them, float32."""
        ordered = pixels.float().flip(1) if self.channels == "BGR" else pixels.float()
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        return (ordered * (self.top / 255.0) - mean) / std

    def restore(self, blob: Tensor) -> Tensor:
        """What `normalise` was given: RGB pixels (N, 3, H, W), 0 to 255, of what a network is shown."""
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        pixels = (blob.cpu() * std + mean) * (255.0 / self.top)
        return pixels.flip(1) if self.channels == "BGR" else pixels

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if self.warp:
            return self.resize, self.resize
        short = min(height, width)
        return max(self.resize, height * self.resize // short), max(self.resize, width * self.resize // short)

    def _crop(self, pixels: Tensor) -> Tensor:
        top, left = ((side - self.image_size) // 2 for side in pixels.shape[2:])
        return pixels[:, :, top : top + self.image_size, left : left + self.image_size]

    def as_json(self) -> str:
        """One JSON object, for the metadata of a file."""
        return json.dumps(asdict(self))


def from_json(text: str, where: str) -> Weights:
    """What `as_json` wrote; `where` names it in errors. Raises WeightsError when it is something else."""
    try:
        values: dict[str, Any] = json.loads(text)
        known = {field.name for field in fields(Weights)}
        listed: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items() if n in known}
        record = Weights(**listed)
        _check(record)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{where} has a record of its weights that cannot be read ({str(error)[:200]}); convert it anew"
        ) from error
    return record


def _check(record: Weights) -> None:
    """Raise ValueError for values that no record of ours has."""
    numbers = (*record.mean, *record.std, record.top, record.width)
    sizes = (record.image_size, record.resize, record.classes)
    texts = (record.model, record.origin, record.licence, record.sha256, record.error, record.note, *record.wnids)
    right = (
        len(record.mean) == len(record.std) == 3
        and all(isinstance(n, int | float) and abs(n) < 1e6 for n in numbers)
        and all(isinstance(n, int) and 0 < n < 1 << 20 for n in sizes)
        and all(isinstance(t, str) for t in texts)
        and len(record.model) <= 64
        and record.image_size <= record.resize
        and min(*record.std, record.top, record.width) > 0
        and record.channels in ("RGB", "BGR")
        and record.order in ("wnid", "devkit", "own")
        and (record.order != "own" or len(set(record.wnids)) == len(record.wnids) == record.classes)
    )
    if not right:
        raise ValueError("a value is of the wrong kind")
