"""How a step is taken: what is compiled and when, batches in parts, and that a run says so."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import BENCH, QUIET, stopped_after, training

from ilsvrc.entries.recipes import PAPER
from ilsvrc.errors import SpecError
from ilsvrc.jobs import machine as job
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.machine import bench
from ilsvrc.jobs.pace import called, outcome, settled
from ilsvrc.jobs.train import run_training
from ilsvrc.models import build
from ilsvrc.train import halves, response
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_tensors(run.weights)


@pytest.mark.parametrize("precision", ["fp16", "tf32"])
def test_a_processor_has_neither_fp16_nor_tf32(precision: str) -> None:
    with pytest.raises(SpecError, match=f"precision {precision} is asked for on a processor, which has none; use bf16"):
        bench("cpu", precision)


def test_compiling_is_chosen_where_there_is_a_compiler_and_fp32_is_the_plain_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(job, "compiler", lambda: "/usr/bin/g++")
    assert (bench("cuda").compile, bench("cpu").compile) == ("whole", "parts")
    assert bench("cuda", "fp32").compile == bench("cpu", "fp32").compile == "no"
    assert bench("cpu", "fp32", compile="parts").compile == "parts"
    monkeypatch.setattr(job, "compiler", lambda: None)
    assert bench("cuda").compile == bench("cpu").compile == "no"
    with pytest.raises(SpecError, match="compile whole is asked for and there is no C\\+\\+ compiler; install"):
        bench("cpu", compile="whole")


def test_parts_are_compiled_where_there_are_some_and_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(response, "compiled", lambda: asked.append(1) or response.PLAIN)
    here = replace(BENCH, compile="parts")
    with torch.device("meta"):
        paper, small, other = build("alexnet"), build("alexnet", image_size=80, width=0.5), build("resnet18")
    assert settled(here, small, 80, 32).compile == "no"
    assert settled(here, other, 224, 256).compile == "no"
    assert asked == []
    assert settled(here, paper, 224, 32).compile == "parts"
    assert settled(replace(here, accumulate=8), paper, 224, 32).compile == "no"
    assert settled(replace(here, compile="whole"), small, 80, 32).compile == "whole"
    monkeypatch.setattr(response, "compiled", lambda: None)
    assert settled(here, paper, 224, 32).compile == "no"


def test_what_decides_the_bits_is_in_the_run_s_spec(splits: Splits, tmp_path: Path) -> None:
    assert outcome(BENCH) == {}
    assert outcome(replace(BENCH, compile="parts", accumulate=2)) == {"compile": "parts", "accumulate": 2}
    run = run_training(training("alexnet", epochs=1), splits, tmp_path, replace(BENCH, accumulate=2), QUIET)
    assert run.spec()["asked"]["accumulate"] == 2
    with pytest.raises(SpecError, match="accumulate = 2, and null is asked now"):
        run_training(training("alexnet", epochs=1), splits, tmp_path, BENCH, QUIET)


@pytest.mark.slow
def test_a_batch_in_parts_trains_the_same_network_to_rounding(splits: Splits, tmp_path: Path) -> None:
    # AlexNet without its dropout, whose draws a part makes for itself.
    asked = training("zfnet", epochs=1)
    asked = replace(asked, member=replace(asked.member, model="vgg11", image_size=48))
    for name, here in (("whole", BENCH), ("parts", replace(BENCH, accumulate=4))):
        torch.manual_seed(0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.nn.Dropout, "forward", lambda self, x: x)
            run_training(asked, splits, tmp_path / name, here, QUIET)
    whole, parts = (weights(Run(tmp_path / name)) for name in ("whole", "parts"))
    for name, tensor in whole.items():
        assert torch.allclose(parts[name], tensor, rtol=1e-3, atol=2e-5), name


@pytest.mark.slow
def test_compiled_parts_are_continued_to_the_same_bits(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if response.compiled() is None:
        pytest.skip("there is no C++ compiler here")
    monkeypatch.setattr(response, "WORTH", 1)
    here = replace(BENCH, compile="parts")
    whole = run_training(training("alexnet"), splits, tmp_path / "whole", here, QUIET)
    assert whole.spec()["asked"]["compile"] == "parts"
    stopped_after(3, training("alexnet"), splits, tmp_path / "run", here)
    again = run_training(training("alexnet"), splits, tmp_path / "run", here, QUIET)
    assert all(torch.equal(tensor, weights(again)[name]) for name, tensor in weights(whole).items())


def test_large_full_layers_are_halved_where_only_the_papers_optimizer_sees_their_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(halves, "compiled", lambda: halves.update)
    monkeypatch.setattr(response, "compiled", lambda: None)
    here, recipe = replace(BENCH, compile="parts", precision="bf16"), PAPER["vgg16"]
    with torch.device("meta"):
        vgg, resnet = build("vgg16"), build("resnet18")
    assert settled(here, vgg, 224, 32, recipe).compile == "parts"
    clipped = replace(recipe, clip_norm=1.0)
    outside = replace(recipe, optimizer=replace(recipe.optimizer, rate_inside=False))
    assert settled(here, resnet, 224, 32, recipe).compile == "no"
    for other in (clipped, outside):
        assert settled(here, vgg, 224, 32, other).compile == "no"
    for bench_ in (replace(here, precision="fp32"), replace(here, accumulate=2)):
        assert settled(bench_, vgg, 224, 32, recipe).compile == "no"


@pytest.mark.slow
def test_halved_layers_are_continued_to_the_same_bits_and_learn_what_autocast_does(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "LAYER", 1)
    monkeypatch.setattr(halves, "WORTH", 1)
    monkeypatch.setattr(halves, "compiled", lambda: halves.update)
    monkeypatch.setattr(response, "compiled", lambda: response.PLAIN)
    asked = training("alexnet")
    asked = replace(asked, member=replace(asked.member, recipe=replace(asked.member.recipe, clip_norm=0.0)))
    here = replace(BENCH, compile="parts", precision="bf16")
    whole = run_training(asked, splits, tmp_path / "whole", here, QUIET)
    stopped_after(3, asked, splits, tmp_path / "run", here)
    again = run_training(asked, splits, tmp_path / "run", here, QUIET)
    assert all(torch.equal(tensor, weights(again)[name]) for name, tensor in weights(whole).items())
    plain = run_training(asked, splits, tmp_path / "plain", replace(here, compile="no"), QUIET)
    for ours, theirs in zip(whole.log(), plain.log(), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-3)


@pytest.mark.slow
def test_a_network_compiled_as_a_whole_keeps_its_weights_and_names() -> None:
    network = build("resnet18", classes=5, image_size=64, width=0.1)
    model = called(network, replace(BENCH, compile="whole"))
    assert model is not network
    assert {id(p) for p in model.parameters()} == {id(p) for p in network.parameters()}
    assert not any(name.startswith("_orig_mod") for name in network.state_dict())


MEMORY = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from ilsvrc.entries.miniature import NORMALISED, PROTOCOL
from ilsvrc.jobs import train as job
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import Bench, bf16_in_hardware, keep_memory
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Member
keep_memory()
close = job.Work.close_epoch
def told(self, *rest):
    line = close(self, *rest)
    print(next(l.split()[1] for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmRSS")))
    return line
job.Work.close_epoch = told
asked = job.Training(
    member=Member(model="resnet18", recipe=NORMALISED, image_size=48, width=0.25), protocol=PROTOCOL, epochs=14, seed=0
)
precision = "bf16" if bf16_in_hardware() else "fp32"  # emulated it takes five times as long
bench = Bench(torch.device("cpu"), precision, 2)
job.run_training(asked, open_splits(sys.argv[1]), Path(sys.argv[2]), bench, Watch(quiet=True))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not say what memory is resident")
def test_resident_memory_is_flat_once_every_part_has_run(tiny: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", MEMORY, str(tiny), str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 0, done.stderr
    kibibytes = [int(line) for line in done.stdout.split()]
    assert len(kibibytes) == 14
    # The first epochs load code and fill what is kept, and on some machines the eighth still adds a megabyte; the six
    # after it add some KiB. What leaks goes on: a megabyte an epoch makes more than these six may add.
    assert kibibytes[-1] - kibibytes[7] < 6 * 512, kibibytes
    assert max(kibibytes) < 1.2 * kibibytes[0], kibibytes
