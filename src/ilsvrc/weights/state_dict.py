"""State dicts of today's libraries into our networks: `.pth` without running code, `.safetensors`."""

import struct
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ilsvrc import models
from ilsvrc.errors import WeightsError
from ilsvrc.weights import pickled
from ilsvrc.weights.libraries import LAYOUTS, REASONS, Layout

WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training scripts keep a state dict
COUNTER = "num_batches_tracked"  # old files lack it, and nothing here reads it


@dataclass(frozen=True)
class Fit:
    """A network a file fits: its layout, and our state dict of the file's tensors."""

    layout: Layout
    state: dict[str, Tensor]


def is_pickle(path: Path) -> bool:
    """Whether the file begins as what torch.save writes, or once wrote: a zip archive, or a pickle."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return False
    return head == b"PK\x03\x04" or head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04")


def read(path: Path) -> dict[str, Tensor]:
    """Tensors by name. No code runs. Raises WeightsError for a file that is damaged or holds anything else."""
    try:
        found = _pickled(path) if is_pickle(path) else load_file(path)
    except pickled.UnreadableError as error:
        raise WeightsError(f"{path} cannot be read: {error}; download it again") from error
    except (OSError, SafetensorError, ValueError) as error:
        kind = (
            "a tar archive, as PyTorch wrote before 2017; load and save it with PyTorch 1"
            if _is_tar(path)
            else str(error)[:200]
        )
        raise WeightsError(f"{path} cannot be read ({kind}); download it again") from error
    except (zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        raise WeightsError(f"{path} is a damaged zip archive ({error}); download it again") from error
    return {key.removeprefix("module."): value for key, value in found.items()}


def _pickled(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth`: the outermost dictionary, or the one a training script keeps under a known key."""
    file = pickled.File(path)
    found = file.content
    for key in WRAPPERS:
        if isinstance(found, pickled.Mapping) and isinstance(found.get(key), pickled.Mapping):
            found = found.get(key)
    if not isinstance(found, pickled.Mapping) or not (found.items or found.odd):
        raise WeightsError(
            f"{path} holds a {pickled.name_of(found)}, and a state dict is wanted, which can be read without running "
            "code; save the network's state_dict() alone"
        )
    values = dict(found.items)
    for key, value in values.items():
        if not isinstance(value, pickled.Place):
            raise WeightsError(
                f"{path} holds {key[:60]!r}, which is no tensor but a {pickled.name_of(value)}, and is not made "
                "without running code; save the network's state_dict() alone"
            )
    if found.odd:
        raise WeightsError(f"{path} has keys that are no names; save the network's state_dict() alone")
    return {key: file.tensor(place) for key, place in values.items()}


def _is_tar(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(262)[257:] == b"ustar"


def fitted(model: str, tensors: dict[str, Tensor], path: Path) -> Fit:
    """The layout by which the tensors are the network's. Raises WeightsError naming the network they fit, and why."""
    fits = [fit for layout in LAYOUTS.get(model, ()) if (fit := fit_of(model, layout, tensors, path))]
    if fits:
        return fits[0]
    others = [
        name
        for name, layouts in LAYOUTS.items()
        if name != model and any(fit_of(name, layout, tensors, path) for layout in layouts)
    ]
    reason = f": {REASONS[model]}" if model in REASONS else ""
    if others:
        raise WeightsError(f"{path} fits {' or '.join(others)}, not {model}{reason}; load it as {others[0]}")
    raise WeightsError(f"{path} fits {model} in no layout that is known{reason}; {_first_misfit(model, tensors)}")


def fit_of(model: str, layout: Layout, tensors: dict[str, Tensor], path: Path) -> Fit | None:
    """Our state dict by a layout, or None where names or shapes differ or tensors are left over."""
    if not path.name.startswith(layout.file):
        return None
    wanted = shapes(model)
    state: dict[str, Tensor] = {}
    left = {key for key in tensors if not key.endswith(COUNTER)}
    for ours, theirs in translated(wanted, layout):
        tensor = tensors.get(theirs)
        if tensor is None and ours.startswith(layout.optional or (" ",)):
            continue
        if tensor is None or tensor.numel() != wanted[ours].numel() or not _same(tensor, wanted[ours]):
            return None
        state[ours] = tensor
        left.discard(theirs)
    return None if left else Fit(layout, state)


def translated(wanted: dict[str, Tensor], layout: Layout) -> list[tuple[str, str]]:
    """Our keys and theirs."""
    pairs = []
    for key in wanted:
        name, _, part = key.rpartition(".")
        if part != COUNTER:
            pairs.append((key, f"{layout.name(name)}.{part}"))
    return pairs


def _same(tensor: Tensor, wanted: Tensor) -> bool:
    """Whether the shapes agree, up to a matrix that is written as a convolution over the whole map."""
    if tensor.shape == wanted.shape:
        return True
    return wanted.dim() == 2 and tensor.dim() == 4 and tensor.shape[0] == wanted.shape[0]


def _first_misfit(model: str, tensors: dict[str, Tensor]) -> str:
    if model not in LAYOUTS:
        return "no library is known to have this network"
    for ours, theirs in translated(wanted := shapes(model), LAYOUTS[model][0]):
        if theirs not in tensors:
            return f"it has no {theirs}, which would be {ours}"
        if not _same(tensors[theirs], wanted[ours]):
            return f"{theirs} is {tuple(tensors[theirs].shape)}, and {ours} is {tuple(wanted[ours].shape)}"
    return "it has tensors that this network lacks"


@cache
def shapes(model: str) -> dict[str, Tensor]:
    """The network's state dict without values."""
    return blank(model).state_dict()


def blank(model: str) -> nn.Module:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return models.build(model)


def finite(state: dict[str, Tensor], wanted: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The state as float32 in our shapes. Raises WeightsError for values that are not finite numbers."""
    ready = {}
    for key, tensor in state.items():
        if not tensor.is_floating_point() or tensor.layout != torch.strided:
            raise WeightsError(f"{path}: {key} is of type {tensor.dtype}, {tensor.layout}; save it as dense floats")
        ready[key] = tensor.to(torch.float32).reshape(wanted[key].shape).contiguous()
        if not bool(ready[key].isfinite().all()):
            raise WeightsError(f"{path}: {key} holds values that are not finite numbers; download the file again")
    return ready
