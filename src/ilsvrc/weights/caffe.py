"""Networks released for Caffe, run without it: definition (.prototxt) and weights (.caffemodel) as a torch module.

Jia et al. 2014. The module computes what Caffe computes in its TEST phase, layer by layer and on
the blob Caffe's data layer would hand over: BGR, 0 to 255, mean removed.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ilsvrc.errors import WeightsError
from ilsvrc.weights import definition, wire
from ilsvrc.weights.arithmetic import BatchNorm, Scale
from ilsvrc.weights.build import build, some
from ilsvrc.weights.definition import Definition, Layer, short
from ilsvrc.weights.wire import Stored

__all__ = ["Network", "network", "read_mean"]

BLOBS = {"BatchNorm": ("mean", "variance", "factor")}  # of other types: weight and bias, those they have
ALIKE = (nn.ReLU, nn.Dropout, BatchNorm, Scale)  # what they make is as large as what they read
Value = tuple[str, int]  # a blob's name and how many layers have written it: what works in place makes a new value


def network(prototxt: str | PathLike[str], caffemodel: str | PathLike[str]) -> "Network":
    """The network of a definition with the weights of a file, in eval mode.

    Layers of the file that the definition lacks are left out (data, losses, side heads).
    Raises WeightsError naming file, layer and shapes when a file is damaged or the two do not fit.
    """
    net = Network(definition.read(Path(prototxt)))
    net.fill(wire.read(Path(caffemodel)), str(caffemodel))
    return net.eval()


def read_mean(path: str | PathLike[str]) -> Tensor:
    """The mean image of a `.binaryproto`, (C, H, W) in BGR, 0 to 255. Raises WeightsError when it is none."""
    mean = wire.read_blob(Path(path))
    if mean.ndim < 3:
        raise WeightsError(f"{path} holds a blob of shape {mean.shape}; a mean image has three axes")
    return torch.from_numpy(mean.reshape(mean.shape[-3:]))


class Network(nn.Module):
    """The layers of a definition in its order. Weights are blank (on the meta device) until `fill`.

    inputs: blob names in order; Python layers of a definition are not run, their tops are inputs.
    outputs: the blobs that no layer reads. names: of the layers, as `layers` has their modules.
    """

    def __init__(self, defined: Definition):
        super().__init__()
        self.source = defined.source
        self.names: list[str] = []
        self.outputs: tuple[str, ...] = ()
        self.layers = nn.ModuleList()
        self._kinds: list[str] = []
        self._reads: list[list[Value]] = []
        self._writes: list[list[Value]] = []
        shapes: dict[Value, tuple[int, ...] | None] = {(name, 0): shape for name, shape in defined.inputs.items()}
        now = dict.fromkeys(defined.inputs, 0)
        for layer in defined.layers:
            self._add(layer, now, shapes)
        read = {value for values in self._reads for value in values}
        self.inputs = tuple(name for name, write in shapes if write == 0 and (name, 0) in read)
        self.shapes = {name: shapes[name, write] for name, write in now.items()}
        self.outputs = tuple(name for name, write in now.items() if (name, write) not in read and write)
        self._last = {value: step for step, values in enumerate(self._reads) for value in values}

    def _add(self, layer: Layer, now: dict[str, int], shapes: dict[Value, tuple[int, ...] | None]) -> None:
        """One more layer, its bottoms resolved to the values that stand there now."""
        if layer.type == "Python":
            for top in layer.tops:
                now[top], shapes[top, 0] = 0, None
            return
        missing = [bottom for bottom in layer.bottoms if bottom not in now]
        if missing:
            raise WeightsError(f"{layer.parameters.where} reads {missing[0]}, which no layer before it makes")
        reads: list[Value] = [(bottom, now[bottom]) for bottom in layer.bottoms]
        module, made = _built(layer, [shapes[value] for value in reads])
        for top, shape in zip(layer.tops, made, strict=True):
            now[top] = now.get(top, 0) + 1
            shapes[top, now[top]] = shape
        self.names.append(layer.name)
        self.layers.append(module)
        self._kinds.append(layer.type)
        self._reads.append(reads)
        self._writes.append([(top, now[top]) for top in layer.tops])

    def forward(self, *blobs: Tensor, **named: Tensor) -> Tensor | dict[str, Tensor]:
        """The output, or outputs by blob name where there are several.

        blobs are the inputs in the order of `inputs`, or by name; images (N, 3, H, W) as Caffe's
        data layer makes them, regions (R, 5).
        """
        made = dict(zip(self.inputs, blobs, strict=False)) | named
        for _, written in self._run(dict(made)):
            made |= {name: blob for name, blob in written.items() if name in self.outputs}
        results = {name: made[name] for name in self.outputs}
        return results if len(results) > 1 else results[self.outputs[0]]

    def walk(self, *blobs: Tensor, **named: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Every layer's name and its output (the first of several), in the order they run."""
        for step, written in self._run(dict(zip(self.inputs, blobs, strict=False)) | named):
            yield self.names[step], next(iter(written.values()))

    def _run(self, given: dict[str, Tensor]) -> Iterator[tuple[int, dict[str, Tensor]]]:
        values: dict[Value, Tensor] = {(name, 0): blob for name, blob in given.items()}
        for step, module in enumerate(self.layers):
            missing = [name for name, write in self._reads[step] if (name, write) not in values]
            if missing:
                raise WeightsError(f"layer {self.names[step]} needs the input {missing[0]}; pass a blob of that name")
            results = module(*(values[value] for value in self._reads[step]))
            results = results if isinstance(results, tuple) else (results,)
            values.update(zip(self._writes[step], results, strict=True))
            for value in self._reads[step]:
                if self._last[value] == step:
                    values.pop(value, None)
            yield step, {name: blob for (name, _), blob in zip(self._writes[step], results, strict=True)}

    def fill(self, stored: Sequence[Stored], source: str = "weights") -> None:
        """Take the weights of a file's layers by name. Raises WeightsError for the first that is missing or misfits."""
        found = {layer.name: layer for layer in stored}
        for name, kind, module in zip(self.names, self._kinds, self.layers, strict=True):
            tensors = {t: getattr(module, t, None) for t in BLOBS.get(kind, ("weight", "bias"))}
            wanted = {t: tuple(tensor.shape) for t, tensor in tensors.items() if tensor is not None}
            if not wanted:
                continue
            if name not in found:
                near = ", ".join(map(short, get_close_matches(name, found, 3) or list(found)[:3]))
                raise WeightsError(
                    f"{source} has no weights for layer {name} of {self.source}; it has {near}: "
                    "is it the weight file of another definition?"
                )
            for (t, shape), blob in zip(wanted.items(), _fitting(found[name], wanted, source), strict=True):
                tensor = as_tensor(blob, shape, f"{source}: layer {name}")
                setattr(module, t, nn.Parameter(tensor) if t in module._parameters else tensor)
            if isinstance(module, BatchNorm):
                module.settle()


