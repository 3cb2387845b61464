"""Selective search: boxes of an image that may hold an object, of any class. Uijlings et al. 2013.

The only file that knows OpenCV, whose contributed modules compute it; the extra proposals installs them. What R-CNN's
code does besides, resizing and leaving out small boxes and doubles, is done here.
"""

from functools import cache
from typing import Any

import numpy as np

from ilsvrc.errors import SpecError
from ilsvrc.spec import Search

HIGHEST = 4  # times as high as `Search.width` an image is searched at most: a strip would be enlarged without end


def searched(pixels: np.ndarray, how: Search) -> np.ndarray:
    """(P, 4) int32: the proposals of an RGB image (H, W, 3) uint8, as xmin, ymin, xmax, ymax, both edges inside.

    Pixels are those of the image as it is given, from 0; boxes are in order of their edges, each once. The same image
    gives the same boxes, in any thread. OpenCV shuffles the groups before it gives them, so it knows no better ones.
    Raises SpecError where OpenCV's contributed modules are missing.
    """
    cv = opencv()
    height, width = pixels.shape[:2]
    scale = min(how.width / width, HIGHEST * how.width / height)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    nearer = cv.INTER_AREA if scale < 1 else cv.INTER_LINEAR
    image = cv.resize(np.ascontiguousarray(pixels[:, :, ::-1]), (columns, rows), interpolation=nearer)
    found = _grouped(cv, image, how)
    found = found[(found[:, 2:] >= min(how.least_side, columns, rows)).all(axis=1)]
    edges = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)  # right, bottom: outside
    edges = np.round(edges * np.array([width / columns, height / rows] * 2)).astype(np.int32)
    boxes = np.concatenate([edges[:, :2], edges[:, 2:] - 1], axis=1)
    return np.unique(boxes[(boxes[:, 2:] >= boxes[:, :2]).all(axis=1)], axis=0).reshape(-1, 4)


def _grouped(cv: Any, image: np.ndarray, how: Search) -> np.ndarray:
    """(G, 4) float64: left, top, width and height of every group of superpixels of a BGR image."""
    kit = cv.ximgproc.segmentation
    search = kit.createSelectiveSearchSegmentation()
    search.setBaseImage(image)
    for colours in (cv.COLOR_BGR2HSV, cv.COLOR_BGR2Lab):
        search.addImage(cv.cvtColor(image, colours))
    for size in how.superpixels:
        search.addGraphSegmentation(kit.createGraphSegmentation(how.sigma, float(size), size))
    for colour in (True, False):
        likeness = [
            *([kit.createSelectiveSearchSegmentationStrategyColor()] if colour else []),
            kit.createSelectiveSearchSegmentationStrategyTexture(),
            kit.createSelectiveSearchSegmentationStrategySize(),
            kit.createSelectiveSearchSegmentationStrategyFill(),
        ]
        together = kit.createSelectiveSearchSegmentationStrategyMultiple()
        for one in likeness:
            together.addStrategy(one, 1 / len(likeness))
        search.addStrategy(together)
    return np.asarray(search.process(), np.float64).reshape(-1, 4)


@cache
def opencv() -> Any:
    """OpenCV with its contributed modules, one thread per call. Raises SpecError with what to install."""
    try:
        import cv2
    except ImportError as error:
        raise SpecError(
            "to compute proposals takes OpenCV, which is not installed; pip install 'ilsvrc[proposals]', or give a "
            "file of proposals"
        ) from error
    if not hasattr(getattr(cv2, "ximgproc", None), "segmentation"):
        raise SpecError(
            "the OpenCV that is installed lacks its contributed modules, which compute proposals; pip uninstall its "
            "other packages (opencv-python), then pip install 'ilsvrc[proposals]'"
        )
    cv2.setNumThreads(1)
    return cv2
