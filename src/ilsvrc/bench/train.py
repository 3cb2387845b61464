"""Training steps beside torchvision's reference step and timm's: the same network, whole steps, rounds in turn.

Run `ilsvrc bench train`. A step is forward, backward and update on images that are there already. Ours is what `ilsvrc
train` does on this machine by default. The reference is the same network as torchvision writes it, in its eager
float32 step as shipped (bf16 under autocast on a GPU); AlexNet and GoogLeNet, which it does not have with their
response norms, are ours with `torch.nn.LocalResponseNorm`, and the SE networks are timm's. timm's step has channels
last, and AMP in bf16 but on a processor that only emulates it. Each side is a process of its own; each round times
every side once, and the median counts. On a GPU each side takes the batch that is best for it, found by doubling.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from ilsvrc.bench import feed
from ilsvrc.bench.peers import version_of
from ilsvrc.bench.train_side import REFERENCE
from ilsvrc.errors import SpecError
from ilsvrc.jobs.machine import bench, command, machine
from ilsvrc.models import MODELS

KINDS = ("ours", "reference", "timm")
CPU = ("resnet50_v1_5", "alexnet", "vgg16", "googlenet", "resnext50_32x4d", "se_resnet50")
GPU = ("alexnet", "googlenet", "vgg16", "resnet50_v1_5", "resnext50_32x4d", "senet154")
SECONDS = 2.0  # a round's steps take about this long, so that quick networks are not timed on a single step

# Multiply-adds in bf16 that a device can make in a second, dense, times two: the makers' data sheets.
PEAK = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}


@dataclass(frozen=True)
class Row:
    """One side of one network."""

    network: str
    side: str
    batch: int
    images_per_second: float
    ours_over: float  # how many times as fast ours is
    norm_share: float  # of the step, in response norms
    norm_seconds: float
    utilisation: float | None  # of the device's peak
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be measured: networks, all of them when empty, and fed from `data` where that is given."""

    networks: tuple[str, ...]
    device: str
    batch: int
    rounds: int
    data: str | None


def main(wish: Wish, as_json: bool) -> None:
    """Measure and print.

    Raises SpecError for a network that is not known, or a device that is not there, DataError for data that cannot
    be read.
    """
    networks, device, batch, rounds = wish.networks, wish.device, wish.batch, wish.rounds
    unknown = [name for name in networks if name not in MODELS]
    if unknown:
        raise SpecError(f"no network is called {unknown[0]!r}; ilsvrc models names them")
    on_gpu = bench(device).device.type == "cuda"
    lines = environment(device)
    if not as_json:
        print("\n".join(lines), flush=True)
    if wish.data is not None:
        return fed(wish, lines, as_json)
    norms = {} if on_gpu else {how: response_norm(how) for how in ("shipped", "kept")}
    if not as_json:
        print("\n".join(norm_table(norms)), flush=True)
    rows: list[Row] = []
    for name in networks or (GPU if on_gpu else CPU):
        rows += measure(name, device, batch, rounds, on_gpu)
        if not as_json:
            print("\n".join(table(rows, name)), flush=True)
    if as_json:
        found = {"environment": lines, "response_norm": norms, "rows": [asdict(row) for row in rows]}
        print(json.dumps(found, indent=1))
    return None


def fed(wish: Wish, lines: list[str], as_json: bool) -> None:
    """Steps fed from a data set, beside steps and pipeline alone."""
    rows = [
        feed.measure(name, wish.data or "", wish.batch, wish.rounds)
        for name in wish.networks or ("resnet50_v1_5", "alexnet")
    ]
    if as_json:
        print(json.dumps({"environment": lines, "fed": [asdict(row) for row in rows]}, indent=1))
    else:
        print("\n".join(feed.table(rows)))


