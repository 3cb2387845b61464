"""What one training leaves to another: the weights a recipe with `starts_from` starts from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ilsvrc.errors import SpecError
from ilsvrc.spec import Member
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run


@dataclass(frozen=True)
class Left:
    """A file of weights by the names of our layers, and the layers that are taken from it."""

    path: Path
    layers: tuple[str, ...]  # all of them where empty

    @property
    def digest(self) -> str:
        """What identifies the weights: the first twelve digits of the file's SHA-256."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:12]

    def tensors(self) -> dict[str, Tensor]:
        """The weights. Raises WeightsError when they cannot be read."""
        return load_tensors(self.path)


def left_by(start: Path | None, member: Member) -> Left | None:
    """What the member's recipe starts from: `start` is the directory of a finished run, or a file of weights.

    None where the recipe starts from random weights. Raises SpecError where it wants a start and there is none,
    where there is one it does not want, and where the run is of another network.
    """
    wanted = member.recipe.starts_from
    if wanted is None:
        if start:
            raise SpecError(f"{start} is given to start from, and the recipe starts from random weights; leave it out")
        return None
    model = wanted.model or member.model
    if start is None:
        raise SpecError(
            f"the recipe of {member.recipe.source} starts from a trained {model} ({wanted.recipe}); "
            "give its run, or its weights, by --start"
        )
    if not start.is_dir():
        if not start.is_file():
            raise SpecError(f"{start} is given to start from and is not there; give the run of a trained {model}")
        return Left(start, wanted.layers)
    run = Run(start)
    found = run.spec()["asked"].get("member", {}).get("model")
    if found != model:
        raise SpecError(f"{start} is a training of {found}, and the recipe starts from one of {model}; give such a run")
    if not run.weights.exists():
        raise SpecError(f"{start} is a training that is not done; finish it before another starts from it")
    return Left(run.weights, wanted.layers)
