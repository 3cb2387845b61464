"""`ilsvrc score` from files to verdict, on the mini set: a kit of 20 classes with validation lists of its own."""

import gzip
import json
import shutil
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ilsvrc.commands.score import app
from ilsvrc.data import annotations, devkit
from ilsvrc.errors import DataError, SpecError, SubmissionError
from ilsvrc.jobs import score, score_convert
from ilsvrc.scoring import kaggle
from ilsvrc.scoring.submission import Guesses, read_guesses, write_guesses


@pytest.fixture(scope="session")
def kit(tiny, tmp_path_factory) -> dict[str, Path]:
    """The mini set's kits and a submission to each task: the truth, with known mistakes in it."""
    data, det = tiny / "devkit" / "data", tiny / "det" / "devkit" / "data"
    folder = tmp_path_factory.mktemp("submissions")
    files = {
        "truth": data / "ILSVRC2012_validation_ground_truth.txt",
        "meta": data / "meta.mat",
        "exclude": data / "ILSVRC2014_clsloc_validation_blacklist.txt",
        "boxes": tiny / "bbox" / "val",
        "det_meta": det / "meta_det.mat",
        "det_boxes": tiny / "det" / "bbox" / "val",
        "det_images": det / "det_lists" / "val.txt",
        "det_exclude": det / "ILSVRC2014_det_validation_blacklist.txt",
        "labels": folder / "labels.txt",
        "groups": folder / "groups.txt",
        "detections": folder / "detections.txt",
    }
    truth = devkit.read_ground_truth(files["truth"])[:, 0].tolist()
    # Every fourth label comes second, every eighth not at all.
    rows = [[21 - true] * (i % 8 == 7) or ([21 - true] * (i % 4 == 3) + [true]) for i, true in enumerate(truth)]
    files["labels"].write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    synsets = devkit.read_synsets(files["meta"])
    found = annotations.read_boxes(files["boxes"])
    first = {}
    for image, wnid, box in zip(found.image.tolist(), found.wnids, found.box.tolist(), strict=True):
        if synsets.ids[wnid] == truth[image]:
            first.setdefault(image, box)
    # Every fifth box is far from the object.
    boxes = [[900, 900, 950, 950] if i % 5 == 4 else first[i] for i in range(len(truth))]
    lines = (" ".join(f"{label} {' '.join(map(str, boxes[i]))}" for label in row) for i, row in enumerate(rows))
    files["groups"].write_text("".join(f"{line}\n" for line in lines))
    write_true_detections(files)
    return files


def write_true_detections(files: dict[str, Path]) -> None:
    synsets = devkit.read_synsets(files["det_meta"])
    listed = devkit.read_image_list(files["det_images"])
    found = annotations.read_boxes(files["det_boxes"], listed.names)
    with files["detections"].open("w") as file:
        for image, wnid, box in zip(found.image.tolist(), found.wnids, found.box.tolist(), strict=True):
            file.write(f"{listed.indices[image]} {synsets.ids[wnid]} 0.5 {' '.join(map(str, box))}\n")


def run(capsys, *words: Any) -> str:
    with pytest.raises(SystemExit) as left:
        app([str(word) for word in words])
    assert left.value.code in (0, None)
    return capsys.readouterr().out


def test_classification_prints_one_object_for_machines(kit, capsys):
    out = run(capsys, "classification", kit["labels"], "--truth", kit["truth"], "--json")
    assert json.loads(out) == {"task": "classification", "kit": 2012, "top": 5, "error": 5 / 40, "images": 40}
    out = run(capsys, "classification", kit["labels"], "--truth", kit["truth"], "--json", "--top", 1)
    assert json.loads(out)["error"] == 10 / 40


def test_the_kit_of_2014_reads_labels_from_groups(kit):
    found = score.score_classification(kit["groups"], kit["truth"], kit["meta"], score.Rules(kit=2014))
    assert found.values["error"] == 5 / 40


def test_the_kit_of_2010_counts_the_hierarchical_cost(kit):
    found = score.score_classification(kit["labels"], kit["truth"], kit["meta"], score.Rules(kit=2010))
    assert found.values["error"] == 5 / 40
    # In the mini set's tree a class shares a digit (height 1) or the root alone (height 2) with another.
    assert 5 / 40 <= found.values["hierarchical_cost"] <= 10 / 40


