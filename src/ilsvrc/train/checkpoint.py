"""Files written whole, then renamed: a reader sees the old one or the new one, never half of one."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ilsvrc.errors import DataError, WeightsError


def put_in_place(path: Path, new: Path) -> None:
    """Rename `new` to `path`, whatever was there."""
    new.replace(path)


def write_whole(
    path: Path, write: Callable[[Path], object], put: Callable[[Path, Path], object] = put_in_place
) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, and rename it over `path`, or `put` it there.

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
        put(path, temporary)
        sync_folder(path.parent)
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


def sync_folder(folder: Path) -> None:
    """Make the names in the folder survive a loss of power, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # some file systems sync files only
    finally:
        os.close(handle)


def previous(path: Path) -> Path:
    """Where the generation before the one at `path` is kept: state.pt's is state.previous.pt."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def keep_previous(path: Path, new: Path) -> None:
    """Put the file or folder `new`, complete and synced, at `path`; what was there becomes the previous generation.

    At every moment one of the two places holds a whole generation.
    """
    old = previous(path)
    if path.is_dir():
        shutil.rmtree(old, ignore_errors=True)
        path.replace(old)  # a folder cannot be in two places: for a moment only the previous one is there
    elif path.exists():
        temporary = path.with_name(f".{old.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:  # a file system without links
            path.replace(old)
        else:
            temporary.replace(old)
    new.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Everything needed to continue: tensors, numbers, strings and containers of them. Keeps the generation before."""
    write_whole(path, lambda temporary: torch.save(state, temporary), keep_previous)


def load_state(path: Path) -> dict[str, Any]:
    """What save_state wrote, on the CPU. No code runs from the file. Raises WeightsError when it is damaged."""
    try:
        with zipfile.ZipFile(path) as file:
            broken = file.testzip()  # torch does not look at the checksums that it writes
        if broken:
            raise ValueError(f"the checksum of {broken} does not fit")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise ValueError("it holds something else")
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
    found = load_tensors(path)
    check_fit(path, found, model.state_dict())
    model.load_state_dict(found)


def check_fit(path: Path, found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Raise WeightsError naming the first tensor of `path` whose name or shape is not the network's."""
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


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:120] if lines else type(error).__name__
