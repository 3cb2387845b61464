"""`ilsvrc ensemble`: hand-made members, the submission, and every way in which members do not fit together."""

import json
from pathlib import Path

import numpy as np
import pytest

from ilsvrc.cli import run
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.ensemble import ensemble, parsed
from ilsvrc.jobs.saved_scores import Record, Scores, save_scores
from ilsvrc.jobs.submission import ids_of, write_submission
from ilsvrc.scoring import flat_error, read_guesses
from ilsvrc.spec import Crops
from ilsvrc.train.run import Run

WNIDS = tuple(f"n{number:08d}" for number in range(1, 9))  # eight classes: five guesses can miss
LABELS = np.array([0, 1, 2, 3])
NAMES = ("a", "b", "c", "d")


def saved(path: Path, probabilities: np.ndarray, labels: np.ndarray = LABELS, **changes: object) -> Path:
    """A score file of four images of eight classes."""
    values = {"model": "alexnet", "data": "four", "fingerprint": "f", "bad_images": (), **changes}
    names, wnids = values.pop("names", NAMES), values.pop("wnids", WNIDS)
    record = Record(
        weights="w", image_size=224, width=1.0, protocol_name="ten", protocol=Crops(layout="ten"), split="val",
        engine="eager", **values,
    )  # fmt: skip
    save_scores(path, Scores(record, names, labels, wnids), probabilities)
    return path


def sure_of(*labels: int, of: float = 0.6) -> np.ndarray:
    """Each image is most likely of that class, and the truth of a wrong one is the last of all."""
    found = np.zeros((len(labels), 8), np.float32)
    for row, label in enumerate(labels):
        found[row] = (1 - of) / 6
        found[row, LABELS[row]] = 0.0
        found[row, label] = of
    return found / found.sum(1, keepdims=True)


