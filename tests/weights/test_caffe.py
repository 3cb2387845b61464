"""Definition and weights together: the tiny files of every encoding, and what does not fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from files import ORIGINALS, blob, needs_originals, text, v2_layer
from hypothesis import given, settings
from hypothesis import strategies as st

from ilsvrc.errors import WeightsError
from ilsvrc.weights import caffe

FIXTURE = ORIGINALS / "oracle" / "fixture"
TINY = {  # weight file: definition
    "tiny_v2_packed_shape": "tiny_v2",
    "tiny_v2_unpacked": "tiny_v2",
    "tiny_v2_double": "tiny_v2",
    "tiny_v2_legacy4d": "tiny_v2",
    "tiny_v2_training_snapshot": "tiny_v2",
    "tiny_v2_axpy": "tiny_v2_axpy",
    "tiny_v1_legacy4d": "tiny_v1",
    "tiny_v1_shape_unpacked": "tiny_v1",
    "tiny_v1_lrn_k2": "tiny_v1_lrn_k2",
    "tiny_v0_legacy4d": "tiny_v0",
}
NET = """
input: "data" input_shape { dim: 1 dim: 2 dim: 1 dim: 1 }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "relu" type: "ReLU" bottom: "fc" top: "fc" }
"""
WEIGHT, BIAS = np.float32([[1, 2], [3, 4], [5, -6]]), np.float32([1, 1, 1])


@needs_originals
@pytest.mark.parametrize("name", TINY)
def test_every_encoding_gives_every_output_of_the_fixture(name: str) -> None:
    outputs = np.load(FIXTURE / "fixture.npz")
    definition = TINY[name]
    net = caffe.network(FIXTURE / f"{definition}.prototxt", FIXTURE / f"{name}.caffemodel")
    wanted = {key.split("/out/")[1]: outputs[key] for key in outputs if key.startswith(f"{definition}/out/")}
    with torch.inference_mode():
        layers = dict(net.walk(torch.from_numpy(outputs[f"{definition}/input"])))
    for layer, output in layers.items():
        assert np.abs(output.numpy() - wanted[layer]).max() <= 2e-5 * np.abs(wanted[layer]).max(), layer


def files(directory: Path, layers: bytes, definition: str = NET) -> tuple[Path, Path]:
    prototxt, caffemodel = directory / "net.prototxt", directory / "net.caffemodel"
    prototxt.write_text(definition)
    caffemodel.write_bytes(text(1, "net") + layers)
    return prototxt, caffemodel


def test_a_network_computes_its_output_for_any_batch(tmp_path: Path) -> None:
    net = caffe.network(*files(tmp_path, v2_layer("fc", "InnerProduct", [blob(WEIGHT), blob(BIAS)])))
    assert net(torch.ones(2, 2, 1, 1)).tolist() == [[4.0, 8.0, 0.0]] * 2
    assert not net.training


def test_layers_that_the_definition_lacks_are_left_out(tmp_path: Path) -> None:
    fc = v2_layer("fc", "InnerProduct", [blob(WEIGHT), blob(BIAS)])
    net = caffe.network(*files(tmp_path, v2_layer("loss1/fc", "InnerProduct", [blob(WEIGHT)]) + fc))
    assert [name for name, _ in net.walk(torch.ones(1, 2, 1, 1))] == ["fc", "relu"]


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (v2_layer("fc_x", "InnerProduct", [blob(WEIGHT), blob(BIAS)]), "no weights for layer fc .* it has fc_x"),
        (v2_layer("fc", "InnerProduct", [blob(WEIGHT)]), r"layer fc has 1 blobs, .* wants 2 \(weight, bias\)"),
        (v2_layer("fc", "InnerProduct", [blob(WEIGHT.T), blob(BIAS)]), r"weight of layer fc is \(2, 3\), .* \(3, 2\)"),
        (v2_layer("fc", "InnerProduct", [blob(WEIGHT), blob(BIAS[:2])]), r"bias of layer fc is \(2,\), .* \(3,\)"),
        (v2_layer("fc", "InnerProduct", [blob(WEIGHT * np.nan), blob(BIAS)]), "layer fc holds values that are not fin"),
        (v2_layer("fc", "InnerProduct", [blob(WEIGHT.astype(float) + 1e300, double=True), blob(BIAS)]), "not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused_with_both_shapes(tmp_path: Path, layers: bytes, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        caffe.network(*files(tmp_path, layers))


def test_several_outputs_come_by_name_and_a_missing_input_is_named(tmp_path: Path) -> None:
    definition = (
        "input: 'data' input_shape { dim: 1 dim: 1 dim: 4 dim: 4 }"
        "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' }"
        "layer { name: 'propose' type: 'Python' bottom: 'r' top: 'rois' }"
        "layer { name: 'p' type: 'ROIPooling' bottom: 'data' bottom: 'rois' top: 'p' "
        "roi_pooling_param { pooled_h: 1 pooled_w: 1 } }"
    )
    net = caffe.Network(caffe.definition.define(caffe.definition.prototxt.parse(definition)))
    data = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert net.inputs == ("data", "rois")
    outputs = net(data, rois=torch.tensor([[0.0, 0, 0, 3, 3]]))
    assert float(outputs["p"]) == 15
    assert torch.equal(outputs["r"], data)
    with pytest.raises(WeightsError, match="layer p needs the input rois"):
        net(data)


def test_a_mean_file_becomes_an_image(tmp_path: Path) -> None:
    mean = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(blob(mean, legacy=True))
    assert np.array_equal(caffe.read_mean(path), mean)
    path.write_bytes(blob(mean.ravel()))
    with pytest.raises(WeightsError, match="a mean image has three axes"):
        caffe.read_mean(path)


MODEL = text(1, "net") + v2_layer("fc", "InnerProduct", [blob(WEIGHT), blob(BIAS, packed=False, legacy=True)])


@pytest.mark.slow
@settings(max_examples=150)
@given(st.data())
def test_a_damaged_pair_of_files_gives_a_network_or_a_weights_error(tmp_path_factory, data: st.DataObject) -> None:
    directory = tmp_path_factory.getbasetemp()
    parts = [bytearray(NET.encode()), bytearray(MODEL)]
    for _ in range(data.draw(st.integers(1, 4))):
        part = parts[data.draw(st.integers(0, 1))]
        start = data.draw(st.integers(0, len(part)))
        stop = data.draw(st.integers(start, min(start + 8, len(part))))
        part[start:stop] = data.draw(st.binary(max_size=8) | st.sampled_from([b"2147483647", b"{", b"\xff" * 9]))
    for part, suffix in zip(parts, ("prototxt", "caffemodel"), strict=True):
        (directory / f"fuzz.{suffix}").write_bytes(part)
    try:
        net = caffe.network(directory / "fuzz.prototxt", directory / "fuzz.caffemodel")
        assert sum(p.numel() * 4 for p in net.parameters()) <= len(parts[1])
    except WeightsError as error:
        message = str(error)
        if len(message) > 600:
            raise AssertionError(message) from error
