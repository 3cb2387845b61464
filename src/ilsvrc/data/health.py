"""What is odd about an encoded image: not decodable, truncated, CMYK, in another format than its name says, enormous.

The known odd files of the challenge's training images are named here, so that a report can tell them from new ones.
"""

import io
import threading
import warnings
from dataclasses import dataclass

from PIL import Image

from ilsvrc.data.decode import LARGEST, decode
from ilsvrc.data.sample import Sample
from ilsvrc.errors import DataError

ALONE = threading.Lock()  # warnings are caught for all threads at once: what one image says must not be told of another
BAD = {"undecodable", "unreadable", "truncated", "empty", "enormous"}  # images to leave out; the rest decodes
KNOWN: dict[str, frozenset[str]] = {  # collected from public lists of those who decoded all of them
    "png": frozenset({"n02105855_2933"}),
    "exif": frozenset({"n04152593_17460"}),
    "cmyk": frozenset(
        {
            *("n01739381_1309", "n02077923_14822", "n02447366_23489", "n02492035_15739", "n02747177_10752"),
            *("n03018349_4028", "n03062245_4620", "n03347037_9675", "n03467068_12171", "n03529860_11437"),
            *("n03544143_17228", "n03633091_5218", "n03710637_5125", "n03961711_5286", "n04033995_2932"),
            *("n04258138_17003", "n04264628_27969", "n04336792_7448", "n04371774_5854", "n04596742_4225"),
            *("n07583066_647", "n13037406_4650"),
        }
    ),
}


@dataclass(frozen=True)
class Health:
    """What one image is like. width and height are in pixels, 0 where the header cannot be read."""

    oddities: tuple[str, ...]  # empty for a JPEG like nearly all; grey ones are not odd
    width: int
    height: int
    mode: str  # Pillow's: 'RGB', 'L', 'CMYK'
    detail: str = ""  # the decoder's words where it failed

    @property
    def bad(self) -> bool:
        """Whether training must leave it out."""
        return any(oddity in BAD for oddity in self.oddities)


def health(sample: Sample) -> Health:
    """Decode an image and say what is odd about it. Never raises for what the bytes are."""
    if not sample.jpeg:
        return Health(("empty",), 0, 0, "", "0 bytes")
    oddities = []
    try:
        with ALONE, warnings.catch_warnings(record=True) as said, Image.open(io.BytesIO(sample.jpeg)) as image:
            warnings.simplefilter("always")
            form, mode, (width, height) = image.format or "", image.mode, image.size
            broken = _exif_is_broken(image) or any("EXIF" in str(each.message) for each in said)
    except Image.DecompressionBombError as error:
        return Health(("enormous",), 0, 0, "", str(error))
    except (OSError, ValueError, SyntaxError) as error:
        return Health(("undecodable",), 0, 0, "", str(error))
    if width * height > LARGEST:
        return Health(("enormous",), width, height, mode, f"{width} by {height} pixels")
    if form not in ("JPEG", "MPO"):
        oddities.append(form.lower())
    if mode == "CMYK":
        oddities.append("cmyk")
    if broken:
        oddities.append("exif")
    detail = ""
    try:
        if oddities:  # Pillow's turn, with its warnings
            with ALONE, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                decode(sample)
        else:
            decode(sample)
    except DataError as error:
        detail = str(error.__cause__ or error)
        oddities.append("truncated" if "truncated" in detail.lower() else "undecodable")
    return Health(tuple(oddities), width, height, mode, detail)


def _exif_is_broken(image: Image.Image) -> bool:
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            dict(image.getexif())
    except Exception:  # Pillow raises almost anything on a damaged block
        return True
    return bool(said)


def is_known(name: str, oddity: str) -> bool:
    """Whether that image of the challenge is known to be odd in that way."""
    return name in KNOWN.get(oddity, frozenset())
