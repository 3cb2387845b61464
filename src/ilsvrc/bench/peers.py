"""Peers that benchmarks measure beside ours: none is a dependency, so each is imported when it is asked for.

torchvision's wheel has a compiled part that does not load beside a CPU build of torch, and its import then stops at an
operator nobody declared. Declared by name alone, its networks, transforms and data sets work; its operators do not.
"""

import sys
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
)
_declared: list[Any] = []  # a declaration lasts as long as its object


@cache
def torchvision() -> Any:
    """The module, with its `transforms`, `datasets` and `models`. Raises ImportError where it is not installed."""
    try:
        return import_module("torchvision")
    except RuntimeError:  # an operator that its compiled part would have declared
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for operator in OPERATORS:
            library.define(operator)
        _declared.append(library)
        return import_module("torchvision")


@cache
def timm() -> Any:
    """The module, which needs torchvision. Raises ImportError where either is not installed."""
    torchvision()
    return import_module("timm")


def version_of(package: str) -> str:
    """Its version, or that it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
