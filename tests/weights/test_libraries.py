"""The libraries' own networks beside ours: the same random weights, the same logits.

Runs where torchvision and timm are installed (scripts/peers makes such an environment); nothing else needs them.
"""

import importlib
import importlib.util
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from ilsvrc import weights
from ilsvrc.weights.libraries import LAYOUTS

TOLERANCE = 2e-5  # of the largest logit
TORCHVISION = {  # torchvision's name: ours
    "alexnet": "alexnet_torchvision",
    "googlenet": "googlenet_torchvision",
    "inception_v3": "inception_v3_torchvision",
    "resnet18": "resnet18_v1_5",
    "resnet34": "resnet34_v1_5",
    "resnet50": "resnet50_v1_5",
    "resnet101": "resnet101_v1_5",
    "resnet152": "resnet152_v1_5",
    "resnext50_32x4d": "resnext50_32x4d",
    "resnext101_64x4d": "resnext101_64x4d",
    "vgg11": "vgg11",
    "vgg13": "vgg13",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "vgg11_bn": "vgg11_bn",
    "vgg13_bn": "vgg13_bn",
    "vgg16_bn": "vgg16_bn",
    "vgg19_bn": "vgg19_bn",
    "wide_resnet50_2": "wideresnet50_2",
    "wide_resnet101_2": "wideresnet101_2",
}
TIMM = {  # timm's name: ours
    "legacy_senet154": "senet154",
    "legacy_seresnet50": "se_resnet50",
    "legacy_seresnet101": "se_resnet101",
    "legacy_seresnet152": "se_resnet152",
    "legacy_seresnext50_32x4d": "se_resnext50_32x4d",
    "legacy_seresnext101_32x4d": "se_resnext101_32x4d",
    "resnet50": "resnet50_v1_5",
    "resnext101_32x4d": "resnext101_32x4d",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "vgg16_bn": "vgg16_bn",
    "dpn92": "dpn92",
    "dpn98": "dpn98",
    "inception_v4": "inception_v4",
    "inception_resnet_v2": "inception_resnet_v2",
}
PEERS = [*(("torchvision", *pair) for pair in TORCHVISION.items()), *(("timm", *pair) for pair in TIMM.items())]
DECLARED = []  # torch forgets a library's operators with its object


def library(name: str) -> object:
    """The library, whose compiled part a CPU build of torch may lack: operators that no network here uses."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    if not DECLARED and importlib.util.find_spec("torchvision"):
        declared = torch.library.Library("torchvision", "FRAGMENT")
        boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        sizes = "SymInt pooled_height, SymInt pooled_width, int sampling_ratio, bool aligned"
        for schema in (
            f"nms{boxes}",
            f"qnms{boxes}",
            f"roi_align(Tensor input, Tensor rois, float s, {sizes}) -> Tensor",
        ):
            if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
                declared.define(schema)
        DECLARED.append(declared)
    return importlib.import_module(f"{name}.models" if name == "torchvision" else name)


def theirs(home: str, name: str) -> nn.Module:
    """Their network with random weights and statistics that keep values in range."""
    place = library(home)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if home == "timm":
            network = place.create_model(name, pretrained=False)  # type: ignore[attr-defined]
        else:
            more = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
            network = getattr(place, name)(weights=None, **more)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize(("home", "name", "model"), PEERS)
def test_the_same_weights_give_the_library_s_logits(tmp_path: Path, home: str, name: str, model: str) -> None:
    if model not in LAYOUTS:
        pytest.skip(f"{model} is not among our networks")
    peer = theirs(home, name)
    path = tmp_path / "peer.pth"
    torch.save(peer.state_dict(), path)
    network, record = weights.load(model, path)
    images = torch.randn(1, 3, record.image_size, record.image_size)
    if hasattr(peer, "transform_input"):  # theirs re-maps what it is shown; our record has what comes out
        peer.transform_input = False
    with torch.inference_mode():
        wanted, found = peer(images), network(images)
    off = float((found - wanted).abs().max() / wanted.abs().max())
    print(f"{home} {name} as {model}: {off:.1e}")
    assert off < TOLERANCE
