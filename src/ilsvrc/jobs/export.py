"""Export a network with its weights, what it expects to be shown and its classes: to ONNX, or to torch.export.

The network is traced on a batch whose size stays free. Before the file gets its name it is read
back and run on pictures, and what it says is compared with the network's own logits.
"""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ilsvrc import weights
from ilsvrc.data.mini_pictures import draw
from ilsvrc.data.sample import Classes
from ilsvrc.errors import IlsvrcError, SpecError
from ilsvrc.jobs import onnx_graph
from ilsvrc.jobs.finished import finished
from ilsvrc.jobs.predictor import classes_of
from ilsvrc.train.checkpoint import write_whole
from ilsvrc.weights import Weights

Kind = Literal["onnx", "torch"]
Run = Callable[[Tensor], Tensor]
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
TOLERANCE = 5e-5  # the most a logit may differ, of the largest logit
PICTURES = 4  # shown to both, in batches of 1 and 3
RECORD, CLASSES = "ilsvrc weights", "ilsvrc classes"  # of texts in the file; with _ and .json in a .pt2


@dataclass(frozen=True)
class Exported:
    """What was written: where, of which network, and how far its logits are from the network's, of the largest."""

    path: Path
    record: Weights
    classes: Classes  # in the order of the logits
    form: str  # 'ONNX, opset 18'
    difference: float

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"{self.path}: {self.record.model}, {self.form}, {self.path.stat().st_size / 1e6:,.1f} MB",
            f"shown {PICTURES} pictures, its logits differ by at most {self.difference:.1e} of the largest",
        ]


def export(
    path: Path,
    to: Kind,
    out: Path | None = None,
    model: str | None = None,
    data_path: str | PathLike[str] | None = None,
) -> Exported:
    """Write the network of a weight file or of a run to `out`, or beside it, whole or not at all.

    path, model and data_path are those of `Predictor`. The file takes images (N, 3, S, S) as the record says
    them and gives logits (N, classes), for any N. Raises WeightsError, DataError or SpecError when the network
    cannot be had or exported, when an extra is missing, and when the file's logits are not the network's.
    """
    target = out or (path / f"weights{SUFFIXES[to]}" if path.is_dir() else path.with_suffix(SUFFIXES[to]))
    if target.suffix != SUFFIXES[to]:
        raise SpecError(
            f"--out is {target}, and what is written is {SUFFIXES[to]}; name it {target.stem}{SUFFIXES[to]}"
        )
    if to == "onnx":
        onnx_graph.check_extra()
    network, record, classes = opened(path, model, data_path)
    texts = {
        RECORD: record.as_json(),
        CLASSES: json.dumps(list(zip(classes.wnids, classes.words, strict=True)), ensure_ascii=False),
    }
    batches = pictures(record)
    with quiet():
        with explained(record.model, to):
            write = (as_onnx if to == "onnx" else as_torch)(network, batches[1], texts, record)
        off = 0.0

        def checked(temporary: Path) -> None:
            nonlocal off
            run = write(temporary)
            with explained(record.model, to):
                off = difference(network, run, batches)
            check(off, record.model, to)

        write_whole(target, checked)
    form = f"ONNX, opset {onnx_graph.OPSET}" if to == "onnx" else f"torch.export of PyTorch {torch.__version__}"
    return Exported(target, record, classes, form, off)


def opened(path: Path, model: str | None, data_path: str | PathLike[str] | None) -> tuple[nn.Module, Weights, Classes]:
    """A network in eval mode, the record of what it takes, and its classes in the order of its logits."""
    if path.is_dir():
        found = finished(path, data_path)
        return found.removed(), found.record(), found.classes
    if model is None and path.suffix != ".safetensors":
        raise SpecError(
            f"{path} does not say which network's weights it holds; name it with --model, as ilsvrc models does"
        )
    network, record = weights.load(model or weights.read_record(path).model, path)
    classes, places = classes_of(record, path)
    labels = places.argsort()  # of each logit
    return network, record, Classes(*(tuple(words[i] for i in labels) for words in (classes.wnids, classes.words)))


def pictures(record: Weights) -> tuple[Tensor, Tensor]:
    """Pictures of the mini set, digits over photographs, as the record wants them: one, and the others."""
    blobs = torch.cat([record.preprocess(draw(0, "val", index).pixels) for index in range(PICTURES)])
    return blobs[:1], blobs[1:]


def difference(network: nn.Module, run: Run, batches: tuple[Tensor, ...]) -> float:
    """The most a logit differs, of the largest logit; infinite where shapes differ or values are no numbers."""
    worst = 0.0
    with torch.inference_mode():
        for images in batches:
            wanted, found = network(images), run(images)
            if found.shape != wanted.shape or not bool(found.isfinite().all()):
                return float("inf")
            worst = max(worst, float((found - wanted).abs().max()) / (float(wanted.abs().max()) or 1.0))
    return worst


def check(off: float, model: str, to: Kind) -> None:
    """Raise SpecError for a difference that rounding does not explain."""
    if not off <= TOLERANCE:
        raise SpecError(
            f"{model} exported to {to} is off by {off:.1e} of its largest logit, and at most {TOLERANCE:.0e} is "
            "allowed; no file was left: please report it"
        )


def as_onnx(network: nn.Module, example: Tensor, texts: dict[str, str], record: Weights) -> Callable[[Path], Run]:
    """A function that writes the file and answers how to run it."""
    proto = onnx_graph.graph(network, example)

    def write(path: Path) -> Run:
        onnx_graph.write(proto, path, texts, onnx_graph.sentence(record))
        return onnx_graph.runner(path)

    return write


def as_torch(network: nn.Module, example: Tensor, texts: dict[str, str], record: Weights) -> Callable[[Path], Run]:
    """A function that writes the file and answers how to run it."""
    program = onnx_graph.traced(network, example)
    extra = {f"{name.replace(' ', '_')}.json": text for name, text in texts.items()}

    def write(path: Path) -> Run:
        with path.open("wb") as file:  # by name, torch would ask for its suffix
            torch.export.save(program, file, extra_files=extra)
        with path.open("rb") as file:
            again: nn.Module = torch.export.load(io.BytesIO(file.read())).module()
        return again

    return write


@contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters say of their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def explained(model: str, to: Kind) -> Iterator[None]:
    """What an exporter or a runtime raises, as a sentence. Their exceptions share no class but Exception."""
    try:
        yield
    except IlsvrcError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise SpecError(f"{model} cannot be exported to {to} ({reason}); please report it") from error
