"""MSRA's two networks on the tiny set: proposals per class, judged again by another; in a race and alone."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small import BENCH, QUIET, Told

from ilsvrc.cli import run
from ilsvrc.data.decode import USUAL, decode
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_loc import LOCALIZERS
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.input import Feed, Splits, open_splits
from ilsvrc.jobs.interrupt import Stopped
from ilsvrc.jobs.localize_ask import Localizing
from ilsvrc.jobs.localize_judge import read_located
from ilsvrc.jobs.localize_look import check_merging, check_protocol
from ilsvrc.jobs.localize_propose import Proposed, Proposer, propose
from ilsvrc.jobs.localize_referee import Referee
from ilsvrc.jobs.localize_regions import FIRST, FOUND, PROPOSER, judge_again, run_regions
from ilsvrc.jobs.localizer import fused, load_localizer
from ilsvrc.jobs.race import race
from ilsvrc.jobs.region_feed import WithProposals, region_loader, warp_of
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.reports.formats import percent
from ilsvrc.spec import Crops, Dense, RandomCrop
from ilsvrc.tasks.boxes import clipped, decoded
from ilsvrc.train.checkpoint import load_tensors
from ilsvrc.train.run import Run

pytestmark = pytest.mark.slow

KEY = "msra-2015-loc"
WISHES = Wishes(tasks=("localization",), names=(KEY,), epochs=1, image_size=48, width=0.1)


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race of the entry as a miniature. Read only."""
    out = tmp_path_factory.mktemp("regions")
    race(str(tiny), out, WISHES, BENCH, QUIET, command="ilsvrc race of the tests")
    return out


def place(whole: Path) -> Path:
    return whole / "runs" / f"{KEY}.0"


def asked(whole: Path, epochs: int = 1, batch: int = 16) -> Localizing:
    """The miniature in four steps an epoch, from the race's classifier."""
    entry = LOCALIZERS[KEY]
    assert entry.boxes is not None
    regions = entry.boxes.regions
    boxes = replace(entry.boxes, regions=replace(regions, recipe=replace(regions.recipe, batch=batch)))
    member = entry.members[0]
    member = replace(member, image_size=48, width=0.1, recipe=replace(member.recipe, batch=batch))
    entry = replace(entry, members=(member,), boxes=boxes)
    return Localizing(entry=entry, classifier=whole / "runs" / "resnet18.0", epochs=epochs, seed=0)


def copied(whole: Path, tmp_path: Path) -> Path:
    """A copy of the race's run that may be changed."""
    shutil.copytree(place(whole), tmp_path / "copy")
    return tmp_path / "copy"


