"""What the test protocols cost: dense passes beside crops, pixels beside the network, odd sizes beside equal ones.

Run `ilsvrc bench protocols`. VGG-16 has random weights and images are photographs, one's own or generated ones of the
same sizes. Each comparison is made in rounds in turn, and the medians count. From JPEG to top-5, ResNet-50 is timed
beside torchvision's own loop, each in a process of its own and after a pass that is not timed.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc import models
from ilsvrc.bench import peers
from ilsvrc.bench.photographs import pictures
from ilsvrc.data.decode import decode
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.entries.protocols import PROTOCOLS
from ilsvrc.errors import SpecError
from ilsvrc.jobs.input import Feed, Normal
from ilsvrc.jobs.machine import bf16_in_hardware, command, machine
from ilsvrc.jobs.stream import Groups, Stream
from ilsvrc.predict.dense import dense
from ilsvrc.predict.engines import HALF, Engine, Runner, prepared
from ilsvrc.predict.predict import VIEWS, Tally, passes
from ilsvrc.predict.views import count, resized
from ilsvrc.spec import Crops, Dense

NETWORK, SIZE, SIDE = "vgg16", 224, 256
WHOLE = (500, 375)  # pixels of the image whose dense pass is compared with its ten crops
PARTS = ("dense", "crops", "sizes", "end")
NORMAL = Normal(torch.full((3, 1, 1), 118.0), torch.ones(3, 1, 1))
ENGINES: tuple[Engine, ...] = ("fp32", "bf16", "openvino", "openvino-bf16", "int8")  # int8 is scaled to the first batch


@dataclass(frozen=True)
class Row:
    """One claim: what was measured, the value that was wanted of it, and the seconds it is made of."""

    what: str
    value: float
    wanted: str
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """What to measure: which parts, over how many rounds and photographs, of a directory or tar of one's own."""

    parts: tuple[str, ...] = PARTS
    rounds: int = 3
    count: int = 320
    images: Path | None = None


