"""What the official routines returned, case by case. Runs where the folder with their results lies beside the project.

Every case must give the routine's numbers in the manner of the kit; usually it gives them too, or is refused.
"""

import gzip
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilsvrc.data import devkit
from ilsvrc.data.devkit import read_ground_truth, read_image_list
from ilsvrc.errors import IlsvrcError
from ilsvrc.jobs import score
from ilsvrc.scoring import kaggle
from ilsvrc.scoring.classification import clsloc_flat_error, flat_error
from ilsvrc.scoring.detection import detect
from ilsvrc.scoring.detection_file import read_detections
from ilsvrc.scoring.hierarchy import cost_matrix, hierarchical_cost
from ilsvrc.scoring.localization import localization_errors
from ilsvrc.scoring.submission import read_guesses

KIT = Path(__file__).resolve().parents[2].parent / "shared" / "devkit"
GOLDEN = KIT / "golden"
read_synsets = cache(devkit.read_synsets)  # a table of 1,860 records for each of hundreds of cases
pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official routines' results are not beside the project")


def folders(prefix: str) -> list[str]:
    return sorted(path.parent.name for path in GOLDEN.glob(f"{prefix}*/expected.json"))


def small(name: str) -> list[dict[str, Any]]:
    file = GOLDEN / name / "cases.json"
    return json.loads(file.read_text())["cases"] if file.exists() else []


def named(*files: str, finished: bool = False) -> Any:
    """The small cases of some files; `finished` leaves out those on which the routine stopped."""
    cases = [
        pytest.param(case, id=f"{file}-{case['name']}")
        for file in files
        for case in small(file)
        if not (finished and "failure" in case["expected"])
    ]
    return pytest.mark.parametrize("case", cases)


@pytest.fixture(autouse=True)
def tables_read_once(monkeypatch):
    monkeypatch.setattr(devkit, "read_synsets", read_synsets)


def expected(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / name / "expected.json").read_text())["expected"]


def same(ours: float, theirs: float | str) -> bool:
    wanted = float(theirs)
    if math.isnan(wanted) or math.isinf(wanted):
        return str(ours) == str(wanted)
    return math.isclose(ours, wanted, rel_tol=1e-12, abs_tol=1e-15)


def all_same(ours: Any, theirs: list[float | str]) -> bool:
    return len(ours) == len(theirs) and all(same(float(a), b) for a, b in zip(ours, theirs, strict=True))


def written(folder: Path, case: dict[str, Any]) -> dict[str, Path]:
    """The files of a small case."""
    files = {}
    for key, text in case.items():
        if key.endswith("_text") and text is not None:
            files[key] = folder / key
            files[key].write_text(text)
    for name, text in case.get("gtruth_dir", {}).items():
        (folder / "xml").mkdir(exist_ok=True)
        (folder / "xml" / name).write_text(text)
    return files


# Classification ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", folders("cls_"))
def test_the_flat_error_of_50000_predictions_is_the_routines(name):
    truth = read_ground_truth(KIT / "ILSVRC2012_validation_ground_truth.txt")
    guesses = read_guesses(GOLDEN / name / "submission.txt.gz", boxes=False, images=50_000, classes=1000)
    found = expected(name)
    assert all_same([flat_error(guesses.labels, truth, k, none=0).value for k in found["k"]], found["error"])


@named("cls_small")
@pytest.mark.parametrize("manner", ["kit", "usual"])
def test_small_classification_files_score_as_the_routine_scores_them(case, manner, tmp_path):
    files = written(tmp_path, case)

    def ours(top: int) -> float:
        paths = files["predict_file_text"], files["gtruth_file_text"]
        return score.score_classification(*paths, rules=score.Rules(kit=2012, top=top, manner=manner)).values["error"]

    refused = manner == "usual" and case["name"] in NO_LABELS
    if "failure" in case["expected"] or refused:
        with pytest.raises(IlsvrcError):
            ours(5)
    else:
        assert all_same([ours(k) for k in case["expected"]["k"]], case["expected"]["error"])


