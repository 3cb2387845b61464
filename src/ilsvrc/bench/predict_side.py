"""One side of the benchmark of prediction: a process that holds a network's engines and times them when told to.

Sides are processes of their own because ours keeps its memory, as the command line does, and a peer is timed as
shipped. It reads a JSON object per line, and answers with one.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ilsvrc import models, weights
from ilsvrc.bench import peers
from ilsvrc.errors import SpecError
from ilsvrc.jobs.machine import keep_memory
from ilsvrc.predict.engines import Runner, prepared

PEERS = {  # ours: the package that has the same graph, and its name there
    "resnet50_v1_5": ("torchvision", "resnet50"),
    "vgg16": ("torchvision", "vgg16"),
    "googlenet_torchvision": ("torchvision", "googlenet"),
    "resnext50_32x4d": ("torchvision", "resnext50_32x4d"),
    "se_resnet50": ("timm", "legacy_seresnet50"),
}


def peer(model: str) -> nn.Module | None:
    """The peer's own module with random weights, or None where there is none here."""
    torch.manual_seed(0)
    package, name = PEERS.get(model, ("", ""))
    try:
        if package == "torchvision":
            extra = {"init_weights": False, "transform_input": False} if name == "googlenet" else {}
            network: nn.Module = getattr(peers.torchvision().models, name)(weights=None, **extra)
            return network.eval()
        if package == "timm":
            other: nn.Module = peers.timm().create_model(name, pretrained=False)
            return other.eval()
    except ImportError:
        pass  # not installed
    return None


def images(count: int, size: int) -> Tensor:
    """The same random images on every side, normalised: (count, 3, size, size)."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


class Side:
    """A network and its engines; what the parent asks for are methods of it."""

    def __init__(self, model: str, ours: bool, folder: str) -> None:
        self.size = models.paper_size(model)
        self.runners: dict[str, Runner] = {}
        file = Path(folder) / "peer.pth"
        theirs = None if ours else peer(model)
        if theirs is not None:
            torch.save(theirs.state_dict(), file)
        elif not file.exists():
            torch.manual_seed(0)
            theirs = models.build(model).eval()
        self.network = weights.load(model, file)[0] if theirs is None else theirs
        if ours:
            keep_memory()

    def prepare(self, engine: str, batch: int) -> dict[str, Any]:
        """Seconds it took, or the sentence that says why it cannot be."""
        start = time.perf_counter()
        try:
            self.runners[engine] = prepared(self.network, engine, images(batch, self.size))  # type: ignore[arg-type]
        except SpecError as error:
            return {"fault": str(error)}
        return {"seconds": time.perf_counter() - start}

    def time(self, engine: str, batch: int, calls: int) -> dict[str, Any]:
        """Seconds per call."""
        blob = images(batch, self.size)
        start = time.perf_counter()
        for _ in range(calls):
            self.runners[engine](blob)
        return {"seconds": (time.perf_counter() - start) / calls}

    def logits(self, engine: str, batch: int, file: str) -> dict[str, Any]:
        """Write what it says of the images."""
        torch.save(self.runners[engine](images(batch, self.size)), file)
        return {}


def main() -> None:
    """Serve standard input until it ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing but answers on the line to the parent
    side = Side(**json.loads(sys.stdin.readline()))
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(side, request.pop("do"))(**request)), file=answers, flush=True)


if __name__ == "__main__":
    main()
