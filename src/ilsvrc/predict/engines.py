"""Engines: ways to compute one network, from bit for bit to as fast as the machine can.

| engine | what it computes | what it needs |
| --- | --- | --- |
| eager | the network, bit for bit | nothing |
| fp32 | batch norms folded, channels last, float32 | nothing |
| bf16 | the same with weights and maps in bfloat16 | to be fast, a processor that multiplies it |
| compiled, compiled-bf16 | the same through torch.compile with frozen weights | a C++ compiler; on a GPU, triton |
| openvino, openvino-bf16 | OpenVINO's CPU code | the extra fast-cpu |
| int8 | OpenVINO's, 8-bit whole numbers scaled to given images | the extra fast-cpu |
"""

import importlib.util
import os
import shutil
import warnings
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.predict.folding import folded

Engine = Literal["eager", "fp32", "bf16", "compiled", "compiled-bf16", "openvino", "openvino-bf16", "int8"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
HALF: frozenset[Engine] = frozenset({"bf16", "compiled-bf16", "openvino-bf16"})  # their sums keep 8 bits of mantissa
Runner = Callable[[Tensor], Tensor]  # images (N, 3, S, S) float32, any N, to logits (N, classes) float32


def prepared(network: nn.Module, engine: Engine, images: Tensor) -> Runner:
    """The network as that engine computes it; the one given stays as it is, in eval mode.

    images (B, 3, S, S) float32 are on the device to compute on. Their size is what the runner takes; int8 is
    calibrated on all of them. Raises SpecError when the engine does not work on this machine, with the reason.
    """
    lacking = missing(engine, images.device)
    if lacking:
        raise SpecError(f"engine {engine} {lacking}; or use another engine")
    network = network.eval()
    if engine == "eager":
        return _plain(network)
    dtype = torch.bfloat16 if engine in HALF else torch.float32
    if engine in ("fp32", "bf16"):
        return _channels_last(_stored(folded(network), dtype), dtype)
    try:
        if engine.startswith("compiled"):
            return _compiled(_stored(folded(network), dtype), dtype, images)
        from ilsvrc.predict import vino

        model = vino.converted(folded(network), images.shape[-1])
        return vino.runner(vino.quantized(model, images) if engine == "int8" else model, half=engine in HALF)
    except Exception as error:  # a compiler's, of any kind
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SpecError(f"engine {engine} cannot prepare this network here ({first}); use another engine") from error


def missing(engine: Engine, device: torch.device) -> str:
    """What that engine lacks on this machine, as the rest of a sentence; empty where it lacks nothing."""
    if engine.startswith("compiled"):
        if device.type == "cuda":
            return "" if _installed("triton") else "needs the package triton; install it"
        return "" if _compiler() else "needs a C++ compiler and finds none; install g++ or set CXX"
    if engine in ("openvino", "openvino-bf16", "int8"):
        wanted = ("openvino", "nncf") if engine == "int8" else ("openvino",)
        absent = [package for package in wanted if not _installed(package)]
        if device.type != "cpu":
            return f"computes on the CPU alone and {device.type} is asked for; give --device cpu"
        if absent:
            return f"needs the package {absent[0]}; install it with pip install 'ilsvrc[fast-cpu]'"
    return ""


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))), None)


def _stored(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Weights in that type and channels last in memory; batch norms that could not be folded keep float32."""
    for module in network.modules():
        for values in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if values.is_floating_point() and not isinstance(module, nn.BatchNorm2d):
                values.data = values.data.to(dtype)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _plain(network: nn.Module) -> Runner:
    def run(images: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = network(images)
            return logits.float()

    return run


def _channels_last(network: nn.Module, dtype: torch.dtype) -> Runner:
    def run(images: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = network(images.to(dtype).contiguous(memory_format=torch.channels_last))
            return logits.float()

    return run


def _compiled(network: nn.Module, dtype: torch.dtype, images: Tensor) -> Runner:
    """Compiled for any number of images, and once more when one comes alone: a size of 1 is special to the compiler."""
    fast = torch.compile(network, options={"freezing": True})

    def run(images: Tensor) -> Tensor:
        blob = images.to(dtype).contiguous(memory_format=torch.channels_last)
        if len(blob) > 1:
            torch._dynamo.mark_dynamic(blob, 0)
        with torch.no_grad():
            logits: Tensor = fast(blob)
            return logits.float()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        run(images)
    return run
