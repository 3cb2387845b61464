"""Run a claim: train its variants with each seed, keep every training, compare, and say what follows."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ilsvrc.claims import CLAIMS, Claim
from ilsvrc.claims.claim import PAD, Variant
from ilsvrc.claims.experiment import Outcome, build, run_variant
from ilsvrc.claims.pixels import Pixels
from ilsvrc.claims.verdict import RULE, compared, together
from ilsvrc.data.decode import Image
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.interrupt import Interruption, Stopped
from ilsvrc.jobs.machine import Bench, circumstances, machine
from ilsvrc.jobs.machine import command as words
from ilsvrc.jobs.mini import mini
from ilsvrc.models import anatomy
from ilsvrc.reports.formats import duration
from ilsvrc.reports.progress import Stage, Watch
from ilsvrc.spec import Member, as_json
from ilsvrc.train.run import Run
from ilsvrc.transforms.resample import resampled

TRAIN, VAL, TEST = 2000, 1000, 20  # of the mini set that is built where no data set is given
MOST_VAL = 10_000  # images that are judged


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which claim, on what, how often; None is what the claim's budget says."""

    name: str
    data: str | None = None
    seeds: int = 3
    epochs: int | None = None
    images: int | None = None
    out: Path = Path("claims")

    def claim(self) -> Claim:
        """The claim. Raises SpecError with the names there are."""
        if self.name not in CLAIMS:
            raise SpecError(f"no claim is called {self.name!r}; there are {', '.join(CLAIMS)}")
        return CLAIMS[self.name]


def listed() -> list[dict[str, Any]]:
    """Every claim as JSON values, in the order of the years."""
    return [told(claim) for claim in CLAIMS.values()]


def told(claim: Claim) -> dict[str, Any]:
    """A claim as JSON values."""
    names = ("name", "paper", "source", "hypothesis", "published", "unit", "measure", "reach", "margin", "cannot")
    return {name: getattr(claim, name) for name in names} | {
        "variants": [{"name": variant.name, "published": variant.published} for variant in claim.variants],
        "comparisons": [asdict(comparison) for comparison in claim.comparisons],
        "budget": asdict(claim.budget),
        "recipe": claim.recipe.source,
        "rule": RULE,
    }


def run_claim(order: Order, bench: Bench, watch: Watch) -> dict[str, Any]:
    """Train what is not trained yet, and judge; everything is kept below `order.out`.

    Raises SpecError on an unknown claim, or when the directory holds trainings that were asked for in other words,
    DataError as the data set does, Stopped when asked to stop: what is done then is done.
    """
    claim, started = order.claim(), datetime.now().astimezone().isoformat(timespec="seconds")
    splits = _splits(order, watch)
    epochs = order.epochs or claim.budget.epochs
    watch.say(f"{claim.name}: {claim.hypothesis} ({claim.paper}, {claim.source})")
    pixels = _pixels(splits, claim, order, bench)
    place = order.out / claim.name
    done: dict[str, list[dict[str, Any]]] = {variant.name: [] for variant in claim.variants}
    with watch.live(), watch.stage(claim.name, order.seeds * len(claim.variants) * epochs) as stage:
        for seed in range(order.seeds):
            for variant in claim.variants:
                run = Run(place / f"{slug(variant.name)}.{seed}")
                behind = sum(map(len, done.values())) * epochs
                stage.at(behind, f"{variant.name}, seed {seed}")
                asked = _asked(claim, variant, pixels, seed, epochs, bench)
                run.start(asked, circumstances(bench))
                if not run.scores.exists():
                    _train(claim, variant, pixels, run, partial(_moved, stage, behind))
                done[variant.name].append(_read(run))
                watch.say(_line(claim, variant, seed, done[variant.name][-1]))
    return _judged(claim, done, order, splits, pixels) | {
        "started": started,
        "machine": asdict(machine(bench.device)) | {"threads": torch.get_num_threads()},
        "command": words(),
    }


def _moved(stage: Stage, behind: int, epochs: float) -> None:
    stage.at(behind + epochs)


def slug(name: str) -> str:
    """A variant's name as a part of a path."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _splits(order: Order, watch: Watch) -> Splits:
    if order.data is not None:
        return open_splits(order.data)
    directory = order.out / "mini"
    with watch.live(), watch.stage("drawing the mini set", TRAIN + VAL + TEST) as stage:
        mini(directory, TRAIN, VAL, TEST, detection=False, progress=lambda done, of: stage.at(done))
    return open_splits(str(directory))


def _pixels(splits: Splits, claim: Claim, order: Order, bench: Bench) -> Pixels:
    side = claim.budget.size + claim.budget.size // PAD
    train, labels = _decoded(splits.train, order.images or claim.budget.images, side, bench)
    val, val_labels = _decoded(splits.val, MOST_VAL, side, bench)
    return Pixels(train, labels, val, val_labels, len(splits.train.classes), splits.fingerprint)


def _decoded(dataset: Dataset, most: int, side: int, bench: Bench) -> tuple[Tensor, Tensor]:
    """Squares of at most so many images, evenly spaced: (N, 3, side, side) uint8, and labels (N,)."""
    count = len(dataset)
    chosen = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()
    pixels, labels = np.empty((len(chosen), side, side, 3), np.uint8), np.empty(len(chosen), np.int64)
    for place, index in enumerate(chosen):
        image = Image(dataset[index])
        pixels[place] = resampled(image.pixels(), square(image), side, side, "fast")
        labels[place] = image.label
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return images.to(bench.device), torch.from_numpy(labels).to(bench.device)


def square(image: Image) -> tuple[int, int, int, int]:
    """The square about the object's box with a tenth to spare, or the central square of an image without a box.

    Left, top, right, bottom, the last two excluded; inside the image. Objects that fill the image are learnt in a
    tenth of the time.
    """
    height, width = image.height, image.width
    left, top, right, bottom = (0, 0, width - 1, height - 1)
    if image.boxes is not None and len(image.boxes):
        left, top, right, bottom = (int(edge) for edge in image.boxes[0])
    boxed = image.boxes is not None and len(image.boxes) > 0
    side = round(max(right - left + 1, bottom - top + 1) * 1.1) if boxed else min(height, width)
    side = max(1, min(side, height, width))
    x = min(max((left + right + 1 - side) // 2, 0), width - side)
    y = min(max((top + bottom + 1 - side) // 2, 0), height - side)
    return x, y, x + side, y + side


def _asked(claim: Claim, variant: Variant, pixels: Pixels, seed: int, epochs: int, bench: Bench) -> dict[str, Any]:
    """What decides the outcome, as a run's spec.json has it."""
    member = Member(model=variant.name, recipe=claim.recipe_of(variant, epochs), image_size=claim.budget.size)
    network = build(claim, variant, pixels.classes, seed)
    return {
        "claim": claim.name,
        "member": as_json(member),
        "parameters": anatomy.parameters(network),
        "epochs": epochs,
        "seed": seed,
        "data": pixels.fingerprint,
        "images": len(pixels.train),
        "classes": pixels.classes,
        "measure": f"{claim.measure} {claim.reach:g}" if claim.reach else claim.measure,
        "precision": "fp32",
        "device": bench.device.type,
    }