def test_a_race_trains_what_proposes_and_what_judges_again(whole: Path, tiny: Path):
    scores, first = Run(place(whole)).read_scores() or {}, Run(place(whole) / FIRST).read_scores() or {}
    assert scores["proposals"] == first["scores"], "both rows of table 13"
    own = Run(place(whole)).log()[-1]["seconds"]
    assert scores["seconds"] == pytest.approx(own + first["seconds"])
    (entry,) = json.loads((whole / "results.json").read_text())["entries"]
    assert entry["localization_error"] == scores["scores"][0]["value"]
    assert entry["title"] == "ResNet-18, RPN + R-CNN"
    weights = [load_tensors(place(whole) / name) for name in ("weights.safetensors", PROPOSER)]
    counted = sum(value.numel() for each in weights for name, value in each.items() if "running" not in name)
    counted -= sum(name.endswith("num_batches_tracked") for each in weights for name in each)
    assert entry["parameters"] == counted
    alone = percent(first["scores"][0]["value"])
    assert f"localization error of the proposals alone: {alone}" in (whole / "report.html").read_text(encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()}
    race(str(tiny), whole, WISHES, BENCH, QUIET)
    assert before == {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*") if path.is_file()}


def test_lengths_are_in_proportion_to_the_images(whole: Path):
    boxes = load_localizer(place(whole)).regression
    assert boxes.scales == (0.75, 1.5, 2.25)
    assert boxes.regions is not None
    assert boxes.regions.around == 6


def test_a_run_stands_alone_and_is_judged_as_it_was(whole: Path, tiny: Path, tmp_path: Path, capsys):
    directory = copied(whole, tmp_path)
    shutil.rmtree(directory / FIRST)
    shutil.rmtree(directory / FOUND)
    words = ["evaluate", str(directory), "--data", str(tiny), "--device", "cpu", "--engine", "eager", "--json"]
    assert run(words) == 0
    told = json.loads(capsys.readouterr().out)
    scores = Run(directory).read_scores() or {}
    assert [score["value"] for score in told["scores"]] == [score["value"] for score in scores["scores"]]
    image = sorted((tiny / "val").glob("*.JPEG"))[0]
    words = ["localize", str(image), "--run", str(directory), "--out", str(tmp_path / "out"), "--top", "5", "--json"]
    assert run([*words, "--device", "cpu", "--precision", "fp32"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    located = read_located(directory / "located.npz")
    row = located.names.index(image.stem)
    assert np.array([each["box"] for each in found["places"]]) == pytest.approx(located.boxes[row], abs=0.05)


def test_every_box_is_on_its_image_and_most_are_not_the_proposals_own(whole: Path):
    located, first = (read_located(at / "located.npz") for at in (place(whole), place(whole) / FIRST))
    low, high = located.boxes[..., :2], located.boxes[..., 2:]
    assert (low >= 0).all()
    assert (low <= high).all()
    assert (high <= located.sizes[:, None] - 1).all()
    assert (located.labels == first.labels).all()
    assert (located.boxes != first.boxes).any(axis=-1).mean() > 0.9


def test_of_each_class_the_surest_proposal_moved_is_the_answer(whole: Path, tiny: Path):
    referee = fused([load_localizer(place(whole))], BENCH, USUAL)
    assert isinstance(referee, Referee)
    pixels, labels = decode(open_splits(str(tiny)).val[3]), np.array([7, 2])
    ((side,), (warp,)) = referee.sides, referee.warps
    given = side.proposer.proposals(pixels, labels, side.how)
    image = torch.from_numpy(np.array(pixels)).movedim(-1, 0).float()
    for box, some, label in zip(referee.boxes(pixels, labels), given, labels.tolist(), strict=True):
        with torch.no_grad():
            logits, offsets = side.network((warp(image, some) - side.normal.mean) / side.normal.unit)
        best = logits[:, label].argmax()
        moved = decoded(offsets[best, label] * torch.tensor(side.how.offset_deviations), some[best])
        np.testing.assert_allclose(box, clipped(moved, pixels.shape[1], pixels.shape[0]), atol=1e-2)


def test_a_report_draws_both_trainings(whole: Path, tmp_path: Path, capsys):
    assert run(["report", str(place(whole)), "--out", str(tmp_path / "runs.html")]) == 0
    assert "2 trainings" in capsys.readouterr().out
    page = (tmp_path / "runs.html").read_text()
    assert "ours, for miniatures that judge proposals again" in page


def test_train_makes_the_paper_s_two_small_and_says_what_proposals_score(tiny: Path, tmp_path, capsys, monkeypatch):
    shallow = replace(ENTRIES[KEY].members[0], model="resnet18")
    monkeypatch.setitem(ENTRIES, KEY, replace(ENTRIES[KEY], members=(shallow,)))
    words = ["train", KEY, "--recipe", "paper", "--data", str(tiny), "--epochs", "1", "--device", "cpu"]
    words += ["--image-size", "32", "--width", "0.05", "--batch", "30", "--precision", "fp32"]
    assert run([*words, "--out", str(tmp_path / "run")]) == 0
    assert "(proposals alone: " in " ".join(capsys.readouterr().out.split())
    spec = Run(tmp_path / "run").spec()["asked"]
    assert spec["protocol"]["is"] == "Dense", "the whole image is looked at"
    assert spec["boxes"]["regions"]["around"] == round(16 * 32 / 224)
    assert spec["boxes"]["regions"]["recipe"]["batch"] == 30
    assert Run(tmp_path / "run" / "classifier").scores.exists()


class Stopper:
    """Counts the steps that are taken, and asks to stop at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def __call__(self, fraction: float) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGINT)


def test_stopped_anywhere_it_goes_on_to_the_same_bits_and_proposes_once(whole: Path, tiny: Path, tmp_path: Path):
    splits, stopped = open_splits(str(tiny)), tmp_path / "stopped"
    with pytest.raises(Stopped, match=f"stopped in epoch 1 of {KEY}, saved in .*/{FIRST};"):
        run_regions(asked(whole), splits, stopped, BENCH, QUIET, Stopper(2))
    assert not (stopped / FOUND).exists()
    with pytest.raises(Stopped, match=f"stopped in epoch 1 of {KEY}, saved in .*/stopped;"):
        run_regions(asked(whole), splits, stopped, BENCH, QUIET, Stopper(2 + 3))
    files = {path: path.stat().st_mtime_ns for path in (stopped / FOUND).iterdir()}
    assert len(files) == 1
    assert not (stopped / "scores.json").exists()
    run_regions(asked(whole), splits, stopped, BENCH, QUIET)
    assert files == {path: path.stat().st_mtime_ns for path in (stopped / FOUND).iterdir()}
    run_regions(asked(whole), splits, tmp_path / "whole", BENCH, QUIET)
    for name in ("weights.safetensors", PROPOSER):
        one, other = (load_tensors(tmp_path / at / name) for at in ("stopped", "whole"))
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    one, other = (read_located(tmp_path / at / "located.npz") for at in ("stopped", "whole"))
    assert np.array_equal(one.boxes, other.boxes)


def test_proposals_that_are_stopped_are_found_from_the_last_whole_part_on(whole, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("ilsvrc.jobs.localize_propose.PART", 25)
    proposer, dataset = proposer_of(whole), open_splits(str(tiny)).train
    how = load_localizer(place(whole)).regression.regions
    assert how is not None
    whole_ = propose(proposer, dataset, tmp_path / "whole", how, QUIET)
    looked, every = [], proposer.every

    def counted(pixels: np.ndarray, labels: np.ndarray) -> object:
        looked.append(labels)
        if len(looked) == 30:
            os.kill(os.getpid(), signal.SIGINT)
        return every(pixels, labels)

    monkeypatch.setattr(proposer, "every", counted)
    with pytest.raises(Stopped, match="stopped after the proposals of 25 images"):
        propose(proposer, dataset, tmp_path / "stopped", how, QUIET)
    found = propose(proposer, dataset, tmp_path / "stopped", how, QUIET)
    assert len(looked) == 30 + 35
    assert len(found.some()) == 60
    assert all(np.array_equal(found.of(index), whole_.of(index)) for index in range(60))
    assert all(0 < len(found.of(index)) <= how.kept for index in range(60))
    for sample, boxes in ((dataset[index], found.of(index)) for index in (0, 30, 59)):
        (own,) = proposer.proposals(decode(sample), np.array([sample.label]), how)
        assert np.array_equal(boxes, own), "of its own class"


def proposer_of(whole: Path, protocol: Crops | Dense | None = None) -> Proposer:
    localizer = load_localizer(place(whole))
    return Proposer(localizer.network, localizer.normal, protocol or localizer.protocol, BENCH, USUAL)


def test_in_the_whole_image_of_the_window_s_size_is_found_what_is_in_its_centre(whole: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    once, densely, both = (
        proposer_of(whole, protocol)
        for protocol in (
            Crops(layout="center", short_sides=(48,), size=48),
            Dense(short_sides=(48,), mirror=False),
            Dense(short_sides=(48,), mirror=True),
        )
    )
    labels = np.array([4, 2])
    np.testing.assert_allclose(densely.boxes(pixels, labels), once.boxes(pixels, labels), atol=1e-3)
    boxes, scores = both.every(pixels, labels)
    turned, sure = densely.every(np.ascontiguousarray(pixels[:, ::-1]), labels)
    half = len(scores) // 2
    np.testing.assert_allclose(scores[half:], sure, atol=1e-4)
    np.testing.assert_allclose(boxes[half:, :, 0], 47 - turned[..., 2], atol=1e-3)
    np.testing.assert_allclose(boxes[half:, :, 2], 47 - turned[..., 0], atol=1e-3)


def test_proposals_of_a_larger_image_are_in_its_own_pixels(whole: Path):
    small = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    large = small.repeat(3, axis=0).repeat(3, axis=1)
    densely = proposer_of(whole, Dense(short_sides=(48,), mirror=False))
    one, other = (densely.boxes(pixels, np.array([4])) for pixels in (small, large))
    edge = np.array([0, 0, 1, 1])
    np.testing.assert_allclose((other + edge) / 3, one + edge, atol=6.0)


def test_a_region_learns_from_what_a_test_shows(whole: Path, tiny: Path):
    localizer, splits = load_localizer(place(whole)), open_splits(str(tiny))
    how, wanted = localizer.regression.regions, asked(whole)
    assert how is not None
    proposed = Proposed([place(whole) / FOUND / "000000.npy"], 60, how.kept)
    warp = warp_of(48, how, localizer.normal)
    dataset = WithProposals(splits.train, proposed)
    loader = region_loader(dataset, how, wanted.region_recipe, warp, 0, Feed(threads=1))
    batch = next(iter(loader.epoch(0)))
    assert batch.boxes is not None
    place_ = int(loader.order(0)[0])
    pixels = torch.from_numpy(np.array(decode(splits.train[place_]))).movedim(-1, 0).float()
    regions, objects = torch.from_numpy(batch.boxes[0]).split(how.regions_taught)
    np.testing.assert_array_equal(warp(pixels, regions), torch.from_numpy(batch.pixels[0]).movedim(-1, 1))
    given = {tuple(box) for box in proposed.of(place_).tolist()}
    assert all(tuple(box) in given for box in regions.tolist())
    own = splits.train[place_]
    assert all(box in own.boxes[own.box_labels == own.label].tolist() for box in objects.tolist())


def test_images_without_proposals_teach_nothing(whole: Path, tiny: Path, tmp_path: Path):
    directory = copied(whole, tmp_path)
    for name in ("scores.json", "weights.safetensors", "state.pt", "log.jsonl"):
        (directory / name).unlink()
    file = directory / FOUND / "000000.npy"
    found = np.load(file)
    found[:10] = (1, 1, 0, 0)
    np.save(file, found)
    watch, wanted = Told(), asked(whole, batch=32)
    judge_again(wanted, directory / FIRST, open_splits(str(tiny)), Run(directory), BENCH, watch)
    assert any("10 of 60 training images have no proposals and teach none" in line for line in watch.lines)
    assert Run(directory).log()[0]["images"] == 50 * 2
    for name in ("scores.json", "weights.safetensors", "state.pt"):
        (directory / name).unlink()
    found[:] = (1, 1, 0, 0)
    np.save(file, found)
    with pytest.raises(DataError, match=r"no training image of .* has proposals; .* has learnt nothing"):
        judge_again(wanted, directory / FIRST, open_splits(str(tiny)), Run(directory), BENCH, QUIET)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(DataError, match=r"000000.npy has no proposals that can be read .* delete it and run the same"):
        judge_again(wanted, directory / FIRST, open_splits(str(tiny)), Run(directory), BENCH, QUIET)


def refused(whole: Path, wanted: Localizing, proposals: Path, splits: Splits, tmp_path: Path) -> str:
    with pytest.raises(SpecError) as fault:
        judge_again(wanted, proposals, splits, Run(tmp_path / "run"), BENCH, QUIET)
    return str(fault.value)


def test_proposals_that_cannot_be_judged_again_are_refused_in_a_sentence(whole: Path, tiny: Path, tmp_path: Path):
    splits, wanted, first = open_splits(str(tiny)), asked(whole), place(whole) / FIRST
    classifier = whole / "runs" / "resnet18.0"
    assert "is no run of localization" in refused(whole, wanted, classifier, splits, tmp_path)
    assert "give a run of proposals alone" in refused(whole, wanted, place(whole), splits, tmp_path)
    wider = replace(wanted, entry=replace(wanted.entry, members=(replace(wanted.member, width=0.2),)))
    assert "resnet18 at 48 px and 0.2 of its width" in refused(whole, wider, first, splits, tmp_path)
    boxes = replace(wanted.entry.boxes, scales=(4.0,))
    others = replace(wanted, entry=replace(wanted.entry, boxes=boxes))
    assert "of (0.75, 1.5, 2.25); give such proposals" in refused(whole, others, first, splits, tmp_path)
    shutil.copytree(first, tmp_path / "under way")
    (tmp_path / "under way" / "scores.json").unlink()
    assert "is a training that is not done" in refused(whole, wanted, tmp_path / "under way", splits, tmp_path)
    shutil.copytree(first, tmp_path / "classes")
    named = json.loads((tmp_path / "classes" / "classes.json").read_text())
    named["classes"][0]["wnid"] = "n00000001"
    (tmp_path / "classes" / "classes.json").write_text(json.dumps(named))
    assert "knows the class n00000001" in refused(whole, wanted, tmp_path / "classes", splits, tmp_path)


def test_what_a_specification_cannot_be_is_refused(whole: Path, tiny: Path, tmp_path: Path):
    entry = LOCALIZERS[KEY]
    boxes = entry.boxes
    assert boxes is not None
    with pytest.raises(SpecError, match="its head is 'last layer'; take 'proposals'"):
        check_protocol(entry.protocol, replace(boxes, head="last layer"), KEY)
    with pytest.raises(SpecError, match="found in one centre crop or in the whole image"):
        check_protocol(Crops(layout="ten"), boxes, KEY)
    with pytest.raises(SpecError, match="2 networks that propose boxes and none that judges"):
        check_merging(replace(boxes, regions=None), 2, KEY)
    regions = boxes.regions
    for changed, words in (
        ({"around": 40}, "30 pixels around a region leave nothing of 48"),
        ({"recipe": replace(regions.recipe, augment=(RandomCrop(48),))}, "which cuts images; leave it out"),
    ):
        other = replace(asked(whole).entry, boxes=replace(boxes, regions=replace(regions, **changed)))
        run_ = Run(tmp_path / "run")
        with pytest.raises(SpecError, match=words):
            judge_again(
                replace(asked(whole), entry=other), place(whole) / FIRST, open_splits(str(tiny)), run_, BENCH, QUIET
            )


def test_the_entry_has_both_networks_of_the_paper():
    boxes = ENTRIES[KEY].boxes
    assert boxes is not None
    regions = boxes.regions
    assert (boxes.head, boxes.per_class, boxes.scales) == ("proposals", True, (8, 16, 32))
    assert (regions.kept, regions.recipe.batch * regions.regions_taught) == (200, 256)