def test_localization_leaves_excluded_images_out_of_one_error_alone(kit, capsys):
    words = "--truth", kit["truth"], "--boxes", kit["boxes"], "--meta", kit["meta"]
    whole = json.loads(run(capsys, "localization", kit["groups"], *words, "--json"))
    right = sum(i % 8 != 7 and i % 5 != 4 for i in range(40))
    assert whole == {
        "task": "localization",
        "kit": 2014,
        "top": 5,
        "classification_error": 5 / 40,
        "localization_error": (40 - right) / 40,
        "images": 40,
        "excluded": 0,
    }
    excluded = devkit.read_exclusions(kit["exclude"])[:, 0] - 1
    found = json.loads(run(capsys, "localization", kit["groups"], *words, "--exclude", kit["exclude"], "--json"))
    wrong = sum((i % 8 == 7 or i % 5 == 4) and i not in excluded for i in range(40))
    assert found["localization_error"] == wrong / (40 - len(excluded))
    assert found["classification_error"] == 5 / 40


def test_detection_of_everything_has_a_mean_ap_of_one(kit, capsys):
    words = "--truth", kit["det_boxes"], "--images", kit["det_images"], "--meta", kit["det_meta"]
    found = json.loads(run(capsys, "detection", kit["detections"], *words, "--json"))
    assert (found["task"], found["kit"], found["top"]) == ("detection", 2014, None)
    assert found["mean_ap_of_classes_with_objects"] == 1
    synsets = devkit.read_synsets(kit["det_meta"])
    assert list(found["per_class_ap"]) == [record.wnid for record in synsets.records[: len(found["per_class_ap"])]]
    again = json.loads(run(capsys, "detection", kit["detections"], *words, "--exclude", kit["det_exclude"], "--json"))
    assert again["excluded"] == len(devkit.read_excluded_pairs(kit["det_exclude"])[1])


def test_nan_is_null_for_machines(kit, tmp_path):
    ids = devkit.read_synsets(kit["det_meta"]).ids
    found = annotations.read_boxes(kit["det_boxes"])
    highest = int(np.argmax([ids[wnid] for wnid in found.wnids]))
    image = int(found.image[highest])
    there = {ids[wnid] for wnid, of in zip(found.wnids, found.image.tolist(), strict=True) if of == image}
    absent = min(set(range(1, max(there))) - there)
    (tmp_path / "list.txt").write_text(f"{found.names[image]} 1\n")
    (tmp_path / "one.txt").write_text(f"1 {absent} 0.5 1 1 9 9\n")
    verdict = score.score_detection(tmp_path / "one.txt", kit["det_boxes"], tmp_path / "list.txt", kit["det_meta"])
    values = verdict.as_json()
    assert (values["mean_ap"], list(values["per_class_ap"].values())[absent - 1]) == (None, None)
    assert values["mean_ap_of_classes_with_objects"] == 0
    assert "1 classes are detected but have no object here" in verdict.remarks[0]
    json.dumps(values, allow_nan=False)


def test_gzipped_files_and_tars_score_the_same(kit, tmp_path):
    for name in ("groups", "truth"):
        (tmp_path / name).write_bytes(gzip.compress(kit[name].read_bytes()))
    with tarfile.open(tmp_path / "boxes.tgz", "w:gz") as archive:
        archive.add(kit["boxes"], "val")
    plain = score.score_localization(kit["groups"], kit["truth"], kit["boxes"], kit["meta"])
    packed = score.score_localization(tmp_path / "groups", tmp_path / "truth", tmp_path / "boxes.tgz", kit["meta"])
    assert plain.values == packed.values


def test_kaggles_files_score_the_same(kit, tmp_path):
    side, to = score_convert.side("kit", kit["meta"]), score_convert.side("kaggle", kit["meta"])
    score_convert.convert(kit["groups"], tmp_path / "s.csv", "localization", side, to, "val")
    found = annotations.read_boxes(kit["boxes"])
    kaggle.write_solution(tmp_path / "t.csv", kaggle.Solution(found.names, found.image, found.wnids, found.box))
    plain = score.score_localization(kit["groups"], kit["truth"], kit["boxes"], kit["meta"])
    others = score.score_localization(tmp_path / "s.csv", kit["truth"], tmp_path / "t.csv", kit["meta"])
    assert plain.values == others.values


