"""bf16 must also learn: the loss of the same network over the same steps in fp32 and in bf16, side by side.

Run `ilsvrc bench curves --data D --out DIR`. Each precision starts from the same weights and sees the same images in
the same order with the same draws. A third training, in fp32 from another seed, shows what difference chance makes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch

from ilsvrc.entries.miniature import PROTOCOL
from ilsvrc.entries.recipes import miniature
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Feed, Splits, epochs_on, normal_of, open_splits, training_loader
from ilsvrc.jobs.machine import Bench, bench, command, machine
from ilsvrc.jobs.preflight import built
from ilsvrc.jobs.training import Training
from ilsvrc.reports.charts import Axis, Series, lines, ticks
from ilsvrc.reports.markup import Html
from ilsvrc.spec import Cosine, Member
from ilsvrc.train.checkpoint import write_text
from ilsvrc.train.loop import Course, Place, set_rate
from ilsvrc.train.loss import classification
from ilsvrc.train.optim import optimizer
from ilsvrc.train.schedule import rate

WINDOW = 20  # steps whose losses are averaged where one number is shown
STYLE = (
    "<style>text{font-family:sans-serif;fill:#444}.grid{stroke:#ddd}.line{fill:none;stroke:var(--c);stroke-width:1.4}"
    ".dot{fill:var(--c)}.leader{fill:none;stroke:var(--c);stroke-width:.6}"
    ".c0{--c:#1b6ca8}.c1{--c:#d1495b}.c2{--c:#999}</style>"
)


@dataclass(frozen=True)
class Curve:
    """One training: its loss at every step."""

    network: str
    precision: str
    seed: int
    losses: tuple[float, ...]


def main(networks: Sequence[str], path: str, out: Path, steps: int, seed: int) -> None:
    """Train, print the table, and leave bf16.json, bf16.md and a drawing per network in `out`."""
    splits = open_splits(path)
    curves = []
    for name in networks:
        for precision, its_seed in (("fp32", seed), ("bf16", seed), ("fp32", seed + 1)):
            here = bench(precision=precision, compile="no")  # type: ignore[arg-type]
            curves.append(trained(name, splits, here, steps, its_seed))
    write(curves, splits, out)
    print((out / "bf16.md").read_text(encoding="utf-8"))


def trained(name: str, splits: Splits, here: Bench, steps: int, seed: int) -> Curve:
    """That many steps of the network's miniature recipe. Raises SpecError when the network cannot be so small."""
    recipe = replace(miniature(name), schedule=Cosine(), warmup=0.0, epochs=1.0)
    side = 64 if name.startswith(("resnet", "resnext", "se_", "vgg")) else 80
    member = Member(model=name, recipe=recipe, image_size=side, width=0.5)
    training = Training(member=member, protocol=PROTOCOL, epochs=1, seed=seed)
    if len(splits.train) < recipe.batch:
        raise SpecError(f"{splits.path} has {len(splits.train)} images and a batch takes {recipe.batch}")
    network = built(training, len(splits.train.classes), here.device).train()
    moves, schedule = optimizer(network, recipe.optimizer), rate(recipe, 1)
    feed = Feed(threads=here.loaders)
    normal = normal_of(splits.train, recipe, training.judged_by, feed)
    loader = training_loader(splits.train, training.recipe, recipe.batch, seed, feed)
    loss = classification(side_weight=recipe.side_weight, label_smoothing=0.0, precision=here.precision)
    draws = Course(epochs=1, start=Place(), seed=seed, after_epoch=lambda place, measured: None)
    batches = (batch for epoch in count() for batch in epochs_on(loader, normal, here.device, Place(epoch)))
    losses = []
    for step, batch in enumerate(islice(batches, steps)):
        torch.manual_seed(draws.draw(0, step))
        set_rate(moves, schedule(step / steps))
        moves.zero_grad()
        value = loss(network, batch)
        value.backward()  # type: ignore[no-untyped-call]
        if recipe.clip_norm:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
        moves.step()
        losses.append(value.detach())
    return Curve(name, here.precision, seed, tuple(torch.stack(losses).tolist()))


def write(curves: Sequence[Curve], splits: Splits, out: Path) -> None:
    """The record: every loss, a table, a drawing per network."""
    here = machine(torch.device("cpu"))
    seen: dict[str, Any] = {"command": command(), "machine": vars(here), "data": splits.train.name}
    rows = [vars(curve) | {"losses": [round(loss, 5) for loss in curve.losses]} for curve in curves]
    write_text(out / "bf16.json", json.dumps(seen | {"fingerprint": splits.fingerprint, "curves": rows}) + "\n")
    networks = list(dict.fromkeys(curve.network for curve in curves))
    for name in networks:
        mine = [curve for curve in curves if curve.network == name]
        write_text(out / f"bf16_{name}.svg", drawing(name, mine) + "\n")
    write_text(out / "bf16.md", page(curves, networks, seen))


def page(curves: Sequence[Curve], networks: Sequence[str], seen: dict[str, Any]) -> str:
    """The table and the drawings as Markdown."""
    steps = len(curves[0].losses)
    places = sorted({min(steps, WINDOW), steps // 4, steps // 2, 3 * steps // 4, steps})
    here = seen["machine"]
    text = [
        f"# bf16 beside fp32 over the same {steps} steps",
        "",
        f"The same {steps} steps from the same seed in both precisions, and fp32 once more from another seed. The loss "
        f"is the mean over the {WINDOW} steps before. Every loss is in [bf16.json](bf16.json).",
        "",
        "| network | precision | seed | " + " | ".join(f"step {place}" for place in places) + " |",
        "| --- | --- | ---: |" + " ---: |" * len(places),
    ]
    for curve in curves:
        means = " | ".join(f"{fmean(curve.losses[max(0, place - WINDOW) : place]):.3f}" for place in places)
        text.append(f"| {curve.network} | {curve.precision} | {curve.seed} | {means} |")
    text += ["", *(f"![{name}](bf16_{name}.svg)" for name in networks), ""]
    text += [f"Data: {seen['data']}. Miniatures at half their width. {here['cpu']}, {here['cores']} cores, "]
    text[-1] += f"torch {here['torch']}, ilsvrc {here['ilsvrc']} ({here['commit']}). `{seen['command']}`"
    return "\n".join(text) + "\n"


Color = Literal["c0", "c1", "c2"]


def drawing(name: str, curves: Sequence[Curve]) -> str:
    """Running means of the losses, one line each."""
    colors: tuple[Color, ...] = ("c0", "c1", "c2")
    series = [
        Series(
            label=f"{curve.precision}, seed {curve.seed}",
            color=color,
            points=tuple(
                (float(i), fmean(curve.losses[max(0, i - WINDOW) : i])) for i in range(1, len(curve.losses) + 1)
            ),
        )
        for curve, color in zip(curves, colors, strict=True)
    ]
    top = max(y for one in series for _, y in one.points)
    drawn = lines(
        series,
        title=f"{name}: training loss",
        size=(640, 300),
        x=_axis("step", len(series[0].points)),
        y=_axis("loss", top),
    )
    start = drawn.index(">") + 1
    frame = drawn[:start].replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"')
    return Html(frame + STYLE + drawn[start:])


def _axis(label: str, largest: float) -> Axis:
    places = ticks(largest, 5)
    top = max(largest, places[-1])
    return Axis(label=label, largest=top, ticks=tuple((place, f"{place:g}") for place in places))
