"""A Caffe network's definition, whichever of the three generations it is written in, as a list of layers.

V0 (2013) keeps parameters flat in a layer inside the layer, V1 (2014) calls types by enum words,
V2 (2015 on) by names; they compute the same. Layers are chosen for the TEST phase.
"""

from dataclasses import dataclass
from pathlib import Path

from ilsvrc.errors import WeightsError
from ilsvrc.weights import prototxt
from ilsvrc.weights.prototxt import Message

MOST_LAYERS = 10_000  # ResNet-269 has 1,169
MOST_AXES = 32
LONGEST = 256  # characters of a layer's or a blob's name

V1_TYPES = {
    "ACCURACY": "Accuracy",
    "CONCAT": "Concat",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DROPOUT": "Dropout",
    "ELTWISE": "Eltwise",
    "FLATTEN": "Flatten",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "POOLING": "Pooling",
    "RELU": "ReLU",
    "ROI_POOLING": "ROIPooling",
    "SIGMOID": "Sigmoid",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
}
V0_TYPES = {
    "accuracy": "Accuracy",
    "concat": "Concat",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "flatten": "Flatten",
    "innerproduct": "InnerProduct",
    "inner_product": "InnerProduct",
    "lrn": "LRN",
    "padding": "Padding",
    "pool": "Pooling",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
}
V0_PARAMETERS = {"conv_param": "convolution_param", "pool_param": "pooling_param"}  # SPP-net's dialect of V0
V0_FLAT = {  # type -> flat field of V0 -> field of V1's parameters
    "Convolution": {"num_output": "num_output", "kernelsize": "kernel_size", "pad": "pad", "stride": "stride"}
    | {"group": "group", "biasterm": "bias_term"},
    "InnerProduct": {"num_output": "num_output", "biasterm": "bias_term"},
    "Pooling": {"pool": "pool", "kernelsize": "kernel_size", "pad": "pad", "stride": "stride"},
    "LRN": {"local_size": "local_size", "alpha": "alpha", "beta": "beta", "k": "k"},
    "Dropout": {"dropout_ratio": "dropout_ratio"},
    "Concat": {"concat_dim": "concat_dim"},
    "Padding": {"pad": "pad"},
}
PARAMETERS = {  # type -> the field that holds its parameters
    "BatchNorm": "batch_norm_param",
    "Concat": "concat_param",
    "Convolution": "convolution_param",
    "Dropout": "dropout_param",
    "Eltwise": "eltwise_param",
    "Flatten": "flatten_param",
    "Input": "input_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Pooling": "pooling_param",
    "Python": "python_param",
    "ReLU": "relu_param",
    "Reshape": "reshape_param",
    "ROIPooling": "roi_pooling_param",
    "Scale": "scale_param",
    "Sigmoid": "sigmoid_param",
    "Slice": "slice_param",
    "Softmax": "softmax_param",
}
TRAINING_ONLY = ("Accuracy", "SoftmaxWithLoss", "SmoothL1Loss")  # they need labels and make no output of the network
LAYER_FIELDS = {  # of a layer, that change nothing at test time or are read here
    *("name", "type", "bottom", "top", "include", "exclude", "layer", "phase", "param", "blobs_lr", "weight_decay"),
    *("loss_weight", "propagate_down", "transform_param", "data_param", "loss_param", "accuracy_param"),
    *("memory_data_param", "smooth_l1_loss_param", *PARAMETERS.values()),
}


@dataclass(frozen=True)
class Layer:
    """One layer. parameters is the message of its own type, in V1's and V2's field names."""

    name: str
    type: str  # in V2's words
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    parameters: Message


@dataclass(frozen=True)
class Definition:
    """A network: the shapes of its inputs by blob name (None where the definition leaves one open), and its layers."""

    source: str
    name: str
    inputs: dict[str, tuple[int, ...] | None]
    layers: tuple[Layer, ...]


