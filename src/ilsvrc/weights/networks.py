"""Weights into our networks: a file of whatever origin to a network in eval mode and the record of its weights."""

import hashlib
from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor, nn

from ilsvrc import models
from ilsvrc.errors import WeightsError
from ilsvrc.weights import own, state_dict, wire
from ilsvrc.weights.caffe import as_tensor
from ilsvrc.weights.definition import short
from ilsvrc.weights.releases import INSTEAD, RELEASES, Release
from ilsvrc.weights.source import Weights
from ilsvrc.weights.wire import Stored

SIDE_HEADS = ("side_1.", "side_2.")  # GoogLeNet's, which the deploy form of its release leaves out


def load(model: str, path: str | PathLike[str]) -> tuple[nn.Module, Weights]:
    """The network of that name with the weights of a file, in eval mode, and the record of the weights.

    The file is a `.caffemodel` of the network's original release, a state dict of torchvision, timm or
    Cadene (`.pth` or `.safetensors`) whose graph is the network's, or a `.safetensors` that `save` wrote.
    The network computes on the blob the original expects; the record's `preprocess` makes it.
    Raises WeightsError with layer, shapes and what to try when the file is damaged, another
    network's, or of a kind that is not read; no code runs from any file.
    """
    file = Path(path)
    if model not in models.MODELS:
        try:
            models.build(model)
        except ValueError as error:
            raise WeightsError(str(error)) from error
    if own.is_safetensors(file):
        return own.load(file, model) if own.has_record(file) else _from_library(model, file)
    return _from_library(model, file) if state_dict.is_pickle(file) else _from_caffe(model, file)


def _from_library(model: str, path: Path) -> tuple[nn.Module, Weights]:
    fit = state_dict.fitted(model, state_dict.read(path), path)
    blank = state_dict.blank(model)
    state = state_dict.finite(fit.state, blank.state_dict(), path)
    record = Weights(model=model, sha256=sha256(path), **fit.layout.record)
    return fill(blank, state), record


def _from_caffe(model: str, path: Path) -> tuple[nn.Module, Weights]:
    stored = wire.read(path)
    if model in INSTEAD:
        other, reason = INSTEAD[model]
        raise WeightsError(f"{path} cannot be loaded as {model}: {reason}; load it as {other}")
    if model not in RELEASES:
        raise WeightsError(
            f"no Caffe release of {model} is known, so {path} cannot be its weights; "
            f"released were {', '.join(RELEASES)}"
        )
    release = RELEASES[model]
    _check_net(model, release, path)
    with torch.device("meta"):
        blank = models.build(model)
    state, note = _state(blank, {layer.name: layer for layer in stored}, release, path)
    record = Weights(model=model, sha256=sha256(path), **release.record)
    return fill(blank, state), replace(record, note="; ".join(filter(None, (record.note, note))))


def _check_net(model: str, release: Release, path: Path) -> None:
    """Refuse the file of a release whose layers are the same and whose network is not."""
    called = wire.net_name(path)
    others = [name for name, other in RELEASES.items() if other.net and name != model and other.net == called]
    if release.net and others:
        raise WeightsError(
            f"{path} calls itself {called}: it is {others[0]}, whose layers are {model}'s in another order"
        )


def _state(
    network: nn.Module, stored: dict[str, Stored], release: Release, path: Path
) -> tuple[dict[str, Tensor], str]:
    """The network's state dict from a release's layers, and what is to be noted of it."""
    state: dict[str, Tensor] = {}
    notes = {}
    modules: dict[str, dict[str, Tensor]] = {}
    for key, tensor in network.state_dict().items():
        name, _, part = key.rpartition(".")
        modules.setdefault(name, {})[part] = tensor
    heads = any(release.names(name)[0] in stored for name in modules if name.startswith(SIDE_HEADS))
    for name, parts in modules.items():
        if name.startswith(SIDE_HEADS) and not heads:
            notes["heads"] = "without side heads, which are untrained here"
            continue
        stem = name.removesuffix(".conv").removesuffix(".norm")
        layers = release.names(stem if f"{stem}.norm" in modules else name)
        if "running_mean" in parts:
            values, biased = _batch_norm(stored, layers, parts, path)
            notes |= {"bias": f"the bias of {layers[0]} is taken into the batch norm behind it"} if biased else {}
        else:
            values = _layer(stored, layers[0], parts, path)
        state |= {f"{name}.{part}": value for part, value in values.items()}
    return state, "; ".join(notes.values())