def _built(layer: Layer, shapes: list[tuple[int, ...] | None]) -> tuple[nn.Module, list[tuple[int, ...]]]:
    """A layer's module and the shapes it makes: known by its kind, or found by running it on blobs without values."""
    if layer.type == "ROIPooling" and len(shapes) == 2 and shapes[1] is None:
        shapes = [shapes[0], (1, 5)]  # regions that a Python layer proposes
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        raise WeightsError(
            f"{layer.parameters.where} reads a blob whose shape the definition does not give; "
            "give the deploy definition, whose inputs have shapes"
        )
    try:
        module = build(layer, known).eval()
        if isinstance(module, ALIKE) and len(known[0]) > 1 and not getattr(module, "batch", False):
            return module, known  # half of a network's layers are such, and to run one takes milliseconds
        made = module(*(torch.empty(shape, device="meta") for shape in known))
    except (RuntimeError, IndexError, OverflowError, TypeError) as error:
        reason = str(error).splitlines()[0][:120]
        sizes = some(known)
        raise WeightsError(f"{layer.parameters.where} cannot work on blobs of shape {sizes} ({reason})") from error
    return module, [tuple(blob.shape) for blob in (made if isinstance(made, tuple) else (made,))]


def _fitting(layer: Stored, wanted: dict[str, tuple[int, ...]], source: str) -> tuple[np.ndarray, ...]:
    """The blobs of a layer, checked for number and shape."""
    if len(layer.blobs) != len(wanted):
        raise WeightsError(
            f"{source}: layer {layer.name} has {len(layer.blobs)} blobs, and the network wants {len(wanted)} "
            f"({', '.join(wanted)}); is it the weight file of another definition?"
        )
    for blob, (part, shape) in zip(layer.blobs, wanted.items(), strict=True):
        if _stripped(blob.shape) != _stripped(shape):
            raise WeightsError(
                f"{source}: {part} of layer {layer.name} is {blob.shape}, and the network wants {shape}; "
                "is it the weight file of another definition?"
            )
    return layer.blobs


def _stripped(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without leading ones: legacy shapes are right-aligned in four axes."""
    start = next((axis for axis, extent in enumerate(shape) if extent != 1), len(shape))
    return shape[start:]


def as_tensor(blob: np.ndarray, shape: tuple[int, ...], where: str) -> Tensor:
    """A copy as float32, whose memory is its own. Raises WeightsError for values that are no numbers."""
    with np.errstate(over="ignore"):
        tensor = torch.from_numpy(np.array(blob, dtype=np.float32, order="C").reshape(shape))
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"{where} holds values that are not finite numbers; the file is damaged, download it again")
    return tensor