def read(path: Path) -> Definition:
    """The definition in a `.prototxt`. Raises WeightsError with file, layer and field for what is not understood."""
    return define(prototxt.read(path))


def define(network: Message) -> Definition:
    """The definition a message holds: the layers of the TEST phase, data layers as inputs, losses left out."""
    layers = [_layer(message) for message in _chosen(network)]
    inputs = _net_level_inputs(network)
    kept = []
    for layer in _folded(layers):
        if layer.type in ("Input", "Data", "MemoryData"):
            inputs |= _layer_inputs(layer)
        elif layer.type not in TRAINING_ONLY:
            kept.append(layer)
    if not kept and "base_lr" in network.fields:
        raise WeightsError(f"{network.where} is the settings of a solver; give the deploy definition of its network")
    if not kept:
        raise WeightsError(f"{network.where} defines no layer; give the deploy definition of a network")
    used = {bottom for layer in kept for bottom in layer.bottoms}
    inputs = {name: shape for name, shape in inputs.items() if shape is not None or name in used}
    return Definition(network.where, network.word("name", ""), inputs, tuple(kept))


def _chosen(network: Message) -> list[Message]:
    """The layers of the TEST phase, whichever word the generation uses."""
    new, old = network.messages("layer"), network.messages("layers")
    if new and old:
        raise WeightsError(f"{network.where} mixes layer and layers, V2 and V1; Caffe refuses that as well")
    if len(new) + len(old) > MOST_LAYERS:
        raise WeightsError(f"{network.where} has {len(new) + len(old)} layers; more than {MOST_LAYERS} are not read")
    return [layer for layer in new or old if _in_test_phase(layer)]


def _in_test_phase(layer: Message) -> bool:
    rules = [rule for message in (layer, *layer.messages("layer")) for rule in message.messages("include")]
    bans = [rule for message in (layer, *layer.messages("layer")) for rule in message.messages("exclude")]
    if rules:
        return any(_meets(rule) for rule in rules)
    return not any(_meets(rule) for rule in bans)


def _meets(rule: Message) -> bool:
    """Whether the plain TEST state, of level 0 and without stages, meets a rule (net.cpp: StateMeetsRule)."""
    rule.check_fields(("phase", "min_level", "max_level", "stage", "not_stage"))
    phase = rule.choice("phase", "TEST", ("TRAIN", "TEST", "0", "1"))
    low, high = (rule.integer(name, 0, low=-prototxt.INT32) for name in ("min_level", "max_level"))
    return phase in ("TEST", "1") and low <= 0 <= high and not rule.words("stage")


def _layer(message: Message) -> Layer:
    inner = message.message("layer") if "layer" in message.fields else message
    name = inner.word("name", message.word("name", "?"))
    called = inner.word("type", message.word("type", "?"))
    where = f"{message.where.split(',')[0]}: layer {short(name)} ({short(called)})"
    if inner is not message:
        kind, parameters = V0_TYPES.get(called, called), _of_v0(inner, V0_TYPES.get(called, called), where)
    else:
        Message(where, message.fields).check_fields(LAYER_FIELDS)
        kind = V1_TYPES.get(called, called)
        parameters = Message(where, message.message(PARAMETERS.get(kind, "?")).fields)
    bottoms, tops = tuple(message.words("bottom")), tuple(message.words("top"))
    if max(map(len, (name, *bottoms, *tops))) > LONGEST:
        raise WeightsError(f"{where} has a name of more than {LONGEST} characters; is the definition whole?")
    return Layer(name, kind, bottoms, tops, _or_data(parameters, message))


def short(name: str) -> str:
    """A name as an error repeats it."""
    return name if len(name) <= prototxt.LONGEST else f"{name[: prototxt.LONGEST]}..."


