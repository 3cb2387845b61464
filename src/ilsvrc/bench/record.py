"""The winners on the whole of Tiny ImageNet under one budget, and ResNet-50 at its best recipe: a record of it.

scripts/record_tiny_imagenet runs it, on a CUDA GPU in a night; tiny versions of it run anywhere. It says first what it
will do. Trainings that are done are not done again: stopped or killed, the same words go on. What is left in `out` is a
table, every epoch of every training, and a page with their curves.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from ilsvrc import models
from ilsvrc.entries.miniature import LARGER, SIZE
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.machine import Bench, bench, command, keep_memory, machine
from ilsvrc.jobs.report import report
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.train_one import Order
from ilsvrc.models.anatomy import parameters
from ilsvrc.reports.formats import duration
from ilsvrc.reports.progress import Watch
from ilsvrc.train.checkpoint import write_text
from ilsvrc.train.run import Run

# Those whose strides leave nothing of 64 pixels, or whose side heads need 79, get images of 80.
LARGE = ("alexnet", "zfnet", "overfeat_accurate", "googlenet")
SMALL = ("vgg16", "resnet50", "preresnet200", "resnext50_32x4d", "se_resnet50", "senet154")
WINNERS = dict.fromkeys(LARGE, LARGER) | dict.fromkeys(SMALL, SIZE)
BUDGET = 30  # epochs of every winner, by the recipe `modern`
BEST = ("resnet50", 176, 100)  # images of 64 enlarged, so that the last map has more than two pixels a side
GOAL = 0.65  # of ResNet-50 at its best: top-1 accuracy
NAME = "tiny_imagenet"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be recorded; the defaults are the record's."""

    data: str
    out: Path
    name: str = NAME  # of the record's files
    runs: Path = Path("runs/tiny-imagenet")
    networks: tuple[str, ...] = tuple(WINNERS)
    recipe: str = "modern"  # of those under the budget
    epochs: int = BUDGET
    best_epochs: int = BEST[2]  # 0 leaves the best recipe out
    seeds: tuple[int, ...] = (0,)
    width: float | None = None
    batch: int | None = None
    device: str = "auto"

    def orders(self) -> dict[str, Order]:
        """Every training, by the name of its directory. Raises SpecError for a network that is not known."""
        found = {}
        for seed in self.seeds:
            for name in self.networks:
                found[f"{name}.{seed}"] = self._order(name, WINNERS.get(name, SIZE), self.epochs, seed, self.recipe)
            if self.best_epochs:
                found[f"best.{seed}"] = self._order(
                    BEST[0], BEST[1] if self.width is None else SIZE, self.best_epochs, seed
                )
        return found

    def _order(self, name: str, size: int, epochs: int, seed: int, recipe: str = "modern") -> Order:
        return Order(
            name=name, recipe=recipe, epochs=epochs, width=self.width, image_size=size, seed=seed, batch=self.batch
        )


def main(words: Sequence[str] | None = None) -> None:
    """From the words of a command line: say what will be done, and unless --plan is among them, do it."""
    wish, only = _wish(words)
    here = bench(wish.device)
    print("\n".join(plan(wish, here)), flush=True)
    if not only:
        keep_memory()
        print(record(wish, here, Watch()).read_text(encoding="utf-8"))


def plan(wish: Wish, here: Bench) -> list[str]:
    """What will be done, a line each. Raises SpecError for what cannot be."""
    where = f"on {machine(here.device).device}, {here.precision}, {here.loaders} loading threads"
    lines = [f"{where}; data: {wish.data}; into {wish.out} and {wish.runs}"]
    for place, order in wish.orders().items():
        training = order.training()
        kind = "at its best" if place.startswith("best.") else "budget"
        lines.append(
            f"  {place:24} {kind:12} {training.size:4} px  {training.epochs:4} epochs  batch {training.recipe.batch}"
            f"  seed {order.seed}  {'done' if Run(wish.runs / place).scores.exists() else ''}".rstrip()
        )
    return lines


def record(wish: Wish, here: Bench, watch: Watch) -> Path:
    """Train what is not trained yet, and write the record; its page.

    Raises what run_training raises; what is done by then is kept.
    """
    splits, orders = open_splits(wish.data), wish.orders()
    runs = {}
    with watch.live():
        for place, order in orders.items():
            runs[place] = run_training(order.training(), splits, wish.runs / place, here, watch)
    rows = [_row(place, order, runs[place], len(splits.train.classes)) for place, order in orders.items()]
    seen = {"command": _words(), "machine": vars(machine(here.device)), "precision": here.precision}
    told = seen | {"data": splits.train.name, "fingerprint": splits.fingerprint, "runs": rows}
    write_text(wish.out / f"{wish.name}.json", json.dumps(told, indent=1) + "\n")
    report([run.directory for run in runs.values()], wish.out / f"{wish.name}.html")
    page = wish.out / f"{wish.name}.md"
    write_text(page, "\n".join(table(rows, seen, splits, wish.name)) + "\n")
    return page


