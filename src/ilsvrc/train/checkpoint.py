"""Files written whole, then renamed: a reader sees the old one or the new one, never half of one."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ilsvrc.errors import DataError, WeightsError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, and rename it over `path`.

    Raises DataError when the folder cannot be written or the disk is full; what was at `path` stays.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        temporary.replace(path)
    except (OSError, SafetensorError, RuntimeError) as error:
        # torch and safetensors wrap a full disk in their own exceptions; the sentence is the same.
        reason = getattr(error, "strerror", None) or _first_line(error)
        raise DataError(
            f"{path} could not be written ({reason}); what was saved before is intact: "
            "make room or choose another folder, and run the same command again"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Everything needed to continue: tensors, numbers, strings and containers of them."""
    write_whole(path, lambda temporary: torch.save(state, temporary))


def load_state(path: Path) -> dict[str, Any]:
    """What save_state wrote, on the CPU. No code runs from the file. Raises WeightsError when it is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on damaged files
        raise WeightsError(
            f"{path} is not a checkpoint that can be read ({_first_line(error)}); delete it to start this training anew"
        ) from error
    return state


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Tensors by name, as safetensors, with a few words about where they are from."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(path, lambda temporary: save_file(plain, temporary, metadata=metadata))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """What save_tensors wrote. Raises WeightsError when it is missing or damaged."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as weights ({error}); train the network again") from error


def save_weights(path: Path, model: nn.Module, metadata: dict[str, str]) -> None:
    """The network alone."""
    save_tensors(path, model.state_dict(), metadata)


def load_weights(path: Path, model: nn.Module) -> None:
    """Fill the network from save_weights' file.

    Raises WeightsError naming the first tensor whose name or shape does not fit.
    """
    found, wanted = load_tensors(path), model.state_dict()
    for name, tensor in wanted.items():
        if name not in found:
            raise WeightsError(
                f"{path} has no {name}, which the network wants; these are the weights of another network"
            )
        if found[name].shape != tensor.shape:
            shapes = f"{tuple(found[name].shape)} in {path} and {tuple(tensor.shape)} in the network"
            raise WeightsError(f"{name} is {shapes}; these are the weights of another network, width or class count")
    extra = sorted(found.keys() - wanted.keys())
    if extra:
        raise WeightsError(
            f"{path} holds {extra[0]}, which the network lacks; these are the weights of another network"
        )
    model.load_state_dict(found)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__
