"""Options that stand in a panel of their own in --help: what a training runs on, and how its images are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from ilsvrc.commands.options import BadImages, Compile, Flag, Positive, Precision, Threads

if TYPE_CHECKING:
    from ilsvrc.jobs.machine import Bench


@Parameter(name="*", group="Machine")
@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What a training runs on."""

    device: str = "auto"
    "auto, cpu, cuda or cuda:1."
    precision: Precision = "auto"
    """Of the network's arithmetic; auto takes bf16 where the machine multiplies it in hardware. fp32 is the plain
    reference, nothing compiled unless asked; fp16 and tf32 are for CUDA."""
    compile: Compile = "auto"
    """Nothing, parts (response norm), or the whole network; auto takes what is best where there is a C++ compiler:
    parts on a processor, the whole on a GPU."""
    accumulate: Positive = 1
    "Take each batch in so many parts, one after the other: less memory, the same update."
    loaders: Threads | None = None
    "Threads that decode and augment, of a machine's processes together."
    processes: Positive | None = None
    "Train in so many processes on this machine, each on a GPU of its own, by the torchrun line that is printed."
    parallel: Literal["sync", "ddp", "fsdp"] = "sync"
    """sync takes batch norm's statistics over the whole batch, ddp in each process by itself as on the papers' GPUs,
    fsdp splits weights and optimizer over the processes."""

    def bench(self) -> "Bench":
        """The machine that was asked for. Raises SpecError when it is not there."""
        from ilsvrc.jobs.machine import bench

        return bench(self.device, self.precision, self.loaders, self.compile, self.accumulate)


@Parameter(name="*", group="Images")
@dataclass(frozen=True, kw_only=True)
class Images:
    """How images are read."""

    reference_decode: Flag = False
    "Decode and resize to the bit as Pillow does, slower."
    bad_images: BadImages = "stop"
    "stop refuses an image that cannot be decoded; skip puts the next of its class there, and says so."
    statistics: Path | None = None
    """Take mean, deviation and axes of colour noise from this file of ilsvrc statistics, instead of the mean of a
    sample and the usual axes."""


@Parameter(name="*", group="Images")
@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How images are read where nothing is taken from a file of statistics."""

    reference_decode: Flag = False
    "Decode and resize to the bit as Pillow does, slower."
    bad_images: BadImages = "stop"
    "stop refuses an image that cannot be decoded; skip puts the next of its class there, and says so."