NO_LABELS = {"words_in_line", "fractional_labels", "label_out_of_range", "nan_label"}


@cache
def costs_of_2012() -> np.ndarray:
    synsets = read_synsets(KIT / "ILSVRC2012_meta.mat")
    heights = [record.height or 0 for record in synsets.records]
    return cost_matrix([record.children for record in synsets.records], synsets.classes, heights)


def test_the_cost_matrix_of_meta_mat_is_the_one_given_to_the_routine():
    with gzip.open(GOLDEN / "hie_cost_matrix.txt.gz", "rt") as file:
        assert np.array_equal(np.loadtxt(file), costs_of_2012())


@pytest.mark.parametrize("kind", ["double", "uint8"])
@pytest.mark.parametrize("name", folders("hie_"))
def test_the_hierarchical_cost_of_50000_predictions_is_the_routines(name, kind):
    truth = read_ground_truth(KIT / "ILSVRC2012_validation_ground_truth.txt")
    submission = GOLDEN / name.replace("hie", "cls") / "submission.txt.gz"
    guesses = read_guesses(submission, boxes=False, images=50_000)
    costs = costs_of_2012().astype(np.float64 if kind == "double" else np.uint8)
    found = expected(name)[f"cost_matrix_{kind}"]
    assert all_same([hierarchical_cost(guesses.labels, truth, costs, k).value for k in found["k"]], found["error"])


@named("hie_small")
def test_small_hierarchical_problems_cost_what_the_routine_counts(case, tmp_path):
    files = written(tmp_path, case)
    truth = read_ground_truth(files["gtruth_file_text"])
    guesses = read_guesses(files["predict_file_text"], boxes=False)
    costs = np.loadtxt(files["cost_matrix_text"]).astype(case["cost_matrix_class"])
    if "failure" in case["expected"]:
        with pytest.raises(ValueError, match="6 classes"):
            hierarchical_cost(guesses.labels, truth, costs, 1)
        return
    ours = [hierarchical_cost(guesses.labels, truth, costs, k).value for k in case["expected"]["k"]]
    assert all_same(ours, case["expected"]["error"])


# Localization --------------------------------------------------------------------------------------------------------

RUNS = {
    "eval_clsloc_with_blacklist": (2014, True),
    "eval_clsloc_without_blacklist": (2014, False),
    "eval_localization_flat_2012": (2012, False),
}