@pytest.fixture
def members(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Three that err on one image each, and so does nobody when all three vote."""
    return (
        saved(tmp_path / "one.npz", sure_of(0, 1, 2, 7)),
        saved(tmp_path / "two.npz", sure_of(0, 1, 7, 3)),
        saved(tmp_path / "three.npz", sure_of(0, 7, 2, 3)),
    )


def test_three_that_err_on_different_images_err_on_none_together(members: tuple[Path, ...]):
    found = ensemble(members)
    assert [one.top5_error for one in found.alone] == [0.25, 0.25, 0.25]
    assert found.whole is not None
    assert (found.whole.top1_error, found.whole.top5_error) == (0.0, 0.0)
    assert (found.gain, found.mended, found.spoilt, found.images) == (0.25, 1, 0, 4)
    assert found.weights == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_every_pair_and_everyone_left_out_is_judged(members: tuple[Path, ...]):
    found = ensemble(members)
    assert [pair.members for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    assert [rest.members for rest in found.left_out] == [(1, 2), (0, 2), (0, 1)]
    # Of a pair one is right of each image: both guesses are among the first five.
    assert {pair.top5_error for pair in found.pairs} == {0.0}
    # Where they differ, the wrong guess of one has a little of the other's too, and the true one nothing.
    assert [rest.top1_error for rest in found.left_out] == [0.5, 0.5, 0.5]


def test_given_weights_decide_between_them(members: tuple[Path, ...]):
    found = ensemble(members, parsed("5,1,1"))
    assert found.weights == pytest.approx((5 / 7, 1 / 7, 1 / 7))
    assert found.whole is not None
    assert found.whole.top1_error == 0.25  # the first alone is wrong of d, and outvotes the others
    assert found.alone[0].top1_error == 0.25


def test_two_members_are_a_pair_already(members: tuple[Path, ...]):
    found = ensemble(members[:2])
    assert (found.pairs, found.left_out) == ((), ())
    assert found.whole is not None


def test_weights_are_fitted_on_one_half_and_judged_on_the_other(tmp_path: Path):
    rng = np.random.default_rng(0)
    names = tuple(f"image {number}" for number in range(400))
    labels = rng.integers(0, 8, 400)
    good = np.full((400, 8), 0.02, np.float32)
    good[np.arange(400), labels] = 0.86
    bad = rng.dirichlet(np.ones(8), 400).astype(np.float32)
    paths = [saved(tmp_path / f"{n}.npz", p, labels, names=names) for n, p in (("good", good), ("bad", bad))]
    found = ensemble(paths, "fitted")
    assert found.fitted
    assert found.weights[0] > 0.9
    assert 150 < found.images < 250
    assert sum(found.weights) == pytest.approx(1)


def test_the_submission_is_scored_by_the_kit_s_rules(members: tuple[Path, ...], tmp_path: Path):
    found = ensemble(members, out=tmp_path / "all.txt")
    guesses = read_guesses(tmp_path / "all.txt", boxes=False, images=4, classes=8)
    assert guesses.labels[:, 0].tolist() == [1, 2, 3, 4]  # by sorted WordNet id from 1
    score = flat_error(guesses.labels, LABELS + 1, none=0)
    assert found.whole is not None
    assert score.value == found.whole.top5_error
    assert "4 lines, classes numbered by sorted WordNet id from 1" in str(found.written)


def test_a_submission_has_the_kit_s_ids_where_there_is_a_kit(tmp_path: Path, tiny: Path):
    from ilsvrc import data

    classes = data.open(tiny, "val").classes
    meta = next(tiny.rglob("meta.mat"))
    ids, words = ids_of(classes.wnids, meta)
    assert "ILSVRC ids" in words
    assert sorted(ids.tolist()) == list(range(1, len(classes) + 1))
    assert ids.tolist() != sorted(ids.tolist()), "the kit has an order of its own"
    write_submission(tmp_path / "s.txt", np.eye(len(classes), dtype=np.float32), ids)
    first = read_guesses(tmp_path / "s.txt", boxes=False).labels[:, 0]
    assert first.tolist() == ids.tolist()
    with pytest.raises(SpecError, match=r"the class n99999999 is not in the kit's table .*; give the meta\.mat of its"):
        ids_of(("n99999999",), meta)


def test_finished_runs_are_members_too(finished: dict[str, Run], capsys: pytest.CaptureFixture[str]):
    places = [str(one.directory) for one in finished.values()]
    assert run(["ensemble", *places, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for place, one in enumerate(finished.values()):
        scores = (one.read_scores() or {})["scores"]
        assert told["alone"][place]["top1_error"] == pytest.approx(scores[0]["value"])
        assert told["alone"][place]["top5_error"] == pytest.approx(scores[1]["value"])
    assert told["gain"] == pytest.approx(min(a["top5_error"] for a in told["alone"]) - told["all"]["top5_error"])


def test_the_command_prints_everybody_and_the_gain(members: tuple[Path, ...], capsys: pytest.CaptureFixture[str]):
    assert run(["ensemble", *map(str, members)]) == 0
    shown = capsys.readouterr().out
    for word in ("one.npz", "two.npz", "three.npz", "A and B", "without C", "all of them", "25 points lower"):
        assert word in shown
    assert "1\N{NO-BREAK SPACE}image became right, 0\N{NO-BREAK SPACE}images wrong" in shown


def test_images_that_could_not_be_decoded_stay_wrong(tmp_path: Path):
    paths = [
        saved(tmp_path / f"{name}.npz", sure_of(0, 1, 2, 3), bad_images=("b",)) for name in ("one", "two")
    ]  # fmt: skip
    found = ensemble(paths)
    assert found.whole is not None
    assert found.whole.top5_error == 0.25


def test_what_has_no_labels_is_combined_and_not_judged(tmp_path: Path):
    nobody = np.full(4, -1)
    paths = [saved(tmp_path / f"{name}.npz", sure_of(0, 1, 2, 3), nobody) for name in ("one", "two")]
    found = ensemble(paths, out=tmp_path / "test.txt")
    assert (found.whole, found.gain) == (None, None)
    assert len((tmp_path / "test.txt").read_text().splitlines()) == 4
    with pytest.raises(SpecError, match="has images without a label, to which no weights can be fitted"):
        ensemble(paths, "fitted")


@pytest.mark.parametrize(
    ("changes", "labels", "sentence"),
    [
        ({"wnids": (*WNIDS[:7], "n00000009")}, LABELS, r"class 7 is n00000008 in .*one\.npz and n00000009 in .*other"),
        ({"names": ("a", "b", "c", "e")}, LABELS, r"image 3 is d in .*one\.npz and e in .*other\.npz; members of an"),
        ({"fingerprint": "g"}, LABELS, r"one\.npz is of val of four \(f\) and .*other\.npz of val of four \(g\)"),
        ({}, np.array([0, 1, 2, 4]), r"d has label 3 in .*one\.npz and 4 in .*other\.npz"),
    ],
)
def test_members_that_do_not_fit_are_refused_by_naming_both(
    changes: dict[str, object], labels: np.ndarray, sentence: str, tmp_path: Path
):
    one = saved(tmp_path / "one.npz", sure_of(0, 1, 2, 3))
    other = saved(tmp_path / "other.npz", sure_of(0, 1, 2, 3), labels, **changes)
    with pytest.raises(SpecError, match=sentence):
        ensemble([one, other])


def test_members_of_other_sizes_are_refused_by_naming_both(tmp_path: Path):
    one = saved(tmp_path / "one.npz", sure_of(0, 1, 2, 3))
    fewer = saved(tmp_path / "few.npz", sure_of(0, 1, 2)[:3], LABELS[:3], names=NAMES[:3])
    with pytest.raises(SpecError, match=r"one\.npz is of 4 images and .*few\.npz of 3"):
        ensemble([one, fewer])
    narrow = sure_of(0, 1, 2, 3)[:, :7]
    narrow = saved(tmp_path / "narrow.npz", narrow / narrow.sum(1, keepdims=True), wnids=WNIDS[:7])
    with pytest.raises(SpecError, match=r"one\.npz knows 8 classes and .*narrow\.npz 7"):
        ensemble([one, narrow])


def test_nonsense_is_refused_in_a_sentence(members: tuple[Path, ...], tmp_path: Path, finished: dict[str, Run]):
    with pytest.raises(SpecError, match="1 member is given, and an ensemble takes at least 2"):
        ensemble(members[:1])
    with pytest.raises(SpecError, match=r"one\.npz is given twice; give it once"):
        ensemble([members[0], members[1], members[0]])
    with pytest.raises(SpecError, match="2 weights are given for 3 members"):
        ensemble(members, (1.0, 2.0))
    with pytest.raises(SpecError, match="the weights are 'some'; give equal, fitted, or a number for each member"):
        parsed("some")
    with pytest.raises(SpecError, match="none may be negative and one must be above 0"):
        parsed("1,-1")
    with pytest.raises(SpecError, match="none may be negative"):
        parsed("0,0")
    with pytest.raises(DataError, match=r"none\.npz is not there; give score files"):
        ensemble([members[0], tmp_path / "none.npz"])
    (tmp_path / "torn.npz").write_bytes(members[0].read_bytes()[:200])
    with pytest.raises(DataError, match=r"torn\.npz is no whole file of scores"):
        ensemble([members[0], tmp_path / "torn.npz"])
    with pytest.raises(SpecError, match=r"knows 8 classes and .*alexnet"):
        ensemble([members[0], finished["alexnet"].directory])
