"""From weight files and images to named guesses: the library, the commands, and what they refuse."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import ilsvrc
from ilsvrc import models, weights
from ilsvrc.cli import run
from ilsvrc.data import imagenet
from ilsvrc.errors import DataError, SpecError, WeightsError
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.predictor import Predictor, classes_of
from ilsvrc.predict.engines import missing
from ilsvrc.train.run import Run
from ilsvrc.weights import Weights

RECORD = Weights(
    model="resnet18",
    origin="a test",
    licence="none",
    sha256="0" * 64,
    channels="BGR",
    top=255.0,
    mean=(104.0, 117.0, 123.0),
    image_size=32,
    resize=32,
    width=0.125,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three images in two folders, a file that is no image, and a network's weights."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "photos" / "below").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.JPEG", "below/c.png"):
        Image.fromarray(generator.integers(0, 256, (40, 50, 3), np.uint8)).save(folder / "photos" / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    torch.manual_seed(0)
    network = models.build("resnet18", 1000, 32, 0.125).eval()
    nn.init.normal_(network.fc.weight, std=0.5)
    weights.save(folder / "w.safetensors", network, RECORD)
    weights.save(folder / "kit.safetensors", network, replace(RECORD, order="devkit"))
    return folder


def test_guesses_are_those_of_the_network_on_the_blob_of_its_record(folder: Path) -> None:
    image = Image.open(folder / "photos" / "a.png")
    network, record = weights.load("resnet18", folder / "w.safetensors")
    with torch.inference_mode():
        shares, labels = network(record.preprocess(image)).softmax(1)[0].topk(5)
    (guesses,) = Predictor(folder / "w.safetensors", device="cpu")([image])
    assert [guess.label for guess in guesses] == labels.tolist()
    assert [guess.probability for guess in guesses] == pytest.approx(shares.tolist(), rel=1e-4)
    assert [guess.wnid for guess in guesses] == [imagenet.classes().wnids[label] for label in labels]


def test_a_path_a_pillow_image_and_an_array_are_the_same_image(folder: Path) -> None:
    path = folder / "photos" / "a.png"
    predictor = ilsvrc.Predictor(folder / "w.safetensors", device="cpu")
    image = Image.open(path)
    first, second, third, fourth = predictor([path, str(path), image, np.asarray(image)], top=2, batch=3)
    assert first == second == third
    assert [guess.wnid for guess in fourth] == [guess.wnid for guess in first]


def test_scores_in_the_kit_s_order_name_the_classes_of_the_kit(folder: Path) -> None:
    path = folder / "photos" / "a.png"
    sorted_by_wnid = Predictor(folder / "w.safetensors", device="cpu")
    by_kit = Predictor(folder / "kit.safetensors", device="cpu")
    plain = sorted_by_wnid.probabilities([sorted_by_wnid.view(path)])[0]
    ours = by_kit.probabilities([by_kit.view(path)])[0]
    fox = imagenet.classes().wnids.index("n02119789")  # the kit's number 1
    assert ours[fox] == plain[0]
    tench = imagenet.classes().wnids.index("n01440764")  # the kit's number 449
    assert (tench, ours[tench]) == (0, plain[448])


def test_classes_of_one_s_own_are_named_by_wnid_in_sorted_order() -> None:
    record = replace(RECORD, order="own", classes=3, wnids=("n3", "n1", "n2"))
    classes, places = classes_of(record, Path("f"))
    assert classes.wnids == ("n1", "n2", "n3")
    assert places.tolist() == [1, 2, 0]
    with pytest.raises(SpecError, match="has 7 classes and does not say which"):
        classes_of(replace(RECORD, classes=7), Path("f"))


def test_the_command_says_names_ids_and_probabilities(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["predict", str(folder / "photos"), "--weights", str(folder / "w.safetensors"), "--device", "cpu"]
    assert run([*words, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [Path(row["image"]).name for row in rows] == ["a.png", "b.JPEG", "c.png"]
    assert all(len(row["guesses"]) == 5 for row in rows)
    assert set(rows[0]["guesses"][0]) == {"wnid", "label_by_wnid", "name", "probability"}
    assert run([*words, "--csv", "--top", "2"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["rank"] for row in table] == ["1", "2"] * 3
    assert table[0]["wnid"] == rows[0]["guesses"][0]["wnid"]
    assert run(words) == 0
    assert rows[2]["guesses"][4]["name"] in capsys.readouterr().out


def test_the_bf16_engine_says_the_same_with_probabilities_a_little_off(folder: Path) -> None:
    paths = sorted((folder / "photos").rglob("*.*"))
    exact = Predictor(folder / "w.safetensors", device="cpu")(paths)
    fast = Predictor(folder / "w.safetensors", device="cpu", engine="bf16")(paths)
    for ours, theirs in zip(fast, exact, strict=True):
        assert theirs[0].label in {guess.label for guess in ours}
        assert ours[0].probability == pytest.approx(theirs[0].probability, rel=0.2)


def test_the_eager_engine_is_the_network_bit_for_bit(folder: Path) -> None:
    paths = sorted((folder / "photos").rglob("*.*"))
    predictor = Predictor(folder / "w.safetensors", device="cpu")
    views = [predictor.view(path) for path in paths]
    network, _ = weights.load("resnet18", folder / "w.safetensors")
    with torch.inference_mode():
        assert np.array_equal(predictor.probabilities(views), network(torch.stack(views)).softmax(1).numpy())


def test_auto_says_what_it_picked_and_remembers_what_it_measured(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("ilsvrc.predict.auto.missing", lambda engine, device: "p" in engine and "not in this test")
    monkeypatch.setattr("ilsvrc.jobs.predictor.half", lambda device: True)  # whatever this machine has
    words = ["predict", str(folder / "photos"), "--weights", str(folder / "w.safetensors"), "--device", "cpu", "--csv"]
    assert run(words) == 0
    shown = capsys.readouterr()
    assert "engine: eager; 3 images are too few to measure others on" in shown.err
    assert not (tmp_path / "ilsvrc").exists()
    assert run([*words, "--measure"]) == 0
    assert "when it was measured beside" in capsys.readouterr().err
    (kept,) = json.loads((tmp_path / "ilsvrc" / "engines.json").read_text())["engines"].values()
    assert "eager" in kept
    assert kept["eager"]["change"]["largest"] == 0
    monkeypatch.setattr("ilsvrc.jobs.predictor.half", lambda device: False)
    assert run([*words, "--measure"]) == 0
    assert "engine: eager; no other serves on this machine" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(bool(missing("int8", torch.device("cpu"))), reason="the extra fast-cpu is not installed")
def test_int8_is_calibrated_on_the_user_s_images_and_says_what_it_lost(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(folder), "--weights", str(folder / "w.safetensors"), "--engine", "int8", "--json"]
    assert run([*words, "--device", "cpu"]) == 1  # one of them is no image
    shown = capsys.readouterr()
    rows = json.loads(shown.out)
    assert "calibrated: on 3 images" in shown.err
    assert "largest change of a probability" in shown.err
    exact = Predictor(folder / "w.safetensors", device="cpu")([row["image"] for row in rows if row["guesses"]])
    ours = [row["guesses"][0]["probability"] for row in rows if row["guesses"]]
    assert ours == pytest.approx([guesses[0].probability for guesses in exact], rel=0.3)
    assert run(["predict", str(folder / "broken.jpg"), *words[2:], "--device", "cpu"]) == 1
    assert "none of 1 images could be read to calibrate on" in capsys.readouterr().err


def test_no_more_than_two_batches_are_decoded_and_not_yet_answered(folder: Path) -> None:
    predictor = Predictor(folder / "w.safetensors", device="cpu")
    seen: list[Path] = []
    view = predictor.view
    predictor.view = lambda image: (seen.append(image), view(image))[1]  # type: ignore[method-assign]
    paths = [folder / "photos" / "a.png"] * 40
    for answered, _ in enumerate(predictor.each(paths, 1, 4)):
        assert len(seen) <= answered // 4 * 4 + 8
    assert len(seen) == 40


def test_words_that_contradict_themselves_are_refused(folder: Path) -> None:
    predictor = Predictor(folder / "w.safetensors", device="cpu", engine="auto")
    with pytest.raises(SpecError, match="choose engine='int8'"):
        predictor.calibrate([predictor.view(folder / "photos" / "a.png")])


def test_patterns_are_taken_and_each_image_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = str(folder / "photos")
    words = ["predict", f"{photos}/*.png", photos, "--weights", str(folder / "w.safetensors"), "--json"]
    assert run(words) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_predicted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(folder), "--weights", str(folder / "w.safetensors"), "--json"]
    assert run(words) == 1
    shown = capsys.readouterr()
    faults = [row for row in json.loads(shown.out) if "fault" in row]
    assert [Path(row["image"]).name for row in faults] == ["broken.jpg"]
    assert "1 of the images could not be read" in shown.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nothing.jpg"], "no file, folder or pattern"),
        ([".", "--json", "--csv"], "choose one"),
    ],
)
def test_words_that_name_no_image_are_refused(
    folder: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", *words, "--weights", str(folder / "w.safetensors")]) == 1
    assert sentence in capsys.readouterr().err


def test_a_file_of_unknown_weights_asks_for_the_network(tmp_path: Path) -> None:
    (tmp_path / "f.caffemodel").write_bytes(b"\x0a\x01x")
    with pytest.raises(SpecError, match="name it with --model"):
        Predictor(tmp_path / "f.caffemodel")
    with pytest.raises(WeightsError, match="no layer with weights"):
        Predictor(tmp_path / "f.caffemodel", "vgg16")


@pytest.mark.parametrize("image", [3, np.zeros((4, 4)), "absent.jpg"])
def test_what_is_no_image_is_refused(folder: Path, image: object) -> None:
    with pytest.raises(DataError, match="give"):
        Predictor(folder / "w.safetensors", device="cpu")([image])


def test_weights_shows_the_record_and_convert_writes_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", str(folder / "kit.safetensors")]) == 0
    shown = capsys.readouterr().out
    assert "of the development kit" in shown
    assert "BGR, 0 to 255" in shown
    out = folder / "again.safetensors"
    assert run(["convert", str(folder / "w.safetensors"), "--model", "resnet18", "--out", str(out)]) == 0
    assert out.read_bytes() == (folder / "w.safetensors").read_bytes()
    capsys.readouterr()
    assert run(["weights", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(RECORD.as_json())
    assert run(["convert", str(out), "--model", "resnet18", "--out", str(folder / "w.pth")]) == 1
    assert "name it" in capsys.readouterr().err


def test_the_table_of_classes_is_the_kit_s() -> None:
    classes = imagenet.classes()
    assert len(classes) == len(set(classes.wnids)) == 1000
    assert list(classes.wnids) == sorted(classes.wnids)
    assert classes.words[0] == "tench, Tinca tinca"
    assert sorted(imagenet.devkit_places().tolist()) == list(range(1000))
    assert classes.wnids[imagenet.devkit_places().tolist().index(0)] == "n02119789"


@pytest.mark.parametrize("model", ["alexnet", "resnet18"])
def test_a_run_of_ours_predicts_what_it_was_judged_by(finished: dict[str, Run], tiny: Path, model: str) -> None:
    run = finished[model]
    stored = read_predictions(run.directory / "predictions.npz")
    predictor = Predictor(run.directory, data_path=tiny, device="cpu")
    paths = [tiny / "val" / f"{name}.JPEG" for name in stored.names[:4]]
    shares = predictor.probabilities([predictor.view(path) for path in paths])
    assert np.allclose(shares, stored.probabilities[:4], atol=1e-5)
    assert all(guess[0].wnid in predictor.classes.wnids for guess in predictor(paths))


def test_a_run_names_its_classes_itself(
    finished: dict[str, Run], tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the data set does."""
    directory = finished["resnet18"].directory
    alone, told = Predictor(directory, device="cpu"), Predictor(directory, data_path=tiny, device="cpu")
    assert alone.classes == told.classes
    assert alone.classes.words != alone.classes.wnids
    path = next((tiny / "val").glob("*.JPEG"))
    assert alone([path]) == told([path])
    assert run(["weights", str(directory)]) == 0
    shown = capsys.readouterr().out
    assert "20, in the order of the training's own data" in shown
    assert "RGB, 0 to 255" in shown
    assert "top-1 error" in shown


