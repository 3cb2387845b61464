"""Several processes train as one: the same numbers, the same files, one voice, and an end together."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import BENCH, QUIET, SIX, WORDS, averaged, training, uneven
from test_training import same_weights, without_clock

from ilsvrc.cli import run as command
from ilsvrc.errors import IlsvrcError, SpecError
from ilsvrc.jobs import launch
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.preflight import built
from ilsvrc.jobs.train import run_training
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.parallel import ALONE, Processes, Seat, seat
from ilsvrc.train.run import Run


@pytest.fixture(scope="session")
def pair(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what two processes did, by pair.py."""
    folder = tmp_path_factory.mktemp("pair")
    run_of("pair.py", tiny, folder)
    return folder


def run_of(program: str, data: Path, folder: Path) -> None:
    """Let a program of the tests do what it does."""
    line = [sys.executable, str(Path(__file__).with_name(program)), str(data), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr


def distance(one: Run, other: Run, model: str) -> float:
    """How far two trained networks are from each other, over how far the second one has come."""
    ours, theirs = load_tensors(one.weights), load_tensors(other.weights)
    start = built(training(model), 20, BENCH.device).state_dict()
    assert ours.keys() == theirs.keys() == start.keys()
    names = [name for name, tensor in ours.items() if tensor.is_floating_point() and "running" not in name]
    apart, come = (
        sum(float((a[n] - b[n]).square().sum()) for n in names) for a, b in ((ours, theirs), (theirs, start))
    )
    return float((apart / come) ** 0.5)


# In single precision a rounding may flip one ReLU, which in a narrow network is seen; steps are compared in double.
NEAR = {"alexnet": 1e-3, "resnet18": 0.05}


@pytest.mark.slow
def test_a_step_of_two_processes_has_the_gradients_of_one(pair: Path):
    # of 12 images in equal shares, of 11 and of 3 in shares that are not; dropout and batch norm included
    for rank in (0, 1):
        found = json.loads((pair / f"gradients.{rank}").read_text())
        assert len(found) == 6
        assert max(found.values()) < 1e-8, found


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sync", "fsdp"])
@pytest.mark.parametrize("model", ["alexnet", "resnet18"])
def test_two_processes_and_one_agree_to_rounding(how: str, model: str, pair: Path, finished: dict[str, Run]):
    # alexnet draws dropout, resnet18 has batch norm; the last batch of 12 images is shared, too.
    two, one = Run(pair / f"{how}.{model}"), finished[model]
    assert distance(two, one, model) < NEAR[model]
    for ours, theirs in zip(two.log(), one.log(), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert ours["rate"] == theirs["rate"]
        assert ours["processes"] == 2


@pytest.mark.slow
def test_shares_that_are_not_equal_weigh_by_their_images(pair: Path, splits: Splits, tmp_path: Path):
    one = run_training(training("alexnet"), uneven(splits), tmp_path / "run", BENCH, QUIET)
    for how in ("sync", "fsdp"):
        assert distance(Run(pair / f"uneven.{how}"), one, "alexnet") < NEAR["alexnet"]


@pytest.mark.slow
def test_batch_norm_of_each_process_is_something_else(pair: Path, finished: dict[str, Run]):
    assert distance(Run(pair / "ddp.resnet18"), finished["resnet18"], "resnet18") > 2 * NEAR["resnet18"]
    assert Run(pair / "ddp.resnet18").spec()["asked"]["batch_norm"] == "of each of 2 processes"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sync", "fsdp"])
def test_two_processes_that_were_stopped_end_in_the_same_bits(how: str, pair: Path):
    again, whole = Run(pair / f"stopped.{how}"), Run(pair / f"{how}.resnet18")
    assert [(again.directory / f"stopped.{rank}").read_text() for rank in (0, 1)] == ["15 7", "15 7"]
    assert same_weights(again, whole)
    assert without_clock(again) == without_clock(whole)


@pytest.mark.slow
def test_averages_and_recomputed_statistics_of_two_processes_are_those_of_one(
    pair: Path, splits: Splits, tmp_path: Path
):
    one = load_tensors(run_training(averaged(), splits, tmp_path / "run", BENCH, QUIET).weights)
    two = load_tensors(Run(pair / "averaged.0").weights)
    plain = load_tensors(Run(pair / "sync.resnet18").weights)  # the same steps: the last weights, the moving statistics
    assert two.keys() == one.keys() == plain.keys()

    def apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], kind: str) -> float:
        names = [name for name in a if kind in name and a[name].is_floating_point()]
        squares = [(float((a[n] - b[n]).square().sum()), float(b[n].square().sum())) for n in names]
        return float((sum(s for s, _ in squares) / sum(t for _, t in squares)) ** 0.5)

    for kind in ("weight", "running_mean", "running_var"):
        assert apart(two, one, kind) < apart(plain, one, kind) / 5, kind


@pytest.mark.slow
def test_averages_and_recomputed_statistics_of_two_processes_survive_a_stop_to_the_bit(pair: Path):
    again, whole = Run(pair / "averaged.5"), Run(pair / "averaged.0")
    assert (again.directory / "stopped.0").read_text() == "15 6"
    assert same_weights(again, whole)
    assert without_clock(again) == without_clock(whole)


