"""From a layer of a definition to the module that computes it: one function per type of layer."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

from torch import nn

from ilsvrc.errors import WeightsError
from ilsvrc.weights import arithmetic
from ilsvrc.weights.definition import Layer
from ilsvrc.weights.prototxt import Message

Shape = tuple[int, ...]
SIZES = ("kernel_size", "kernel_h", "kernel_w", "stride", "stride_h", "stride_w", "pad", "pad_h", "pad_w")
TRAINING = ("engine", "weight_filler", "bias_filler", "filler", "force_nd_im2col", "stable_prod_grad")


def build(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """The module of a layer whose bottoms have these shapes; its weights are on the meta device.

    Raises WeightsError naming the layer for a type, a field or a value that is not known.
    """
    where = layer.parameters.where
    if layer.type not in BUILDERS:
        raise WeightsError(f"{where} is of a type that is not known; known are {', '.join(sorted(BUILDERS))}")
    builder, bottoms, tops = BUILDERS[layer.type]
    for what, found, (low, high) in (("bottom", layer.bottoms, bottoms), ("top", layer.tops, tops)):
        if not low <= len(found) <= high:
            raise WeightsError(f"{where} has {len(found)} {what}s, and {low} are wanted; is the definition whole?")
    return builder(layer, shapes)


def convolution(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Convolution: floor((in + 2 pad - extent) / stride) + 1 outputs along an axis."""
    parameters = known(layer, "num_output", "bias_term", "group", "dilation", "axis", *SIZES)
    inputs = map_of(layer, shapes[0])
    outputs, groups = parameters.integer("num_output", low=1), parameters.integer("group", 1, low=1)
    if parameters.integer("axis", 1) != 1 or inputs % groups or outputs % groups:
        raise WeightsError(f"{parameters.where}: {groups} groups do not divide {inputs} inputs and {outputs} outputs")
    return nn.Conv2d(
        inputs,
        outputs,
        pair(parameters, "kernel", low=1),
        stride=pair(parameters, "stride", default=1, low=1),
        padding=pair(parameters, "pad", default=0),
        dilation=pair(parameters, "dilation", default=1, low=1),
        groups=groups,
        bias=parameters.flag("bias_term", True),
        device="meta",
    )


