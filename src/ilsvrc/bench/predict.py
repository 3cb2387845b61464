"""Prediction beside torchvision's own modules: the same weights, the same images, rounds in turn.

Run `ilsvrc bench predict`. The peer is its module in eager float32 as shipped, in a process of its own that does
nothing about memory; ours are all engines that work here, in a process that keeps memory as the command line does.
Each round times every engine of both once, and the median over the rounds counts. SE-ResNet-50 is timed beside
timm's `legacy_seresnet50`. A network whose peer is not installed is timed beside our own eager as shipped.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ilsvrc.bench import peers
from ilsvrc.bench.predict_side import PEERS
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.machine import command, keep_memory, machine
from ilsvrc.jobs.predict import CALIBRATION, images
from ilsvrc.jobs.predictor import Predictor
from ilsvrc.models import MODELS
from ilsvrc.predict.engines import ENGINES, Engine, missing, prepared
from ilsvrc.predict.measure import Change, change

CALLS = 8  # of a single image, timed as one


@dataclass(frozen=True)
class Row:
    """One engine of one network: speed at both sizes, over the peer's, and how far its logits are from the peer's."""

    network: str
    engine: str
    prepare: float  # seconds
    batch: float  # images/s
    batch_ratio: float
    single: float  # images/s, one at a time
    single_ratio: float
    off: float  # the largest difference of a logit over the largest logit


@dataclass(frozen=True)
class Kept:
    """What an engine makes of photographs, beside eager.

    centred is the share whose highest logit is the same once each class's mean over the photographs is taken away:
    networks that were not trained may say one and the same of everything, which every engine would keep.
    """

    engine: str
    change: Change
    off: float  # the largest difference of a logit over the largest logit
    classes: int  # different first guesses of eager's
    centred: float


def main(
    networks: Sequence[str], batch: int, rounds: int, photos: Sequence[str], weights: Path | None, as_json: bool
) -> None:
    """Measure and print; no networks are all that have a peer, or none where there are weights.

    Raises SpecError for a network that is not known, or photographs without weights.
    """
    unknown = [name for name in networks if name not in MODELS]
    if unknown:
        raise SpecError(f"no network is called {unknown[0]!r}; ilsvrc models names them")
    if bool(photos) != bool(weights):
        raise SpecError("photographs need weights and weights photographs; give --images and --weights, or neither")
    lines = environment()
    if not as_json:
        print("\n".join(lines), flush=True)
    rows: list[Row] = []
    for name in networks or (() if weights else tuple(PEERS)):
        rows += measure(name, batch, rounds)
        if not as_json:
            print("\n".join(table(rows[-len(ENGINES) - 1 :], name, batch)), flush=True)
    kept = list(first_guesses(photos, weights, batch)) if weights else []
    if as_json:
        found = {"rows": [asdict(row) for row in rows], "photographs": [asdict(one) for one in kept]}
        print(json.dumps({"environment": lines} | found, indent=1))
    elif kept:
        print("\n".join(kept_table(kept, str(weights))))


def measure(name: str, batch: int, rounds: int) -> list[Row]:
    """The peer's row and one per engine."""
    with tempfile.TemporaryDirectory() as folder, side(name, False, folder) as theirs, side(name, True, folder) as ours:
        runs: list[tuple[Any, Engine]] = [(theirs, "eager")]
        prepare = [theirs(do="prepare", engine="eager", batch=batch)["seconds"]]
        for engine in ENGINES:
            answer = ours(do="prepare", engine=engine, batch=batch)
            if "fault" in answer:
                print(answer["fault"], file=sys.stderr)
                continue
            runs.append((ours, engine))
            prepare.append(answer["seconds"])
        off = _differences(runs, batch, Path(folder))
        seconds: dict[tuple[int, int], list[float]] = {}
        for _ in range(rounds):
            for size, calls in ((batch, 1), (1, CALLS)):
                for number, (process, engine) in enumerate(runs):
                    answer = process(do="time", engine=engine, batch=size, calls=calls)
                    seconds.setdefault((size, number), []).append(answer["seconds"] / size)
    rates = {place: 1 / statistics.median(each) for place, each in seconds.items()}
    labels = [peer_name(name), *(engine for _, engine in runs[1:])]
    return [
        Row(
            *(name, label, prepare[i], rates[batch, i], rates[batch, i] / rates[batch, 0]),
            *(rates[1, i], rates[1, i] / rates[1, 0], off[i]),
        )
        for i, label in enumerate(labels)
    ]