def _layer(stored: dict[str, Stored], layer: str, parts: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Weight and bias of a convolution or a matrix. A bias our layer has no place for is its batch norm's affair."""
    blobs = _blobs(stored, layer, path)
    biased_for_the_norm = len(blobs) == 2 and len(parts) == 1
    if len(blobs) != len(parts) and not biased_for_the_norm:
        raise WeightsError(f"{path}: layer {layer} has {len(blobs)} blobs, and the network wants {', '.join(parts)}")
    return {
        part: _fitted(blob, parts[part], f"{path}: layer {layer}, {part}")
        for part, blob in zip(parts, blobs, strict=False)
    }


def _blobs(stored: dict[str, Stored], layer: str, path: Path) -> list[Tensor]:
    if layer not in stored:
        some = ", ".join(map(short, list(stored)[:4]))
        raise WeightsError(
            f"{path} has no layer {layer}; it has {some}, ...: is it the weight file of another network?"
        )
    return [as_tensor(blob, blob.shape, f"{path}: layer {layer}") for blob in stored[layer].blobs]


def _fitted(blob: Tensor, wanted: Tensor, where: str) -> Tensor:
    """The blob in our shape: legacy shapes have ones in front, 1×1 convolutions ones behind."""
    if _bare(blob) != _bare(wanted):
        raise WeightsError(
            f"{where} is {tuple(blob.shape)}, and the network wants {tuple(wanted.shape)}; "
            "is it the weight file of another network?"
        )
    return blob.reshape(wanted.shape)


def _bare(tensor: Tensor) -> list[int]:
    extents = list(tensor.shape)
    while extents and extents[0] == 1:
        extents.pop(0)
    while extents and extents[-1] == 1:
        extents.pop()
    return extents


def _batch_norm(
    stored: dict[str, Stored], layers: tuple[str, str, str], parts: dict[str, Tensor], path: Path
) -> tuple[dict[str, Tensor], bool]:
    """BatchNorm's sums over their factor with Scale's gain and shift, and whether a bias before them was taken in."""
    convolution, norm, scale = layers
    sums, gains = _blobs(stored, norm, path), _blobs(stored, scale, path)
    if len(sums) != 3 or len(gains) != 2 or sums[2].numel() != 1:
        raise WeightsError(
            f"{path}: {norm} and {scale} have {len(sums)} and {len(gains)} blobs, and 3 and 2 are wanted"
        )
    factor = float(sums[2])
    share = 0.0 if factor == 0 else 1 / factor  # batch_norm_layer.cpp
    values = dict(zip(("weight", "bias", "running_mean", "running_var"), (*gains, *sums), strict=False))
    fitted = {part: _fitted(value, parts[part], f"{path}: layer {norm}, {part}") for part, value in values.items()}
    fitted["running_mean"] = fitted["running_mean"] * share
    fitted["running_var"] = fitted["running_var"] * share
    bias = _blobs(stored, convolution, path)[1:] if convolution else []
    if bias:
        shift = _fitted(bias[0], parts["running_mean"], f"{path}: layer {convolution}, bias")
        fitted["running_mean"] = fitted["running_mean"] - shift
    return fitted, bool(bias)


def fill(blank: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """A network on the meta device with a state dict as its own, what the state lacks initialised; in eval mode."""
    blank.load_state_dict(state, strict=False, assign=True)
    for module in blank.modules():
        tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if not any(tensor.is_meta for tensor in tensors):
            continue
        if all(tensor.is_meta for tensor in tensors):
            module.to_empty(device="cpu", recurse=False)
            module.reset_parameters()  # type: ignore[operator]
        else:  # num_batches_tracked, which no file of others has
            for name, buffer in list(module.named_buffers(recurse=False)):
                setattr(module, name, torch.zeros((), dtype=torch.long) if buffer.is_meta else buffer)
    return blank.eval()


def sha256(path: Path) -> str:
    """Of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
