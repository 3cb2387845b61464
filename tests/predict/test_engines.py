"""Engines: what they leave as it is, how far they go from the network, and what they say when they cannot."""

import copy
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.models import MODELS, build
from ilsvrc.models.dpn import DPN, Form
from ilsvrc.models.googlenet import GoogLeNet
from ilsvrc.models.senet import SENet, resnext_block
from ilsvrc.predict import engines, vino
from ilsvrc.predict.engines import ENGINES, Engine, missing, prepared
from ilsvrc.predict.folding import folded
from ilsvrc.predict.measure import calibrated, change

CPU = torch.device("cpu")
SIDE = 107  # pixels; the smallest that every network takes
NORMALISED = ("resnet18", "resnet50", "resnext50_32x4d", "senet154", "googlenet_torchvision", "vgg11_bn")
PREACTIVATED = ("preresnet50", "dpn92")  # some of their batch norms have no convolution before them
SHAPES = ("alexnet", "googlenet", "se_resnext50_32x4d", "preresnet50")  # response norm, side heads, gates, batch norms
DEEP = re.compile("(101|152|200|269)(_|$)")  # only deeper than another network of the table
RUN = [name for name in MODELS if not DEEP.search(name)]
REPEATED = {  # modules of which `short` has one of the kind
    "googlenet": [f"inception_{place}" for place in ("4b", "4c", "4d", "4e", "5a", "5b")],
    "inception_v3": [f"mixed_{place}" for place in ("5d", "6c", "6d", "6e", "7c")],
}
OFF: dict[Engine, float] = {  # the largest difference of a logit over the largest logit
    **dict.fromkeys(("fp32", "compiled", "openvino"), 1e-5),
    **dict.fromkeys(("bf16", "compiled-bf16", "openvino-bf16"), 0.04),
    "int8": 0.15,
}
needs_openvino = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in ("openvino", "nncf")),
    reason="the extra fast-cpu is not installed",
)
needs_compiler = pytest.mark.skipif(bool(missing("compiled", CPU)), reason="there is no C++ compiler")


def network(name: str, width: float = 0.125, make: Callable[..., nn.Module] = build) -> nn.Module:
    """A narrow network whose batch norms do something."""
    torch.manual_seed(0)
    built = make(name, classes=10, image_size=SIDE, width=width)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return built.eval()


def short(name: str, classes: int, image_size: int, width: float) -> nn.Module:
    """The network with a block or two of each kind: to trace one takes as long as it has layers, of which most repeat.

    In eval mode alone: side heads keep the inputs they had.
    """
    match name:
        case "dpn92":
            return DPN(Form(64, 96, 32, (2, 1, 1, 1), (16, 32, 24, 128)), classes, image_size, width)
        case "se_resnext50_32x4d":
            return SENet(resnext_block, (2, 1, 1, 1), classes, image_size, width)
    built = build(name, classes, image_size, width)
    for left_out in REPEATED.get(name, ()):
        setattr(built, left_out, nn.Identity())
    if isinstance(built, GoogLeNet):
        built.linear = nn.Linear(built.inception_4a.outputs, classes)
    return built


def block(name: str, classes: int, image_size: int, width: float) -> nn.Module:
    """A layer of each kind: to compile a network takes half a minute, and does the same to each layer of a kind."""
    maps = round(64 * width)
    return nn.Sequential(
        *(nn.Conv2d(3, maps, 3, stride=2, bias=False), nn.BatchNorm2d(maps), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * maps, classes)),
    )


def photographs(count: int) -> Tensor:
    """Smooth ones, on the scale of pixels with the mean removed."""
    return nn.functional.interpolate(torch.randn(count, 3, 12, 12) * 60, (SIDE, SIDE), mode="bilinear")


