"""One side of the race from JPEG to top-5: ours, or torchvision's own loop as its users write it, in its own process.

torchvision's is a data set of folders read by Pillow in two worker processes, its ResNet-50 in eager float32, with
nothing done about memory. Ours is what `ilsvrc evaluate` does. It reads a JSON object per line and answers with one.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc import data, models
from ilsvrc.bench import peers
from ilsvrc.data.kept import Kept
from ilsvrc.errors import SpecError
from ilsvrc.jobs.computing import Computing, How
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.judge import Judge
from ilsvrc.jobs.machine import bench, keep_memory
from ilsvrc.predict.engines import Engine, missing
from ilsvrc.spec import Crops

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NETWORK, BATCH, WORKERS = "resnet50_v1_5", 32, 2


class Ours:
    """Our judge, by one engine after another."""

    def __init__(self, folder: str) -> None:
        keep_memory()
        self.dataset = data.open(folder, "val")
        mean, unit = (255 * torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, DEVIATION))
        self.normal = Normal(mean, unit)
        torch.manual_seed(0)
        self.network = models.build(NETWORK, len(self.dataset.classes)).eval()
        self.runs: dict[str, Computing] = {}

    def run(self, engine: Engine) -> dict[str, Any]:
        """Seconds from the first JPEG to the last image's five guesses, or why the engine does not work here."""
        here = bench("cpu")
        lacking = missing(engine, here.device)
        if lacking:
            return {"fault": f"engine {engine} {lacking}"}
        judge = Judge(self.dataset, Crops(layout="center"), here, Kept(0), size=224)

        def prepare(network: nn.Module, views: int) -> Computing:  # once: what is timed is the work
            return self.runs.setdefault(engine, Computing(network, views, How(engine), here.device))

        start = time.perf_counter()
        try:
            guesses = sum(
                len(_top5(answer.said.probabilities)) for answer in judge.answers(self.network, self.normal, prepare)
            )
        except SpecError as error:
            return {"fault": str(error)}
        return {"seconds": time.perf_counter() - start, "images": guesses}


def _top5(probabilities: np.ndarray) -> np.ndarray:
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :5]


class Theirs:
    """torchvision's loop."""

    def __init__(self, folder: str) -> None:
        vision = peers.torchvision()
        steps = vision.transforms
        look = steps.Compose(
            [steps.Resize(256), steps.CenterCrop(224), steps.ToTensor(), steps.Normalize(MEAN, DEVIATION)]
        )
        self.images = vision.datasets.ImageFolder(str(Path(folder) / "val"), look)
        torch.manual_seed(0)
        self.network: nn.Module = vision.models.resnet50(weights=None, num_classes=len(self.images.classes)).eval()

    def run(self, engine: str) -> dict[str, Any]:
        """Seconds for all images."""
        start = time.perf_counter()
        guesses = sum(len(top) for top in self._guesses())
        return {"seconds": time.perf_counter() - start, "images": guesses}

    def _guesses(self) -> Iterator[Tensor]:
        loader = torch.utils.data.DataLoader(self.images, batch_size=BATCH, num_workers=WORKERS)
        with torch.no_grad():
            for images, _ in loader:
                yield self.network(images).topk(5).indices


def main() -> None:
    """Serve standard input until it ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing but answers on the line to the parent
    who = json.loads(sys.stdin.readline())
    try:
        side: Ours | Theirs = (Ours if who["ours"] else Theirs)(who["folder"])
    except ImportError as error:
        print(json.dumps({"fault": f"torchvision is not installed ({error})"}), file=answers, flush=True)
        return
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(side.run(json.loads(line)["engine"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