def _or_data(parameters: Message, message: Message) -> Message:
    """With the crop of a data layer, which is all that is known of its blob's shape."""
    for transform in message.messages("transform_param"):
        if transform.words("crop_size"):
            return Message(parameters.where, parameters.fields | {"crop_size": [*transform.words("crop_size")]})
    return parameters


def _of_v0(inner: Message, kind: str, where: str) -> Message:
    """The parameters of a V0 layer: flat fields, or SPP-net's messages, in V1's names."""
    parameters = Message(where)
    for old in (PARAMETERS.get(kind, "?"), *V0_PARAMETERS):
        if V0_PARAMETERS.get(old, old) == PARAMETERS.get(kind):
            parameters.fields |= inner.message(old).fields
    flat = V0_FLAT.get(kind, {})
    parameters.fields |= {flat[name]: values for name, values in inner.fields.items() if name in flat}
    known = {*LAYER_FIELDS, *flat, *V0_PARAMETERS, "weight_filler", "bias_filler", "source", "batchsize", "meanfile"}
    Message(where, inner.fields).check_fields({*known, "scale", "cropsize", "mirror"})
    return parameters


def _folded(layers: list[Layer]) -> list[Layer]:
    """V0's padding layers folded into the convolution or pooling that reads them (upgrade_proto.cpp)."""
    pads: dict[str, tuple[str, str]] = {}
    kept = []
    for layer in layers:
        if layer.type == "Padding":
            if len(layer.bottoms) != 1 or len(layer.tops) != 1:
                raise WeightsError(f"{layer.parameters.where} must have one bottom and one top")
            pads[layer.tops[0]] = (layer.bottoms[0], str(layer.parameters.integer("pad")))
            continue
        padded = [bottom for bottom in layer.bottoms if bottom in pads]
        if padded and layer.type not in ("Convolution", "Pooling"):
            raise WeightsError(
                f"{layer.parameters.where} reads a padding layer, which only convolution and pooling may"
            )
        for bottom in padded:
            source, pad = pads[bottom]
            fields = layer.parameters.fields | {"pad": [pad]}
            bottoms = tuple(source if name == bottom else name for name in layer.bottoms)
            layer = Layer(layer.name, layer.type, bottoms, layer.tops, Message(layer.parameters.where, fields))
        kept.append(layer)
    return kept


def _net_level_inputs(network: Message) -> dict[str, tuple[int, ...] | None]:
    names, dims = network.words("input"), network.integers("input_dim")
    shapes = [_shape(message) for message in network.messages("input_shape")]
    shapes = shapes or [tuple(dims[start : start + 4]) for start in range(0, len(dims), 4)]
    if len(shapes) != len(names) or any(len(shape) > MOST_AXES for shape in shapes):
        raise WeightsError(
            f"{network.where} has {len(names)} inputs and {len(shapes)} shapes for them; give every input one"
        )
    return dict(zip(names, shapes, strict=True))


def _layer_inputs(layer: Layer) -> dict[str, tuple[int, ...] | None]:
    """The tops of an Input or a data layer; of the latter only the crop of the first is known."""
    shapes: list[tuple[int, ...]] = [_shape(message) for message in layer.parameters.messages("shape")]
    if layer.type != "Input":
        crop = layer.parameters.integer("crop_size", 0)
        shapes = [(1, 3, crop, crop)] if crop else []
        return {top: shapes[0] if shapes and place == 0 else None for place, top in enumerate(layer.tops)}
    if len(shapes) not in (1, len(layer.tops)):
        raise WeightsError(
            f"{layer.parameters.where} has {len(layer.tops)} tops and {len(shapes)} shapes; give one or each"
        )
    return {top: shapes[place] if len(shapes) > 1 else shapes[0] for place, top in enumerate(layer.tops)}


def _shape(message: Message) -> tuple[int, ...]:
    dims = message.integers("dim")
    if len(dims) > MOST_AXES:
        raise WeightsError(f"{message.where} has {len(dims)} axes; Caffe has at most {MOST_AXES}")
    return tuple(dims)
