"""The published results against the two figures everyone knows (Russakovsky et al. 2015 and the talks up to 2017)."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from ilsvrc.entries.history import HISTORY, HUMAN, SECOND_HUMAN, Result, winners

SHEET = Path(__file__).resolve().parents[2].parent / "shared" / "challenge.md"


def percents(results: tuple[Result, ...], digits: int = 1) -> list[float]:
    return [round(100 * r.value, digits) for r in results]


def test_the_bars_of_the_well_known_figure_fall_from_28_percent_to_two():
    assert [r.year for r in winners("classification")] == list(range(2010, 2018))
    assert percents(winners("classification")) == [28.2, 25.8, 16.4, 11.7, 6.7, 3.6, 3.0, 2.3]


def test_with_outside_data_supervision_and_clarifai_did_one_point_better():
    assert [(r.year, r.team, round(100 * r.value, 1)) for r in winners("classification", "outside")][:2] == [
        (2012, "SuperVision", 15.3),
        (2013, "Clarifai", 11.2),
    ]


def test_localization_starts_in_2011_and_detection_in_2013():
    assert percents(winners("localization")) == [42.5, 34.2, 29.9, 25.3, 9.0, 7.7, 6.2]
    assert [r.year for r in winners("localization")] == list(range(2011, 2018))
    assert percents(winners("detection")) == [22.6, 37.2, 62.1, 66.3, 73.2]
    assert [r.year for r in winners("detection")] == list(range(2013, 2018))


def test_googlenet_won_the_detection_of_2014_with_outside_data():
    best = next(r for r in winners("detection", "outside") if r.year == 2014)
    assert (best.team, best.value) == ("GoogLeNet", 0.439)


def test_the_runner_up_of_a_classification_is_never_better_than_its_winner():
    for first in (r for r in HISTORY if r.place == 1 and r.task != "detection"):
        rivals = [r for r in HISTORY if (r.year, r.task, r.data, r.place) == (first.year, first.task, first.data, 2)]
        assert all(r.value > first.value for r in rivals), first


def test_each_year_task_and_data_has_at_most_one_first_and_one_second():
    keys = [(r.year, r.task, r.data, r.place) for r in HISTORY]
    assert len(keys) == len(set(keys))


def test_two_people_took_the_test():
    assert (HUMAN.error, HUMAN.images) == (0.051, 1500)
    assert (SECOND_HUMAN.error, SECOND_HUMAN.images) == (0.120, 258)


@pytest.mark.parametrize("result", HISTORY, ids=lambda r: f"{r.year}-{r.task}-{r.team}-{r.data}")
def test_every_result_has_a_source_and_survives_json(result: Result):
    assert result.split == "test"
    assert str(result.year) in result.source
    assert 0 < result.value < 1
    assert result.metric == ("mean AP" if result.task == "detection" else "top-5 error")
    assert Result(**json.loads(json.dumps(asdict(result)))) == result


def test_what_the_sheet_calls_unverified_is_marked_and_nothing_else():
    if not SHEET.exists():
        pytest.skip("shared/challenge.md is not beside the project")
    tables = dict(zip(("classification", "localization", "detection"), _tables(SHEET.read_text()), strict=True))
    # Two rows of the sheet are prose: detection 2013 with outside data, and the second of detection 2017.
    prose = {(2013, "detection", "outside", 1), (2013, "detection", "outside", 2), (2017, "detection", "provided", 2)}
    for result in HISTORY:
        if (result.year, result.task, result.data, result.place) in prose:
            continue
        row = next(row for row in tables[result.task] if row[0] == str(result.year) and row[1].startswith(result.data))
        cell = row[3 if result.place == 1 else -1].replace("0.439329 (unverified digits; 43.9 % in the paper)", "0.439")
        # A cell is a seen number, with more digits from memory in brackets, or a number from memory alone.
        seen = re.sub(r"\(0\.\d+ \(unverified\)\)", "", cell)
        assert ("unverified" in seen) == result.unverified, (result, cell)
        assert re.match(rf"{result.value}0*\b", cell) or f"({result.value})" in cell, (result, cell)


def _tables(text: str) -> list[list[list[str]]]:
    section = text.split("## 1.")[1].split("## 2.")[0]
    parts = section.split("\n### ")[1:4]
    return [
        [[c.strip() for c in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| 20")]
        for part in parts
    ]