def main(wish: Wish, as_json: bool) -> None:
    """Measure and print. Raises SpecError for a part that is none, DataError where the photographs cannot be read."""
    unknown = [part for part in wish.parts if part not in PARTS]
    if unknown:
        raise SpecError(f"nothing to measure is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    lines, rows = environment(), []
    if not as_json:
        print("\n".join(lines), flush=True)
    photographs = pictures(wish.images, wish.count)
    made: dict[str, Callable[[], Iterator[Row]]] = {
        "dense": lambda: dense_beside_crops(wish.rounds),
        "crops": lambda: pixels_beside_network(wish.rounds, photographs),
        "sizes": lambda: sizes_beside_one(wish.rounds, photographs),
        "end": lambda: end_to_end(wish.rounds, photographs),
    }
    for part in wish.parts or PARTS:
        for row in made[part]():
            rows.append(row)
            if not as_json:
                print(told(row), flush=True)
    if as_json:
        print(json.dumps({"environment": lines, "rows": [asdict(row) for row in rows]}, indent=1))


def told(row: Row) -> str:
    """A row for people."""
    parts = ", ".join(f"{name} {seconds * 1000:,.1f} ms" for name, seconds in row.seconds.items())
    return f"{row.what}: {row.value:.3g} ({row.wanted} wanted): {parts}"


def environment() -> list[str]:
    """The machine, the versions and the command, a line each."""
    here = machine(torch.device("cpu"))
    packages = ", ".join(f"{name} {peers.version_of(name)}" for name in ("torchvision", "openvino"))
    return [
        f"machine: {here.cpu}, {here.cores} cores, {torch.get_num_threads()} threads, {here.system}",
        f"versions: ilsvrc {here.ilsvrc} ({here.commit}), Python {here.python}, torch {here.torch}, {packages}",
        f"command: {command()}",
        "",
    ]


def vgg() -> nn.Module:
    """VGG-16 with random weights."""
    torch.manual_seed(0)
    return models.build(NETWORK).eval()


def engines() -> tuple[Engine, ...]:
    """Those that take images of any size; bfloat16 where it is multiplied in hardware."""
    return ("fp32", "bf16") if bf16_in_hardware() else ("fp32",)


def medians(runs: dict[str, Callable[[], object]], rounds: int, *, warm: bool = False) -> dict[str, float]:
    """Seconds of each, called in turn `rounds` times, and once unmeasured before where they are not warm."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(0 if warm else -1, rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in seconds.items()}


def dense_beside_crops(rounds: int) -> Iterator[Row]:
    """One image of 500 x 375: ten crops, one dense pass, and one with its mirror."""
    network = vgg()
    whole = dense(network, Dense(short_sides=(SIDE,)), SIZE)
    ((wide, high),) = resized(Dense(short_sides=(SIDE,)), *WHOLE)
    crops, image = torch.randn(10, 3, SIZE, SIZE), torch.randn(1, 3, high, wide)
    both = torch.cat([image, image.flip(-1)])
    for engine in engines():
        views, places = prepared(network, engine, crops), prepared(whole, engine, image)
        found = medians(
            {
                "ten crops": partial(views, crops),
                "dense": partial(places, image),
                "dense and mirror": partial(places, both),
            },
            rounds,
        )
        for name, wanted in (("dense", "3.5 or more"), ("dense and mirror", "2.2 or more")):
            yield Row(
                f"VGG-16, {engine}, ten crops over {name}, times", found["ten crops"] / found[name], wanted, found
            )


def pixels_beside_network(rounds: int, photographs: list[tuple[str, bytes]]) -> Iterator[Row]:
    """144 crops of a photograph: the share of decoding, resizing, cutting and normalising in all of it."""
    protocol = PROTOCOLS["googlenet"].protocol
    assert isinstance(protocol, Crops)
    sample = Sample(photographs[0][0], photographs[0][1], None)
    look = passes(protocol)
    (seen,) = look(decode(sample))
    images = NORMAL.shown(seen.views, torch.device("cpu"))
    engine = engines()[-1]
    run = prepared(vgg(), engine, images[:VIEWS])

    def pixels() -> Tensor:
        return NORMAL.shown(look(decode(sample))[0].views, torch.device("cpu"))

    def network() -> list[Tensor]:
        return [run(some) for some in torch.split(images, VIEWS)]

    def one_by_one() -> None:
        for _ in range(count(protocol)):
            decode(sample)

    found = medians({"pixels": pixels, "network": network, "decoding for each crop": one_by_one}, max(1, rounds // 2))
    share = 100 * found["pixels"] / (found["pixels"] + found["network"])
    yield Row(f"VGG-16, {engine}, 144 crops, share of pixels work in per cent", share, "under 10", found)


class Pictures:
    """Photographs in memory, as a data set of one class."""

    root = None

    def __init__(self, photographs: list[tuple[str, bytes]]) -> None:
        self.classes = Classes(tuple(f"n{number:08d}" for number in range(1000)), ("",) * 1000)
        self._photographs = photographs

    def __len__(self) -> int:
        return len(self._photographs)

    def __getitem__(self, index: int) -> Sample:
        return Sample(f"{index}", self._photographs[index][1], 0)


def sizes_beside_one(rounds: int, photographs: list[tuple[str, bytes]]) -> Iterator[Row]:
    """Three scales and mirrors of photographs of all sizes, beside as many of one size: seconds for each pixel."""
    protocol = PROTOCOLS["vgg-multiscale"].protocol
    assert isinstance(protocol, Dense)
    engine = engines()[-1]
    run = prepared(dense(vgg(), protocol, SIZE), engine, torch.empty(0))
    odd = Pictures(photographs[:: max(1, len(photographs) // 16)][:16])
    alike = Pictures([_of_one_size(odd)] * len(odd))
    work = {"all sizes": odd, "one size": alike}
    _judged(Pictures([_of_one_size(odd)]), protocol, run)  # warm
    turns: dict[str, Callable[[], object]] = {
        name: partial(_judged, given, protocol, run) for name, given in work.items()
    }
    found = medians(turns, max(1, rounds - 1), warm=True)
    each = {name: found[name] / _pixels(work[name], protocol) for name in work}
    sizes = len({decode(odd[index]).shape for index in range(len(odd))})
    what = f"VGG-16, {engine}, three scales, {len(odd)} photographs of {sizes} sizes over one size, loss in per cent"
    yield Row(what, 100 * (each["all sizes"] / each["one size"] - 1), "under 15", found)


def _judged(dataset: Pictures, protocol: Dense, run: Runner) -> int:
    groups, tally = Groups(protocol, NORMAL, torch.device("cpu")), Tally(protocol, [run])
    done = 0
    for looked in Stream(dataset, range(len(dataset)), protocol, Feed(threads=1)):
        done += sum(1 for group in groups.add(looked) for _ in tally.add(group))
    return done + sum(1 for group in groups.rest() for _ in tally.add(group))


def _pixels(dataset: Pictures, protocol: Dense) -> int:
    shapes = (decode(dataset[index]).shape for index in range(len(dataset)))
    return sum(wide * high for shape in shapes for wide, high in resized(protocol, shape[1], shape[0]))


def _of_one_size(dataset: Pictures) -> tuple[str, bytes]:
    """The photograph that is nearest to 4 to 3, the commonest shape."""
    shapes = [decode(dataset[index]).shape for index in range(len(dataset))]
    place = int(np.argmin([abs(shape[1] / shape[0] - 4 / 3) for shape in shapes]))
    return str(place), dataset[place].jpeg


def end_to_end(rounds: int, photographs: list[tuple[str, bytes]]) -> Iterator[Row]:
    """ResNet-50, one crop of the centre, JPEG to top-5: each engine over torchvision's loop, in images a second."""
    with tempfile.TemporaryDirectory() as place:
        for number, (name, content) in enumerate(photographs):
            folder = Path(place) / "val" / f"class{number % 20:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:06d}_{Path(name).name}").write_bytes(content)
        with side(place, ours=True) as ours, side(place, ours=False) as theirs:
            runs: dict[str, Callable[[], object]] = {}
            peer = theirs(engine="eager")
            if "fault" in peer:
                print(peer["fault"], file=sys.stderr)
            else:
                runs["torchvision"] = partial(theirs, engine="eager")
            for engine in ENGINES:
                if engine in HALF and not bf16_in_hardware():
                    continue  # emulated, it takes minutes and says nothing
                if "fault" not in ours(engine=engine):
                    runs[engine] = partial(ours, engine=engine)
            found = {name: seconds / len(photographs) for name, seconds in medians(runs, rounds, warm=True).items()}
    first = found.get("torchvision", found["fp32"])
    beside = "torchvision's loop" if "torchvision" in found else "our fp32, since torchvision is not installed"
    for engine in (engine for engine in ENGINES if engine in found):
        what = f"ResNet-50, {engine}, JPEG to top-5, {1 / found[engine]:.1f} images/s over {beside}, times"
        yield Row(what, first / found[engine], "6 or more of the best", {"one image": found[engine], "theirs": first})


@contextmanager
def side(folder: str, *, ours: bool) -> Iterator[Any]:
    """A process of that side, as a function from a request to its answer; one that could not begin answers a fault."""
    words = [sys.executable, "-m", "ilsvrc.bench.protocols_side"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def ask(**request: Any) -> Any:
            print(json.dumps(request), file=asks, flush=True)
            line = answers.readline()
            if not line:
                raise RuntimeError("a process of the benchmark has left; what it said stands above")
            return json.loads(line)

        begun = ask(folder=folder, ours=ours)
        try:
            yield (lambda **_: begun) if "fault" in begun else ask
        finally:
            asks.close()
            process.wait()
