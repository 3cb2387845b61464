"""From the bytes of an image to its pixels: the one home of decoders.

The fast decoder (simplejpeg, which carries libjpeg-turbo) gives Pillow's pixels to the bit; what it refuses, and every
other format, is Pillow's. Of a JPEG whose lower rows nobody asks for, the decoder is told that it is shorter: most of
the time goes into the entropy coding, row after row from the top.
"""

import io
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import simplejpeg
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from ilsvrc.data.sample import Sample
from ilsvrc.errors import BadImage

LARGEST = 178_956_970  # pixels; Pillow's limit against decompression bombs (a quarter GiB of grey, twice)
PPM = re.compile(rb"P6\n([1-9][0-9]{0,8}) ([1-9][0-9]{0,8})\n255\n")  # as `ilsvrc pack --raw` writes it
# The one complaint about a JPEG that was declared shorter than it is: the rest of its data, up to its true end.
REST_IS_LEFT = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9")
PASSED_OVER = {0xC4, 0xDB, 0xFE, *range(0xE0, 0xF0)}  # segments before a scan that say nothing of how it is coded
BLOCK = 16  # rows that are coded together at most

Decoder = Literal["fast", "reference"]


@dataclass(frozen=True)
class Reading:
    """How images are read: part of what decides a run.

    decoder: 'fast', or 'reference' for Pillow's decoding and resampling to the bit.
    bad: what becomes of an image that cannot be decoded. 'stop' refuses it; 'skip' lets another stand in for it where
    networks learn, and counts it as wrong where they are judged.
    """

    decoder: Decoder = "fast"
    bad: Literal["stop", "skip"] = "stop"


USUAL = Reading()


class Image:
    """One image: its size at once, its pixels when they are asked for.

    height and width are in pixels; boxes and box_labels are the sample's. EXIF rotation is ignored, as the published
    accuracies ignore it. Raises BadImage with the sample's name when the bytes are no image.
    """

    def __init__(self, sample: Sample, decoder: Decoder = "fast") -> None:
        self.name, self.label = sample.name, -1 if sample.label is None else sample.label
        self.boxes, self.box_labels = sample.boxes, sample.box_labels
        self._sample = sample
        size = _jpeg_size(sample.jpeg) if decoder == "fast" else None
        self._decoded = None if size else _decoded(sample)
        self.height, self.width = size or self._decoded.shape[:2]  # type: ignore[union-attr]

    @property
    def held(self) -> int:
        """Bytes of memory: encoded, and decoded where it is."""
        return len(self._sample.jpeg) + (0 if self._decoded is None else self._decoded.nbytes)

    def pixels(self, rows: int | None = None) -> np.ndarray:
        """(H, W, 3) uint8, RGB; not to be written to. With `rows` the lower ones may be missing.

        Damage below these rows goes unseen; a file that was cut short does not.
        """
        if self._decoded is None and rows is not None:
            part = _upper_rows(self._sample.jpeg, self.height, self.width, rows)
            if part is not None:
                return part
        if self._decoded is None:
            self._decoded = _whole(self._sample)
        return self._decoded


def decode(sample: Sample, decoder: Decoder = "fast") -> np.ndarray:
    """The sample's pixels, (H, W, 3) uint8, RGB, as `Image` says."""
    return Image(sample, decoder).pixels()


def _jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
    """Height and width of a JPEG, or None where Pillow has to decide."""
    if jpeg[:2] != b"\xff\xd8":
        return None
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError:
        return None
    return (height, width) if height * width <= LARGEST else None


def _whole(sample: Sample) -> np.ndarray:
    try:
        return np.asarray(simplejpeg.decode_jpeg(sample.jpeg, colorspace="RGB"))
    except ValueError:
        return _by_pillow(sample)  # CMYK, truncated or odd: Pillow decides


def _upper_rows(jpeg: bytes, height: int, width: int, rows: int) -> np.ndarray | None:
    """At least the upper `rows`, to the bit; None where only the whole image can be decoded, or is worth it."""
    kept = -(-(rows + 2) // BLOCK) * BLOCK  # the rows around one decide its colour where colours are coded coarsely
    place = _height_place(jpeg) if kept <= height - BLOCK else None
    if place is None:
        return None
    shorter = bytearray(jpeg)
    shorter[place : place + 2] = kept.to_bytes(2, "big")
    pixels = np.empty((kept, width, 3), np.uint8)
    try:
        simplejpeg.decode_jpeg(shorter, colorspace="RGB", buffer=pixels)
    except ValueError as error:
        return pixels if REST_IS_LEFT.match(str(error)) else None
    return None  # there was nothing after these rows, so the height it declared was not the true one


def _height_place(jpeg: bytes) -> int | None:
    """Where the height stands in a JPEG of one sequential scan without restart markers; None for any other."""
    place, found, components = 2, None, 0
    while place + 10 < len(jpeg) and jpeg[place] == 0xFF:
        marker = jpeg[place + 1]
        if marker in (0xC0, 0xC1):
            found, components = place + 5, jpeg[place + 9]
        elif marker == 0xDA:
            return found if jpeg[place + 4] == components else None
        elif marker not in PASSED_OVER:
            return None
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return None


def _decoded(sample: Sample) -> np.ndarray:
    """The pixels of anything but a JPEG, and of every image by the reference."""
    head = PPM.match(sample.jpeg)
    return _raw_pixels(sample, head) if head else _by_pillow(sample)


def _raw_pixels(sample: Sample, head: re.Match[bytes]) -> np.ndarray:
    """The pixels of a PPM, in the memory of its bytes."""
    width, height = int(head[1]), int(head[2])
    wanted = head.end() + height * width * 3
    if height * width > LARGEST or len(sample.jpeg) != wanted:
        raise _bad(sample, f"{height} rows of {width} pixels take {wanted:,} bytes")
    return np.frombuffer(sample.jpeg, np.uint8, offset=head.end()).reshape(height, width, 3)


def _by_pillow(sample: Sample) -> np.ndarray:
    try:
        with PillowImage.open(io.BytesIO(sample.jpeg)) as image:
            if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255
                grey = (np.asarray(image, np.int32) >> 8).clip(0, 255).astype(np.uint8)
                return np.repeat(grey[..., None], 3, axis=2)
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise _bad(sample, "its format is none that is known") from error  # Pillow names an object in memory
    except (OSError, ValueError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise _bad(sample, str(error)) from error


def _bad(sample: Sample, why: str) -> BadImage:
    return BadImage(
        f"{sample.name} ({len(sample.jpeg):,} bytes) is not an image that can be decoded ({why}); "
        "replace the file or take it out of the data set"
    )
