"""Definitions of all three generations, their phases and inputs, beside the tables of the folder of originals."""

import json
from collections.abc import Sequence

import pytest
from files import ORIGINALS, needs_originals

from ilsvrc.errors import WeightsError
from ilsvrc.weights import definition
from ilsvrc.weights.caffe import Network
from ilsvrc.weights.definition import define
from ilsvrc.weights.prototxt import parse

INPUT = "input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8 "
IN_CHARGE = {"fast_rcnn_train", "end2end_train"}  # trained by a Python data layer of unknown shape


def network(text: str) -> Network:
    return Network(define(parse(text)))


def chosen(rules: str) -> tuple[str, ...]:
    defined = define(parse(f"{INPUT} layer {{ name: 'always' type: 'ReLU' bottom: 'data' top: 'data' }} {rules}"))
    return tuple(layer.name for layer in defined.layers[1:])


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("include { phase: TEST }", True),
        ("include { phase: TRAIN }", False),
        ("include: { phase: TRAIN } include: { phase: TEST }", True),
        ("exclude { phase: TEST }", False),
        ("exclude { phase: TRAIN }", True),
        ("include { stage: 'val' }", False),
        ("include { not_stage: 'val' }", True),
        ("include { min_level: 1 }", False),
        ("include { max_level: 3 }", True),
    ],
)
def test_layers_are_those_of_the_plain_test_phase(rule: str, kept: bool) -> None:
    layers = chosen(f"layer {{ name: 'a' type: 'ReLU' bottom: 'data' top: 'a' {rule} }}")
    assert layers == (("a",) if kept else ())


@pytest.mark.parametrize(
    "given",
    [
        INPUT,
        "input: 'data' input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }",
        "layer { name: 'd' type: 'Input' top: 'data' input_param: { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }",
        "layer { name: 'd' type: 'Data' top: 'data' top: 'label' transform_param { crop_size: 8 } }",
    ],
)
def test_every_form_of_input_is_understood(given: str) -> None:
    net = network(f"{given} layer {{ name: 'r' type: 'ReLU' bottom: 'data' top: 'r' }}")
    assert net.inputs == ("data",)
    assert net.shapes["r"] == (1, 3, 8, 8)


def test_a_padding_layer_is_folded_into_the_convolution_that_reads_it() -> None:
    text = INPUT + (
        "layers { layer { name: 'p' type: 'padding' pad: 2 } bottom: 'data' top: 'p' } "
        "layers { layer { name: 'c' type: 'conv' num_output: 4 kernelsize: 5 biasterm: false } bottom: 'p' top: 'c' }"
    )
    net = network(text)
    assert net.names == ["c"]
    assert net.shapes["c"] == (1, 4, 8, 8)
    assert net.layers[0].bias is None


