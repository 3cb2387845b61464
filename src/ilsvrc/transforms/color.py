"""Colour noise of the papers: PCA lighting and photometric distortion."""

import random
from dataclasses import replace

import numpy as np

from ilsvrc.transforms.picture import Picture

# RGB, pixels in [0, 1]. Everybody copies these from fb.resnet.torch; they are eigenvalues of no published
# covariance, nor their roots: fixed constants, used as Krizhevsky's code uses standard deviations.
EIGENVALUES = np.array([0.2175, 0.0188, 0.0045], np.float32)
EIGENVECTORS = np.array(
    [
        [-0.5675, 0.7192, 0.4009],
        [-0.5808, -0.0045, -0.8140],
        [-0.5836, -0.6948, 0.4203],
    ],
    np.float32,
)
Axes = tuple[tuple[float, float, float], ...]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def pca_lighting(picture: Picture, rng: random.Random, std: float, axes: Axes | None = None) -> Picture:
    """Add p · (a * l) to every pixel, a ~ N(0, std) per component (Krizhevsky et al. 2012, section 4.1).

    axes is (3, 3), column k is p of component k times its l, of pixels in [0, 1]; by default the constants above. The
    authors' code has standard deviations for l, where their text has eigenvalues, which depend on the pixels' unit.
    """
    alpha = np.array([rng.gauss(0, std) for _ in range(3)], np.float32)
    shift = 255 * (EIGENVECTORS @ (alpha * EIGENVALUES) if axes is None else np.array(axes, np.float32) @ alpha)
    return replace(picture, shift=picture.shift + shift)


def color_jitter(picture: Picture, rng: random.Random, strength: float) -> Picture:
    """Brightness, contrast and saturation, each by a factor in 1 ± `strength`, in random order.

    Howard 2013 draws in [0.5, 1.5]; fb.resnet.torch uses 0.4. Values are rounded and clipped to uint8 at the end.
    """
    pixels = picture.pixels.astype(np.float32)
    changes = [_brightness, _contrast, _saturation]
    rng.shuffle(changes)
    for change in changes:
        pixels = change(pixels, 1 + rng.uniform(-strength, strength))
    return replace(picture, pixels=np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def _brightness(pixels: np.ndarray, factor: float) -> np.ndarray:
    return pixels * np.float32(factor)


def _contrast(pixels: np.ndarray, factor: float) -> np.ndarray:
    grey = np.float32((pixels @ LUMA).mean())
    return grey + np.float32(factor) * (pixels - grey)


def _saturation(pixels: np.ndarray, factor: float) -> np.ndarray:
    grey = (pixels @ LUMA)[..., None]
    return grey + np.float32(factor) * (pixels - grey)