@pytest.mark.slow
def test_three_processes_that_were_killed_end_in_the_bits_of_three_that_were_not(tiny: Path, tmp_path: Path):
    run_of("trio.py", tiny, tmp_path)
    assert not Run(tmp_path / "whole").state.with_name("state.previous.pt").exists()
    assert same_weights(Run(tmp_path / "killed"), Run(tmp_path / "whole"))
    assert without_clock(Run(tmp_path / "killed")) == without_clock(Run(tmp_path / "whole"))


@pytest.mark.slow
def test_a_damaged_part_of_a_state_falls_back_to_the_one_before(pair: Path):
    again, whole = Run(pair / "damaged.fsdp"), Run(pair / "fsdp.resnet18")
    told = (again.directory / "told.0").read_text().splitlines()
    assert told[0] == "state.dcp is missing or damaged; state.previous.dcp, the one before, is whole: going on from it"
    assert same_weights(again, whole)
    assert without_clock(again) == without_clock(whole)


@pytest.mark.slow
def test_each_image_is_judged_once_and_in_the_data_set_s_order(pair: Path, finished: dict[str, Run], splits: Splits):
    two, one = (read_predictions(d / "predictions.npz") for d in (pair / "sync.alexnet", finished["alexnet"].directory))
    assert two.names == one.names == tuple(splits.val[index].name for index in range(40))
    assert np.array_equal(two.labels, one.labels)
    assert np.abs(two.probabilities - one.probabilities).max() < 1e-4


