"""What a training goes on from: saved whole or in parts, with the generation before it, and looked at when read."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ilsvrc.errors import DataError, Diverged, WeightsError
from ilsvrc.train import checkpoint
from ilsvrc.train.loop import Place
from ilsvrc.train.parallel import Processes
from ilsvrc.train.run import Run

FORMAT = 2  # of a checkpoint: raised when an older version could not go on from it, or this one not from an older


class Part(Protocol):
    """Something that a training carries from step to step."""

    def state_dict(self) -> dict[str, Any]:
        """What it carries."""

    def load_state_dict(self, state: Any) -> Any:
        """Carry this from now on."""


class Keeper:
    """Saves and loads one training: its network, its optimizer and whatever else carries something.

    words say whose state it is ("model", "classes", "ilsvrc") and are compared when it is read.
    """

    def __init__(
        self,
        run: Run,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        more: Mapping[str, Part],
        words: dict[str, Any],
        processes: Processes,
    ) -> None:
        self.network, self.optimizer, self.more = network, optimizer, more
        self.words, self.processes = words, processes
        self.sharded = processes.how == "fsdp" and processes.of > 1
        self.path = run.shards if self.sharded else run.state

    def check_room(self) -> None:
        """Raise DataError when what will be saved has no place: the folder cannot be written, or the disk is full."""
        self.processes.first_does(self._check_room)

    def save(self, place: Place) -> None:
        """Everything needed to continue from `place`; the generation before is kept. Called by all processes.

        Raises Diverged when a weight is no number: what was saved before stays. Raises DataError when it cannot be
        written.
        """
        if not self.sharded:
            self.processes.whole(self.network)  # with the running statistics that count
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), **self._more()}
        if self.processes.any(not _finite(state)):
            raise Diverged(
                f"a weight is no longer a number in epoch {place.epoch + 1}; nothing of it is saved and the last "
                "checkpoint is intact; a lower learning rate is the usual cure"
            )
        words: dict[str, Any] = {
            "format": FORMAT,
            "words": self.words,
            "kinds": self._kinds(),
            "places": self.processes.gathered(asdict(place)),
        }
        if self.sharded:
            return self._save_shards(words)
        return self.processes.first_does(lambda: checkpoint.save_state(self.path, {**words, **state}))

    def load(self, say: Callable[[str], None]) -> Place | None:
        """Fill everything from the newest state that is whole, and answer where it stands; None where there is none.

        say is told when that is not the newest, or when another number of processes saved it.
        Raises WeightsError when nothing whole is left, or it is of another network, optimizer or version.
        """
        found = [path for path in (self.path, checkpoint.previous(self.path)) if path.exists()]
        found = self.processes.told(found)
        fault: WeightsError | None = None
        for path in found:
            try:
                state = self._read(path)
            except WeightsError as error:
                fault = fault or error
                continue
            if fault or path != self.path:
                say(f"{self.path.name} is missing or damaged; {path.name}, the one before, is whole: going on from it")
            return self._place(state["places"], say)
        if fault:
            raise fault
        return None

    def tidy(self) -> None:
        """Take away the generation before, when the training is done."""
        if self.processes.first:
            old = checkpoint.previous(self.path)
            shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)

    def _read(self, path: Path) -> dict[str, Any]:
        state: dict[str, Any] = self.processes.first_does(lambda: self._whole(path))
        self._check(path, state)
        if self.sharded:
            more = self._more()
            state["more"] = self.processes.read_shards(path, self.network, self.optimizer, more)
        else:
            checkpoint.check_fit(path, state["network"], self.network.state_dict())
            self.network.load_state_dict(state["network"])
            try:
                self.optimizer.load_state_dict(state["optimizer"])
            except (ValueError, KeyError) as error:
                raise Misfit(path, f"its optimizer has other groups of parameters ({error})") from error
        for name, part in self.more.items():
            part.load_state_dict((state["more"] if self.sharded else state)[name])
        return state

    def _whole(self, path: Path) -> dict[str, Any]:
        """What the file says, or, of a folder, the words beside the shards."""
        return checkpoint.load_state(path / "words.pt" if self.sharded else path)

    def _check(self, path: Path, state: dict[str, Any]) -> None:
        words, format = state.get("words", {}), state.get("format", 1)
        if format != FORMAT:
            version = words.get("ilsvrc", "0.1.0 or earlier")
            raise WeightsError(
                f"{path} was written in format {format} by ilsvrc {version}, and ilsvrc {self.words['ilsvrc']} reads "
                f"format {FORMAT}; go on with that version, or delete the file to start this training anew"
            )
        for name in ("model", "classes"):
            if words.get(name) != self.words[name]:
                raise Misfit(path, f"its {name} is {words.get(name)}, and {self.words[name]} is trained here")
        if state["kinds"] != self._kinds():
            kinds = [", ".join(sorted(kinds.values())) for kinds in (state["kinds"], self._kinds())]
            raise Misfit(path, f"it holds {kinds[0]}, and this training has {kinds[1]}")

    def _place(self, places: list[dict[str, Any]], say: Callable[[str], None]) -> Place:
        if len(places) == self.processes.of:
            return Place(**places[self.processes.rank])
        say(
            f"saved by {len(places)} processes and continued by {self.processes.of}: "
            "equal to rounding, no longer to the bit"
        )
        total = Place(**places[0])
        if not self.processes.first:
            return replace(total, images=0, loss=0.0)
        images, loss = (sum(place[name] for place in places) for name in ("images", "loss"))
        return replace(total, images=images, loss=loss)

    def _save_shards(self, words: dict[str, Any]) -> None:
        folder = self.path.with_name(f".{self.path.name}.new")
        self.processes.first_does(lambda: shutil.rmtree(folder, ignore_errors=True))
        self.processes.write_shards(folder, self.network, self.optimizer, self._more())
        self.processes.first_does(lambda: _close_folder(folder, words, self.path))

    def _more(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.more.items()}

    def _kinds(self) -> dict[str, str]:
        return {"optimizer": type(self.optimizer).__name__, **{k: type(part).__name__ for k, part in self.more.items()}}

    def _check_room(self) -> None:
        folder = self.path.parent
        checkpoint.write_text(folder / ".writable", "")
        (folder / ".writable").unlink()
        weights = _bytes(self.network.state_dict())
        moves = _bytes(self.optimizer.state_dict()) or 2 * weights  # before the first step it has none: the most
        wanted = 3 * (weights + moves + _bytes(self._more())) + weights  # two generations, one being written; the end
        there = sum(_size(path) for path in (self.path, checkpoint.previous(self.path)))
        free = shutil.disk_usage(folder).free
        if free < wanted - there:
            raise DataError(
                f"{folder} has {free / 1e6:,.0f} MB free and this training needs {(wanted - there) / 1e6:,.0f} MB "
                "there, for two checkpoints and one being written; make room or choose another output folder"
            )


class Misfit(WeightsError):  # noqa: N818  # named as what it is
    """A checkpoint is whole and of something else."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} does not belong to this training: {what}; choose another output folder, "
            "or delete it to start this training anew"
        )


def _close_folder(folder: Path, words: dict[str, Any], path: Path) -> None:
    """The words go in last; then all of it is synced and takes its place. Raises DataError when it cannot."""
    checkpoint.save_state(folder / "words.pt", words)
    for file in folder.iterdir():
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())
    checkpoint.keep_previous(path, folder)
    checkpoint.sync_folder(path.parent)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _tensors(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _tensors(inner)


@torch.no_grad()
def _finite(value: Any) -> bool:
    """Whether every fraction in it is a number, as far as this process holds it."""
    local = (tensor.to_local() if hasattr(tensor, "to_local") else tensor for tensor in _tensors(value))
    finite = [torch.isfinite(tensor).all() for tensor in local if tensor.is_floating_point()]
    return all(map(bool, finite))


def _bytes(value: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(value))


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
