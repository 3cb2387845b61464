"""A network as an ONNX graph that reads like the paper: nodes and weights under the names of its layers.

Response norm is one LRN node, not the thirty of its arithmetic. Names of values and of nodes are
'conv1/Conv', 'conv1/Relu', 'inception_4b/Concat'; weights are 'conv1.weight'.
"""

import ast
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ilsvrc
from ilsvrc.errors import SpecError
from ilsvrc.models import alexnet, googlenet, vgg, zfnet
from ilsvrc.weights import Weights

OPSET = 18
LARGEST = (1 << 31) - (1 << 20)  # bytes of one protobuf message, less what is not weights
IMAGES, LOGITS, BATCH = "images", "logits", "batch"
WEIGHTED = ("Conv", "Gemm")  # whose second and third input are weight and bias
TRAINING_PATH = "network."  # of a network behind the subtraction of a mean image
SCOPES = "pkg.torch.onnx.name_scopes"  # where torch says which modules a node is from


class ResponseNorm(nn.Module):
    """ONNX's LRN, each tower by itself: x / (k + 1e-4 / 5 · sum of squares over 5 maps) ** 0.75."""

    def __init__(self, k: float, towers: int):
        super().__init__()
        self.k, self.towers = k, towers

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same. To be traced, not to be run."""
        y = x if self.towers == 1 else x.unflatten(1, (self.towers, -1)).flatten(0, 1)  # type: ignore[no-untyped-call]
        attributes: dict[str, Any] = {"alpha": 1e-4, "beta": 0.75, "bias": self.k, "size": 5}
        y = torch.onnx.ops.symbolic("LRN", (y,), attributes, dtype=x.dtype, shape=y.shape, version=OPSET)
        return y if self.towers == 1 else y.unflatten(0, (-1, self.towers)).flatten(1, 2)  # type: ignore[no-untyped-call]


def check_extra() -> None:
    """Raise SpecError when a package of the extra is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise SpecError(
            f"to export to ONNX takes {error.name}, which is not installed; pip install 'ilsvrc[export]'"
        ) from error


def traced(network: nn.Module, example: Tensor) -> torch.export.ExportedProgram:
    """The network in torch.export's form, for any number of images like those of `example`, which are more than one."""
    with torch.no_grad():
        program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim(BATCH)},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def graph(network: nn.Module, example: Tensor) -> Any:
    """The network as an onnx.ModelProto with named nodes. Raises SpecError for one too large for the format."""
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size > LARGEST:
        raise SpecError(f"the weights are {size / 1e9:.1f} GB, and ONNX holds 2 in one file; export --to torch")
    program = torch.onnx.export(
        traced(with_lrn(network), example),
        (example,),
        dynamo=True,
        input_names=[IMAGES],
        output_names=[LOGITS],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    name_layers(proto.graph)
    name_batch(proto.graph)
    return proto


def with_lrn(network: nn.Module) -> nn.Module:
    """A copy whose response norms are LRN nodes; weights are shared."""
    memory = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    copied = copy.deepcopy(network, memory)
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            match child:
                case alexnet.ResponseNorm():
                    setattr(module, name, ResponseNorm(child.k, child.towers))
                case googlenet.ResponseNorm():
                    setattr(module, name, ResponseNorm(1.0, 1))
                case vgg.ResponseNorm() | zfnet.ResponseNorm():
                    setattr(module, name, ResponseNorm(2.0, 1))
    return copied


def name_layers(graph: Any) -> None:
    """Call nodes, what they make and their weights after the network's layers, and drop the exporter's remarks."""
    names: dict[str, str] = {}  # of values, old to new
    made: dict[str, str] = {}  # old name of a value to the layer it is from
    constants = {tensor.name for tensor in graph.initializer}
    kept = {value.name for value in (*graph.input, *graph.output)}
    taken: set[str] = set(kept)
    for node in graph.node:
        layer = layer_of(node, [value for value in node.input if value and value not in constants], made)
        node.name = free(f"{layer}/{node.op_type}" if layer else node.op_type, taken)
        for place, value in enumerate(node.input):
            if value in constants and value not in names:
                names[value] = free(_weight(layer, node, place), taken)
        for place, value in enumerate(node.output):
            made[value] = layer
            if value not in kept:
                names[value] = node.name if place == 0 else f"{node.name}:{place}"
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(value, value) for value in values]
    for item in (*graph.initializer, *graph.value_info, *graph.input, *graph.output):
        item.name = names.get(item.name, item.name)
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    graph.ClearField("metadata_props")


def layer_of(node: Any, inputs: list[str], made: dict[str, str]) -> str:
    """The innermost module a node is from, '' for the network itself; ReLU and the like are their input's."""
    scopes: list[str] = next((ast.literal_eval(e.value) for e in node.metadata_props if e.key == SCOPES), [])
    inside = scopes[-2] if len(scopes) > 1 else ""
    own = inside.removeprefix(TRAINING_PATH).removesuffix(".norm").removesuffix(".conv")
    own = "" if own == TRAINING_PATH.rstrip(".") else own
    before = made.get(inputs[0], "") if len(inputs) == 1 else ""
    return before if before.startswith(f"{own}." if own else "") else own


def name_batch(graph: Any) -> None:
    """Call the free extent 'batch' wherever a shape is stated."""
    free_extent = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = dim.dim_param.replace(free_extent, BATCH)


def _weight(layer: str, node: Any, place: int) -> str:
    if node.op_type in WEIGHTED and place in (1, 2):
        return f"{layer}.{'weight' if place == 1 else 'bias'}"
    return f"{node.name}:{place}"


def free(name: str, taken: set[str]) -> str:
    """The name, or the name with a number where it is taken; it is taken from now on."""
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen)
    return chosen


def sentence(record: Weights) -> str:
    """What is to be done to an image first, for whoever opens the file."""
    size = f"the shorter side to {record.resize} pixels" if not record.warp else f"to {record.resize}×{record.resize}"
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (record.mean, record.std))
    return (
        f"{record.model}, {record.origin}. Images: resized {size} (bilinear, antialiased), centre crop of "
        f"{record.image_size}, channels {record.channels}, 0 to {record.top:g}, less ({mean}), over ({std}). "
        "Logits are in the order of the metadata's classes."
    )


def write(proto: Any, path: Path, texts: dict[str, str], about: str) -> None:
    """The file, with texts in its metadata; checked against the format."""
    import onnx

    proto.producer_name, proto.producer_version = "ilsvrc", ilsvrc.__version__
    proto.doc_string = about
    proto.graph.name = about.split(",")[0]
    del proto.metadata_props[:]
    for name, text in texts.items():
        proto.metadata_props.add(key=name, value=text)
    path.write_bytes(proto.SerializeToString())
    onnx.checker.check_model(str(path), full_check=True)


def runner(path: Path) -> Callable[[Tensor], Tensor]:
    """The file as a function, by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run([LOGITS], {IMAGES: images.numpy()})[0])

    return run
