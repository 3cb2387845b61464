"""The data model: chance, intervals, ranking and results.json."""

import json
import math
from dataclasses import asdict, replace

import pytest
from synthetic_race import bare_race, synthetic_race

from ilsvrc.reports.race_report import Data, interval, ranked, results


@pytest.mark.parametrize(
    ("classes", "top1", "top5"),
    [(20, 0.95, 0.75), (1000, 0.999, 0.995), (200, 0.995, 0.975), (3, 2 / 3, 0.0), (1, 0.0, 0.0)],
)
def test_chance_misses_all_but_the_guessed_classes(classes: int, top1: float, top5: float):
    data = Data(name="x", classes=classes, train_images=1, val_images=1, fingerprint="")
    assert data.chance_top1_error == pytest.approx(top1)
    assert data.chance_top5_error == pytest.approx(top5)


@pytest.mark.parametrize(("error", "images"), [(0.0, 10), (0.1325, 400), (0.5, 50), (1.0, 10), (0.03567, 100_000)])
def test_the_ends_of_the_interval_are_the_errors_that_would_just_not_surprise(error: float, images: int):
    # Wilson 1927: |measured - true| is 1.96 standard deviations of the true error at both ends.
    for end in interval(error, images):
        assert 0 <= end <= 1
        assert abs(error - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / images), abs=1e-6)


def test_no_error_in_ten_images_may_still_be_28_percent():
    assert interval(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test_the_best_comes_first_and_who_has_no_error_is_not_ranked():
    race = synthetic_race(4, 0)
    a, b, c, d = race.contenders
    race = replace(
        race,
        contenders=(
            replace(a, top5_error=0.3, top1_error=0.6),
            replace(b, top5_error=None),
            replace(c, top5_error=0.3, top1_error=0.5),
            replace(d, top5_error=math.nan),
        ),
    )
    assert [contender.name for contender in ranked(race)] == [c.name, a.name]


def test_an_error_of_zero_is_the_best_and_not_unknown():
    race = synthetic_race(2, 0)
    perfect = replace(race.contenders[1], top5_error=0.0)
    assert ranked(replace(race, contenders=(race.contenders[0], perfect)))[0] == perfect


def test_results_hold_every_field_of_every_contender_and_survive_json():
    race = synthetic_race(7, 3)
    record = json.loads(json.dumps(results(race), allow_nan=False))
    assert [entry["name"] for entry in record["entries"]] == [contender.name for contender in race.contenders]
    for entry, contender in zip(record["entries"], race.contenders, strict=True):
        expected = json.loads(json.dumps(asdict(contender)))
        del expected["drawing"]  # a picture, for the page alone
        assert {key: entry[key] for key in expected} == expected
        assert entry["top5_error_interval"] == pytest.approx(list(interval(contender.top5_error or 0.0, 400)))
    assert record["ranking"][0] == "se_resnet50"
    assert record["data"]["chance_top5_error"] == 0.75
    assert (record["seed"], record["machine"]["torch"], record["data"]["split"]) == (17, "2.13.0", "val")


def test_results_name_each_picture_and_its_guesses_but_hold_no_image():
    race = synthetic_race(2, 1)
    picture = results(race)["pictures"][0]
    assert picture["name"] == race.pictures[0].name
    assert [guess["word"] for guess in picture["answers"]["zfnet"]] == [
        g.word for g in race.pictures[0].answers[1].guesses
    ]
    assert "jpeg" not in picture


def test_what_is_unknown_or_infinite_is_null_in_the_results():
    race = bare_race()
    race = replace(race, contenders=(replace(race.contenders[0], top5_error=math.nan, seconds=math.inf),))
    entry = json.loads(json.dumps(results(race), allow_nan=False))["entries"][0]
    assert (entry["top5_error"], entry["seconds"], entry["top5_error_interval"], entry["parameters"]) == (None,) * 4
