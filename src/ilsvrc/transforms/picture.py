"""A decoded sample: what every transform takes and returns."""

from dataclasses import dataclass, field

import numpy as np

from ilsvrc.transforms.resample import Resampler

NO_BOXES, NO_SHIFT = np.zeros((0, 4), np.float32), np.zeros(3, np.float32)
NO_BOXES.flags.writeable = NO_SHIFT.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels, the boxes on them, and a colour shift that is added after the mean is subtracted.

    pixels is (H, W, 3) uint8, RGB. boxes is (B, 4), each row xmin, ymin, xmax, ymax, both edges inside.
    shift is (3,) float32 on the 0-255 scale: Krizhevsky et al. 2012 add their colour noise to the
    mean-subtracted image without clipping, which uint8 cannot hold. resampler says how it is resized.
    beyond says that boxes keep what lies outside of the pixels, instead of being cut with them.
    """

    pixels: np.ndarray
    boxes: np.ndarray = field(default_factory=lambda: NO_BOXES)
    shift: np.ndarray = field(default_factory=lambda: NO_SHIFT)
    resampler: Resampler = "fast"
    beyond: bool = False

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    def showing(self, pixels: np.ndarray) -> "Picture":
        """The same picture with other pixels; dataclasses.replace takes four times as long, under Python's lock."""
        return Picture(pixels, self.boxes, self.shift, self.resampler)
