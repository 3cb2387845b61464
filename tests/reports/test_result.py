"""The race's drawings: what is on which axis, and what a long training costs the page."""

import math
from dataclasses import replace
from xml.etree import ElementTree

from synthetic_race import bare_race, synthetic_race

from ilsvrc.reports.race_report import Point
from ilsvrc.reports.result import POINTS, curves_section, published_error, result_section
from ilsvrc.spec import Reported


def paths(html: str) -> list[list[str]]:
    root = ElementTree.fromstring(html)
    found = [node for node in root.iter("path") if node.get("class") == "line"]
    return [(node.get("d") or "").removeprefix("M").split("L") for node in found]


def test_the_published_error_that_is_drawn_is_the_first_top_5_error():
    contender = synthetic_race(1, 0).contenders[0]
    top1 = Reported(metric="top-1 error", percent=40.7, split="val", source="table 2")
    single = Reported(metric="top-5 error", percent=18.2, split="val", source="table 2")
    five = Reported(metric="top-5 error, 5 networks", percent=16.4, split="test", source="table 2")
    assert published_error(replace(contender, published=(top1, single, five))) == single
    assert published_error(replace(contender, published=(top1,))) is None


def test_a_network_without_published_error_keeps_its_row():
    race = synthetic_race(2, 0)
    race = replace(race, contenders=(race.contenders[0], replace(race.contenders[1], published=())))
    figure = result_section(race).split("As published")[1].split("</figure>")[0]
    assert "ZFNet" in figure
    assert "no result" in figure


def test_four_drawings_show_every_network_twice_wide_and_narrow():
    assert len(paths(curves_section(synthetic_race(7, 0)) or "")) == 4 * 2 * 7


def test_a_training_of_ten_thousand_points_is_thinned_to_what_can_be_seen_and_keeps_its_ends():
    points = tuple(Point(epoch=i / 100, seconds=float(i), train_loss=1.0, val_top5_error=0.5) for i in range(10_001))
    race = synthetic_race(1, 0)
    html = curves_section(replace(race, contenders=(replace(race.contenders[0], curve=points),))) or ""
    for path in paths(html):
        assert len(path) <= POINTS + 1
        assert path[0].split()[0] == "46.0"  # the left end of every drawing
    first, last = (float(place.split()[0]) for place in (paths(html)[0][0], paths(html)[0][-1]))
    assert last > first + 200


def test_points_without_a_number_are_left_out_and_no_curve_makes_no_part():
    race = synthetic_race(1, 0)
    curve = (
        Point(epoch=1, seconds=1, train_loss=2.0),
        Point(epoch=2, seconds=2, train_loss=math.nan, val_top5_error=0.5),
        Point(epoch=3, seconds=3, train_loss=1.0, val_top5_error=0.4),
    )
    lengths = [
        len(path)
        for path in paths(curves_section(replace(race, contenders=(replace(race.contenders[0], curve=curve),))) or "")
    ]
    assert lengths == [2] * 8
    assert curves_section(bare_race()) is None


def test_one_point_and_a_training_of_no_time_do_not_stop_the_page():
    race = synthetic_race(1, 0)
    curve = (Point(epoch=0, seconds=0, train_loss=0.0, val_top5_error=0.0),)
    assert curves_section(replace(race, contenders=(replace(race.contenders[0], curve=curve),)))


def test_a_loss_that_exploded_for_a_moment_does_not_flatten_the_others():
    race = synthetic_race(2, 0)
    wild = replace(race.contenders[0].curve[3], train_loss=1e9)
    curve = (*race.contenders[0].curve[:3], wild, *race.contenders[0].curve[4:])
    html = (
        curves_section(replace(race, contenders=(replace(race.contenders[0], curve=curve), race.contenders[1]))) or ""
    )
    assert "1,000,000,000" not in html
