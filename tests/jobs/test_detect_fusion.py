"""Detection entries of several networks: each trained by itself, all judged together; and runs that judge together."""

import json
import os
import re
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import BENCH, QUIET, Told, training

from ilsvrc.cli import run
from ilsvrc.data.decode import USUAL, decode
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_det import DETECTORS
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.detect_ensemble import ensemble
from ilsvrc.jobs.detect_feed import Halves, open_halves
from ilsvrc.jobs.detect_fusion import run_detectors
from ilsvrc.jobs.detect_judge import Finder, Looker, judge, read_spotted
from ilsvrc.jobs.detect_run import run_detecting
from ilsvrc.jobs.detecting import Detecting, each_of
from ilsvrc.jobs.detector import TAUGHT, load_detectors, lookers
from ilsvrc.jobs.input import Normal, Splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.race import race
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.spec import Detector, Entry, Search, as_json
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run
from ilsvrc.transforms.picture import Picture

pytestmark = pytest.mark.slow

KEY = "msra-2015-det"
FEW: dict[str, Any] = {"kept_testing": (200, 5), "refined": False}  # judged quickly, where verdicts do not matter
HOW = DETECTORS[KEY].boxes
assert isinstance(HOW, Detector)


def entry_of(copies: int, **how: Any) -> Entry:
    """The miniature made few; every detection counts, however unsure, so that there are some to compare."""
    small = training("resnet18").member
    member = replace(DETECTORS[KEY].members[0], image_size=small.image_size, width=small.width, copies=copies)
    few = {"score": 0.0, "most": 100, "kept_training": (200, 30), "kept_testing": (200, 40), "regions_taught": 12}
    return replace(DETECTORS[KEY], members=(member,), boxes=replace(HOW, **{**few, **how}))


def asked(classifier: Path, copies: int = 2, epochs: int = 1, **how: Any) -> list[Detecting]:
    parts = each_of(entry_of(copies, **how), 0)
    return [Detecting(entry=one, classifier=classifier, epochs=epochs, seed=seed) for one, seed in parts]