def test_a_run_whose_classes_nobody_names_is_refused(finished: dict[str, Run], tiny: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(finished["resnet18"].directory, old)
    (old / "classes.json").unlink()
    with pytest.raises(SpecError, match="old does not say what its 20 classes are; give its data set with --data"):
        Predictor(old)
    assert Predictor(old, data_path=tiny, device="cpu").classes == Predictor(finished["resnet18"].directory).classes
    with pytest.raises(DataError, match="the directory of a run"):
        Predictor(tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda found: found["classes"].pop(), r"names 19 classes, and the run has 20"),
        (lambda found: found["classes"].reverse(), r"does not list its classes by WordNet id"),
        (lambda found: found["classes"].append(3), r"does not name classes"),
        (lambda found: found.pop("classes"), r"classes\.json cannot be read"),
        (lambda found: found["classes"][19].update(wnid="n99999999"), "the class n99999999 where"),
    ],
)
def test_classes_that_are_not_the_run_s_are_refused(
    finished: dict[str, Run], tiny: Path, tmp_path: Path, change: Callable[[Any], object], sentence: str
) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(finished["resnet18"].directory, odd)
    found = json.loads((odd / "classes.json").read_text())
    change(found)
    (odd / "classes.json").write_text(json.dumps(found))
    with pytest.raises((DataError, SpecError), match=sentence):
        Predictor(odd, data_path=tiny, device="cpu")