def _differences(runs: list[tuple[Any, Engine]], batch: int, folder: Path) -> list[float]:
    """Of each run from the first, the largest over the largest; for both sizes of batch, which warms them up."""
    worst = [0.0] * len(runs)
    for size in (batch, 1):
        found = []
        for process, engine in runs:
            process(do="logits", engine=engine, batch=size, file=str(folder / "logits.pt"))
            found.append(torch.load(folder / "logits.pt", weights_only=True))
        for place, logits in enumerate(found):
            worst[place] = max(worst[place], float((logits - found[0]).abs().max() / found[0].abs().max()))
    return worst


@contextmanager
def side(model: str, ours: bool, folder: str) -> Iterator[Any]:
    """A process of that network, as a function from a request to its answer."""
    words = [sys.executable, "-m", "ilsvrc.bench.predict_side"]
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
            ask(model=model, ours=ours, folder=folder)
            yield ask
        finally:
            asks.close()
            process.wait()


def first_guesses(words: Sequence[str], weights: Path, batch: int) -> Iterator[Kept]:
    """Each engine beside eager, with real weights on real photographs; int8 is calibrated on some of them."""
    keep_memory()
    predictor = Predictor(weights, device="cpu")
    blobs = []
    for path in images(words):
        try:
            blobs.append(predictor.view(path))
        except DataError as error:
            print(error, file=sys.stderr)
    seen = torch.stack(blobs)
    eager = torch.cat([prepared(predictor.network, "eager", seen)(part) for part in torch.split(seen, batch)])
    some = seen[:: max(1, -(-len(seen) // CALIBRATION))]
    for engine in ENGINES[1:]:
        if not missing(engine, seen.device):
            run = prepared(predictor.network, engine, some if engine == "int8" else seen[:batch])
            ours = torch.cat([run(part) for part in torch.split(seen, batch)])
            same = [(logits - logits.mean(0)).argmax(1) for logits in (ours, eager)]
            centred = float((same[0] == same[1]).double().mean())
            off = float((ours - eager).abs().max() / eager.abs().max())
            yield Kept(engine, change(ours, eager), off, len(set(eager.argmax(1).tolist())), centred)


def peer_name(model: str) -> str:
    """What the first row is."""
    package, name = PEERS.get(model, ("", ""))
    with contextlib.suppress(ImportError):
        if package:
            {"torchvision": peers.torchvision, "timm": peers.timm}[package]()
            return f"{package} {name}, as shipped"
    return "our eager, as shipped"


def environment() -> list[str]:
    """The machine, the versions and the command, a line each."""
    here = machine(torch.device("cpu"))
    packages = ", ".join(f"{name} {peers.version_of(name)}" for name in ("torchvision", "timm", "openvino", "nncf"))
    return [
        f"machine: {here.cpu}, {here.cores} cores, {torch.get_num_threads()} threads, {here.system}",
        f"versions: ilsvrc {here.ilsvrc} ({here.commit}), Python {here.python}, torch {here.torch}, {packages}",
        f"command: {command()}",
        "",
    ]


def table(rows: Sequence[Row], name: str, batch: int) -> list[str]:
    """Rows of Markdown."""
    lines = [
        f"| {name} | ready in s | images/s, {batch} at a time | ratio | images/s, one at a time | ratio | off by |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        if row.network == name:
            lines.append(
                f"| {row.engine} | {row.prepare:.1f} | {row.batch:.1f} | {row.batch_ratio:.2f} "
                f"| {row.single:.1f} | {row.single_ratio:.2f} | {row.off:.0e} |"
            )
    return [*lines, ""]


def kept_table(kept: Sequence[Kept], weights: str) -> list[str]:
    """Rows of Markdown."""
    lines = [
        f"Eager's first guesses with {weights} are of {kept[0].classes} classes.",
        "",
        "| engine | first guesses kept | class means taken away | largest change of a probability | mean | off by |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in kept:
        moved, count = one.change, one.change.images
        lines.append(
            f"| {one.engine} | {round(moved.agreement * count)} of {count} | {round(one.centred * count)} of {count} "
            f"| {moved.largest:.1e} | {moved.mean:.1e} | {one.off:.0e} |"
        )
    return lines
