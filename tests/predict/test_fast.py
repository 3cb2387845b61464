"""Faster forms of a network: what they leave as it is, and how far they go from it."""

import copy

import pytest
import torch
from torch import nn

from ilsvrc.models import MODELS, build
from ilsvrc.predict.fast import folded, prepared

NORMALISED = ("resnet18", "resnet50", "resnext50_32x4d", "senet154", "googlenet_torchvision", "vgg11_bn")
PREACTIVATED = ("preresnet50", "dpn92")  # some of their batch norms have no convolution before them


def network(name: str) -> nn.Module:
    """A narrow network whose batch norms do something."""
    torch.manual_seed(0)
    built = build(name, classes=10, image_size=96, width=0.125)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return built.eval()


@pytest.mark.parametrize("name", NORMALISED)
def test_folding_leaves_no_batch_norm_and_the_same_logits(name: str) -> None:
    ours = network(name)
    before = copy.deepcopy(ours.state_dict())
    fast = folded(ours)
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        wanted = ours(images)
        assert (fast(images) - wanted).abs().max() < 1e-5 * wanted.abs().max()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


@pytest.mark.parametrize("name", PREACTIVATED)
def test_folding_the_others_leaves_the_same_logits(name: str) -> None:
    ours = network(name)
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        wanted = ours(images)
        assert (folded(ours)(images) - wanted).abs().max() < 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "zfnet", "vgg16", *NORMALISED, *PREACTIVATED])
def test_bf16_stays_near_and_stores_nothing_else(name: str) -> None:
    ours = network(name)
    fast = prepared(ours, "bf16")
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        wanted = ours(images)
        found = fast(images.bfloat16())
    stored = {tensor.dtype for name, tensor in fast.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert stored == {torch.bfloat16}
    assert (found.float() - wanted).abs().max() < 0.05 * wanted.abs().max() + 0.02


def test_eager_is_the_network_itself() -> None:
    ours = network("resnet18")
    assert prepared(ours, "eager") is ours


@pytest.mark.parametrize("name", MODELS)
def test_every_batch_norm_behind_a_convolution_can_be_folded(name: str) -> None:
    with torch.device("meta"):
        small = build(name, classes=2, width=0.02)
    left = {place.split(".")[-1] for place, m in folded(small).named_modules() if isinstance(m, nn.BatchNorm2d)}
    before_relus = (
        {"norm", "norm5"} if name.startswith(("preresnet", "dpn")) else set()
    )  # none has a convolution before it
    assert left == before_relus
