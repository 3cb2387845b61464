"""`ilsvrc bench`: timed claims, each measured side by side in one run."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ilsvrc.commands.options import Flag, Positive, Seed

app = App(name="bench", help="Measure what the documentation claims about time and memory, on this machine.")


@app.command
def scoring(*, lines: Positive = 5_000_000, repeat: Positive = 5) -> None:
    """Time the scorer, reading included, and its matching beside pycocotools where that is installed.

    Parameters
    ----------
    lines
        Lines of the large detection submission.
    repeat
        Runs of each; the median is printed.
    """
    from ilsvrc.bench.scoring import main

    main(lines, repeat)


@app.command
def data(*, images: Path | None = None, rounds: Positive = 7, json: Flag = False) -> None:
    """Time the loader beside torchvision's recipe, step by step, and measure what its shortcuts change.

    torchvision takes part where it is installed.

    Parameters
    ----------
    images
        A directory or a tar of photographs; generated ones of the same sizes by default.
    rounds
        In each everyone loads all images; medians over rounds are printed.
    json
        Print JSON, for machines.
    """
    from ilsvrc.bench.data import lines, main
    from ilsvrc.commands.output import print_json
    from ilsvrc.jobs.machine import command, keep_memory

    keep_memory()
    found = main(images, rounds)
    print_json({**found, "command": command()}) if json else print("\n".join(lines(found, command())))


@app.command
def predict(
    networks: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    /,
    *,
    batch: Positive = 32,
    rounds: Positive = 5,
    images: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    weights: Path | None = None,
    json: Flag = False,
) -> None:
    """Time every engine beside torchvision's or timm's own module with the same random weights.

    Parameters
    ----------
    networks
        Names of networks; ResNet-50, VGG-16, GoogLeNet, ResNeXt-50 and SE-ResNet-50 where neither names nor
        --weights are given.
    batch
        Images at a time; one at a time is timed as well.
    rounds
        Rounds in which all are timed in turn; the medians are printed.
    images
        Photographs, folders or patterns: how many first guesses each engine keeps, with the weights of --weights.
    weights
        The .safetensors of a network whose guesses on --images are compared.
    json
        Print JSON, for machines.
    """
    from ilsvrc.bench.predict import main

    main(networks, batch, rounds, images, weights, json)


@app.command
def protocols(
    *,
    only: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)] = (),
    images: Path | None = None,
    count: Positive = 320,
    rounds: Positive = 3,
    json: Flag = False,
) -> None:
    """Time the test protocols: dense passes beside crops, pixels beside the network, JPEG to top-5 beside torchvision.

    torchvision takes part where it is installed.

    Parameters
    ----------
    only
        Of dense, crops, sizes and end, those to measure; all of them by default.
    images
        A directory or a tar of photographs; generated ones of the same sizes by default.
    count
        Photographs at most.
    rounds
        In each everything is timed once, in turn; the medians are printed.
    json
        Print JSON, for machines.
    """
    from ilsvrc.bench.protocols import PARTS, Wish, main
    from ilsvrc.jobs.machine import keep_memory

    keep_memory()
    main(Wish(only or PARTS, rounds, count, images), json)


@app.command
def train(
    *,
    models: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)] = (),
    device: str = "auto",
    batch: Positive = 32,
    rounds: Positive = 5,
    data: Path | None = None,
    json: Flag = False,
) -> None:
    """Time whole training steps beside torchvision's and timm's, where those are installed.

    Parameters
    ----------
    models
        Networks of `ilsvrc models`; by default six that a peer has too.
    device
        auto, cpu, cuda or cuda:1.
    batch
        Images in a step; on a GPU where the search for each side's best batch starts.
    rounds
        Each times every side once; the median counts.
    data
        A data set, best packed as shards: time ours alone instead, fed from it, beside steps and pipeline alone.
    json
        Print JSON, for machines.
    """
    from ilsvrc.bench.train import Wish, main

    path = None if data is None else str(data)
    main(Wish(networks=models, device=device, batch=batch, rounds=rounds, data=path), json)


@app.command
def curves(
    *,
    data: Path,
    out: Path = Path("docs/results"),
    models: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)] = ("resnet18", "alexnet"),
    steps: Positive = 300,
    seed: Seed = 0,
) -> None:
    """Train the same miniatures for the same steps in fp32 and in bf16, and keep both losses side by side.

    Parameters
    ----------
    data
        A data set, such as Tiny ImageNet or a mini set.
    out
        Folder of the record.
    models
        Networks of `ilsvrc models`.
    steps
        Updates of each training.
    seed
        Of initialisation, order and every draw; a third training takes the next one.
    """
    from ilsvrc.bench.curves import main
    from ilsvrc.jobs.machine import keep_memory

    keep_memory()
    main(models, str(data), out, steps, seed)


@app.command
def boxes(*, rounds: Positive = 9, json: Flag = False) -> None:
    """Time suppression and RoI pooling beside the loops that define them, and torchvision's where they import.

    Parameters
    ----------
    rounds
        Of each; the median is printed.
    json
        Print JSON, for machines.
    """
    from dataclasses import asdict

    from ilsvrc.bench.boxes import lines, measure
    from ilsvrc.commands.output import print_json
    from ilsvrc.jobs.machine import keep_memory

    keep_memory()
    rows = measure(rounds)
    print_json([asdict(row) for row in rows]) if json else print("\n".join(lines(rows)))