@pytest.fixture(scope="module")
def classifier(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished ResNet-18 of one epoch. Read only."""
    place = tmp_path_factory.mktemp("classifier") / "resnet18.0"
    return run_training(training("resnet18", epochs=1), splits, place, BENCH, QUIET).directory


@pytest.fixture(scope="module")
def halves(few: Path) -> Halves:
    """Both halves of the few set's images with objects."""
    return open_halves(str(few))


@pytest.fixture(scope="module")
def two(classifier: Path, halves: Halves, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two detectors that differ in seed. Read only."""
    return run_detectors(asked(classifier), halves, tmp_path_factory.mktemp("two") / "det", BENCH, QUIET).directory


def scores_of(directory: Path) -> dict[str, Any]:
    scores = Run(directory).read_scores()
    assert scores is not None
    return scores


def test_copies_follow_each_other_s_seeds_and_stand_alone():
    member = entry_of(2).members[0]
    other = replace(member, model="resnet34", copies=1)
    entry = replace(entry_of(1), members=(member, other, member))
    parts = each_of(entry, 5)
    assert [(one.members[0].model, seed) for one, seed in parts] == [
        *(("resnet18", 5), ("resnet18", 6), ("resnet34", 5), ("resnet18", 7), ("resnet18", 8))
    ]
    assert all(len(one.members) == 1 and one.members[0].copies == 1 for one, _ in parts)
    assert [sum(m.copies for m in ENTRIES[key].members) for key in DETECTORS] == [6, 3], "the papers' numbers"
    assert [sum(m.copies for m in entry.members) for entry in DETECTORS.values()] == [1, 1]


def test_each_network_is_a_run_of_its_own_and_all_are_judged_together(two: Path, classifier: Path, halves: Halves):
    assert {path.name for path in two.iterdir()} == {
        *("network1", "network2", "spec.json", "classes.json", "scores.json", "spotted.npz", "detections.txt")
    }
    spec, scores = Run(two).spec()["asked"], scores_of(two)
    assert (spec["fused"], spec["seed"], spec["network2"]["seed"]) == (2, 0, 1)
    assert scores["alone"] == [scores_of(two / name)["mean_ap"] for name in ("network1", "network2")]
    assert len({*scores["alone"], scores["mean_ap"], 0.0}) == 4, "or nothing is told apart here"
    detectors = load_detectors(two)
    found = judge(Finder(lookers(detectors, BENCH), detectors[0].how), halves.val, USUAL)
    known = read_spotted(two / "spotted.npz")
    assert scores["mean_ap"] == found.mean_ap
    assert np.array_equal(found.detections.box, known.box)
    for name in ("network1", "network2"):
        assert not np.array_equal(read_spotted(two / name / "spotted.npz").confidence, known.confidence)


def test_a_network_of_several_is_what_it_is_alone(two: Path, classifier: Path, halves: Halves, tmp_path: Path):
    second = asked(classifier)[1]
    alone = run_detectors([second], halves, tmp_path / "alone", BENCH, QUIET)
    one, other = load_tensors(alone.weights), load_tensors(two / "network2" / "weights.safetensors")
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert {path.name for path in (tmp_path / "alone").iterdir()} >= {"weights.safetensors", "spotted.npz"}
    assert "fused" not in alone.spec()["asked"]
    assert alone.spec()["asked"] == Run(two / "network2").spec()["asked"]


def test_stopped_in_the_second_network_it_goes_on_to_the_same_bits(two, classifier, halves, tmp_path: Path):
    closed = []

    def stop() -> None:
        closed.append(1)
        if len(closed) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="network2"):
        run_detectors(asked(classifier, epochs=2, **FEW), halves, tmp_path / "det", BENCH, Told("epoch  1 of 2", stop))
    assert not Run(tmp_path / "det").scores.exists()
    first = Run(tmp_path / "det" / "network1").weights
    before = first.stat().st_mtime_ns
    run_detectors(asked(classifier, epochs=2, **FEW), halves, tmp_path / "det", BENCH, QUIET)
    assert first.stat().st_mtime_ns == before, "a network that is done is not trained again"
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "det").rglob("*") if path.is_file()}
    run_detectors(asked(classifier, epochs=2, **FEW), halves, tmp_path / "det", BENCH, QUIET)
    assert all(path.stat().st_mtime_ns == when for path, when in files.items()), "nor is what is done judged again"
    whole = run_detecting(asked(classifier, epochs=2, **FEW)[1], halves, tmp_path / "whole", BENCH, QUIET)
    one, other = load_tensors(whole.weights), load_tensors(tmp_path / "det" / "network2" / "weights.safetensors")
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    with pytest.raises(SpecError, match="fused = 2, and 3 is asked now"):
        run_detectors(asked(classifier, 3, epochs=2, **FEW), halves, tmp_path / "det", BENCH, QUIET)


def test_the_steps_of_alternating_training_are_in_each_network(classifier, halves, tmp_path: Path):
    run_ = run_detectors(asked(classifier, steps="alternating", **FEW), halves, tmp_path / "det", BENCH, QUIET)
    places = {path.parent.relative_to(tmp_path / "det").as_posix() for path in (tmp_path / "det").rglob("spec.json")}
    steps = {f"network{n}/step{step}" for n in (1, 2) for step in (1, 2, 3)}
    assert places == {".", "network1", "network2", *steps}
    assert len(scores_of(run_.directory)["alone"]) == 2


def test_a_classifier_that_does_not_fit_the_last_network_is_refused_before_the_first(
    classifier, halves, tmp_path: Path
):
    first, second = asked(classifier)
    wide = replace(second.member, width=0.2)
    wrong = replace(second, entry=replace(second.entry, members=(wide,)))
    with pytest.raises(SpecError, match=r"starts from resnet18 at 48 px and 0\.2 of its width"):
        run_detectors([first, wrong], halves, tmp_path / "det", BENCH, QUIET)
    assert not (tmp_path / "det").exists()


def test_evaluate_detect_and_report_take_all_networks(two: Path, few: Path, tmp_path: Path, capsys):
    assert run(["evaluate", str(two), "--device", "cpu", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["scores"]
    assert [score["value"] for score in told] == [score["value"] for score in scores_of(two)["scores"]]
    image = min((few / "det" / "val").rglob("*.JPEG"))
    words = ["detect", str(image), "--least", "0", "--device", "cpu", "--json", "--out", str(tmp_path / "drawn")]
    assert run([*words, "--run", str(two)]) == 0
    (sight,) = json.loads(capsys.readouterr().out)
    known = read_spotted(two / "spotted.npz")
    names = [sample.name.rpartition("/")[2] for sample in map(open_halves(str(few)).val.__getitem__, range(5))]
    rows = known.image == names.index(image.stem) + 1
    assert [thing["confidence"] for thing in sight["things"]] == pytest.approx(known.confidence[rows].tolist())
    assert run([*words, "--run", str(two / "network1"), "--run", str(two / "network2")]) == 0
    assert json.loads(capsys.readouterr().out) == [sight], "two runs are as one of two"
    assert run(["report", str(two), "--out", str(tmp_path / "runs.html")]) == 0
    assert "2 trainings" in capsys.readouterr().out


def test_train_and_race_take_an_entry_of_two(two, classifier, few, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(DETECTORS, KEY, entry_of(2))
    words = ["train", KEY, "--data", str(few), "--epochs", "1", "--image-size", "48", "--width", "0.1"]
    words += ["--device", "cpu", "--precision", "fp32", "--start", str(classifier)]
    words += ["--out", str(tmp_path / "runs" / f"{KEY}.0")]
    assert run(words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    alone = [f"{value:.1%}" for value in scores_of(two)["alone"]]
    assert f"(of each of 2 networks alone: {alone[0]}, {alone[1]}) after 1 epochs" in shown
    for name in ("network1", "network2"):
        one, other = (load_tensors(at / name / "weights.safetensors") for at in (two, tmp_path / "runs" / f"{KEY}.0"))
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    wishes = Wishes(tasks=("detection",), epochs=1, image_size=48, width=0.1)
    race(str(few), tmp_path / "race", wishes, BENCH, QUIET, command="ilsvrc race of the tests")
    assert {path.name for path in (tmp_path / "race" / "runs").iterdir()} == {"resnet18.0", f"{KEY}.0"}
    (raced,) = json.loads((tmp_path / "race" / "results.json").read_text())["entries"]
    scores = scores_of(tmp_path / "race" / "runs" / f"{KEY}.0")
    assert (raced["mean_ap"], raced["title"]) == (scores["mean_ap"], "2 × Faster R-CNN, ResNet-18")
    assert raced["notes"][0].startswith("mean AP of each network alone: ")
    network = load_detectors(tmp_path / "race" / "runs" / f"{KEY}.0")[0].network
    assert raced["parameters"] == 2 * sum(parameter.numel() for parameter in network.parameters())
    assert len(scores["alone"]) == 2


def test_a_run_of_two_is_taken_apart_and_so_are_its_networks_by_name(two: Path, tmp_path: Path, capsys):
    assert run(["ensemble", str(two), "--device", "cpu", "--json", "--out", str(tmp_path / "all.txt")]) == 0
    apart = json.loads(capsys.readouterr().out)
    scores = scores_of(two)
    assert (apart["alone"], apart["all"]) == (scores["alone"], scores["mean_ap"])
    assert apart["gain"] == pytest.approx(scores["mean_ap"] - max(scores["alone"]))
    assert (apart["networks"], apart["left_out"], apart["images"]) == ([1, 1], [], 5)
    assert (tmp_path / "all.txt").read_bytes() == (two / "detections.txt").read_bytes()
    assert run(["ensemble", *(str(two / name) for name in ("network1", "network2")), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "Faster R-CNN, resnet18 (network1)" in shown
    assert "All 2 together, 2\N{NO-BREAK SPACE}networks: mean AP" in shown


def test_evaluate_keeps_a_submission_and_without_true_boxes_that_alone(two: Path, few: Path, tmp_path: Path, capsys):
    words = ["evaluate", str(two), "--device", "cpu", "--save"]
    assert run([*words, str(tmp_path / "val.txt")]) == 0
    assert (tmp_path / "val.txt").read_bytes() == (two / "detections.txt").read_bytes()
    shutil.copytree(few / "det", tmp_path / "det")
    for file in (tmp_path / "det").rglob("val/*.xml"):
        file.write_text(re.sub(r"<object>.*</object>", "", file.read_text(), flags=re.S))
    words += [str(tmp_path / "blind.txt"), "--data", str(tmp_path / "det")]
    capsys.readouterr()
    assert run(words) == 0
    assert "images without a truth, so no score" in capsys.readouterr().out
    assert (tmp_path / "blind.txt").read_bytes() == (two / "detections.txt").read_bytes()


@pytest.fixture(scope="module")
def third(classifier: Path, halves: Halves, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of another seed, taught otherwise but looking alike. Read only."""
    wanted = replace(asked(classifier, 1, regions_taught=24)[0], seed=7)
    return run_detecting(wanted, halves, tmp_path_factory.mktemp("third") / "third", BENCH, QUIET).directory


def test_of_more_each_one_is_left_out_and_a_run_of_several_counts_by_its_networks(two: Path, third: Path, capsys):
    found = ensemble([two / "network1", two / "network2", third], None, BENCH, QUIET)
    assert found.left_out[2] == scores_of(two)["mean_ap"], "without the third they are the run of two"
    assert found.left_out[0] == ensemble([two / "network2", third], None, BENCH, QUIET).whole
    assert found.alone == (*scores_of(two)["alone"], scores_of(third)["mean_ap"])
    joined = ensemble([two, third], None, BENCH, QUIET)
    assert (joined.networks, joined.whole) == ((2, 1), found.whole)
    assert joined.members[0] == "2 × Faster R-CNN, resnet18 (det)"
    assert joined.alone[0] == scores_of(two)["mean_ap"]


def changed(run_: Path, place: Path, how: dict[str, Any] | None = None, **words: Any) -> Path:
    """A copy of a run whose spec.json says something else."""
    shutil.copytree(run_, place)
    spec = json.loads((place / "spec.json").read_text())
    spec["asked"].update(words)
    spec["asked"]["boxes"].update(how or {})
    (place / "spec.json").write_text(json.dumps(spec))
    return place


@pytest.mark.parametrize(
    ("how", "words", "sentence"),
    [
        ({"test_sides": [64, 128]}, {}, r"network1 finds objects with test_sides = \[\] and .*copy with \[64, 128\]"),
        ({}, {"data": "a-b"}, r"network1 was judged on other images \(\S+\) than .*copy \(b\); members of an ensemble"),
        (
            {},
            {"reading": {"decoder": "reference"}},
            "network1 reads images with the fast decoder and .*copy with the ref",
        ),
        ({}, {"step": 2}, "copy is a step on the way to a detector; give the run that it stands in"),
    ],
)
def test_detectors_that_do_not_fit_are_refused_by_naming_both(how, words, sentence, two: Path, tmp_path: Path):
    other = changed(two / "network2", tmp_path / "copy", how, **words)
    with pytest.raises(SpecError, match=sentence):
        ensemble([two / "network1", other], None, BENCH, QUIET)


def test_detectors_of_other_classes_are_refused_by_naming_both(two: Path, tmp_path: Path, capsys):
    other = changed(two / "network2", tmp_path / "copy")
    known = json.loads((other / "classes.json").read_text())
    known["classes"][-1]["wnid"] = "n99999999"
    (other / "classes.json").write_text(json.dumps(known))
    assert run(["ensemble", str(two / "network1"), str(other), "--device", "cpu"]) == 1
    assert "is n99999999" not in capsys.readouterr().out
    with pytest.raises(SpecError, match=r"class 19 is n\d+ in .*network1 and n99999999 in .*copy; members of an ens"):
        ensemble([two / "network1", other], None, BENCH, QUIET)


def test_an_r_cnn_and_a_faster_r_cnn_do_not_judge_together(two: Path, tmp_path: Path):
    from ilsvrc.jobs.detecting import detector_of
    from ilsvrc.spec import from_json
    from ilsvrc.train.checkpoint import save_weights

    other = changed(two / "network2", tmp_path / "copy", {"kind": "r-cnn"})
    words = Run(other).spec()["asked"]
    save_weights(Run(other).weights, detector_of(from_json(words["member"]), from_json(words["boxes"]), 20), {})
    with pytest.raises(SpecError, match=r"network1 is a Faster R-CNN and .*copy an R-CNN; detectors that judge"):
        ensemble([two / "network1", other], None, BENCH, QUIET)


def test_nonsense_of_detectors_is_refused_in_a_sentence(two: Path, third: Path, classifier: Path, tmp_path, capsys):
    with pytest.raises(SpecError, match="1 member is given, and an ensemble takes at least 2"):
        ensemble([third], None, BENCH, QUIET)
    with pytest.raises(SpecError, match=r"network1 is given twice; give it once"):
        ensemble([two, two / "network1"], None, BENCH, QUIET)
    shutil.copytree(third, tmp_path / "young", ignore=shutil.ignore_patterns("scores.json"))
    with pytest.raises(DataError, match="young is not done"):
        ensemble([third, tmp_path / "young"], None, BENCH, QUIET)
    for words, sentence in (
        ([str(classifier), str(third)], "third is a run of detection and .*resnet18.0 is not"),
        ([str(two), "--weights", "1,2"], "whose networks all count the same; leave --weights out"),
        ([str(two), "--meta", "meta.mat"], "whose numbers are those of its data's kit; leave --meta out"),
    ):
        assert run(["ensemble", *words]) == 1
        assert re.search(sentence, " ".join(capsys.readouterr().err.split()))


def proposed(few: Path, place: Path, **searched: Search) -> Halves:
    """A copy of the set with an object's box and one beside it for proposals, and notes of these searches by split."""
    det = Path(shutil.copytree(few / "det", place / "det"))
    halves = open_halves(str(det))
    (det / "proposals").mkdir()
    for split, dataset in (("train", halves.train), ("val", halves.val)):
        samples = [dataset[index] for index in range(len(dataset))]
        boxes = {s.name.rpartition("/")[2]: np.concatenate([s.boxes, s.boxes + 9]) for s in samples}
        np.savez(det / "proposals" / f"{split}.npz", **boxes)
        if split in searched:
            note = {"asked": {"search": asdict(searched[split])}}
            (det / "proposals" / f"{split}.json").write_text(json.dumps(note))
    return halves


def test_r_cnns_judge_the_same_proposals_and_those_of_another_search_are_said(classifier, few, tmp_path: Path, capsys):
    own = Search(width=64)
    halves = proposed(few, tmp_path, train=own, val=replace(own, superpixels=(100,)))
    pair = asked(classifier, kind="r-cnn", around=4, search=own)
    logs: list[int] = []
    watch = Told("another search", lambda: logs.append(len([*(tmp_path / "det-run").rglob("log.jsonl")])))
    run_detectors(pair, halves, tmp_path / "det-run", BENCH, watch)
    said = "val.npz has proposals of another search than the entry's: superpixels = [100], and the entry has [50, 100]"
    assert (logs, [line.strip() for line in watch.lines].count(said)) == ([0, 1], 2), "before the first epoch of each"
    kept = [scores_of(tmp_path / place)["data"] for place in ("det-run", "det-run/network1", "det-run/network2")]
    assert kept[0] == kept[1] == kept[2]
    assert [line for line in kept[0] if "search" in line] == [said]
    assert run(["evaluate", str(tmp_path / "det-run"), "--device", "cpu"]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    assert run(["ensemble", str(tmp_path / "det-run"), "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["remarks"], found["all"]) == ([said], scores_of(tmp_path / "det-run")["mean_ap"])


def test_what_may_differ_between_detectors_are_fields_of_a_detector():
    assert as_json(HOW).keys() > TAUGHT


def test_networks_from_other_classifiers_see_each_its_own_normal(two: Path, halves: Halves):
    (first, second), seen = load_detectors(two), []
    for each in (first, second):
        inner = each.network.shared
        each.network.shared = lambda images, inner=inner: (seen.append(images.mean().item()), inner(images))[1]
    normals = [Normal(torch.full((3, 1, 1), mean), torch.full((3, 1, 1), 40.0)) for mean in (90.0, 130.0)]
    pair = [Looker(each.network, normal) for each, normal in zip((first, second), normals, strict=True)]
    Finder(pair, first.how)(Picture(decode(halves.val[0])), "image")
    assert seen[0] - seen[1] == pytest.approx(1.0, abs=1e-4)
