"""The 18 seeded references: every layer's output through our evaluator of Caffe's definitions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from files import Reference, needs_originals, references
from torch import Tensor

from ilsvrc.weights import caffe

pytestmark = [pytest.mark.slow, needs_originals]
TOLERANCE = 2e-5  # of the layer's largest value: oracle/ORACLE.md


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


@pytest.mark.parametrize("name", references())
def test_every_output_of_every_layer_agrees_with_the_reference(name: str, tmp_path: Path) -> None:
    reference = Reference(name)
    network = caffe.network(reference.prototxt, reference.write(tmp_path / "seeded.caffemodel"))
    met = {}
    with torch.inference_mode():
        for layer, output in network.walk(*(torch.from_numpy(blob) for blob in reference.inputs())):
            if layer in reference.spec["stats_layers"]:
                met[layer] = worst(reference, layer, output)
    (tmp_path / "seeded.caffemodel").unlink()
    assert set(met) == set(reference.spec["stats_layers"])
    assert max(met.values()) < TOLERANCE, max(met, key=met.__getitem__)
