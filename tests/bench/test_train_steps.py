"""The benchmark of training: what it measures is what it says, on small batches."""

from pathlib import Path

import pytest
import torch

from ilsvrc.bench import curves, feed, train, train_side
from ilsvrc.bench.train_side import REFERENCE, TIMM, Side, Towers, plain
from ilsvrc.errors import SpecError
from ilsvrc.models import MODELS, build
from ilsvrc.models.alexnet import ResponseNorm


@pytest.mark.parametrize("towers", [1, 2])
def test_the_reference_s_response_norm_is_the_same_operation(towers: int) -> None:
    x = 300 * torch.randn(2, 12, 5, 5)
    assert torch.allclose(Towers(2.0, towers)(x), ResponseNorm(2.0, towers)(x), rtol=1e-5)


def test_the_plain_network_is_ours_with_pytorch_s_norm() -> None:
    with torch.device("meta"):
        network = plain("googlenet")
    assert sum(isinstance(module, torch.nn.LocalResponseNorm) for module in network.modules()) == 2
    assert not any(type(module).__name__ == "ResponseNorm" for module in network.modules())
    with torch.device("meta"):
        assert list(network.state_dict()) == list(build("googlenet").state_dict())


def test_every_network_that_is_compared_is_one_of_ours() -> None:
    assert {*REFERENCE, *TIMM, *train.CPU, *train.GPU} <= set(MODELS)


@pytest.mark.parametrize("multiplied", [True, False])
def test_timm_s_step_has_amp_where_bf16_is_multiplied_and_says_so(multiplied: bool, monkeypatch) -> None:
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 1000))
    monkeypatch.setattr(train_side, "peer", lambda package, name: network)
    monkeypatch.setattr(train_side, "bf16_in_hardware", lambda: multiplied)
    facts = Side("resnet50_v1_5", "timm", "cpu", 2).facts()
    assert facts["precision"] == ("bf16" if multiplied else "fp32")
    row = train.Row("resnet50_v1_5", train.label("resnet50_v1_5", "timm"), 2, 1.0, 1.0, 0.0, 0.0, None, facts)
    assert ("timm, channels last, AMP, bf16" if multiplied else "timm, channels last, fp32") in train.table(
        [row], "resnet50_v1_5"
    )[2]


@pytest.mark.slow
def test_a_side_takes_whole_steps_and_says_what_it_keeps() -> None:
    side = Side("alexnet", "ours", "cpu", 2, {"precision": "fp32"})
    assert side.ready
    before = side.network.fc8.bias.detach().clone()
    assert side.time(1)["seconds"] > 0
    assert not torch.equal(side.network.fc8.bias, before)
    facts = side.facts()
    assert facts["parameters"] == 60_965_224
    assert facts["parameter_bytes"] == facts["optimizer_bytes"] == 4 * 60_965_224
    # At least what must be there: every map before a norm, in float32, twice as large as half precision's.
    assert facts["activation_bytes"] > 2 * 4 * (96 * 55 * 55 + 256 * 27 * 27)
    assert 0 < side.norms()["seconds"] < side.time(1)["seconds"]


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr("ilsvrc.bench.peers.torchvision", missing)
    monkeypatch.setattr("ilsvrc.bench.peers.timm", missing)
    assert not Side("resnet50_v1_5", "reference", "cpu", 1).ready
    assert not Side("resnet50_v1_5", "timm", "cpu", 1).ready
    assert not Side("alexnet", "timm", "cpu", 1).ready


def test_an_unknown_network_is_refused_before_anything_is_measured() -> None:
    wish = train.Wish(networks=("resnet5000",), device="cpu", batch=1, rounds=1, data=None)
    with pytest.raises(SpecError, match="no network is called 'resnet5000'"):
        train.main(wish, as_json=False)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_a_device_s_peak_is_found_by_its_name(name: str, peak: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert train.peak_of(torch.device("cuda")) == peak
    assert train.peak_of(torch.device("cpu")) is None


def test_a_row_is_printed_with_its_ratio() -> None:
    facts = {"activation_bytes": 2**30, "optimizer_bytes": 2**20, "peak_bytes": 2**31, "precision": "bf16"}
    facts["compile"] = "parts"
    row = train.Row("alexnet", "ilsvrc", 32, 120.0, 1.0, 0.085, 0.02, None, facts)
    line = train.table([row], "alexnet")[2]
    assert line == "| ilsvrc, bf16, compiled parts | 32 | 120.0 | 1.00x | 8.5% | 1,024 MiB | 1 MiB | 2,048 MiB |  |"


def test_fed_steps_are_held_against_the_slower_alone_and_against_one_after_the_other() -> None:
    row = feed.Fed("alexnet", steps=100.0, pipeline=300.0, both=90.0)
    assert row.bound == pytest.approx(75)
    assert "| 90.0% | 75.0 |" in feed.table([row])[2]


@pytest.mark.slow
def test_both_precisions_learn_side_by_side(tiny: Path, tmp_path: Path) -> None:
    curves.main(("resnet18",), str(tiny), tmp_path, 4, 0)  # steps; where bf16 is emulated each takes a second
    page = (tmp_path / "bf16.md").read_text(encoding="utf-8")
    assert "| resnet18 | fp32 | 0 |" in page
    assert "| resnet18 | bf16 | 0 |" in page
    drawing = (tmp_path / "bf16_resnet18.svg").read_text(encoding="utf-8")
    assert drawing.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert drawing.count('class="line"') == 3
