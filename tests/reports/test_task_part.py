"""The page's part for a task of boxes: who was best, beside what a box without looking scores, boxes over images."""

import json

from ilsvrc.reports.task_part import overlay, sentence, task_section
from ilsvrc.reports.task_result import (
    Baseline,
    BoxPicture,
    Drawn,
    Finder,
    Finding,
    TaskResult,
    best_first,
    entry_rows,
    record,
)

WORDS = {"year": 2014, "team": "VGG", "differences": ("a <gap>",)}
GOOD = Finder(key="vgg-2014-loc", name="vgg16", title="VGG-16, PCR", localization_error=0.25, top5_error=0.1, **WORDS)
POOR = Finder(key="other-2013-loc", name="alexnet", title="AlexNet", localization_error=0.5, top5_error=0.1, **WORDS)
NONE = Finder(key="none-2012-loc", name="alexnet", title="Nobody", **WORDS)
PICTURE = BoxPicture(
    name="val_1",
    jpeg=b"\xff\xd8",
    width=200,
    height=100,
    truth=(Drawn(box=(10, 20, 59, 79), word="a <cat>", kind="truth"),),
    findings=(Finding(entry=GOOD.key, right=True, boxes=(Drawn(box=(12, 20, 61, 79), word="cat", kind="right"),)),),
)
RESULT = TaskResult(
    task="localization",
    finders=(POOR, GOOD, NONE),
    data="mini",
    classes=20,
    train_images=5000,
    val_images=1000,
    protocol="one centre crop",
    rules="eval_clsloc.m",
    baselines=(
        Baseline(label="the whole image", value=0.9, of="VGG-16"),
        Baseline(label="the best constant box", value=0.6, of="VGG-16"),
        Baseline(label="the whole image", value=0.95, of="AlexNet"),
    ),
    pictures=(PICTURE,),
)


def test_the_least_error_is_first_and_who_has_none_is_not_ranked():
    assert [finder.key for finder in best_first(RESULT)] == [GOOD.key, POOR.key]


def test_the_sentence_names_the_best_and_the_best_box_without_looking():
    said = sentence(RESULT).replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith("VGG-16, PCR of 2014 came out first, with a localization error of 25.0 % on 1,000 images")
    assert "60.0 % (VGG-16's labels, the best constant box)" in said


def test_what_a_box_scores_by_several_labels_is_one_line():
    page = str(task_section(RESULT)).replace("\N{NO-BREAK SPACE}", " ")
    assert "<li>the whole image: 90.0 % with VGG-16&#x27;s labels; 95.0 % with AlexNet&#x27;s labels</li>" in page


def test_rows_and_record_are_json_without_images_and_errors_have_their_interval():
    rows = json.loads(json.dumps(entry_rows(RESULT)))
    assert [row["localization_error"] for row in rows] == [0.5, 0.25, None]
    low, high = rows[1]["localization_error_interval"]
    assert low < 0.25 < high
    kept = json.loads(json.dumps(record(RESULT)))
    assert kept["ranking"] == [GOOD.key, POOR.key]
    assert "jpeg" not in kept["pictures"][0]
    assert kept["pictures"][0]["findings"][0]["boxes"][0]["box"] == [12, 20, 61, 79]


def test_a_box_is_drawn_in_the_image_s_pixels_with_both_edges_inside():
    drawn = overlay(PICTURE, PICTURE.findings[0].boxes, "a title")
    assert 'viewBox="0 0 200 100"' in drawn
    assert 'x="10" y="20" width="50" height="60"' in drawn
    assert 'class="right"' in drawn


def test_the_part_is_whole_and_escapes_what_it_shows():
    part = task_section(RESULT)
    assert 'id="localization"' in part
    assert "a &lt;gap&gt;" in part
    assert "<cat>" not in part
    assert part.count('class="overlay"') == 1
