"""What a user can get wrong at the command line: a sentence, the right exit code, never a traceback."""

import json
import shutil
from pathlib import Path

import pytest

from ilsvrc import cli
from ilsvrc.cli import run
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.models import MODELS
from ilsvrc.train.run import Run

TRAIN = ["train", "resnet18", "--device", "cpu"]


def failed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 1) -> str:
    """What is printed when these words fail with that exit code, on one line."""
    assert run(list(words)) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.out == "" or code == 2
    return " ".join((captured.err or captured.out).split())


@pytest.mark.parametrize("words", [["models", "resnet51"], ["train", "resnet51", "--data", "x"]])
def test_an_unknown_network_gets_the_nearest_names(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert failed(capsys, *words).startswith("error: no model is called 'resnet51'; did you mean resnet50, ")


def test_an_unknown_entry_gets_the_nearest_keys(capsys: pytest.CaptureFixture[str]):
    assert "no entry is called 'msra-2016-cls'; did you mean msra-2015-cls" in failed(capsys, "show", "msra-2016-cls")


def test_a_name_like_no_other_gets_them_all(capsys: pytest.CaptureFixture[str]):
    sentence = failed(capsys, "models", "qqqqqqq")
    assert all(name in sentence for name in MODELS)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "size", "smallest"), [("alexnet", 20, 36), ("googlenet", 32, 79), ("zfnet", 46, 47)])
