"""Files are written whole or not at all, and damaged ones are sentences."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from ilsvrc.errors import DataError, WeightsError
from ilsvrc.train import checkpoint

BIG = {"weight": torch.arange(300_000, dtype=torch.float32)}


@contextmanager
def full_disk(room: int = 200_000) -> Iterator[None]:
    """No file of this process may grow past `room` bytes: the kernel refuses the write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


WRITERS = {
    "state": lambda path, value: checkpoint.save_state(path, {"network": {"weight": value}, "place": {"epoch": 3}}),
    "tensors": lambda path, value: checkpoint.save_tensors(path, {"weight": value}, {"model": "here"}),
    "text": lambda path, value: checkpoint.write_text(path, "a line\n" * len(value)),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_leaves_what_was_there_and_nothing_else(kind: str, tmp_path: Path):
    path = tmp_path / "saved"
    WRITERS[kind](path, torch.ones(3))
    before = path.read_bytes()
    with (
        full_disk(),
        pytest.raises(DataError, match=f"{path} could not be written .*; what was saved before is intact"),
    ):
        WRITERS[kind](path, BIG["weight"])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["saved"]


def test_the_sentence_of_a_full_disk_is_one_line_with_the_remedy(tmp_path: Path):
    with full_disk(), pytest.raises(DataError) as caught:
        checkpoint.save_state(tmp_path / "state.pt", BIG)
    assert "make room or choose another folder, and run the same command again" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError, OSError(28, "No space left on device")])
def test_a_write_that_stops_halfway_is_as_if_it_had_not_been(fault: BaseException, tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("old")

    def half(temporary: Path) -> None:
        temporary.write_text("new but ha")
        raise fault

    with pytest.raises((KeyboardInterrupt, ValueError, DataError)):
        checkpoint.write_whole(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("old")

    def write(temporary: Path) -> None:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent, "a rename must not cross file systems"

    checkpoint.write_whole(path, write)
    assert path.read_text() == "new"


def test_the_file_is_synced_before_it_is_renamed_and_its_name_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("sync"), fsync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda path, other: (order.append("rename"), replace(path, other))[1])
    checkpoint.write_text(tmp_path / "file", "text")
    assert order == ["sync", "rename", "sync"], "the file, its name, and the folder that holds it"


def test_folders_are_made_and_others_may_read(tmp_path: Path):
    path = tmp_path / "a" / "b" / "file"
    checkpoint.write_text(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"could not be written .*; what was saved before is intact"):
        checkpoint.write_text(tmp_path / "file" / "inside", "text")


def test_a_state_comes_back_as_it_was(tmp_path: Path):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    model(torch.randn(2, 3, 5, 5))
    moves = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(torch.randn(2, 3, 5, 5)).sum().backward()
    moves.step()
    state = {"network": model.state_dict(), "optimizer": moves.state_dict(), "place": {"epoch": 1, "loss": 0.1 + 0.2}}
    checkpoint.save_state(tmp_path / "state.pt", state)
    back = checkpoint.load_state(tmp_path / "state.pt")
    assert back["place"] == state["place"]
    for name, tensor in model.state_dict().items():
        assert torch.equal(back["network"][name], tensor)
        assert back["network"][name].stride() == tensor.stride()
    assert back["optimizer"]["param_groups"] == moves.state_dict()["param_groups"]


def damaged(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "noise": os.urandom(500)}[how])


@pytest.mark.parametrize("how", ["empty", "half", "noise"])
def test_a_damaged_state_is_a_sentence_with_the_remedy(how: str, tmp_path: Path):
    path = tmp_path / "state.pt"
    checkpoint.save_state(path, BIG)
    damaged(path, how)
    with pytest.raises(WeightsError, match=f"{path} is not a checkpoint .*; delete it to start this training anew"):
        checkpoint.load_state(path)


@pytest.mark.parametrize("how", ["empty", "half", "noise"])
def test_damaged_weights_are_a_sentence_with_the_remedy(how: str, tmp_path: Path):
    path = tmp_path / "weights.safetensors"
    checkpoint.save_tensors(path, BIG, {})
    damaged(path, how)
    with pytest.raises(WeightsError, match=f"{path} cannot be read as weights .*; train the network again"):
        checkpoint.load_tensors(path)


def test_missing_weights_are_a_sentence(tmp_path: Path):
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        checkpoint.load_tensors(tmp_path / "none.safetensors")


def test_a_state_that_would_run_code_is_refused(tmp_path: Path):
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"network": Evil()}, tmp_path / "state.pt")
    with pytest.raises(WeightsError, match="is not a checkpoint that can be read"):
        checkpoint.load_state(tmp_path / "state.pt")
    assert not (tmp_path / "ran").exists()


def test_weights_fit_the_network_they_are_from(tmp_path: Path):
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    checkpoint.save_weights(tmp_path / "w", one, {"model": "here"})
    checkpoint.load_weights(tmp_path / "w", other)
    assert torch.equal(one.weight, other.weight)
    assert torch.equal(one.bias, other.bias)


def test_weights_of_a_channels_last_network_are_written_in_the_usual_order(tmp_path: Path):
    layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    checkpoint.save_weights(tmp_path / "w", layer, {})
    back = checkpoint.load_tensors(tmp_path / "w")["weight"]
    assert torch.equal(back, layer.weight)
    assert back.is_contiguous()


@pytest.mark.parametrize(
    ("saved", "sentence"),
    [
        (nn.Linear(3, 2, bias=False), "has no bias, which the network wants"),
        (nn.Linear(5, 2), r"weight is \(2, 5\) in .* and \(2, 3\) in the network; .* width or class count"),
        (nn.ParameterDict({"weight": torch.ones(2, 3), "bias": torch.ones(2), "extra": torch.ones(1)}), "holds extra"),
    ],
)
def test_weights_of_another_network_are_refused_by_the_first_name(saved: nn.Module, sentence: str, tmp_path: Path):
    checkpoint.save_weights(tmp_path / "w", saved, {})
    network = nn.Linear(3, 2)
    before = network.weight.detach().clone()
    with pytest.raises(WeightsError, match=sentence):
        checkpoint.load_weights(tmp_path / "w", network)
    assert torch.equal(network.weight, before)