def _words() -> str:
    """The command, without the places that are of no use elsewhere."""
    words = re.sub(r"--(data|runs|out) \S+", lambda found: f"--{found[1]} {found[1].upper()}", command())
    return "scripts/record_tiny_imagenet " + words.partition(" ")[2]


def _row(place: str, order: Order, run: Run, classes: int) -> dict[str, Any]:
    training, scores, log = order.training(), run.read_scores() or {}, run.log()
    with torch.device("meta"):
        network = models.build(order.name, classes, training.size, training.member.width)
    errors = {score["metric"]: score["value"] for score in scores["scores"]}
    return {
        "run": place,
        "network": order.name,
        "best": place.startswith("best."),
        "image_size": training.size,
        "width": training.member.width,
        "parameters": parameters(network),
        "recipe": training.recipe.source,
        "batch": training.recipe.batch,
        "epochs": training.epochs,
        "seed": order.seed,
        "top1_error": errors["top-1 error"],
        "top5_error": errors["top-5 error"],
        "seconds": scores["seconds"],
        "images_per_second": fmean(line["images_per_second"] for line in log),
        "curve": [{key: line[key] for key in ("epoch", "loss", "top1_error", "top5_error")} for line in log],
        "gaps": list(training.recipe.gaps),
    }


def table(rows: Sequence[dict[str, Any]], seen: dict[str, Any], splits: Splits, name: str = NAME) -> list[str]:
    """The record as Markdown."""
    here = seen["machine"]
    who = "The winners" if len(rows) > 1 else rows[0]["network"]
    lines = [
        f"# {who} on Tiny ImageNet" + (", under one budget" if len(rows) > 1 else ""),
        "",
        f"{len(splits.train):,} images to learn from, {len(splits.val):,} to be judged on, one central crop each; "
        f"{len(splits.train.classes)} classes. Every epoch is in [{name}.json]({name}.json), the curves are in "
        f"`{name}.html` beside it. The recipes: " + "; ".join(dict.fromkeys(row["recipe"] for row in rows)) + ".",
        "",
        "| network | pixels | parameters | epochs | batch | seed | top-1 error | top-5 error | images/s | trained in |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        best = " at its best" if row["best"] else ""
        width = "" if row["width"] == 1 else f", width {row['width']:g}"
        lines.append(
            f"| {row['network']}{best}{width} | {row['image_size']} | {row['parameters']:,} | {row['epochs']} "
            f"| {row['batch']} | {row['seed']} | {row['top1_error']:.2%} | {row['top5_error']:.2%} "
            f"| {row['images_per_second']:,.0f} | {duration(row['seconds'])} |"
        )
    for row in rows:
        if row["best"]:
            reached = "reached" if 1 - row["top1_error"] >= GOAL else "not reached"
            lines += ["", f"Goal for ResNet-50 at its best: {GOAL:.0%} top-1. {1 - row['top1_error']:.2%}: {reached}."]
    lines += [
        "",
        f"{here['device']}, {here['cpu']}, {here['cores']} cores, {seen['precision']}; torch {here['torch']}, ",
    ]
    lines[-1] += f"ilsvrc {here['ilsvrc']} ({here['commit']}). `{seen['command']}`"
    return lines


def _wish(words: Sequence[str] | None) -> tuple[Wish, bool]:
    usual = Wish(data="", out=Path("docs/results"))
    parser = argparse.ArgumentParser(prog="record_tiny_imagenet", description=__doc__)
    parser.add_argument("--data", required=True, help="Tiny ImageNet: its folder, zip, or shards")
    parser.add_argument("--out", type=Path, default=usual.out, help="where the record is left")
    parser.add_argument("--name", default=usual.name, help="of the record's files")
    parser.add_argument("--runs", type=Path, default=usual.runs, help="where the trainings are left")
    parser.add_argument("--networks", nargs="+", default=usual.networks, help="those that run under the budget")
    parser.add_argument("--recipe", default=usual.recipe, help="of those under the budget")
    parser.add_argument("--epochs", type=int, default=usual.epochs, help="the budget")
    parser.add_argument("--best-epochs", type=int, default=usual.best_epochs, help="of ResNet-50 at its best; 0: none")
    parser.add_argument("--seeds", nargs="+", type=int, default=usual.seeds)
    parser.add_argument("--width", type=float, help="of every layer, for a tiny version")
    parser.add_argument("--batch", type=int, help="images per update; the rate follows")
    parser.add_argument("--device", default=usual.device)
    parser.add_argument("--plan", action="store_true", help="say what would be done, and do nothing")
    given: dict[str, Any] = vars(parser.parse_args(words))
    only = given.pop("plan")
    unknown = [name for name in given["networks"] if name not in models.MODELS]
    if unknown:
        raise SpecError(f"no network is called {unknown[0]!r}; ilsvrc models names them")
    given |= {key: tuple(given[key]) for key in ("networks", "seeds")}
    return replace(usual, **given), only


if __name__ == "__main__":
    from ilsvrc.errors import IlsvrcError

    try:
        main()
    except IlsvrcError as error:
        raise SystemExit(f"error: {error}") from error