def test_an_image_size_that_is_too_small_gets_the_smallest(
    model: str, size: int, smallest: int, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["train", model, "--data", str(tiny), "--image-size", str(size), "--out", str(tmp_path / "run")]
    assert f"image_size is {size} pixels; the smallest this network can take is {smallest}" in failed(capsys, *words)
    race = ["race", "--data", str(tiny), "--image-size", str(size), "--models", model, "--out", str(tmp_path / "race")]
    assert f"the smallest this network can take is {smallest}" in failed(capsys, *race)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("command", [TRAIN, ["race"], ["evaluate", "run"]])
def test_data_that_is_not_there_is_a_sentence_with_the_path(
    command: list[str], finished: dict[str, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = [str(finished["resnet18"].directory) if word == "run" else word for word in command]
    missing = tmp_path / "nowhere"
    out = [] if command[0] == "evaluate" else ["--out", str(tmp_path / "out")]
    assert f"{missing} does not exist; give" in failed(capsys, *words, "--data", str(missing), *out)


def test_a_folder_without_classes_is_a_sentence_with_the_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "train").mkdir()
    (tmp_path / "val").mkdir()
    sentence = failed(capsys, *TRAIN, "--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert f"{tmp_path}" in sentence
    assert "class" in sentence


def test_an_image_that_cannot_be_read_is_a_sentence_with_its_name(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(tiny, tmp_path / "bad")
    victim = sorted((tmp_path / "bad" / "train").rglob("*.JPEG"))[3]
    victim.write_bytes(b"GIF89a?")
    small = ["--image-size", "32", "--width", "0.1", "--epochs", "1", "--out", str(tmp_path / "out")]
    assert f"{victim.stem} (7 bytes) is not an image" in failed(capsys, *TRAIN, "--data", str(tmp_path / "bad"), *small)


def test_a_folder_that_cannot_be_written_is_a_sentence(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("in the way")
    words = [*TRAIN, "--data", str(tiny), "--out", str(tmp_path / "file" / "run"), "--width", "0.1"]
    assert f"{tmp_path / 'file' / 'run' / 'spec.json'} could not be written" in failed(capsys, *words)


def test_an_out_that_holds_something_is_refused_where_nothing_may_be_resumed(
    finished: dict[str, Run], tiny: Path, capsys: pytest.CaptureFixture[str]
):
    directory = finished["resnet18"].directory
    sentence = failed(capsys, *TRAIN, "--data", str(tiny), "--out", str(directory), "--resume", "never")
    assert f"{directory} holds a training and --resume never is asked for; choose another --out" in sentence


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cuda:99", "is asked for and PyTorch"),
        ("meta", "this works on cpu and cuda"),
        ("mps", "this works on cpu and cuda"),
        ("gpu", "'gpu' is no device; use auto, cpu, cuda or cuda:1"),
        ("cuda:-1", "is no device"),
    ],
)
def test_a_device_that_is_not_there_is_a_sentence(
    device: str, words: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given = ["train", "resnet18", "--data", str(tiny), "--out", str(tmp_path / "run"), "--device", device]
    assert words in failed(capsys, *given)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["nope"],
        ["models", "--nope"],
        ["train"],
        ["train", "resnet18"],
        ["train", "resnet18", "--data", "x", "--epochs", "0"],
        ["train", "resnet18", "--data", "x", "--epochs", "two"],
        ["train", "resnet18", "--data", "x", "--width", "nan"],
        ["train", "resnet18", "--data", "x", "--width", "0"],
        ["train", "resnet18", "--data", "x", "--seed", "-1"],
        ["train", "resnet18", "--data", "x", "--seed", str(2**32)],
        ["train", "resnet18", "--data", "x", "--loaders", "100000"],
        ["train", "resnet18", "--data", "x", "--precision", "fp12"],
        ["race", "--data"],
        ["mini"],
        ["mini", "a", "b"],
        ["score"],
        ["score", "nothing"],
        ["evaluate", "run", "--data", "x", "--split", "all"],
    ],
    ids=" ".join,
)
def test_wrong_usage_leaves_with_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    if words == ["score"]:
        assert run(words) in (0, 2)  # a group without a command shows its help
        return
    failed(capsys, *words, code=2)


def test_a_typing_error_gets_the_word_that_was_meant(capsys: pytest.CaptureFixture[str]):
    assert 'Did you mean "models"' in failed(capsys, "modles", code=2)


def test_a_job_that_stopped_leaves_with_128_and_the_signal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for number in (2, 15):

        def stop(*words: object, number: int = number, **more: object) -> None:
            raise Stopped("stopped in epoch 3, saved", number)

        monkeypatch.setattr(cli, "app", stop)
        assert failed(capsys, "race", code=128 + number) == "stopped in epoch 3, saved"


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "stopped; what was saved is intact, and the same command goes on from there"),
        (OSError(28, "No space left on device", "/a/b"), 1, "/a/b: No space left on device; check the path"),
        (PermissionError(13, "Permission denied", "/c"), 1, "/c: Permission denied; check the path, its permissions"),
        (MemoryError(), 1, "out of memory; use smaller images"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 1, "out of memory; use smaller images"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 1, "out of memory; use smaller"),
    ],
)
def test_what_the_machine_refuses_is_a_sentence(
    fault: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(*words: object, **more: object) -> None:
        raise fault

    monkeypatch.setattr(cli, "app", fail)
    assert words in failed(capsys, "race", code=code)


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    def fail(*words: object, **more: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(["race"])


def test_paths_with_brackets_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    missing = tmp_path / "[bold]data[/]"
    assert "[bold]data[/]" in failed(capsys, *TRAIN, "--data", str(missing), "--out", str(tmp_path / "out"))


def test_json_is_json_and_nothing_else(capsys: pytest.CaptureFixture[str]):
    assert run(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(MODELS)
    assert {"name", "year", "paper", "parameters", "macs", "image_size"} <= set(rows[0])
    assert run(["models", "resnet50", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert (card["name"], card["parameters"], card["depth"]) == ("resnet50", 25_557_032, 50)
    assert run(["show", "vgg-2014-cls", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is"] == "Entry"


@pytest.mark.slow
def test_tables_are_not_cut_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]):
    for words in (["models", "senet154"], ["list"], ["show", "supervision-2012-cls"]):
        assert run(words) == 0
        printed = capsys.readouterr().out
        assert "…" not in printed, words
        assert printed.strip()
    assert run(["models"]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert "…" not in printed
    assert len(lines) == 1 + len(MODELS)
    assert "25,557,032" in next(line for line in lines if line.startswith("resnet50 "))


def test_mini_train_evaluate_is_a_line_of_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data, out = str(tmp_path / "mini"), str(tmp_path / "run")
    assert run(["mini", data, "--train", "40", "--val", "20", "--test", "20", "--no-detection"]) == 0
    assert "40 train, 20 val and 20 test images of 20 classes" in capsys.readouterr().out
    small = ["--image-size", "32", "--width", "0.1", "--epochs", "1", "--device", "cpu", "--loaders", "1"]
    assert run(["train", "resnet18", "--data", data, "--out", out, *small]) == 0
    printed = capsys.readouterr()
    assert "after 1 epochs; everything is in" in printed.out
    assert "epoch  1 of 1" in printed.err
    assert run(["evaluate", out, "--data", data, "--protocol", "ten", "--device", "cpu"]) == 0
    words, top1, top5, speed = capsys.readouterr().out.splitlines()
    assert words == (
        "resnet18 at 0.1 of its width, ten: ten crops of 32 pixels from short side 37, probabilities averaged"
    )
    assert top1.startswith("ten: top-1 error")
    assert "of 20 images" in top5
    assert speed.startswith("by engine ")
    assert run(["evaluate", out, "--data", data, "--device", "cpu", "--json"]) == 0
    assert [score["metric"] for score in json.loads(capsys.readouterr().out)["scores"]] == [
        "top-1 error",
        "top-5 error",
    ]