def response_norm(how: str) -> dict[str, dict[str, float]]:
    """Seconds by name and kind, in a process that is as shipped or keeps its memory."""
    words = [sys.executable, "-m", "ilsvrc.bench.response", how]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def norm_table(norms: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Rows of Markdown."""
    if not norms:
        return []
    lines = [
        "| response norm, 32 x 96 x 55 x 55 | memory | forward ms | and backward ms | ratio | off by |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for how, rows in norms.items():
        slow = rows["torch.nn.LocalResponseNorm"]["fp32"]
        for name, row in rows.items():
            for kind in [key for key in row if key != "off" and not key.endswith("forward")]:
                off = f"{row['off']:.1e}" if kind == "fp32" else ""
                lines.append(
                    f"| {name}, {kind} | {how} | {1e3 * row[kind + ' forward']:.1f} | {1e3 * row[kind]:.1f} "
                    f"| {slow / row[kind]:.1f}x | {off} |"
                )
    return [*lines, ""]


def measure(name: str, device: str, batch: int, rounds: int, on_gpu: bool) -> list[Row]:
    """A row per side that is here."""
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        sides = {kind: stack.enter_context(side(name, kind, device, batch)) for kind in KINDS}
        present = {kind: ask for kind, ask in sides.items() if ask is not None}
        batches, steps = {}, {}
        for kind, ask in present.items():
            warm = ask(do="warm")["seconds"]
            batches[kind] = ask(do="best")["batch"] if on_gpu else batch
            steps[kind] = max(1, round(SECONDS / ask(do="time", steps=3)["seconds"] if on_gpu else SECONDS / warm))
        for _ in range(rounds):
            for kind, ask in present.items():
                seconds.setdefault(kind, []).append(ask(do="time", steps=steps[kind])["seconds"])
        norms = {kind: ask(do="norms")["seconds"] for kind, ask in present.items()}
        facts = {kind: ask(do="facts") for kind, ask in present.items()}
    rates = {kind: batches[kind] / statistics.median(each) for kind, each in seconds.items()}
    flops = 6 * facts["ours"]["macs"]  # a multiply-add is two, and the backward pass makes twice the forward's
    peak = peak_of(bench(device).device)
    return [
        Row(
            *(name, label(name, kind), batches[kind], rate, rates["ours"] / rate),
            *(norms[kind] * rate / batches[kind], norms[kind], rate * flops / peak if peak else None, facts[kind]),
        )
        for kind, rate in rates.items()
    ]


@contextmanager
def side(model: str, kind: str, device: str, batch: int) -> Iterator[Any]:
    """A process of that network, as a function from a request to its answer, or None where the peer is not here."""
    words = [sys.executable, "-m", "ilsvrc.bench.train_side"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def ask(**request: Any) -> Any:
            print(json.dumps(request), file=asks, flush=True)
            line = answers.readline()
            if not line:
                raise RuntimeError(f"the process of {model} has left; what it said stands above")
            return json.loads(line)

        try:
            yield ask if ask(model=model, kind=kind, device=device, batch=batch)["ready"] else None
        finally:
            asks.close()
            process.wait()


def label(name: str, kind: str) -> str:
    """What a row is."""
    package, peer = REFERENCE.get(name, ("plain", ""))
    written = "torch.nn.LocalResponseNorm" if package == "plain" else f"{package} {peer}"
    return {"ours": "ilsvrc", "reference": f"{written}, as shipped", "timm": "timm, channels last"}[kind]


def peak_of(device: torch.device) -> float | None:
    """The device's FLOP/s in bf16 by its name, or None where the table does not have it."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for key, peak in PEAK.items() if all(word in name for word in key.split())), None)


def environment(device: str) -> list[str]:
    """The machine, the versions and the command, a line each."""
    chosen = bench(device).device
    here, peak = machine(chosen), peak_of(chosen)
    packages = ", ".join(f"{name} {version_of(name)}" for name in ("torchvision", "timm"))
    named = f", {here.device}" + (f" ({peak / 1e12:.0f} TFLOP/s in bf16)" if peak else "")
    return [
        f"machine: {here.cpu}, {here.cores} cores, {torch.get_num_threads()} threads, {here.system}"
        + (named if chosen.type == "cuda" else ""),
        f"versions: ilsvrc {here.ilsvrc} ({here.commit}), Python {here.python}, torch {here.torch}, {packages}",
        f"command: {command()}",
        "",
    ]


def table(rows: Sequence[Row], name: str) -> list[str]:
    """Rows of Markdown."""
    lines = [
        f"| {name} | batch | images/s | ours is | response norm | kept for backward | optimizer | peak | of peak |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        if row.network != name:
            continue
        mega = [row.facts[key] / 2**20 for key in ("activation_bytes", "optimizer_bytes", "peak_bytes")]
        memory = " | ".join(f"{value:,.0f} MiB" for value in mega)
        share = f"{row.norm_share:.1%}" if row.norm_seconds else ""
        used = "" if row.utilisation is None else f"{row.utilisation:.1%}"
        amp = ", AMP" * (row.side.startswith("timm") and row.facts["precision"] == "bf16")
        compiled = f", compiled {row.facts['compile']}" * (row.facts["compile"] != "no")
        detail = f"{amp}, {row.facts['precision']}{compiled}"
        lines.append(
            f"| {row.side}{detail} | {row.batch} | {row.images_per_second:,.1f} | {row.ours_over:.2f}x | {share} "
            f"| {memory} | {used} |"
        )
    return [*lines, ""]