REAL = [name for name in folders("loc_") if name != "loc_full_50k"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", REAL)
def test_real_localization_submissions_score_as_the_routines_score_them(name):
    here, synsets = GOLDEN / name, read_synsets(KIT / "meta_clsloc.mat")
    truth = read_ground_truth(here / "ground_truth.txt")
    objects = score.read_objects(here / "xml.tar.gz", synsets, len(truth), "usual")
    guesses = read_guesses(here / "submission.txt.gz", boxes=True, images=len(truth), classes=1000)
    listed = score.read_exclusions(here / "blacklist.txt", len(truth), "usual")
    for run, (kit, with_list) in RUNS.items():
        found, exclusions = expected(name)[run], listed if with_list else None
        ours = [localization_errors(guesses, truth, objects, k, kit=kit, exclusions=exclusions) for k in found["k"]]
        assert all_same([one.localization.value for one in ours], found.get("clsloc_error", found.get("error")))
        if "cls_error" in found:
            assert all_same([one.classification.value for one in ours], found["cls_error"])


def test_a_real_localization_submission_scores_so_from_its_files():
    here, found = GOLDEN / "loc_varlen_500", expected("loc_varlen_500")["eval_clsloc_with_blacklist"]
    files = [here / name for name in ("submission.txt.gz", "ground_truth.txt", "xml.tar.gz")]
    verdict = score.score_localization(*files, KIT / "meta_clsloc.mat", here / "blacklist.txt")
    assert same(verdict.values["localization_error"], found["clsloc_error"][found["k"].index(5)])
    assert same(verdict.values["classification_error"], found["cls_error"][found["k"].index(5)])


def test_all_50000_validation_images_localize_as_the_routine_counts():
    synsets = read_synsets(KIT / "meta_clsloc.mat")
    truth = KIT / "ILSVRC2012_validation_ground_truth.txt"
    boxes = KIT / "clsloc_val_boxes.csv.gz"
    wanted = read_ground_truth(truth)
    objects = score.read_objects(boxes, synsets, 50_000, "usual")
    exclusions = score.read_exclusions(KIT / "ILSVRC2014_clsloc_validation_blacklist.txt", 50_000, "usual")
    guesses = read_guesses(GOLDEN / "loc_full_50k" / "submission.txt.gz", boxes=True, images=50_000, classes=1000)
    found = expected("loc_full_50k")
    ours = [localization_errors(guesses, wanted, objects, k, exclusions=exclusions) for k in found["k"]]
    assert all_same([one.classification.value for one in ours], found["cls_error"])
    assert all_same([one.localization.value for one in ours], found["clsloc_error"])
    assert ours[0].localization.images == 48_238


NONSENSE = {"nan_box", "seven_numbers", "wildcard_label_1001_other_guess"}
NONSENSE |= {"blacklist_duplicate_entry", "blacklist_two_numbers_per_line"}


@pytest.mark.sampled(24)
@named("loc_small", "loc_fuzz")
@pytest.mark.parametrize("manner", ["kit", "usual"])
def test_small_localization_problems_score_as_the_routines_score_them(case, manner, tmp_path):
    files = written(tmp_path, case)
    paths = files["predict_file_text"], files["gtruth_file_text"], tmp_path / "xml", KIT / "meta_clsloc.mat"
    refused = manner == "usual" and case["name"] in NONSENSE

    def ours(top: int, kit: int) -> dict[str, float]:
        exclude = files.get("blacklist_file_text") if kit == 2014 else None
        found = score.score_localization(*paths, exclude=exclude, rules=score.Rules(kit=kit, top=top, manner=manner))
        return found.values

    for run, kit in (("eval_clsloc_two_outputs", 2014), ("eval_localization_flat_2012", 2012)):
        wanted = case["expected"][run]
        if "failure" in wanted or (refused and not (kit == 2012 and case["name"].startswith("blacklist"))):
            with pytest.raises(IlsvrcError):
                ours(5, kit)
            continue
        found = [ours(k, kit) for k in wanted["k"]]
        errors = wanted.get("clsloc_error", wanted.get("error"))
        assert all_same([one["localization_error"] for one in found], errors)
        if "cls_error" in wanted:
            assert all_same([one["classification_error"] for one in found], wanted["cls_error"])


@pytest.mark.sampled(24)
@named("loc_small", "loc_fuzz")
def test_the_labels_alone_are_scored_where_boxes_are_missing(case, tmp_path):
    files = written(tmp_path, case)
    wanted = case["expected"]["eval_clsloc_one_output"]
    truth = read_ground_truth(files["gtruth_file_text"])
    guesses = read_guesses(files["predict_file_text"], boxes=True, manner="kit")
    assert all_same([clsloc_flat_error(guesses.labels, truth, k).value for k in wanted["k"]], wanted["cls_error"])


# Detection -----------------------------------------------------------------------------------------------------------


def assert_detection(found: Any, wanted: dict[str, Any]) -> None:
    assert all_same(found.ap, wanted["ap"])
    assert same(found.mean.value, wanted["mean_ap"][0])
    assert same(found.median.value, wanted["median_ap"][0])
    assert [len(one.order) for one in found.classes] == wanted["num_points"]
    for which in ("recall", "precision"):
        last = [float(getattr(one, which)[-1]) if len(one.order) else -1.0 for one in found.classes]
        assert all_same(last, wanted[f"last_{which}"])
        for one in found.classes:
            if f"{which}_{one.label}" in wanted:
                assert all_same(getattr(one, which), wanted[f"{which}_{one.label}"])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", folders("det_"))
def test_real_detection_submissions_score_as_the_routine_scores_them(name, tmp_path):
    here = GOLDEN / name
    submission, images, exclude = here / "submission.txt.gz", here / "eval_list.txt", here / "blacklist.txt"
    if name == "det_demo_val2":
        images = KIT / "det_lists" / "ilsvrc13_val2.txt"
    if name == "det_demo_val2_sparse_index":
        submission, images = sparse(tmp_path)
    synsets = read_synsets(KIT / "meta_det.mat")
    listed = read_image_list(images)
    boxes = score.annotations.read_boxes(KIT / "ilsvrc13_det_val2_bbox.tar.gz", listed.names)
    objects = score.objects_of(boxes, synsets, "boxes", "usual")
    pairs = score.read_pairs(exclude if exclude.exists() else None, synsets)
    detections = read_detections(submission, classes=200)
    assert_detection(detect(detections, objects, listed.indices, pairs), expected(name))


def sparse(folder: Path) -> tuple[Path, Path]:
    """The demonstration submission and the list of val2's images, both in the numbering of val.txt."""
    half = set(read_image_list(KIT / "det_lists" / "ilsvrc13_val2.txt").names)
    lines = [line for line in (KIT / "det_lists" / "val.txt").read_text().splitlines() if line.split()[0] in half]
    kept = {line.split()[1].encode() for line in lines}
    (folder / "list.txt").write_text("\n".join(lines))
    with gzip.open(KIT / "demo.val.pred.det.txt.gz") as file:
        (folder / "submission.txt").write_bytes(b"".join(line for line in file if line.split()[0] in kept))
    return folder / "submission.txt", folder / "list.txt"


REFUSED = {"label_zero", "label_500", "score_nan_last_in_file", "box_nan"}
REFUSED |= {"object_corners_swapped", "same_image_listed_twice", "text_one_column_missing"}


@pytest.mark.sampled(24)
@named("det_small", "det_fuzz")
@pytest.mark.parametrize("manner", ["kit", "usual"])
def test_small_detection_problems_score_as_the_routine_scores_them(case, manner, tmp_path):
    files = written(tmp_path, case)

    def ours() -> Any:
        return score.score_detection(
            files["predict_file_text"],
            tmp_path / "xml",
            files["eval_file_text"],
            KIT / "meta_det.mat",
            exclude=files.get("blacklist_file_text"),
            rules=score.Rules(kit=2014, manner=manner),
        )

    wanted = case["expected"]
    if "failure" in wanted or (manner == "usual" and case["name"] in REFUSED):
        with pytest.raises(IlsvrcError):
            ours()
        return
    found = ours()
    assert all_same(list(found.values["per_class_ap"].values()), wanted["ap"])
    assert same(found.values["mean_ap"], wanted["mean_ap"][0])


@pytest.mark.sampled(24)
@named("det_small", "det_fuzz", finished=True)
def test_small_detection_problems_have_the_routines_curves(case, tmp_path):
    files = written(tmp_path, case)
    synsets = read_synsets(KIT / "meta_det.mat")
    listed = read_image_list(files["eval_file_text"])
    objects = score.objects_of(score.annotations.read_boxes(tmp_path / "xml", listed.names), synsets, "xml", "kit")
    detections = read_detections(files["predict_file_text"], manner="kit")
    pairs = score.read_pairs(files.get("blacklist_file_text"), synsets)
    assert_detection(detect(detections, objects, listed.indices, pairs), case["expected"])


def test_every_kind_of_result_is_there():
    kinds = {path.name for path in GOLDEN.iterdir()}
    assert {"cls_small", "hie_small", "loc_small", "loc_fuzz", "det_small", "det_fuzz"} <= kinds
    assert kaggle.is_kaggle(KIT / "clsloc_val_boxes.csv.gz")
