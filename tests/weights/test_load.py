"""Files into our networks: names of every release, what is refused and why, and our own files, bit for bit."""

import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from files import ORIGINALS, blob, needs_originals, text, v2_layer
from safetensors.torch import save_file
from torch import nn

from ilsvrc import models, weights
from ilsvrc.errors import WeightsError
from ilsvrc.weights import definition, networks, own
from ilsvrc.weights.caffe import Network
from ilsvrc.weights.releases import RELEASES
from ilsvrc.weights.source import Weights, from_json
from ilsvrc.weights.wire import Stored

DEFINITIONS = {
    "alexnet_caffe": "bvlc_alexnet_deploy",
    "caffenet": "bvlc_reference_caffenet_deploy",
    "googlenet": "bvlc_googlenet_train_val",
    "vgg16": "VGG_ILSVRC_16_layers_deploy_v1",
    "vgg19": "VGG_ILSVRC_19_layers_deploy_v1",
    "resnet50": "ResNet-50-deploy",
    "resnet101": "ResNet-101-deploy",
    "resnet152": "ResNet-152-deploy",
    "resnext50_32x4d": "soeaver_resnext50-32x4d",
    "resnext101_32x4d": "soeaver_resnext101-32x4d",
    "resnext101_64x4d": "soeaver_resnext101-64x4d",
    "wideresnet50_2": "soeaver_wrn50-2",
    "se_resnet50": "SE-ResNet-50",
    "se_resnet101": "SE-ResNet-101",
    "se_resnet152": "SE-ResNet-152",
    "se_resnext50_32x4d": "SE-ResNeXt-50",
    "se_resnext101_32x4d": "SE-ResNeXt-101",
    "senet154": "SENet-154",
    "se_bn_inception": "SE-BN-Inception",
    "inception_v3_mxnet": "soeaver_inception-v3",
    "inception_v4_caffe": "soeaver_inception-v4",
    "inception_resnet_v2_caffe": "soeaver_inception-resnet-v2",
    "preresnet101_caffe": "soeaver_resnet101-v2",
    "preresnet152_caffe": "soeaver_resnet152-v2",
    "preresnet269_caffe": "soeaver_resnet269-v2",
    "dpn92": "soeaver_dpn92",
    "dpn98": "soeaver_dpn98",
    "dpn131": "soeaver_dpn131",
}
RECORD = Weights(
    model="resnet18",
    origin="a test",
    licence="none",
    sha256="0" * 64,
    channels="BGR",
    top=255.0,
    mean=(1.0, 2.0, 3.0),
    image_size=32,
    resize=40,
    width=0.125,
    classes=7,
    order="own",
    wnids=tuple(f"n{i:08d}" for i in range(7)),
)


@pytest.mark.sampled(2)
@needs_originals
@pytest.mark.parametrize("model", RELEASES)
def test_every_layer_of_a_release_has_a_place_in_our_network(model: str) -> None:
    defined = Network(definition.read(ORIGINALS / "prototxt" / f"{DEFINITIONS[model]}.prototxt"))
    theirs = {
        name: [tuple(t.shape) for t in (*module.parameters(), *module.buffers())]
        for name, module in zip(defined.names, defined.layers, strict=True)
    }
    with torch.device("meta"):
        ours = models.build(model)
    met = set()
    for name, module in ours.named_modules():
        if not leaf(module) or (model == "inception_v3_mxnet" and name.startswith("side_")):
            continue  # that conversion has no side head
        stem = name.removesuffix(".conv").removesuffix(".norm")
        paired = hasattr(ours.get_submodule(stem), "norm")
        layers = RELEASES[model].names(stem if paired else name)
        if isinstance(module, nn.BatchNorm2d):
            assert theirs[layers[1]] == [(module.num_features,)] * 2 + [(1,)]
            assert theirs[layers[2]] == [(module.num_features,)] * 2
            met |= set(layers[1:])
        else:
            assert np.prod(theirs[layers[0]][0]) == module.weight.numel()
            met.add(layers[0])
    assert met == {name for name, shapes in theirs.items() if shapes}


def leaf(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)


