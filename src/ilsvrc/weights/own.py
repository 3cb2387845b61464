"""Our own weight files: `.safetensors` with the record of the weights in the metadata."""

import os
import tempfile
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ilsvrc import models
from ilsvrc.errors import WeightsError
from ilsvrc.weights.source import Weights, from_json

RECORD = "ilsvrc weights"  # the metadata's key


def is_safetensors(path: Path) -> bool:
    """Whether the file begins as one does: the length of a JSON object, and the object's brace."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
            size = file.seek(0, os.SEEK_END)
    except OSError:
        return False
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= size


def save(path: str | PathLike[str], network: nn.Module, record: Weights) -> None:
    """Write the network's weights and their record, whole or not at all. Raises WeightsError when the disk refuses."""
    target = Path(path)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        save_file(tensors, temporary, metadata={RECORD: record.as_json()})
        os.chmod(temporary, 0o644)
        temporary.replace(target)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{target} could not be written ({error}); make room or choose another folder") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def read_record(path: str | PathLike[str]) -> Weights:
    """The record in a file that `save` wrote. Raises WeightsError when the file is damaged or has none."""
    with _opened(Path(path)) as file:
        text = (file.metadata() or {}).get(RECORD)
    if text is None:
        raise WeightsError(f"{path} holds no record of its weights; write it with ilsvrc convert or weights.save")
    return from_json(text, str(path))


def has_record(path: Path) -> bool:
    """Whether `save` wrote the file. Raises WeightsError when it is damaged."""
    with _opened(path) as file:
        return RECORD in (file.metadata() or {})


def load(path: Path, model: str) -> tuple[nn.Module, Weights]:
    """The network and the record in a file that `save` wrote. Raises WeightsError when it is another's or damaged."""
    record = read_record(path)
    if record.model != model:
        raise WeightsError(
            f"{path} holds the weights of {record.model}, and {model} was asked for; load that one instead"
        )
    try:
        with torch.device("meta"):
            network = models.build(model, record.classes, record.image_size, record.width)
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: {str(error).splitlines()[0]}") from error
    wanted = network.state_dict()
    with _opened(path) as file:
        found = set(file.keys())
        odd = sorted(found ^ wanted.keys())
        if odd:
            which = "lacks" if odd[0] in wanted else "has"
            raise WeightsError(
                f"{path} {which} {odd[0][:64]}, and {model} does not agree; convert the original file anew"
            )
        for name, tensor in wanted.items():
            shape = tuple(file.get_slice(name).get_shape())
            if shape != tuple(tensor.shape):
                raise WeightsError(f"{path}: {name} is {shape}, and {model} wants {tuple(tensor.shape)}")
        state = {name: file.get_tensor(name) for name in found}
    for name, tensor in state.items():
        if tensor.dtype != wanted[name].dtype:
            raise WeightsError(f"{path}: {name} is of type {tensor.dtype}, and {model} wants {wanted[name].dtype}")
    network.load_state_dict(state, assign=True)
    return network.eval(), record


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read as .safetensors ({str(error)[:200]}); download or convert it again"
        ) from error