def off(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.slow
@pytest.mark.parametrize("name", NORMALISED)
def test_folding_leaves_no_batch_norm_and_the_same_logits(name: str) -> None:
    ours = network(name)
    before = copy.deepcopy(ours.state_dict())
    fast = folded(ours)
    images = photographs(2)
    with torch.inference_mode():
        assert off(fast(images), ours(images)) < 1e-5
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


@pytest.mark.parametrize("name", PREACTIVATED)
def test_folding_the_others_leaves_the_same_logits(name: str) -> None:
    ours, images = network(name), photographs(2)
    with torch.inference_mode():
        assert off(folded(ours)(images), ours(images)) < 1e-5


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", RUN)
def test_every_batch_norm_behind_a_convolution_can_be_folded(name: str) -> None:
    with torch.device("meta"):
        small = build(name, classes=2, width=0.02)
    left = {place.split(".")[-1] for place, m in folded(small).named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert left == ({"norm", "norm5"} if name.startswith(("preresnet", "dpn")) else set())


def test_eager_is_the_network_bit_for_bit() -> None:
    ours, images = network("resnet18"), photographs(3)
    with torch.inference_mode():
        assert torch.equal(prepared(ours, "eager", images)(images), ours(images))


def agrees(name: str, engine: Engine, make: Callable[..., nn.Module] = build) -> None:
    ours, images = network(name, make=make), photographs(6)
    before = copy.deepcopy(ours.state_dict())
    run = prepared(ours, engine, images)
    with torch.inference_mode():
        wanted = ours(images)
    for count in (6, 1, 3):  # any number of images, whatever it was prepared with
        found = run(images[:count])
        assert found.shape == (count, 10)
        assert found.dtype == torch.float32
        assert off(found, wanted[:count]) < OFF[engine], (name, engine)
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


@pytest.mark.sampled
@pytest.mark.parametrize("engine", ["fp32", "bf16"])
@pytest.mark.parametrize("name", SHAPES)
def test_torch_s_engines_agree_with_the_network(name: str, engine: Engine) -> None:
    agrees(name, engine)


@pytest.mark.slow
@needs_openvino
@pytest.mark.parametrize("name", ["alexnet", pytest.param("googlenet", marks=pytest.mark.slow)])
def test_openvino_s_engines_agree_with_the_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    convert, kept = vino.converted, []

    def once(network: nn.Module, size: int) -> object:  # it is most of the time, and the same for all three
        if not kept:
            kept.append(convert(network, size))
        return kept[0]

    monkeypatch.setattr(vino, "converted", once)
    for engine in ("openvino", "openvino-bf16", "int8"):
        agrees(name, engine, short)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("engine", ["compiled", "compiled-bf16"])
def test_compiled_engines_agree_with_the_network(engine: Engine) -> None:
    agrees("one block", engine, block)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_torch_s_engines_take_every_network(name: str) -> None:
    ours, images = network(name, width=0.03), photographs(2)
    with torch.inference_mode():
        wanted = ours(images)
    assert off(prepared(ours, "fp32", images)(images), wanted) < OFF["fp32"]
    assert off(prepared(ours, "bf16", images)(images), wanted) < OFF["bf16"]


@pytest.mark.slow
@needs_openvino
@pytest.mark.parametrize("name", ["inception_v3", "dpn92", "se_resnext50_32x4d"])
def test_openvino_takes_what_is_wired_otherwise(name: str) -> None:
    agrees(name, "openvino", short)


def test_what_is_stored_in_bf16_is_all_but_batch_norms_that_could_not_be_folded() -> None:
    before = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    stored = engines._stored(folded(before), torch.bfloat16)
    types = {key: value.dtype for key, value in stored.state_dict().items()}
    assert (types["0.weight"], types["2.weight"], types["2.bias"]) == (torch.float32, torch.bfloat16, torch.bfloat16)
    images = torch.randn(2, 3, 8, 8)
    assert off(prepared(before, "bf16", images)(images), before(images).detach()) < 0.02


@pytest.mark.parametrize("name", ["googlenet", "se_resnet50", "vgg11_bn"])
def test_all_weights_of_ours_are_stored_in_bf16(name: str) -> None:
    stored = engines._stored(folded(network(name)), torch.bfloat16)
    assert {value.dtype for value in stored.state_dict().values()} == {torch.bfloat16}


def test_an_engine_that_cannot_be_had_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    cuda = torch.device("cuda")
    assert [engine for engine in ENGINES if not missing(engine, CPU)] == ["eager", "fp32", "bf16"]
    assert "pip install 'ilsvrc[fast-cpu]'" in missing("int8", CPU)
    assert "C++ compiler" in missing("compiled", CPU)
    assert "triton" in missing("compiled", cuda)
    assert "--device cpu" in missing("openvino", cuda)
    with pytest.raises(SpecError, match="needs the package openvino"):
        prepared(nn.Flatten(), "openvino", torch.zeros(1, 3, 8, 8))


@needs_openvino
def test_a_network_that_an_engine_does_not_take_is_refused_in_a_sentence() -> None:
    class Odd(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1) if float(images.sum()) > 0 else images.flatten(1) * 2

    with pytest.raises(SpecError, match="engine openvino cannot prepare this network here"):
        prepared(Odd(), "openvino", torch.zeros(1, 3, 8, 8))


@pytest.mark.slow
@needs_openvino
def test_openvino_sends_nothing_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    program = (
        "import sys, torch\n"
        "from torch import nn\n"
        "from ilsvrc.predict.engines import prepared\n"
        "net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())\n"
        "prepared(net, 'int8', torch.randn(2, 3, 8, 8))\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]\n"
    )
    words = [sys.executable, "-W", "error::FutureWarning", "-c", program]
    here = {key: value for key, value in os.environ.items() if key not in ("CI", "PYTEST_CURRENT_TEST")}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=here | {"HOME": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_change_is_of_probabilities_and_first_guesses() -> None:
    eager = torch.tensor([[0.0, 10.0], [10.0, 0.0], [0.0, 0.1]])
    found = change(torch.tensor([[0.0, 10.0], [10.0, 0.0], [0.1, 0.0]]), eager)
    moved = float(torch.sigmoid(torch.tensor(0.1)) - torch.sigmoid(torch.tensor(-0.1)))
    assert (found.images, found.agreement) == (3, pytest.approx(2 / 3))
    assert found.largest == pytest.approx(moved)
    assert found.mean == pytest.approx(moved / 3)
    assert "on 3 images 2 first guesses are the network's own" in str(found)


@pytest.mark.slow
def test_a_calibrated_engine_comes_with_what_it_lost() -> None:
    ours, images = network("resnet18"), photographs(5)
    found, run = calibrated(ours, "bf16", images, batch=2)
    with torch.inference_mode():
        again = change(run(images), ours(images))
    assert found.change.images == 5
    assert found.change.largest == pytest.approx(again.largest, abs=2e-3)
    assert 0 < found.change.largest < 0.1
