"""Localization on the tiny set: from a classifier to boxes, scored by the kit, in a race and alone."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from small import BENCH, QUIET, Told

from ilsvrc.cli import run
from ilsvrc.data.decode import USUAL
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_loc import LOCALIZERS
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.localize_ask import Localizing, each_of
from ilsvrc.jobs.localize_judge import read_located
from ilsvrc.jobs.localize_look import Looker, check_protocol
from ilsvrc.jobs.localize_run import run_localizing
from ilsvrc.jobs.localize_train import classifier_training, ordered
from ilsvrc.jobs.localizer import load_localizer
from ilsvrc.jobs.race import race
from ilsvrc.jobs.train_one import Order
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.spec import Crops, Dense, Member, Merging
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run

WISHES = Wishes(tasks=("localization",), names=("vgg-2014-loc",), epochs=1, image_size=48, width=0.1)


def small_member(batch: int = 32) -> Member:
    """The regressor of the fixture's classifier."""
    member = LOCALIZERS["vgg-2014-loc"].members[0]
    return replace(member, image_size=48, width=0.1, recipe=replace(member.recipe, batch=batch))


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race in localization. Read only."""
    out = tmp_path_factory.mktemp("localization")
    race(str(tiny), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


def test_a_race_in_localization_leaves_errors_baselines_and_pictures(whole: Path):
    assert {path.name for path in (whole / "runs").iterdir()} == {"vgg16.0", "vgg-2014-loc.0"}
    results = json.loads((whole / "results.json").read_text())
    (entry,) = results["entries"]
    assert (entry["task"], entry["key"], entry["name"]) == ("localization", "vgg-2014-loc", "vgg16")
    scores = Run(whole / "runs" / "vgg-2014-loc.0").read_scores()
    assert scores is not None
    assert entry["localization_error"] == scores["scores"][0]["value"]
    assert entry["top5_error"] <= entry["localization_error"] <= 1
    task = results["tasks"]["localization"]
    assert len(task["baselines"]) == 2
    assert all(entry["top5_error"] <= base["value"] <= 1 for base in task["baselines"])
    page = (whole / "report.html").read_text()
    assert page.count('class="overlay"') == len(task["pictures"]) > 0


def test_every_box_is_on_its_image(whole: Path):
    located = read_located(whole / "runs" / "vgg-2014-loc.0" / "located.npz")
    low, high = located.boxes[..., :2], located.boxes[..., 2:]
    assert (low >= 0).all()
    assert (low <= high).all()
    assert (high <= located.sizes[:, None] - 1).all()


def test_evaluate_judges_a_localization_run_as_it_was_judged(whole: Path, capsys: pytest.CaptureFixture[str]):
    directory = whole / "runs" / "vgg-2014-loc.0"
    words = ["evaluate", str(directory), "--device", "cpu", "--engine", "eager", "--json"]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    scores = Run(directory).read_scores()
    assert scores is not None
    assert [score["value"] for score in told["scores"]] == [score["value"] for score in scores["scores"]]
    assert run([*words, "--protocol", "ten"]) == 1
    assert "has its own protocol" in capsys.readouterr().err


def test_a_localization_run_is_no_classifier_and_its_curve_is_drawn(whole: Path, tiny: Path, tmp_path: Path, capsys):
    directory = whole / "runs" / "vgg-2014-loc.0"
    image = str(sorted((tiny / "val").glob("*.JPEG"))[0])
    assert run(["predict", image, "--weights", str(directory), "--device", "cpu"]) == 1
    assert "is a run of localization, and a classifier is wanted here" in " ".join(capsys.readouterr().err.split())
    assert run(["report", str(directory), str(whole / "runs" / "vgg16.0"), "--out", str(tmp_path / "runs.html")]) == 0


@pytest.mark.slow
def test_train_takes_an_entry_and_trains_its_classifier_first(tiny: Path, tmp_path: Path):
    words = ["train", "vgg-2014-loc", "--data", str(tiny), "--epochs", "1", "--image-size", "48", "--width", "0.1"]
    assert run([*words, "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    assert Run(tmp_path / "run" / "classifier").scores.exists()
    assert Run(tmp_path / "run").spec()["asked"]["task"] == "localization"


def test_localize_says_what_and_where_and_draws_it(whole: Path, tiny: Path, tmp_path: Path, capsys):
    image = sorted((tiny / "val").glob("*.JPEG"))[0]
    words = ["localize", str(image), "--run", str(whole / "runs" / "vgg-2014-loc.0"), "--out", str(tmp_path / "out")]
    assert run([*words, "--top", "5", "--device", "cpu", "--precision", "fp32", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    located = read_located(whole / "runs" / "vgg-2014-loc.0" / "located.npz")
    row = located.names.index(image.stem)
    assert [place["label_by_wnid"] for place in found["places"]] == located.labels[row].tolist()
    boxes = np.array([place["box"] for place in found["places"]])
    assert boxes == pytest.approx(located.boxes[row], abs=0.05), "one image alone as in the split"
    with PillowImage.open(tmp_path / "out" / f"{image.stem}.png") as drawing:
        assert max(drawing.size) >= 480


def test_an_image_that_cannot_be_read_is_told_and_the_others_are_answered(whole: Path, tiny: Path, tmp_path, capsys):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    good = sorted((tiny / "val").glob("*.JPEG"))[0]
    words = ["localize", str(tmp_path / "broken.jpg"), str(good), "--run", str(whole / "runs" / "vgg-2014-loc.0")]
    assert run([*words, "--out", str(tmp_path / "out"), "--device", "cpu"]) == 1
    told = capsys.readouterr()
    assert "is not an image that can be decoded" in told.err
    assert str(good) in told.out


def look(whole: Path, protocol: Crops | Dense, merging: Merging | None = None) -> Looker:
    localizer = load_localizer(whole / "runs" / "vgg-2014-loc.0")
    regression = replace(localizer.regression, merging=merging)
    networks = localizer.network, localizer.classifier
    return Looker(networks, localizer.normal, protocol, regression, localizer.size, BENCH, USUAL)


def test_a_dense_look_at_an_image_of_the_window_s_size_is_the_look_at_its_centre(whole: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    labels = np.arange(3)
    once = look(whole, Crops(layout="center", short_sides=(48,), size=48)).boxes(pixels, labels)
    densely = look(whole, Dense(short_sides=(48,), mirror=False), Merging(threshold=0.75)).boxes(pixels, labels)
    assert densely == pytest.approx(once, abs=1e-3)


def test_windows_of_a_dense_look_lie_in_the_image_a_stride_apart_and_mirrors_are_turned_back(whole: Path):
    pixels = np.zeros((160, 224, 3), np.uint8)
    seen = look(whole, Dense(short_sides=(80,), mirror=True), Merging(threshold=0.75)).look(pixels)
    assert seen.windows.shape == (2 * 2 * 3, 4)  # 112 x 80 pixels: windows of 48 at 0, 32, 64 and 0, 32
    assert seen.windows[1].tolist() == [64, 0, 160, 96], "in the pixels of the image, twice as large"
    assert seen.windows[6].tolist() == [224, 0, 128, 96], "left and right of a mirrored window are exchanged"
    assert seen.scores.sum(axis=1) == pytest.approx(np.ones(12), abs=1e-5)


def test_a_mirrored_image_has_the_mirrored_box_where_both_are_looked_at(whole: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    looker = look(whole, Dense(short_sides=(48,), mirror=True), Merging(threshold=9.0))
    box, other = (looker.boxes(each, np.arange(1))[0] for each in (pixels, pixels[:, ::-1]))
    assert other == pytest.approx([79 - box[2], box[1], 79 - box[0], box[3]], abs=0.6)


def test_a_protocol_of_many_windows_without_a_merging_is_refused():
    entry = replace(LOCALIZERS["vgg-2014-loc"], protocol=Dense(short_sides=(96,)))
    with pytest.raises(SpecError, match="whose boxes its specification does not merge"):
        check_protocol(entry.protocol, replace(entry.boxes, merging=None), entry.key)


def test_a_name_of_no_localizer_and_a_classifier_of_another_size_are_refused(tiny: Path, whole: Path, tmp_path: Path):
    with pytest.raises(SpecError, match=r"'alexnet' does not race in localization; those who do: .*vgg-2014-loc"):
        race(str(tiny), tmp_path, replace(WISHES, names=("alexnet",)), BENCH, QUIET)
    entry = LOCALIZERS["vgg-2014-loc"]
    asked = Localizing(entry=entry, classifier=whole / "runs" / "vgg16.0", epochs=1, seed=0)
    with pytest.raises(SpecError, match=r"starts from vgg16 at 64 px .* give such a classifier"):
        run_localizing(asked, open_splits(str(tiny)), tmp_path / "run", BENCH, QUIET)


def test_images_without_boxes_teach_nothing_and_are_left_out_of_the_error(tiny: Path, whole: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(tiny, data, ignore=shutil.ignore_patterns("det", "test", "withheld"))
    for path in sorted((data / "bbox" / "val").glob("*.xml"))[:10]:
        path.unlink()
    for path in sorted((data / "bbox" / "train").rglob("*.xml"))[:20]:
        path.write_text(path.read_text().replace("<xmax>", "<xmax>-"))  # inverted
    entry = replace(LOCALIZERS["vgg-2014-loc"], members=(small_member(),))
    asked = Localizing(entry=entry, classifier=whole / "runs" / "vgg16.0", epochs=1, seed=0)
    watch = Told()
    run_ = run_localizing(asked, open_splits(str(data)), tmp_path / "run", BENCH, watch)
    assert any("20 of 60 training images have no box of their label" in line for line in watch.lines)
    score = run_.read_scores()["scores"][0]
    assert (score["images"], score["excluded"]) == (30, 10)
    assert "10 images without a box of their label are left out" in score["rules"]


def test_a_set_without_boxes_is_refused(tiny: Path, whole: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(tiny, data, ignore=shutil.ignore_patterns("det", "test", "withheld", "bbox"))
    asked = Localizing(
        entry=replace(LOCALIZERS["vgg-2014-loc"], members=(small_member(),)),
        classifier=whole / "runs" / "vgg16.0",
        epochs=1,
        seed=0,
    )
    with pytest.raises(DataError, match=r"no training image of .* has a box of its label; put the box files there"):
        run_localizing(asked, open_splits(str(data)), tmp_path / "run", BENCH, QUIET)


@pytest.mark.slow
def test_a_stopped_training_goes_on_to_the_same_bits(tiny: Path, whole: Path, tmp_path: Path):
    asked = Localizing(
        entry=replace(LOCALIZERS["vgg-2014-loc"], members=(small_member(batch=16),)),
        classifier=whole / "runs" / "vgg16.0",
        epochs=2,
        seed=0,
    )
    splits, steps = open_splits(str(tiny)), []

    def stop(fraction: float) -> None:
        steps.append(fraction)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="stopped in epoch 1 of vgg-2014-loc"):
        run_localizing(asked, splits, tmp_path / "stopped", BENCH, QUIET, stop)
    run_localizing(asked, splits, tmp_path / "stopped", BENCH, QUIET)
    run_localizing(asked, splits, tmp_path / "whole", BENCH, QUIET)
    one, other = (load_tensors(tmp_path / name / "weights.safetensors") for name in ("stopped", "whole"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    found, known = (read_located(tmp_path / name / "located.npz") for name in ("stopped", "whole"))
    assert np.array_equal(found.boxes, known.boxes)


def test_proposals_per_class_train_and_give_a_box_for_every_class(tiny: Path, whole: Path, tmp_path: Path):
    entry = LOCALIZERS["vgg-2014-loc"]
    boxes = replace(entry.boxes, head="proposals", coordinates="edges", scales=(1, 2))
    entry = replace(entry, members=(small_member(),), boxes=boxes)
    asked = Localizing(entry=entry, classifier=whole / "runs" / "vgg16.0", epochs=1, seed=0)
    done = run_localizing(asked, open_splits(str(tiny)), tmp_path / "run", BENCH, QUIET)
    located = read_located(done.directory / "located.npz")
    assert np.isfinite(located.boxes).all()
    assert len(np.unique(located.boxes.reshape(-1, 4), axis=0)) > len(located.names), "each class has its own"
    assert load_localizer(done.directory).network(torch.zeros(1, 3, 48, 48)).shape == (1, 4 * 20)


@pytest.mark.parametrize("key", [entry.key for entry in ENTRIES.values() if entry.task == "localization"])
@pytest.mark.parametrize("small", [True, False])
def test_every_entry_has_a_classifier_to_start_from_at_any_size(key: str, small: bool):
    order = Order(name=key, recipe="paper", epochs=1, width=0.25 if small else None, image_size=None, seed=0)
    entry = ordered(order)
    known = {member.model: member.recipe.source for member in ENTRIES[entry.boxes.classifier].members}
    for one in each_of(entry):
        training, mine = classifier_training(one, seed=0, epochs=1), one.members[0]
        assert (training.member.model, training.member.width) == (mine.model, mine.width)
        if key == "trimps-2016-loc" and not small:  # of five networks that of the same name
            assert training.member.recipe.source == known[mine.model]
