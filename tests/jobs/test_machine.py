"""The machine: what is chosen, what is refused, what is written down; and signals as questions."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest
import torch

import ilsvrc
from ilsvrc.errors import SpecError
from ilsvrc.jobs import machine as job
from ilsvrc.jobs.interrupt import Interruption
from ilsvrc.jobs.machine import bench, circumstances, command, commit, machine


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("no_cuda")
def test_without_a_gpu_the_processor_computes():
    assert bench().device == torch.device("cpu")
    with pytest.raises(SpecError, match="device cuda is asked for and PyTorch sees no CUDA device; use --device cpu"):
        bench("cuda")
    with pytest.raises(SpecError, match="device cuda:1 is asked for"):
        bench("cuda:1")


@pytest.mark.usefixtures("two_gpus")
def test_with_a_gpu_it_computes_and_in_bf16():
    assert (bench().device, bench().precision) == (torch.device("cuda"), "bf16")
    assert bench("cuda:1").device == torch.device("cuda:1")
    assert bench("cpu").device == torch.device("cpu")
    with pytest.raises(SpecError, match="device cuda:2 is asked for and PyTorch numbers 2 CUDA devices from 0"):
        bench("cuda:2")


def test_bf16_is_chosen_where_the_processor_multiplies_it(monkeypatch: pytest.MonkeyPatch):
    for there, wanted in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(job, "bf16_in_hardware", lambda there=there: there)
        assert bench("cpu").precision == wanted
        assert bench("cpu", "fp32").precision == "fp32"
        assert bench("cpu", "bf16").precision == "bf16"


def test_there_is_always_a_thread_to_load_and_a_wish_is_granted():
    assert 1 <= bench("cpu").loaders <= 8
    assert bench("cpu", loaders=5).loaders == 5


def test_what_a_reader_must_know_is_written_down():
    found = machine(torch.device("cpu"))
    assert found.ilsvrc == ilsvrc.__version__
    assert found.torch == torch.__version__
    assert found.cores >= 1
    assert found.memory_gib > 0
    assert found.cpu
    written = json.loads(json.dumps(circumstances(bench("cpu"))))
    assert written["threads"] == torch.get_num_threads()
    assert written["command"]


def test_the_commit_is_that_of_the_source_tree_or_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    found = commit()
    assert found is None or found.removesuffix("-dirty").isalnum() or "-g" in found or found.startswith("v")
    monkeypatch.setenv("PATH", str(tmp_path))  # no git there
    assert commit() is None


def test_keeping_memory_is_harmless_where_it_is_not_possible(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(job.ctypes, "CDLL", missing)
    job.keep_memory()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_remembered_and_the_second_acts_as_always(number: signal.Signals):
    caught = []
    before = signal.signal(number, lambda *_: caught.append(number))
    try:
        with Interruption() as interruption:
            assert not interruption.asked()
            os.kill(os.getpid(), number)
            assert interruption.asked()
            assert interruption.number == number
            assert caught == []
            os.kill(os.getpid(), number)
            assert caught == [number]
        os.kill(os.getpid(), number)
        assert caught == [number, number], "handlers are put back"
    finally:
        signal.signal(number, before)


def test_outside_the_main_thread_signals_are_left_to_whoever_handles_them():
    found = []

    def work() -> None:
        with Interruption() as interruption:
            found.append(interruption.asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_the_command_that_a_run_keeps_has_no_secret_of_a_url(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "sys.argv", ["/bin/ilsvrc", "train", "resnet18", "--data", "https://host/set?sig=1", "--seed", "2"]
    )
    assert command() == "ilsvrc train resnet18 --data https://host/set --seed 2"