def test_layers_in_place_read_what_stands_there_and_not_the_first_value() -> None:
    net = network(
        INPUT + "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'x' }"
        "layer { name: 's' type: 'Sigmoid' bottom: 'x' top: 'x' }"
        "layer { name: 'e' type: 'Eltwise' bottom: 'x' bottom: 'data' top: 'y' }"
    )
    assert net._reads == [[("data", 0)], [("x", 1)], [("x", 2), ("data", 0)]]
    assert net.outputs == ("y",)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (
            "layer { name: 'a' type: 'Deconvolution' bottom: 'data' top: 'a' }",
            r"layer a \(Deconvolution\) is of a type",
        ),
        ("layer { name: 'a' type: 'ReLU' bottom: 'x' top: 'a' }", "reads x, which no layer before it makes"),
        ("layer { name: 'a' type: 'ReLU' top: 'a' }", "has 0 bottoms, and 1 are wanted"),
        ("layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'a' relu_param { max: 6 } }", "the field max, whose"),
        ("layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'a' quantise_param { } }", "the field quantise_param"),
        ("layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'a' } layers { }", "mixes layer and layers"),
        ("", "defines no layer"),
        (
            "layer { name: 'a' type: 'Convolution' bottom: 'data' top: 'a' convolution_param { num_output: 4 } }",
            "has no kernel_size",
        ),
        (
            "layer { name: 'a' type: 'Convolution' bottom: 'data' top: 'a' "
            "convolution_param { num_output: 4 kernel_size: 9 } }",
            "cannot work on blobs of shape",
        ),
        (
            "layer { name: 'a' type: 'Convolution' bottom: 'data' top: 'a' "
            "convolution_param { num_output: 2147483647 kernel_size: 65535 } }",
            "cannot work on blobs of shape",
        ),
        (
            "layer { name: 'a' type: 'Pooling' bottom: 'data' top: 'a' pooling_param { kernel_size: 2 pad: 2 } }",
            r"pad \(2, 2\) is not smaller than the window",
        ),
        (
            "layer { name: 'a' type: 'Slice' bottom: 'data' top: 'a' top: 'b' slice_param { slice_point: 9 } }",
            "points 9 do not cut 3 into 2 pieces",
        ),
        (
            "layer { name: 'a' type: 'Pooling' bottom: 'data' top: 'a' pooling_param { pool: STOCHASTIC } }",
            "pool is STOCHASTIC; what is known is MAX, AVE",
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_the_layers_name(layers: str, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        network(INPUT + layers)


def published() -> list[str]:
    paths = (ORIGINALS / "tables").glob("*.json")
    return sorted(path.stem for path in paths if not path.stem.endswith(tuple(IN_CHARGE)))


def without_ones(shape: Sequence[int]) -> list[int]:
    """V0 and V1 give vectors as N×C×1×1."""
    return [extent for extent in shape if extent != 1]


def test_a_layer_that_keeps_the_shape_is_still_refused_where_it_cannot_work() -> None:
    flat = "input: 'data' input_shape { dim: 8 } layer { name: 'b' type: '%s' bottom: 'data' top: 'b' }"
    assert network(flat % "ReLU").shapes["b"] == (8,)
    with pytest.raises(WeightsError, match=r"layer b \(BatchNorm\) cannot work on blobs of shape \(8,\)"):
        network(flat % "BatchNorm")


@pytest.mark.sampled(2)
@needs_originals
@pytest.mark.parametrize("name", published())
def test_every_layer_of_a_published_definition_has_the_shapes_of_its_table(name: str) -> None:
    path = next(path for path in ORIGINALS.glob("prototxt/**/*.prototxt") if path.stem == name.removeprefix("derived_"))
    table = {layer["name"]: layer for layer in json.loads((ORIGINALS / f"tables/{name}.json").read_text())["layers"]}
    net = Network(definition.read(path))
    known = {"Input", "Input(net-level)", "Data", "Python", "Accuracy", "SoftmaxWithLoss"}
    assert set(net.names) == {name for name, layer in table.items() if layer["type"] not in known}
    for layer_name, module, kind in zip(net.names, net.layers, net._kinds, strict=True):
        tensors = [*module.parameters()] if kind != "BatchNorm" else [*module.buffers()]
        assert [list(tensor.shape) for tensor in tensors] == table[layer_name]["blobs"]
    for layer_name, made in zip(net.names, net._writes, strict=True):
        for (top, _), shape in zip(made, table[layer_name]["top_shapes"], strict=True):
            if net.shapes[top] and "rois" not in net.inputs:
                assert without_ones(net.shapes[top][1:]) == without_ones(shape[1:])


@needs_originals
def test_the_definition_that_is_broken_as_published_is_refused() -> None:
    with pytest.raises(WeightsError, match="line 2"):
        definition.read(ORIGINALS / "prototxt" / "VGG_ILSVRC_19_layers_train_val.prototxt")


REFUSED = {  # what is no deploy definition, and why it cannot be built
    "solver": "is the settings of a solver",
    "fast_rcnn_train": "a blob whose shape the definition does not give",
    "end2end_train": "a blob whose shape the definition does not give",
    "VGG_ILSVRC_19_layers_train_val": "line 2: after",
}


@needs_originals
def test_each_of_the_66_definitions_is_built_or_refused_with_the_reason() -> None:
    """Those that are built have tables, which the test above holds them to."""
    paths = {path.stem: path for path in (ORIGINALS / "prototxt").glob("*.prototxt")}
    built = {name for name in published() if not name.startswith("derived_")}
    assert (len(paths), len(built), len(paths.keys() & built)) == (66, 52, 52)
    for name in paths.keys() - built:
        reason = next(reason for end, reason in REFUSED.items() if name.endswith(end))
        with pytest.raises(WeightsError, match=reason):
            Network(definition.read(paths[name]))