def blobs(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(len(shapes))
    return tuple(generator.uniform(0.5, 1.5, shape).astype(np.float32) for shape in shapes)


def test_the_bias_of_resnet_50_s_first_layer_and_the_factor_of_its_batch_norm_are_not_lost() -> None:
    conv, norm = nn.Conv2d(3, 4, 7, bias=False), nn.BatchNorm2d(4)
    block = nn.Module()
    block.conv1 = nn.Sequential()
    block.conv1.add_module("conv", conv)
    block.conv1.add_module("norm", norm)
    stored = {
        "conv1": Stored("conv1", "", blobs((4, 3, 7, 7), (4,))),
        "bn_conv1": Stored("bn_conv1", "", (*blobs((4,), (4,)), np.float32([999.98]))),
        "scale_conv1": Stored("scale_conv1", "", blobs((4,), (4,))),
    }
    state, note = networks._state(block, stored, RELEASES["resnet50"], Path("f"))
    assert "bias of conv1" in note
    state.pop("conv1.norm.num_batches_tracked", None)
    block.load_state_dict(state, strict=False)
    (weight, bias), (mean, variance, factor) = stored["conv1"].blobs, stored["bn_conv1"].blobs
    gain, shift = stored["scale_conv1"].blobs
    image = torch.randn(1, 3, 7, 7, dtype=torch.float64)
    x = (image.numpy() * weight).sum((1, 2, 3)) + bias
    wanted = (x - mean / factor) / np.sqrt(variance / factor + 1e-5) * gain + shift
    ours = block.conv1.double().eval()(image).detach().numpy().ravel()
    assert np.allclose(ours, wanted, rtol=1e-4)


def caffemodel(path: Path, net: str, *layers: bytes) -> Path:
    path.write_bytes(text(1, net) + b"".join(layers))
    return path


FC8 = v2_layer("fc8", "InnerProduct", [blob(np.ones((1000, 4096), np.float32)), blob(np.ones(1000, np.float32))])


@pytest.mark.parametrize(
    ("model", "net", "sentence"),
    [
        ("alexnet", "AlexNet", "no Caffe release of alexnet is known, .* released were alexnet_caffe"),
        ("alexnet_caffe", "CaffeNet", "calls itself CaffeNet: it is caffenet"),
        ("caffenet", "AlexNet", "calls itself AlexNet: it is alexnet_caffe"),
        ("vgg16", "VGG", "has no layer conv1_1; it has fc8"),
        ("inception_v4", "x", "counts the padding in its averages, .*; load it as inception_v4_caffe"),
        ("preresnet152", "x", "pool1 has no padding and rounds up; load it as preresnet152_caffe"),
        ("resnet5", "x", "no model is called 'resnet5'; did you mean resnet50"),
    ],
)
def test_the_weights_of_another_network_are_refused(tmp_path: Path, model: str, net: str, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        weights.load(model, caffemodel(tmp_path / "f.caffemodel", net, FC8))


def test_a_layer_of_another_shape_is_refused_with_both_shapes(tmp_path: Path) -> None:
    conv = v2_layer("conv1_1", "Convolution", [blob(np.ones((64, 3, 5, 5), np.float32)), blob(np.ones(64))])
    with pytest.raises(WeightsError, match=r"conv1_1, weight is \(64, 3, 5, 5\), and .* \(64, 3, 3, 3\)"):
        weights.load("vgg16", caffemodel(tmp_path / "f.caffemodel", "VGG", conv))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[nn.Module, Path]:
    network = models.build("resnet18", 7, 32, 0.125).eval()
    path = tmp_path / "w.safetensors"
    weights.save(path, network, RECORD)
    return network, path


def test_saved_weights_and_their_record_come_back_bit_for_bit(saved: tuple[nn.Module, Path]) -> None:
    network, path = saved
    again, record = weights.load("resnet18", path)
    assert record == RECORD == weights.read_record(path)
    assert list(again.state_dict()) == list(network.state_dict())
    assert all(
        torch.equal(a, b) for a, b in zip(again.state_dict().values(), network.state_dict().values(), strict=True)
    )
    assert not again.training
    second = path.with_name("again.safetensors")
    weights.save(second, again, record)
    assert second.read_bytes() == path.read_bytes()
    assert sorted(os.listdir(path.parent)) == ["again.safetensors", "w.safetensors"]


def test_our_file_of_another_network_is_refused(saved: tuple[nn.Module, Path]) -> None:
    with pytest.raises(WeightsError, match="holds the weights of resnet18, and resnet34 was asked for"):
        weights.load("resnet34", saved[1])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mean": [1, 2]}, "cannot be read"),
        ({"std": [0.0, 1, 1]}, "cannot be read"),
        ({"classes": 1 << 40}, "cannot be read"),
        ({"width": "1"}, "cannot be read"),
        ({"channels": "CMYK"}, "cannot be read"),
        ({"image_size": 64}, "cannot be read"),
        ({"classes": 8}, "cannot be read"),
        ({"wnids": ["n1"] * 7}, "cannot be read"),
        ({"classes": 8, "order": "wnid"}, "fc.weight is .7, 64., and resnet18 wants .8, 64."),
        ({"width": 0.25}, "and resnet18 wants"),
    ],
)
def test_a_record_that_does_not_fit_its_weights_is_refused(
    saved: tuple[nn.Module, Path], change: dict[str, object], sentence: str
) -> None:
    network, path = saved
    record = json.loads(RECORD.as_json()) | change
    save_file(network.state_dict(), path, metadata={own.RECORD: json.dumps(record)})
    with pytest.raises(WeightsError, match=sentence):
        weights.load("resnet18", path)


