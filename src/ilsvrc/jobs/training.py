"""What is asked of a training, as a value, and what of it two trainings must agree in to be the same."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ilsvrc import models
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.jobs.colours import Colours
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.pace import outcome
from ilsvrc.jobs.start import Left
from ilsvrc.spec import Crops, Member, Recipe, as_json
from ilsvrc.train import recipe as recipes
from ilsvrc.train.parallel import Processes


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is asked: one seat of an entry, for so many epochs, judged by a protocol."""

    member: Member
    protocol: Crops
    epochs: int
    seed: int
    start: Path | None = None  # a finished run, or weights: what a recipe with starts_from starts from
    reading: Reading = USUAL
    colours: Colours | None = None  # the data set's statistics as they were computed before; else a sample's

    @property
    def size(self) -> int:
        """Pixels on a side at the network's input."""
        return self.member.image_size or models.paper_size(self.member.model)

    @property
    def recipe(self) -> Recipe:
        """The member's recipe at that size and length; what differs from the member's is said in its gaps."""
        recipe = recipes.shortened(recipes.at_size(self.member.recipe, self.size), self.epochs)
        return self.colours.taken_by(recipe) if self.colours else recipe

    @property
    def judged_by(self) -> Crops:
        """The protocol at that size."""
        return recipes.protocol_at_size(self.protocol, self.size)


def asked(training: Training, splits: Splits, bench: Bench, left: Left | None = None) -> dict[str, Any]:
    """What decides the outcome: two trainings that agree in it are the same training."""
    start = {"start": left.digest} if left else {}
    colours = {"statistics": training.colours.as_json()} if training.colours else {}
    return (
        start
        | colours
        | {
            "member": as_json(training.member),
            "protocol": as_json(training.protocol),
            "epochs": training.epochs,
            "seed": training.seed,
            "data": splits.fingerprint,
            "classes": len(splits.train.classes),
            "precision": bench.precision,
            "device": bench.device.type,
            "reading": asdict(training.reading),
            **outcome(bench),
            **_divided(bench.processes),
        }
    )


def _divided(processes: Processes) -> dict[str, Any]:
    """How a training is divided, where that changes more than rounding or what its files look like."""
    if processes.of > 1 and processes.how == "ddp":
        return {"batch_norm": f"of each of {processes.of} processes"}
    return {"state": "split"} if processes.of > 1 and processes.how == "fsdp" else {}