def test_the_terminal_gets_lines_with_the_full_value(kit, capsys):
    out = run(capsys, "classification", kit["labels"], "--truth", kit["truth"], "--meta", kit["meta"])
    lines = out.splitlines()
    assert lines[0] == "top-5 error\t0.125\t40 images, 0 left out\teval_flat.m, kits of 2010 to 2012"
    assert "Classes by top-5 error" in lines
    assert "Classes confused most" in lines


def page(path: Path) -> ElementTree.Element:
    text = path.read_text()
    assert text.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def test_the_page_is_whole_and_opens_offline(kit, tmp_path, capsys):
    words = "--truth", kit["det_boxes"], "--images", kit["det_images"], "--meta", kit["det_meta"]
    run(capsys, "detection", kit["detections"], *words, "--html", tmp_path / "d.html", "--json")
    words = "--truth", kit["truth"], "--boxes", kit["boxes"], "--meta", kit["meta"]
    run(capsys, "localization", kit["groups"], *words, "--html", tmp_path / "l.html", "--json")
    run(capsys, "classification", kit["labels"], *words[:2], "--html", tmp_path / "c.html", "--json")
    for name in ("c", "l", "d"):
        tree = page(tmp_path / f"{name}.html")
        used = {value for one in tree.iter() for key, value in one.attrib.items() if key in ("src", "href")}
        assert all(value.startswith(("#", "data:")) for value in used)
        assert not list(tree.iter("script"))
        assert len(list(tree.iter("h1"))) == 1
        assert list(tree.iter("svg"))
        assert "prefers-color-scheme: dark" in "".join(one.text or "" for one in tree.iter("style"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c.html", "d.html", "l.html"]


def test_a_page_that_cannot_be_written_is_an_error_of_one_sentence(kit, tmp_path):
    (tmp_path / "no").write_text("a file where a folder belongs")
    with pytest.raises(SpecError, match="cannot be written"):
        app(["classification", str(kit["labels"]), "--truth", str(kit["truth"]), "--html", str(tmp_path / "no" / "p")])


def changed(path: Path, folder: Path, line: int, text: str) -> Path:
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    (folder / path.name).write_text("\n".join(lines))
    return folder / path.name


def test_what_is_wrong_with_a_submission_is_said_with_file_line_found_and_wanted(kit, tmp_path):
    for text, fault in (
        ("21", "line 3: the label 21, where a class of 1 to 20 belongs"),
        ("tench", "line 3: 'tench' where a number belongs"),
    ):
        path = changed(kit["labels"], tmp_path, 3, text)
        with pytest.raises(SubmissionError, match=fault) as caught:
            score.score_classification(path, kit["truth"], kit["meta"])
        assert "labels.txt" in str(caught.value)
    shorter = tmp_path / "short.txt"
    shorter.write_text("\n".join(kit["labels"].read_text().splitlines()[:-1]))
    with pytest.raises(SubmissionError, match="has 39 lines of numbers; the ground truth has 40 images"):
        score.score_classification(shorter, kit["truth"])


def test_a_file_of_labels_alone_is_not_taken_for_boxes(kit, tmp_path):
    rng = np.random.default_rng(0)
    write_guesses(tmp_path / "five.txt", Guesses(rng.integers(1, 21, (40, 5))))
    assert read_guesses(tmp_path / "five.txt", boxes=False).labels.shape == (40, 5)
    with pytest.raises(SubmissionError, match="looks like a file of labels alone"):
        score.score_classification(tmp_path / "five.txt", kit["truth"], kit["meta"], score.Rules(kit=2014))


def test_strict_refuses_inverted_boxes_and_the_kits_manner_takes_anything(kit, tmp_path):
    path = changed(kit["groups"], tmp_path, 2, "3 90 5 10 50")
    rest = kit["truth"], kit["boxes"], kit["meta"], None
    usual = score.score_localization(path, *rest)
    assert usual.remarks == (
        f"1 of {usual.remarks[0].split()[2]} boxes have xmax < xmin or ymax < ymin; the kit takes them as they are",
    )
    with pytest.raises(SubmissionError, match="line 2: the box 90 5 10 50"):
        score.score_localization(path, *rest, score.Rules(kit=2014, manner="strict"))
    path = changed(kit["groups"], tmp_path, 2, "3 nan 5 10 50")
    with pytest.raises(SubmissionError, match="line 2: the box nan 5 10 50"):
        score.score_localization(path, *rest)
    score.score_localization(path, *rest, score.Rules(kit=2014, manner="kit"))


def test_wrong_ground_truth_is_a_data_error(kit, tmp_path):
    with pytest.raises(DataError, match=r"label 99 \(image 2\), but meta.mat has 20 classes"):
        score.score_classification(kit["labels"], changed(kit["truth"], tmp_path, 2, "99"), kit["meta"])
    (tmp_path / "list.txt").write_text("500\n")
    with pytest.raises(DataError, match="excludes image 500, but there are 40"):
        score.score_localization(kit["groups"], kit["truth"], kit["boxes"], kit["meta"], tmp_path / "list.txt")
    (tmp_path / "pairs.txt").write_text("1 n99999999\n")
    with pytest.raises(DataError, match="the pair of image 1 names n99999999"):
        score.score_detection(
            kit["detections"], kit["det_boxes"], kit["det_images"], kit["det_meta"], tmp_path / "pairs.txt"
        )


def test_boxes_with_a_gap_in_their_names_do_not_go_with_lines(kit, tmp_path):
    shutil.copytree(kit["boxes"], tmp_path / "val")
    names = sorted((tmp_path / "val").iterdir())
    names[7].unlink()
    with pytest.raises(DataError, match=r"39 images for 40 lines, and its image 8 is .*9: with such gaps"):
        score.score_localization(kit["groups"], kit["truth"], tmp_path / "val", kit["meta"])


def test_boxes_of_unknown_classes_are_refused_with_their_images(kit, tmp_path):
    shutil.copytree(kit["boxes"], tmp_path / "val")
    first = min((tmp_path / "val").iterdir())
    wnid = annotations.read_boxes(kit["boxes"]).wnids[0]
    first.write_text(first.read_text().replace(wnid, "n99999999"))
    with pytest.raises(DataError, match=f"{first.stem} names n99999999"):
        score.score_localization(kit["groups"], kit["truth"], tmp_path / "val", kit["meta"])


def test_a_detection_on_an_image_that_is_not_listed_is_refused_with_its_line(kit, tmp_path):
    path = changed(kit["detections"], tmp_path, 4, "4000 1 0.5 1 1 2 2")
    with pytest.raises(SubmissionError, match=r"detections.txt has a fault: line 4: image 4000"):
        score.score_detection(path, kit["det_boxes"], kit["det_images"], kit["det_meta"])


def test_an_index_given_to_two_images_is_refused(kit, tmp_path):
    text = kit["det_images"].read_text().splitlines()
    (tmp_path / "list.txt").write_text("\n".join([*text, f"{text[0].split()[0]} {text[1].split()[1]}"]))
    with pytest.raises(DataError, match="to 2 images; one each is wanted"):
        score.score_detection(kit["detections"], kit["det_boxes"], tmp_path / "list.txt", kit["det_meta"])


def test_a_kit_without_the_task_is_refused(kit):
    with pytest.raises(SpecError, match="2010 had no localization"):
        score.score_localization(kit["groups"], kit["truth"], kit["boxes"], kit["meta"], None, score.Rules(kit=2010))
    with pytest.raises(SpecError, match="knows no exclusion list"):
        score.score_localization(
            kit["groups"], kit["truth"], kit["boxes"], kit["meta"], kit["exclude"], score.Rules(kit=2012)
        )
    with pytest.raises(SpecError, match="kit 2012 has no detection"):
        score.score_detection(
            kit["detections"], kit["det_boxes"], kit["det_images"], kit["det_meta"], None, score.Rules(kit=2012)
        )
    with pytest.raises(SpecError, match="top is 0"):
        score.Rules(kit=2012, top=0)
    with pytest.raises(SpecError, match="choose one of them"):
        app(["classification", str(kit["labels"]), "--truth", str(kit["truth"]), "--strict", "--as-the-kit"])


def test_kaggles_files_want_the_table_of_classes(kit, tmp_path):
    (tmp_path / "s.csv").write_text("ImageId,PredictionString\na,1 1 1 2 2\n")
    with pytest.raises(SpecError, match=r"give the kit's meta.mat with --meta"):
        score.score_classification(tmp_path / "s.csv", kit["truth"])


FORMS = ("kit", "kit-from-0", "sorted", "sorted-from-1", "kaggle")


@pytest.mark.parametrize("form", FORMS)
def test_a_submission_comes_back_from_any_form_as_it_was(kit, tmp_path, form, capsys):
    words = "--meta", kit["meta"], "--task", "localization"
    run(capsys, "convert", kit["groups"], tmp_path / "there", "--from", "kit", "--to", form, *words)
    run(capsys, "convert", tmp_path / "there", tmp_path / "back.txt", "--from", form, "--to", "kit", *words)
    before, after = (read_guesses(path, boxes=True) for path in (kit["groups"], tmp_path / "back.txt"))
    assert np.array_equal(before.labels, after.labels)
    assert np.array_equal(before.boxes, after.boxes)


@pytest.mark.parametrize("task", ["classification", "detection"])
@pytest.mark.parametrize("form", FORMS[1:4])
def test_labels_and_detections_come_back_too(kit, tmp_path, task, form):
    source, meta = (kit["labels"], kit["meta"]) if task == "classification" else (kit["detections"], kit["det_meta"])
    ours, other = score_convert.side("kit", meta), score_convert.side(form, meta)
    rows = score_convert.convert(source, tmp_path / "there", task, ours, other)
    assert score_convert.convert(tmp_path / "there", tmp_path / "back", task, other, ours) == rows
    if task == "classification":
        assert (tmp_path / "back").read_text() == source.read_text()
    else:
        assert (tmp_path / "back").read_text() == source.read_text().replace(".0 ", " ").replace(".0\n", "\n")


def test_between_kits_the_wnid_decides(kit, tmp_path):
    ours, other = score_convert.side("kit", kit["meta"]), score_convert.side("kit", kit["det_meta"])
    score_convert.convert(kit["labels"], tmp_path / "there", "classification", ours, other)
    first, second = (read_guesses(path, boxes=False).labels[0, 0] for path in (kit["labels"], tmp_path / "there"))
    assert ours.wnids[first - 1] == other.wnids[second - 1]
    assert first != second


def test_kaggles_mapping_serves_where_no_kits_ids_are_wanted(kit, tmp_path):
    synsets = devkit.read_synsets(kit["meta"])
    kaggle.write_mapping(tmp_path / "map.txt", synsets.wnids, [synsets.name(i) for i in range(1, 21)])
    run_side = score_convert.side("sorted", tmp_path / "map.txt")
    assert sorted(run_side.wnids) == list(synsets.sorted_wnids)
    with pytest.raises(SpecError, match=r"the numbering kit wants the kit's meta.mat"):
        score_convert.side("kit", tmp_path / "map.txt")


def test_conversions_without_sense_are_refused(kit, tmp_path):
    ours, other = score_convert.side("kit", kit["meta"]), score_convert.side("kaggle", kit["meta"])
    with pytest.raises(SpecError, match="wants a box for each guess"):
        score_convert.convert(kit["labels"], tmp_path / "x", "classification", ours, other)
    with pytest.raises(SpecError, match="for localization"):
        score_convert.convert(kit["detections"], tmp_path / "x", "detection", ours, other)
    (tmp_path / "gap.csv").write_text("ImageId,PredictionString\nv_1,1 1 1 2 2\nv_3,1 1 1 2 2\n")
    with pytest.raises(SubmissionError, match="v_3 as its row 2 by name"):
        score_convert.convert(tmp_path / "gap.csv", tmp_path / "x", "localization", other, ours)
    (tmp_path / "six.txt").write_text("21\n")
    with pytest.raises(SubmissionError, match="the label 21, where a class of 1 to 20"):
        score_convert.convert(tmp_path / "six.txt", tmp_path / "x", "classification", ours, ours)