def test_damaged_files_of_ours_are_refused(saved: tuple[nn.Module, Path]) -> None:
    network, path = saved
    data = path.read_bytes()
    header = struct.unpack("<Q", data[:8])[0]
    for start, patch in ((0, b"\xff" * 8), (8, b"[" * 8), (8 + header - 4, b"}}}}")):
        path.write_bytes(data[:start] + patch + data[start + len(patch) :])
        with pytest.raises(WeightsError):
            weights.load("resnet18", path)
    for length in (0, 4, 9, header, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError):
            weights.load("resnet18", path)
    save_file(network.state_dict(), path)
    with pytest.raises(WeightsError, match="no record of its weights"):
        weights.read_record(path)


def test_a_record_survives_json() -> None:
    assert from_json(RECORD.as_json(), "here") == RECORD


def test_preprocess_makes_the_blob_the_original_expects() -> None:
    image = np.zeros((80, 40, 3), np.uint8)
    image[:, :, 0], image[:, :, 2] = 200, 100
    found = RECORD.preprocess(image)
    assert found.shape == (1, 3, 32, 32)
    assert found[0, :, 5, 5].tolist() == [99.0, -2.0, 197.0], "blue, green and red less their means"
    unit = replace(RECORD, channels="RGB", top=1.0, mean=(0.5, 0.5, 0.5), std=(0.5, 0.25, 1.0))
    assert unit.preprocess(image)[0, :, 5, 5].tolist() == pytest.approx([(200 / 255 - 0.5) / 0.5, -2, 100 / 255 - 0.5])


def test_preprocess_scales_the_shorter_side_or_warps_and_crops_the_centre() -> None:
    columns = np.broadcast_to(np.arange(80, dtype=np.uint8)[None, :, None], (40, 80, 3)).copy()
    record = replace(RECORD, mean=(0.0, 0.0, 0.0))
    crop = record.preprocess(columns)[0, 0, 0]
    assert crop.tolist() == list(range(24, 56)), "40 pixels stay; the crop of 32 begins at column (80 - 32) // 2"
    warped = replace(record, warp=True).preprocess(columns)[0, 0, 0]
    assert float(warped[-1] - warped[0]) == pytest.approx(62, abs=1), "all 80 columns in 40, 32 of them seen"


@pytest.mark.parametrize("image", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3))])
def test_what_is_no_rgb_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(WeightsError, match="give RGB"):
        RECORD.preprocess(image)


def test_what_a_network_is_shown_comes_back_as_the_pixels_it_was():
    pixels = torch.randint(0, 256, (2, 3, 8, 8)).float()
    for channels in ("RGB", "BGR"):
        record = replace(RECORD, channels=channels, top=1.0, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
        assert torch.allclose(record.restore(record.normalise(pixels)), pixels, atol=1e-3)