@pytest.mark.slow
def test_only_the_files_of_one_process_are_there(pair: Path, finished: dict[str, Run]):
    wanted = {path.name for path in finished["alexnet"].directory.iterdir()}
    assert {path.name for path in (pair / "sync.alexnet").iterdir()} == wanted
    split = {path.name for path in (pair / "fsdp.alexnet").iterdir()}
    assert split == wanted - {"state.pt"} | {"state.dcp"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("odd", "a batch of 15 does not divide over 2 processes; give another number of processes, or --batch 14"),
        ("small", "an epoch's last batch leaves one image to a process"),
    ],
)
def test_what_cannot_be_divided_is_the_same_sentence_in_both(name: str, sentence: str, pair: Path):
    told = [(pair / f"{name}.{rank}").read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert sentence in told[0]
    assert not (pair / name).exists()


def started(data: Path, out: Path, words: list[str]) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "ilsvrc", *words, "--processes", "2", "--data", str(data), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def seen(process: subprocess.Popen[str], words: str) -> list[str]:
    """The lines of the process's error output up to the one with these words."""
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


def children(pid: int) -> Iterator[int]:
    """The processes below that one."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            yield int(path.parent.name)
            yield from children(int(path.parent.name))


def rank_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next((word[5:].decode() for word in words if word.startswith(b"RANK=")), "")


def test_a_signal_that_comes_while_one_says_why_does_not_take_the_word_from_it(monkeypatch):
    class Two(Processes):
        def claim(self) -> bool:
            os.kill(os.getpid(), signal.SIGTERM)  # torchrun's, which has seen that another process is gone
            return True

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr("ilsvrc.train.parallel.seat", lambda: Seat(0, 2, 0, 2))
    monkeypatch.setattr("ilsvrc.train.parallel.join", lambda place, how: Two(place))
    monkeypatch.setattr("ilsvrc.jobs.launch.threading.Timer", lambda *_: SimpleNamespace(start=lambda: None))
    monkeypatch.delenv(launch.FOLDER, raising=False)
    try:
        with pytest.raises(IlsvrcError, match="the disk is full"), launch.company(lambda: BENCH, "sync", 2):
            raise IlsvrcError("the disk is full")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_kill_of_one_and_a_signal_to_all_end_in_the_same_bits(tiny: Path, pair: Path, tmp_path: Path):
    first = started(tiny, tmp_path / "run", SIX)
    seen(first, "epoch  1 of 6")
    victim = next(pid for pid in children(first.pid) if rank_of(pid) == "1")
    others = [pid for pid in children(first.pid) if pid != victim]
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    _, said = first.communicate(timeout=60)
    assert time.monotonic() - killed < 45
    assert first.returncode == 1
    rest = [line for line in said.splitlines() if "epoch" not in line]
    assert len(rest) == 1, said
    assert rest[0].startswith("error: ")
    assert rest[0].endswith("what was saved is intact, and the same command goes on from there")
    assert not any(Path(f"/proc/{pid}").exists() for pid in others)

    second = started(tiny, tmp_path / "run", SIX)
    seen(second, "epoch  3 of 6")
    second.send_signal(signal.SIGTERM)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 143, said
    rest = [line for line in said.splitlines() if "images/s" not in line]
    assert len(rest) == 1, said
    assert re.fullmatch(r"stopped in epoch \d+ of resnet18, saved in .*; the same command goes on from there", rest[0])

    third = started(tiny, tmp_path / "run", SIX)
    printed, said = third.communicate(timeout=120)
    assert third.returncode == 0, said
    line = said.splitlines()[0]
    assert re.fullmatch(
        r"OMP_NUM_THREADS=1 \S*torchrun --standalone --nproc-per-node 2 -m ilsvrc train resnet18 .* --epochs 6 .*", line
    )
    assert "--processes" not in line
    epochs = [int(number) for number in re.findall(r"epoch +(\d+) of 6", said)]
    assert epochs == list(range(epochs[0], 7)), "one voice: a line per epoch"
    assert printed.count("everything is in") == 1
    whole = Run(pair / "six")
    assert same_weights(Run(tmp_path / "run"), whole)
    assert without_clock(Run(tmp_path / "run")) == without_clock(whole)


@pytest.mark.slow
def test_an_image_that_one_process_cannot_read_ends_both_with_one_sentence(tiny: Path, tmp_path: Path):
    import shutil

    shutil.copytree(tiny, tmp_path / "bad")
    victim = sorted((tmp_path / "bad" / "train").rglob("*.JPEG"))[7]
    victim.write_bytes(b"\xff\xd8 not any more")
    # The first process takes the mean of all images and meets it: its sentence is the only one.
    process = started(tmp_path / "bad", tmp_path / "run", [*WORDS, "--epochs", "1"])
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.count("error:") == 1, said
    assert f"{victim.stem} (15 bytes) is not an image" in said


def test_shares_are_runs_that_make_the_batch_and_weigh_as_many_images():
    for of in (1, 2, 3, 8):
        for count in (8, 12, 17, 256):
            all_of_them = [Processes(Seat(rank, of)) for rank in range(of)]
            assert [i for each in all_of_them for i in each.share(count)] == list(range(count))
            assert sum(each.weigh(count) for each in all_of_them) == pytest.approx(of)
            assert max(len(each.share(count)) for each in all_of_them) <= -(-count // of)
    assert ALONE.weigh(7) == 1.0


@pytest.mark.parametrize(
    "environment",
    [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "x", "WORLD_SIZE": "2"}, {"RANK": "0", "WORLD_SIZE": "0"}],
)
def test_a_place_that_cannot_be_is_a_sentence(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=r"the environment says RANK=.*, which is no place among processes; start them"):
        seat()


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RANK", raising=False)
    assert seat() == Seat()
    assert not launch.joins()


def test_another_number_of_processes_than_torchrun_s_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tiny: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert command([*WORDS, "--data", str(tiny), "--processes", "3"]) == 1
    assert "--processes 3 is asked for and torchrun started 1; leave it out" in capsys.readouterr().err


def test_the_line_is_torchrun_s_with_the_same_words():
    words = ["train", "vgg16", "--data", "my data", "--processes", "8", "--epochs", "3"]
    assert launch.without_processes(words) == ["train", "vgg16", "--data", "my data", "--epochs", "3"]
    assert launch.without_processes(["train", "--processes=8", "--seed", "1"]) == ["train", "--seed", "1"]
    line = launch.torchrun(8, ["train", "vgg16"])
    assert line[-7:] == ["--standalone", "--nproc-per-node", "8", "-m", "ilsvrc", "train", "vgg16"]
    assert "torch" in Path(line[0]).name or line[1:3] == ["-m", "torch.distributed.run"]


class Kept(launch._Watch):
    """A watch over nothing, with what torchrun left."""

    def __init__(self, folder: Path, log: str, signal: int = 0) -> None:
        super().__init__(folder)
        (folder / "log").write_text(log)
        self.signal = signal


LOG = """
[1]:
  rank      : 0 (local_rank: 0)
  exitcode  : -15 (pid: 8)  (SIGTERM)
Root Cause (first observed failure):
[0]:
  rank      : 1 (local_rank: 1)
  exitcode  : -9 (pid: 9)  (SIGKILL)
"""


def test_who_was_killed_is_read_from_what_torchrun_says_when_nobody_else_says_it(tmp_path: Path):
    with pytest.raises(IlsvrcError, match=r"process 1 was ended by signal 9 .*; what was saved is intact"):
        Kept(tmp_path, LOG)._code(1)
    with pytest.raises(IlsvrcError, match="torchrun ended with 1 and nobody said why; its own words are:\nNo module"):
        Kept(tmp_path, "No module")._code(1)
    with pytest.raises(launch.Stopped, match="stopped; what was saved is intact") as stopped:
        Kept(tmp_path, LOG, signal=15)._code(1)
    assert stopped.value.number == 15
    (tmp_path / "outcome").write_text("143")
    assert Kept(tmp_path, LOG)._code(1) == 143
    assert Kept(tmp_path, "")._code(0) == 143


def test_a_training_alone_has_nothing_of_all_this(splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.distributed, "init_process_group", None)
    run = run_training(training(epochs=1), splits, tmp_path / "run", BENCH, QUIET)
    assert not {"batch_norm", "state"} & run.spec()["asked"].keys()
    assert run.spec()["circumstances"]["processes"] == 1
