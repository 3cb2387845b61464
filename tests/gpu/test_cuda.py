"""The same claims on an accelerator. Without one the summary says that these were skipped."""

from pathlib import Path

import pytest
import torch

from ilsvrc.entries.miniature import NORMALISED, PROTOCOL
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import bench
from ilsvrc.jobs.train import Training, run_training
from ilsvrc.models import build
from ilsvrc.predict.engines import Engine, prepared
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Member
from ilsvrc.viz.deconvnet import project

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device"),
]


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "vgg16", "resnet50", "resnext50_32x4d", "senet154"])
def test_a_network_answers_as_on_the_processor(name: str):
    torch.manual_seed(0)
    network = build(name, classes=20, image_size=96, width=0.25).eval()
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        wanted = network(images)
        found = network.cuda()(images.cuda()).cpu()
    assert torch.allclose(found, wanted, atol=2e-3 * float(wanted.abs().max()))


@pytest.mark.parametrize(("engine", "bound"), [("eager", 2e-3), ("fp32", 2e-3), ("bf16", 4e-2)])
def test_an_engine_answers_on_the_device(engine: Engine, bound: float):
    torch.manual_seed(0)
    network = build("resnet18", classes=20, image_size=96, width=0.25).eval()
    images = torch.randn(4, 3, 96, 96)
    with torch.inference_mode():
        wanted = network(images)
    found = prepared(network.cuda(), engine, images.cuda())(images.cuda())
    assert found.device.type == "cuda"
    assert torch.allclose(found.cpu(), wanted, atol=bound * float(wanted.abs().max()))


def test_a_training_runs_and_its_loss_falls(tiny: Path, tmp_path: Path):
    member = Member(model="resnet18", recipe=NORMALISED, image_size=64, width=0.25)
    asked = Training(member=member, protocol=PROTOCOL, epochs=8, seed=0)
    run = run_training(asked, open_splits(str(tiny)), tmp_path / "run", bench("cuda"), Watch(quiet=True))
    losses = [epoch["loss"] for epoch in run.log()]
    assert losses[-1] < losses[0]


def test_an_activation_comes_down_as_on_the_processor():
    torch.manual_seed(0)
    network = build("zfnet", classes=20, image_size=96, width=0.25).eval()
    images = torch.randn(2, 3, 96, 96)
    wanted = project(network, images, "conv3", [1, 2])
    found = project(network.cuda(), images.cuda(), "conv3", [1, 2])
    assert found.places == wanted.places
    assert torch.allclose(found.pixels.cpu(), wanted.pixels, atol=5e-3 * float(wanted.pixels.abs().max()))
