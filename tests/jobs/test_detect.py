"""Detection on the tiny set: from a classifier to boxes, scored by the kit, in a race and alone; and bad data."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import BENCH, QUIET

from ilsvrc.cli import run
from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.data.sample import Classes, Sample
from ilsvrc.entries.miniature_det import DETECTORS
from ilsvrc.errors import BadImage, DataError, SpecError
from ilsvrc.jobs.detect_feed import SceneFeed, open_halves, scene_of, sized, together
from ilsvrc.jobs.detect_judge import by_kit, detections_of, objects_in, write_submission
from ilsvrc.jobs.detect_run import run_detecting
from ilsvrc.jobs.detecting import Detecting
from ilsvrc.jobs.input import Normal
from ilsvrc.jobs.race import race
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.spec import Detector
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.loop import Place
from ilsvrc.train.run import Run
from ilsvrc.transforms.picture import Picture

KEY = "msra-2015-det"
WISHES = Wishes(tasks=("detection",), epochs=1, image_size=48, width=0.1)
NORMAL = Normal(torch.full((3, 1, 1), 90.0), torch.full((3, 1, 1), 40.0))


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race in detection. Read only."""
    out = tmp_path_factory.mktemp("detection")
    race(str(tiny), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


def test_a_race_in_detection_leaves_a_mean_ap_a_submission_and_pictures(whole: Path):
    assert {path.name for path in (whole / "runs").iterdir()} == {"resnet18.0", f"{KEY}.0"}
    results = json.loads((whole / "results.json").read_text())
    (entry,) = results["entries"]
    assert (entry["task"], entry["key"], entry["name"]) == ("detection", KEY, "resnet18")
    assert 0 <= entry["mean_ap"] <= 1
    assert "overlay" in (whole / "report.html").read_text()
    assert (whole / "runs" / f"{KEY}.0" / "detections.txt").exists()


def test_a_submission_has_the_kit_s_numbers(tiny: Path, tmp_path: Path, capsys):
    halves, kit = open_halves(str(tiny)), tiny / "det" / "devkit" / "data"
    truth = objects_in(halves.val)
    table = np.column_stack([truth.image + 1, truth.label, np.ones(len(truth.label)), truth.box])
    write_submission(tmp_path / "detections.txt", detections_of(table), halves.val)
    words = ["score", "detection", str(tmp_path / "detections.txt"), "--truth", str(tiny / "det" / "bbox" / "val")]
    words += ["--images", str(kit / "det_lists" / "val.txt"), "--meta", str(kit / "meta_det.mat"), "--json"]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["mean_ap_of_classes_with_objects"] == 1, "of perfect detections the mean is 1"
    assert told["mean_ap"] == pytest.approx(by_kit(detections_of(table), truth, halves.val).mean.value)


def _asked(whole: Path, epochs: int) -> Detecting:
    entry = DETECTORS[KEY]
    member = replace(entry.members[0], image_size=48, width=0.1)
    entry = replace(entry, members=(member,))
    return Detecting(entry=entry, classifier=whole / "runs" / "resnet18.0", epochs=epochs, seed=0)


@pytest.mark.slow
def test_a_detection_run_is_repeatable_and_refuses_to_be_another(whole: Path, tiny: Path, tmp_path: Path):
    halves = open_halves(str(tiny))
    first = run_detecting(_asked(whole, 1), halves, tmp_path / "again", BENCH, QUIET)
    known, found = load_tensors(whole / "runs" / f"{KEY}.0" / "weights.safetensors"), load_tensors(first.weights)
    assert all(torch.equal(known[name], found[name]) for name in known)
    with pytest.raises(SpecError, match="epochs = 1, and 2 is asked now"):
        run_detecting(_asked(whole, 2), halves, tmp_path / "again", BENCH, QUIET)


@pytest.mark.slow
def test_alternating_training_keeps_what_is_shared_and_ends_in_a_detector(whole: Path, tiny: Path, tmp_path: Path):
    asked = _asked(whole, 1)
    entry = replace(asked.entry, boxes=replace(asked.how, steps="alternating"))
    run_ = run_detecting(replace(asked, entry=entry), open_halves(str(tiny)), tmp_path / "run", BENCH, QUIET)
    steps = [load_tensors(tmp_path / "run" / f"step{step}" / "weights.safetensors") for step in (1, 2, 3)]
    steps.append(load_tensors(run_.weights))
    start = load_tensors(whole / "runs" / "resnet18.0" / "weights.safetensors")["conv2.0.conv1.conv.weight"]

    def changed(name: str) -> list[bool]:
        return [not torch.equal(a[name], b[name]) for a, b in itertools.pairwise(steps)]

    shared = [step["trunk.network.conv2.0.conv1.conv.weight"] for step in steps]
    assert not torch.equal(shared[0], start)
    assert not torch.equal(shared[1], shared[0]), "the second step starts from the classifier again"
    assert changed("trunk.network.conv2.0.conv1.conv.weight")[1:] == [False, False]
    assert changed("rpn.weight") == [True, True, False]
    assert changed("scores.weight") == [True, False, True]
    assert "mean_ap" in (run_.read_scores() or {})


def test_an_r_cnn_learns_from_proposals_beside_the_images(whole: Path, tiny: Path, tmp_path: Path):
    det = tmp_path / "det"
    shutil.copytree(tiny / "det", det)
    halves = open_halves(str(det))
    asked = _asked(whole, 1)
    entry = replace(asked.entry, boxes=replace(asked.how, kind="r-cnn", around=4, regions_taught=8))
    asked = replace(asked, entry=entry)
    with pytest.raises(DataError, match=r"has no proposals/train\.npz"):
        run_detecting(asked, halves, tmp_path / "run", BENCH, QUIET)
    (det / "proposals").mkdir()
    for split, dataset in (("train", halves.train), ("val", halves.val)):
        samples = [dataset[index] for index in range(len(dataset))][1:]  # the first has none
        boxes = {s.name.rpartition("/")[2]: np.concatenate([s.boxes, s.boxes + 9, [[0, 0, 20, 20]]]) for s in samples}
        np.savez(det / "proposals" / f"{split}.npz", **boxes)
        if split == "train":
            with pytest.raises(DataError, match=r"has no proposals/val\.npz"):
                run_detecting(asked, halves, tmp_path / "run", BENCH, QUIET)
            assert not Run(tmp_path / "run").log(), "which is said before the first epoch, not after the last"
    run_ = run_detecting(asked, halves, tmp_path / "run", BENCH, QUIET)
    scores = run_.read_scores() or {}
    assert 0 <= scores["mean_ap"] <= 1
    lacking = [line for line in scores["data"] if "have no proposals" in line]
    assert [line.partition(":")[0] for line in lacking] == ["train", "val"], "each split is said, once"


def test_a_classifier_of_another_size_is_refused(whole: Path, tiny: Path, tmp_path: Path):
    asked = _asked(whole, 1)
    member = replace(asked.member, width=0.2)
    other = replace(asked, entry=replace(asked.entry, members=(member,)))
    with pytest.raises(SpecError, match=r"starts from resnet18 at 48 px and 0\.2 of its width"):
        run_detecting(other, open_halves(str(tiny)), tmp_path / "other", BENCH, QUIET)


def test_evaluate_judges_a_detection_run_as_it_was_judged(whole: Path, capsys):
    directory = whole / "runs" / f"{KEY}.0"
    scores = Run(directory).read_scores()
    assert scores is not None
    code = run(["evaluate", str(directory), "--device", "cpu", "--json"])
    shown = capsys.readouterr()
    if not scores["scores"]:
        assert (code, "finds nothing" in shown.err) == (1, True)
        return
    told = json.loads(shown.out)["scores"]
    assert [score["value"] for score in told] == [score["value"] for score in scores["scores"]]


def test_detect_draws_what_it_finds_and_says_what_it_cannot_read(whole: Path, tiny: Path, tmp_path: Path, capsys):
    image = next((tiny / "det" / "val").glob("*.JPEG"))
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    words = ["detect", str(image), str(tmp_path / "broken.jpg"), "--run", str(whole / "runs" / f"{KEY}.0")]
    assert run([*words, "--out", str(tmp_path / "drawn"), "--least", "0", "--device", "cpu", "--json"]) == 1
    shown = capsys.readouterr()
    first, second = json.loads(shown.out)
    assert Path(first["drawing"]).read_bytes().startswith(b"\x89PNG")
    assert all(0 <= thing["confidence"] <= 1 and thing["wnid"].startswith("n9") for thing in first["things"])
    assert second["fault"]
    assert "1 of the images could not be read" in shown.err


def test_a_faster_r_cnn_proposes_for_itself(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["detect", str(tmp_path), "--run", str(whole / "runs" / f"{KEY}.0"), "--device", "cpu"]
    (tmp_path / "a.jpg").write_bytes(b"")
    assert run([*words, "--out", str(tmp_path / "out"), "--proposals", str(tmp_path / "p.npz")]) == 1
    assert "is a Faster R-CNN, which proposes for itself; leave --proposals out" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_train_takes_a_detection_entry_and_trains_its_classifier_first(tiny: Path, tmp_path: Path, capsys):
    words = ["train", KEY, "--data", str(tiny), "--epochs", "1", "--image-size", "48", "--width", "0.1"]
    assert run([*words, "--device", "cpu", "--out", str(tmp_path / "run")]) == 0
    assert "mean AP" in capsys.readouterr().out
    assert Run(tmp_path / "run" / "classifier").scores.exists()


def test_a_detection_set_alone_asks_for_a_classifier(tiny: Path, tmp_path: Path, capsys):
    words = ["train", KEY, "--data", str(tiny / "det"), "--recipe", "miniature", "--out", str(tmp_path / "run")]
    assert run(words) == 1
    assert "give a finished one with --start" in capsys.readouterr().err


def test_a_set_without_objects_in_several_is_no_detection_set(tmp_path: Path):
    with pytest.raises(DataError, match="holds no detection set"):
        open_halves(str(tmp_path))


class Made:
    """Images of one colour with given boxes."""

    classes = Classes(("n1", "n2", "n3"), ("one", "two", "three"))

    def __init__(self, *boxes: list[list[float]] | None, bad: int | None = None) -> None:
        self.boxes, self.bad = boxes, bad

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: int) -> Sample:
        import io

        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(np.full((60, 90, 3), 40 * index, np.uint8)).save(file, "PNG")
        rows = self.boxes[index]
        boxes = None if rows is None else np.array(rows, np.float32).reshape(-1, 4)
        labels = None if boxes is None else np.zeros(len(boxes), np.int64)
        return Sample(f"image {index}", b"no" if index == self.bad else file.getvalue(), None, boxes, labels)


def _feed(dataset: Made, reading: Reading = USUAL) -> SceneFeed:
    entry = DETECTORS[KEY]
    assert isinstance(entry.boxes, Detector)
    return SceneFeed(dataset, entry.boxes, replace(entry.members[0].recipe, batch=2), 0, reading)


def test_faults_of_boxes_are_counted_once_and_named():
    boxes = ([[0, 0, 9, 9], [9, 9, 0, 0], [200, 0, 210, 9]], [], None, [[-5, 3, 50, 59]])
    feed = _feed(Made(*boxes))
    for epoch in range(2):
        batches = list(feed.epoch(Place(epoch), NORMAL, torch.device("cpu"), 1))
        assert sum(len(batch) for batch in batches) == 4
        assert sorted(len(scene.boxes) for batch in batches for scene in batch.scenes) == [0, 0, 1, 1]
    lines = feed.faults.lines(Made.classes, 4)
    assert lines[0].startswith("2 boxes are inverted, no numbers or wholly outside")
    assert lines[1].startswith("1 boxes reach over the border")
    assert lines[2].startswith("2 images have no object")
    assert lines[3] == "2 of 3 classes have no object in the training images: two, three"


def test_an_image_that_cannot_be_decoded_stops_or_another_stands_in():
    dataset = Made([[0, 0, 9, 9]], [[0, 0, 19, 19]], bad=0)
    with pytest.raises(BadImage, match="image 0"):
        list(_feed(dataset).epoch(Place(), NORMAL, torch.device("cpu"), 1))
    feed = _feed(dataset, Reading("fast", "skip"))
    (batch,) = feed.epoch(Place(), NORMAL, torch.device("cpu"), 1)
    assert torch.equal(batch.images[0], batch.images[1])
    assert any("cannot be decoded" in line for line in feed.faults.lines(Made.classes, 2))


def test_an_epoch_goes_on_where_it_stopped():
    feed = _feed(Made(*[[[index, 0, index + 9, 9]] for index in range(5)]))
    whole = [batch.images for batch in feed.epoch(Place(3), NORMAL, torch.device("cpu"), 2)]
    rest = [batch.images for batch in feed.epoch(Place(3, step=1), NORMAL, torch.device("cpu"), 1)]
    assert len(whole) == 3
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


def test_the_short_side_becomes_600_unless_the_long_one_would_be_over_1000():
    assert (sized(_grey(500, 375), 600, 1000).width, sized(_grey(500, 375), 600, 1000).height) == (800, 600)
    assert (sized(_grey(500, 200), 600, 1000).width, sized(_grey(500, 200), 600, 1000).height) == (1000, 400)


def _grey(width: int, height: int) -> Picture:
    return Picture(np.zeros((height, width, 3), np.uint8))


def test_images_of_different_sizes_are_padded_at_right_and_bottom():
    scenes = [scene_of(_grey(4, 6), np.zeros(0)), scene_of(_grey(5, 3), np.zeros(0))]
    batch = together([torch.ones(3, 6, 4), torch.ones(3, 3, 5)], scenes, torch.device("cpu"))
    assert batch.images.shape == (2, 3, 6, 5)
    assert batch.images[1].sum() == 45
    assert batch.images[1, :, :3].min() == 1


def test_a_split_without_objects_cannot_be_judged():
    with pytest.raises(DataError, match="no image of the split has an object"):
        objects_in(Made([], None))
