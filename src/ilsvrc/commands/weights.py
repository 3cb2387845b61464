"""`ilsvrc convert`, `weights`, `predict`, `export`: other people's weights, what a network sees, and it elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ilsvrc.commands.options import EngineName, Flag, Positive, Share
from ilsvrc.errors import DataError, SpecError

if TYPE_CHECKING:
    from ilsvrc.jobs.predict import Answer


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
    engine: EngineName = "auto",
    within: Share = 0.02,
    measure: Flag = False,
    calibration: str | None = None,
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
        eager is the network bit for bit; auto takes what is done first, measured where that is repaid and remembered.
    within
        The largest change of a probability, from eager's, that auto accepts where it measures.
    measure
        Have auto measure every engine on the first batch, however few the images.
    calibration
        Images that int8 takes its scales from: a folder or a pattern; those predicted, if not given.
    json
        Print JSON, for machines.
    csv
        Print comma-separated values, a line per guess.
    """
    from ilsvrc.jobs import predict as job
    from ilsvrc.jobs.machine import keep_memory
    from ilsvrc.jobs.predictor import Predictor, Wish
    from ilsvrc.reports.progress import Watch

    keep_memory()
    watch, form = Watch(), _form(json, csv)
    wish = Wish(within, measure, watch.say)
    predictor = Predictor(weights, model, data_path=data, device=device, engine=engine, wish=wish)
    job.calibrate(predictor, (calibration,) if calibration else images, batch, watch)
    _print(job.predict(predictor, images, top, batch, watch), form)


def _form(json: bool, csv: bool) -> Literal["text", "json", "csv"]:
    if json and csv:
        raise SpecError("--json and --csv are both asked for; choose one")
    return "json" if json else "csv" if csv else "text"


def _print(answers: "Iterator[Answer]", form: Literal["text", "json", "csv"]) -> None:
    """Raises DataError, at the end, when some images could not be read."""
    from ilsvrc.commands.output import print_answers

    faults = print_answers(answers, form)
    if faults:
        raise DataError(f"{faults} of the images could not be read, as said above; replace them or leave them out")


COMMANDS = (convert, weights, predict, export)