def inner_product(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """InnerProduct: a matrix times everything from `axis` on."""
    parameters = known(layer, "num_output", "bias_term", "axis", "transpose")
    axis = axis_of(parameters, "axis", 1, len(shapes[0]))
    return arithmetic.InnerProduct(
        prod(shapes[0][axis:]),
        parameters.integer("num_output", low=1),
        parameters.flag("bias_term", True),
        axis,
        parameters.flag("transpose", False),
    )


def pooling(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Pooling. `ceil_mode` is a fork's word (soeaver), `round_mode` BVLC's of 2018."""
    parameters = known(layer, "pool", "global_pooling", "round_mode", "ceil_mode", *SIZES)
    map_of(layer, shapes[0])
    average = parameters.choice("pool", "MAX", ("MAX", "AVE", "0", "1")) in ("AVE", "1")
    if parameters.flag("global_pooling", False):
        return arithmetic.GlobalPooling(average)
    floor = parameters.choice("round_mode", "CEIL", ("CEIL", "FLOOR", "0", "1")) in ("FLOOR", "1")
    kernel, pad = pair(parameters, "kernel", low=1), pair(parameters, "pad", default=0)
    if pad[0] >= kernel[0] or pad[1] >= kernel[1]:
        raise WeightsError(f"{parameters.where}: pad {pad} is not smaller than the window {kernel}")
    floor |= not parameters.flag("ceil_mode", True)
    return arithmetic.Pooling(average, kernel, pair(parameters, "stride", default=1, low=1), pad, floor)


def lrn(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """LRN, over channels or over a window of one."""
    parameters = known(layer, "local_size", "alpha", "beta", "k", "norm_region")
    map_of(layer, shapes[0])
    size = parameters.integer("local_size", 5, low=1, high=65535)
    if size % 2 == 0:
        raise WeightsError(f"{parameters.where}: local_size is {size}; it must be odd")
    region = parameters.choice("norm_region", "ACROSS_CHANNELS", ("ACROSS_CHANNELS", "WITHIN_CHANNEL", "0", "1"))
    alpha, beta, k = (parameters.number(*item) for item in (("alpha", 1.0), ("beta", 0.75), ("k", 1.0)))
    return arithmetic.ResponseNorm(size, alpha, beta, k, within=region in ("WITHIN_CHANNEL", "1"))


def relu(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """ReLU, leaky where the definition says so."""
    slope = known(layer, "negative_slope").number("negative_slope", 0.0)
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def batch_norm(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """BatchNorm by stored statistics, the default at test time."""
    parameters = known(layer, "use_global_stats", "moving_average_fraction", "eps")
    channels = shapes[0][1] if len(shapes[0]) > 1 else 1
    return arithmetic.BatchNorm(channels, parameters.number("eps", 1e-5), not parameters.flag("use_global_stats", True))


def scale(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Scale by stored values, or by a second blob."""
    parameters = known(layer, "axis", "num_axes", "bias_term")
    axis = axis_of(parameters, "axis", 1, len(shapes[0]))
    bias = parameters.flag("bias_term", False)
    count = parameters.integer("num_axes", 1, low=-1)
    wanted = shapes[0][axis:] if count == -1 else shapes[0][axis : axis + count]
    if len(shapes) == 1:
        return arithmetic.Scale(wanted, axis, bias)
    if axis + len(shapes[1]) > len(shapes[0]) or shapes[1] != shapes[0][axis : axis + len(shapes[1])]:
        raise WeightsError(f"{parameters.where}: a factor of shape {shapes[1]} does not lie in {shapes[0]} from {axis}")
    return arithmetic.ScaleBy(shapes[1], axis, bias)


def axpy(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Axpy, whose three bottoms are gate, blob and what is added."""
    known(layer)
    if shapes[1] != shapes[2] or shapes[0][:2] != shapes[1][:2] or prod(shapes[0][2:]) != 1:
        raise WeightsError(f"{layer.parameters.where}: shapes {some(shapes)} are no gate, blob and blob")
    return arithmetic.Axpy()


def eltwise(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Eltwise over blobs of one shape."""
    parameters = known(layer, "operation", "coeff")
    operation = {"0": "PROD", "1": "SUM", "2": "MAX"}
    word = parameters.choice("operation", "SUM", (*operation.values(), *operation))
    coefficients = tuple(parameters.numbers("coeff"))
    if len(set(shapes)) > 1 or len(coefficients) not in (0, len(shapes)):
        raise WeightsError(
            f"{parameters.where} has bottoms of shapes {some(shapes)} and {len(coefficients)} "
            "coefficients; shapes must agree and coefficients be as many as bottoms, or none"
        )
    return arithmetic.Eltwise(operation.get(word, word), coefficients)


def concat(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Concat; `concat_dim` is the older word."""
    parameters = known(layer, "axis", "concat_dim")
    name = "concat_dim" if "concat_dim" in parameters.fields else "axis"
    return arithmetic.Concat(axis_of(parameters, name, 1, len(shapes[0])))


def slice_(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Slice at points, or into equal pieces; `slice_dim` is the older word."""
    parameters = known(layer, "axis", "slice_dim", "slice_point")
    axis = axis_of(parameters, "slice_dim" if "slice_dim" in parameters.fields else "axis", 1, len(shapes[0]))
    size, tops = shapes[0][axis], len(layer.tops)
    points = parameters.integers("slice_point") or [size * piece // tops for piece in range(1, tops)]
    edges = [0, *points, size]
    if len(points) != tops - 1 or sorted(set(edges)) != edges:
        raise WeightsError(f"{parameters.where}: points {some(points)} do not cut {size} into {tops} pieces")
    return arithmetic.Slice(axis, tuple(high - low for low, high in pairwise(edges)))


def flatten(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Flatten axis..end_axis."""
    parameters = known(layer, "axis", "end_axis")
    axes = len(shapes[0])
    return nn.Flatten(axis_of(parameters, "axis", 1, axes), axis_of(parameters, "end_axis", -1, axes))


def reshape(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Reshape of the whole blob."""
    parameters = known(layer, "shape")
    dims = parameters.message("shape").integers("dim", low=-1)
    if dims.count(-1) > 1 or any(dim == 0 and axis >= len(shapes[0]) for axis, dim in enumerate(dims)):
        raise WeightsError(f"{parameters.where}: {shapes[0]} cannot take the shape ({some(dims)})")
    return arithmetic.Reshape(tuple(dims))


def dropout(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Dropout. `scale_train` is Girshick's fork's word."""
    parameters = known(layer, "dropout_ratio", "scale_train")
    p = parameters.number("dropout_ratio", 0.5)
    if not 0 <= p < 1:
        raise WeightsError(f"{parameters.where}: dropout_ratio is {p}; it must be at least 0 and below 1")
    return arithmetic.Dropout(p, parameters.flag("scale_train", True))


def roi_pooling(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """ROIPooling, of Girshick's fork."""
    parameters = known(layer, "pooled_h", "pooled_w", "spatial_scale")
    map_of(layer, shapes[0])
    height, width = (parameters.integer(name, 0, low=1, high=4096) for name in ("pooled_h", "pooled_w"))
    return arithmetic.RoiPooling(height, width, parameters.number("spatial_scale", 1.0))


def softmax(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Softmax along an axis."""
    return nn.Softmax(axis_of(known(layer, "axis"), "axis", 1, len(shapes[0])))


def sigmoid(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Sigmoid."""
    known(layer)
    return nn.Sigmoid()


def split(layer: Layer, shapes: Sequence[Shape]) -> nn.Module:
    """Split into as many as it has tops."""
    return arithmetic.Split(len(layer.tops))


ONE, SOME = (1, 1), (1, 1000)
Builder = Callable[[Layer, Sequence[Shape]], nn.Module]
BUILDERS: dict[str, tuple[Builder, tuple[int, int], tuple[int, int]]] = {  # type: builder, bottoms, tops
    "Axpy": (axpy, (3, 3), ONE),
    "BatchNorm": (batch_norm, ONE, ONE),
    "Concat": (concat, SOME, ONE),
    "Convolution": (convolution, ONE, ONE),
    "Dropout": (dropout, ONE, ONE),
    "Eltwise": (eltwise, SOME, ONE),
    "Flatten": (flatten, ONE, ONE),
    "InnerProduct": (inner_product, ONE, ONE),
    "LRN": (lrn, ONE, ONE),
    "Pooling": (pooling, ONE, ONE),
    "ReLU": (relu, ONE, ONE),
    "Reshape": (reshape, ONE, ONE),
    "ROIPooling": (roi_pooling, (2, 2), ONE),
    "Scale": (scale, (1, 2), ONE),
    "Sigmoid": (sigmoid, ONE, ONE),
    "Slice": (slice_, ONE, SOME),
    "Softmax": (softmax, ONE, ONE),
    "Split": (split, ONE, SOME),
}


def some(values: Sequence[object]) -> str:
    """The first of a list, for an error."""
    return ", ".join(map(str, values[:6])) + (", ..." if len(values) > 6 else "")


def known(layer: Layer, *fields: str) -> Message:
    """The layer's parameters, checked for fields nobody reads."""
    layer.parameters.check_fields((*fields, *TRAINING))
    return layer.parameters


def map_of(layer: Layer, shape: Shape) -> int:
    """The channels of a blob that must be (N, C, H, W)."""
    if len(shape) != 4:
        raise WeightsError(f"{layer.parameters.where} reads a blob of shape {shape}; it needs four axes")
    return shape[1]


def axis_of(parameters: Message, name: str, default: int, axes: int) -> int:
    """An axis of a blob with so many; negative ones count from the last."""
    axis = parameters.integer(name, default, low=-64, high=64)
    if not -axes <= axis < axes:
        raise WeightsError(f"{parameters.where}: {name} is {axis}, and the blob has {axes} axes")
    return axis % axes


def pair(parameters: Message, name: str, default: int | None = None, low: int = 0) -> tuple[int, int]:
    """Height and width: `name_h` and `name_w`, or one or two values of the field."""
    high = 65535
    if f"{name}_h" in parameters.fields or f"{name}_w" in parameters.fields:
        return parameters.integer(f"{name}_h", default, low, high), parameters.integer(f"{name}_w", default, low, high)
    field = "kernel_size" if name == "kernel" else name
    values = parameters.integers(field, low, high) or [parameters.integer(field, default, low, high)]
    if len(values) > 2:
        raise WeightsError(f"{parameters.where}: {field} has {len(values)} values; height and width are two")
    return values[0], values[-1]
