"""The 18 seeded references: every layer's output through our evaluator, and the logits of our own networks.

A release without a reference is held against the evaluator, which agrees with all there are.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from files import ORIGINALS, Reference, blob, needs_originals, references, v2_layer
from torch import Tensor

from ilsvrc import weights
from ilsvrc.weights import definition
from ilsvrc.weights.caffe import Network

pytestmark = [pytest.mark.slow, needs_originals]
TOLERANCE = 2e-5  # of the layer's largest value: oracle/ORACLE.md
OURS = {  # reference: our network, and the layer of its logits
    "bvlc_alexnet_deploy": ("alexnet_caffe", "fc8"),
    "bvlc_googlenet_deploy": ("googlenet", "loss3/classifier"),
    "VGG_ILSVRC_16_layers_deploy_v1": ("vgg16", "fc8"),
    "ResNet-50-deploy": ("resnet50", "fc1000"),
    "soeaver_resnext50-32x4d": ("resnext50_32x4d", "classifier"),
    "soeaver_wrn50-2": ("wideresnet50_2", "classifier"),
    "SE-ResNet-50": ("se_resnet50", "classifier"),
    "SE-ResNeXt-50": ("se_resnext50_32x4d", "classifier"),
    "SE-BN-Inception": ("se_bn_inception", "classifier"),
    "soeaver_inception-v3": ("inception_v3_mxnet", "classifier"),
    "soeaver_inception-v4": ("inception_v4_caffe", "classifier"),
    "soeaver_resnet101-v2": ("preresnet101_caffe", "classifier"),
    "soeaver_dpn92": ("dpn92", "classifier"),
}


@pytest.fixture(scope="module", params=references())
def seeded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Reference, Path]]:
    """A reference and its weight file, which is gone before the next is written."""
    reference = Reference(request.param)
    path = reference.write(tmp_path_factory.mktemp("seeded") / "seeded.caffemodel")
    yield reference, path
    path.unlink()


def worst(reference: Reference, layer: str, output: Tensor) -> float:
    """The largest difference of a layer's statistics, samples and whole output, over its largest value."""
    ours = output.numpy().ravel().astype(np.float64)
    mean, std, largest = reference.outputs["stats"][reference.spec["stats_layers"].index(layer)]
    differences = [abs(ours.mean() - mean), abs(ours.std() - std), abs(np.abs(ours).max() - largest)]
    for sample in reference.spec["samples"]:
        if sample["layer"] == layer:
            places = np.arange(256) * ours.size // 256 if ours.size > 256 else np.arange(ours.size)
            differences.append(np.abs(ours[places] - reference.outputs[sample["key"]].ravel()).max())
    for whole in reference.spec["full"]:
        if whole["layer"] == layer:
            differences.append(np.abs(ours - reference.outputs[whole["key"]].ravel()).max())
    return max(differences) / largest


def test_every_output_of_every_layer_agrees_with_the_reference(seeded: tuple[Reference, Path]) -> None:
    reference, path = seeded
    network = weights.caffe.network(reference.prototxt, path)
    met = {}
    with torch.inference_mode():
        for layer, output in network.walk(*(torch.from_numpy(blob) for blob in reference.inputs())):
            if layer in reference.spec["stats_layers"]:
                met[layer] = worst(reference, layer, output)
    assert set(met) == set(reference.spec["stats_layers"])
    assert max(met.values()) < TOLERANCE, max(met, key=met.__getitem__)


def test_our_network_with_the_original_s_weights_agrees_with_the_reference(seeded: tuple[Reference, Path]) -> None:
    reference, path = seeded
    if reference.name not in OURS:
        return  # a network that is not in our table
    model, layer = OURS[reference.name]
    network, record = weights.load(model, path)
    with torch.inference_mode():
        logits = network(torch.from_numpy(reference.inputs()[0]))
    wanted = reference.full(layer).ravel()
    assert np.abs(logits.numpy().ravel() - wanted).max() < TOLERANCE * np.abs(wanted).max()
    assert record.model == model
    assert record.order == ("devkit" if model.startswith("se") or model == "inception_v3_mxnet" else "wnid")
    assert ("bias of conv1" in record.note) == (model == "resnet50")
    assert ("without side heads" in record.note) == (model in ("googlenet", "inception_v3_mxnet"))


def seeded_file(name: str, path: Path) -> Path:
    """A weight file for a definition that has no reference: He's numbers in convolutions, some in batch norms."""
    network = Network(definition.read(ORIGINALS / "prototxt" / f"{name}.prototxt"))
    draw = np.random.default_rng(0)
    with path.open("wb") as file:
        for layer, module in zip(network.names, network.layers, strict=True):
            shapes = [tuple(tensor.shape) for tensor in (*module.parameters(), *module.buffers())]
            arrays = [draw.normal(0, (2 / np.prod(shape[1:])) ** 0.5 if shape[1:] else 0.2, shape) for shape in shapes]
            if len(shapes) == 3:  # the sums of a batch norm over ten batches
                arrays = [2 * arrays[0], draw.uniform(5, 15, shapes[1]), np.array([10.0])]
            elif len(shapes) == 2 and shapes[0] == shapes[1]:
                arrays[0] = draw.uniform(0.5, 1.2, shapes[0])
            file.write(v2_layer(layer, "Convolution", [blob(np.float32(array)) for array in arrays]) if shapes else b"")
    return path


@pytest.mark.parametrize(("name", "model", "size"), [("soeaver_inception-resnet-v2", "inception_resnet_v2_caffe", 299)])
def test_a_release_without_a_reference_computes_what_its_definition_computes(
    tmp_path: Path, name: str, model: str, size: int
) -> None:
    path = seeded_file(name, tmp_path / "seeded.caffemodel")
    theirs = weights.caffe.network(ORIGINALS / "prototxt" / f"{name}.prototxt", path)
    ours, _ = weights.load(model, path)
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = {layer: output for layer, output in theirs.walk(images) if layer == "classifier"}[
            "classifier"
        ].flatten()
        assert (ours(images).flatten() - wanted).abs().max() < TOLERANCE * wanted.abs().max()
