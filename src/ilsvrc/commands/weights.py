"""`ilsvrc convert`, `weights`, `predict`, `export`: other people's weights, what a network sees, and it elsewhere."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from ilsvrc.errors import DataError, SpecError

Positive = Annotated[int, Parameter(validator=validators.Number(gte=1))]
Flag = Annotated[bool, Parameter(negative="")]


def convert(source: Path, /, *, model: str, out: Path) -> None:
    """Convert a weight file of Caffe, torchvision, timm or Cadene into .safetensors with its record.

    Parameters
    ----------
    source
        A .caffemodel, .pth or .safetensors.
    model
        Whose weights they are, such as vgg16 or resnet50_v1_5.
    out
        The .safetensors to write.
    """
    from ilsvrc.commands.output import show
    from ilsvrc.jobs.convert import convert as job

    record = job(source, model, out)
    show(f"{out}: {record.model}, {record.origin}", *([record.note] if record.note else []))


def weights(file: Path, /, *, data: Path | None = None, json: Flag = False) -> None:
    """Show where the weights in a file are from and what they expect to be shown.

    Parameters
    ----------
    file
        A .safetensors that ilsvrc convert wrote, or the directory of a run.
    data
        The data set of a run that does not say its classes.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_json, show
    from ilsvrc.jobs.weights import describe, lines

    print_json(describe(file, data)) if json else show(*lines(describe(file, data)))


def export(
    file: Path,
    /,
    *,
    to: Literal["onnx", "torch"],
    out: Path | None = None,
    model: str | None = None,
    data: Path | None = None,
) -> None:
    """Write a network for other programs, with what it expects to be shown; run and compared before it is there.

    Parameters
    ----------
    file
        A .safetensors that ilsvrc convert wrote, another weight file with --model, or the directory of a run.
    to
        onnx for ONNX Runtime and its like (extra export), torch for torch.export.load.
    out
        The file to write; by default FILE's name with .onnx or .pt2, in a run's directory weights.onnx.
    model
        Whose weights a .caffemodel or .pth holds.
    data
        The data set of a run that does not say its classes.
    """
    from ilsvrc.commands.output import show
    from ilsvrc.jobs.export import export as job

    show(*job(file, to, out, model, data).lines())


def predict(
    images: Annotated[tuple[str, ...], Parameter(negative="")],
    /,
    *,
    weights: Path,
    model: str | None = None,
    data: Path | None = None,
    top: Positive = 5,
    batch: Positive = 32,
    device: str = "auto",
    engine: Literal["eager", "bf16"] = "eager",
    json: Flag = False,
    csv: Flag = False,
) -> None:
    """Say what is in images: the best guesses with names, WordNet ids and probabilities.

    Parameters
    ----------
    images
        Image files, folders, or patterns such as 'photos/*.jpg'.
    weights
        A .safetensors that ilsvrc convert wrote, another weight file with --model, or the directory of a run.
    model
        Whose weights a .caffemodel or .pth holds.
    data
        The data set of a run that does not say its classes.
    top
        Guesses per image.
    batch
        Images at a time.
    device
        auto, cpu, cuda or cuda:1.
    engine
        eager, or bf16: faster where the machine multiplies it, with probabilities a little off.
    json
        Print JSON, for machines.
    csv
        Print comma-separated values, a line per guess.
    """
    from ilsvrc.commands.output import print_answers
    from ilsvrc.jobs.machine import bench, keep_memory
    from ilsvrc.jobs.predict import predict as job
    from ilsvrc.jobs.predictor import Predictor
    from ilsvrc.reports.progress import Watch

    if json and csv:
        raise SpecError("--json and --csv are both asked for; choose one")
    keep_memory()
    threads = bench(device).loaders
    predictor = Predictor(weights, model, data_path=data, device=device, engine=engine)
    answers = job(predictor, images, top, batch, threads, Watch())
    faults = print_answers(answers, "json" if json else "csv" if csv else "text")
    if faults:
        raise DataError(f"{faults} of the images could not be read, as said above; replace them or leave them out")


COMMANDS = (convert, weights, predict, export)