def _train(claim: Claim, variant: Variant, pixels: Pixels, run: Run, moved: Callable[[float], None]) -> None:
    """One training, from its beginning to its scores. Raises Stopped when a signal asked to stop."""
    asked, began = run.spec()["asked"], time.monotonic()
    with Interruption() as interruption:
        outcome = run_variant(
            claim,
            variant,
            pixels,
            seed=asked["seed"],
            epochs=asked["epochs"],
            asked=interruption.asked,
            moved=moved,
        )
    if outcome.stopped:
        raise Stopped(
            f"stopped in {variant.name} of {claim.name}; the same command goes on with this training, what is done "
            "is kept",
            interruption.number or 2,
        )
    run.write_log(outcome.epochs)
    with torch.device("meta"):
        macs = anatomy.macs(anatomy.layer_table(variant.build(pixels.classes, claim.budget.size), claim.budget.size))
    last = outcome.epochs[-1] if outcome.epochs else {}
    run.write_scores(
        {
            "scores": [{"metric": claim.measure, "value": _figure(claim, outcome, asked["epochs"])}],
            "reached": claim.measure != "epochs" or outcome.reached is not None,
            "moments": outcome.moments,
            "training_error": last.get("training_error"),
            "macs": macs,
            "seconds": time.monotonic() - began,
        }
    )


def _figure(claim: Claim, outcome: Outcome, epochs: int) -> float:
    if claim.measure == "epochs":
        return float(epochs) if outcome.reached is None else outcome.reached
    return float(outcome.epochs[-1]["top1_error" if claim.measure == "top-1 error" else "training_error"])


def _read(run: Run) -> dict[str, Any]:
    """What a finished training has to say."""
    scores = run.read_scores() or {}
    return scores | {"figure": scores["scores"][0]["value"], "parameters": run.spec()["asked"]["parameters"]}


def _line(claim: Claim, variant: Variant, seed: int, read: dict[str, Any]) -> str:
    figure = read["figure"]
    if claim.measure == "epochs":
        shown = f"{figure:.2f} epochs" if read["reached"] else f"not in {figure:g} epochs"
    else:
        shown = f"{figure:.2%}"
    return f"  {variant.name:>26}  seed {seed}  {claim.measure} {shown}  {duration(read['seconds'])}"


def _judged(
    claim: Claim, done: dict[str, list[dict[str, Any]]], order: Order, splits: Splits, pixels: Pixels
) -> dict[str, Any]:
    figures = {name: [read["figure"] for read in reads] for name, reads in done.items()}
    comparisons: list[dict[str, Any]] = []
    for pair in claim.comparisons:
        found = compared(figures[pair.first], figures[pair.second], pair.expected, claim.margin)
        bounds = {"low": found.low, "high": found.high} if order.seeds > 1 else {"low": None, "high": None}
        comparisons.append(asdict(pair) | asdict(found) | bounds)
    return told(claim) | {
        "verdict": together([pair["verdict"] for pair in comparisons]),
        "comparisons": comparisons,
        "variants": [_variant(variant, done[variant.name]) for variant in claim.variants],
        "seeds": list(range(order.seeds)),
        "epochs": order.epochs or claim.budget.epochs,
        "data": splits.train.name,
        "classes": pixels.classes,
        "fingerprint": splits.fingerprint,
        "images": len(pixels.train),
        "val_images": len(pixels.val),
        "seconds": sum(read["seconds"] for reads in done.values() for read in reads),
    }


def _variant(variant: Variant, reads: Sequence[dict[str, Any]]) -> dict[str, Any]:
    figures = [read["figure"] for read in reads]
    errors = [read["training_error"] for read in reads if read["training_error"] is not None]
    return {
        "name": variant.name,
        "published": variant.published,
        "parameters": reads[0]["parameters"],
        "macs": reads[0]["macs"],
        "figures": figures,
        "reached": [read["reached"] for read in reads],
        "mean": sum(figures) / len(figures),
        "low": min(figures),
        "high": max(figures),
        "training_error": sum(errors) / len(errors) if errors else None,
        "seconds": sum(read["seconds"] for read in reads),
    }
