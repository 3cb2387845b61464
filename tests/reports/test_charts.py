"""The drawings: lengths are in proportion, words stay inside and apart."""

import itertools
from xml.etree import ElementTree

import pytest

from ilsvrc.reports import charts
from ilsvrc.reports.charts import Bar, Mark, Series
from ilsvrc.reports.markup import Html

LONG = "A network with a name as long as a sentence (256x256d, wide)"


def nodes(svg: Html, tag: str, kind: str) -> list[ElementTree.Element]:
    return [node for node in ElementTree.fromstring(svg).iter(tag) if kind in (node.get("class") or "").split()]


def number(node: ElementTree.Element, name: str) -> float:
    return float(node.get(name) or "nan")


def boxes(svg: Html) -> list[tuple[str, float, float, float, float]]:
    """Of every word: text, left, right, top, bottom; widths as the charts estimate them."""
    found = []
    for node in ElementTree.fromstring(svg).iter("text"):
        size, x, y = number(node, "font-size"), number(node, "x"), number(node, "y")
        width = charts.text_width(node.text or "", size)
        left = x - width * {"end": 1.0, "middle": 0.5}.get(node.get("text-anchor") or "", 0.0)
        found.append((node.text or "", left, left + width, y - 0.75 * size, y + 0.2 * size))
    return found


def assert_tidy(svg: Html) -> None:
    frame = ElementTree.fromstring(svg)
    width, height = (float(frame.get(side) or 0) for side in ("width", "height"))
    words = boxes(svg)
    for text, left, right, top, bottom in words:
        assert left >= -1, text
        assert right <= width + 1, text
        assert top >= -1, text
        assert bottom <= height + 1, text
    for (a, l1, r1, t1, b1), (b, l2, r2, t2, b2) in itertools.combinations(words, 2):
        assert min(r1, r2) - max(l1, l2) <= 1 or min(b1, b2) - max(t1, t2) <= 1, (a, b)


def rows(count: int, label: str = "Net") -> list[Bar]:
    return [
        Bar(
            label=f"{label} {i}",
            note="2012",
            value=i / 20,
            second=min(1, i / 15),
            low=i / 22,
            high=min(1, i / 18),
            color=f"c{i}",
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("width", [340.0, 540.0])
def test_bars_are_as_long_as_their_values(width: float):
    svg = charts.bars(rows(20), title="t", width=width, axis=charts.percent_axis("", 1.0))
    thick = [node for node in nodes(svg, "rect", "bar") if "thin" not in (node.get("class") or "")]
    unit = number(thick[10], "width") / 0.5
    assert [number(node, "width") for node in thick] == pytest.approx([unit * i / 20 for i in range(20)], abs=0.02)
    assert len({number(node, "x") for node in thick}) == 1
    thin = nodes(svg, "rect", "thin")
    assert [number(node, "width") for node in thin] == pytest.approx(
        [unit * min(1, i / 15) for i in range(20)], abs=0.02
    )


def test_a_mark_stands_where_a_bar_of_its_value_ends():
    svg = charts.bars(
        [Bar(label="Net", value=0.75)],
        title="t",
        width=500,
        axis=charts.percent_axis("", 1.0),
        marks=[Mark(label="chance", value=0.75)],
    )
    bar, mark = nodes(svg, "rect", "bar")[0], nodes(svg, "line", "mark")[0]
    assert number(mark, "x1") == pytest.approx(number(bar, "x") + number(bar, "width"), abs=0.02)


def test_a_mark_beyond_the_axis_is_not_drawn():
    svg = charts.bars(
        rows(2), title="t", width=500, axis=charts.percent_axis("", 0.2), marks=[Mark(label="chance", value=0.75)]
    )
    assert not nodes(svg, "line", "mark")


@pytest.mark.parametrize("count", range(1, 21))
@pytest.mark.parametrize("width", [340.0, 540.0])
def test_no_word_leaves_the_drawing_or_covers_another(count: int, width: float):
    marks = [Mark(label="chance, top-5: 75.0 %", value=0.75), Mark(label="chance, top-1: 95.0 %", value=0.95)]
    axis = charts.percent_axis("", 1.0, 5 if width > 400 else 4)
    assert_tidy(charts.bars(rows(count, LONG), title="t", width=width, axis=axis, marks=marks))


@pytest.mark.parametrize("value", [None, float("nan"), 0.0, 1.0])
def test_a_bar_without_a_value_says_so_and_zero_is_a_value(value: float | None):
    svg = charts.bars([Bar(label="Net", value=value)], title="t", width=340, axis=charts.percent_axis("", 1.0))
    assert_tidy(svg)
    assert ("no result" in svg) == (value not in (0.0, 1.0))


def test_columns_are_as_high_as_their_values_and_stand_on_one_line():
    values = [0.282, 0.258, 0.16422, 0.0225]
    bars = [Bar(label=str(2010 + i), note="Team\n8 layers", value=v) for i, v in enumerate(values)]
    svg = charts.columns(bars, title="t", size=(600, 300), axis=charts.percent_axis("", 0.3, 3))
    drawn = nodes(svg, "rect", "bar")
    heights = [number(node, "height") for node in drawn]
    assert [h / heights[0] for h in heights] == pytest.approx([v / values[0] for v in values], abs=1e-3)
    assert {round(number(node, "y") + number(node, "height"), 1) for node in drawn} == {228.0 + 16}
    assert_tidy(svg)


def test_lines_go_through_their_points():
    x, y = charts.count_axis("epoch", 4), charts.percent_axis("", 1.0)
    svg = charts.lines(
        [Series(label="a", color="c0", points=((0, 1), (2, 0.5), (4, 0)))], title="t", size=(400, 300), x=x, y=y
    )
    path = nodes(svg, "path", "line")[0].get("d") or ""
    (x0, y0), (x1, y1), (x2, y2) = (map(float, p.split()) for p in path.removeprefix("M").split("L"))
    assert (x1 - x0, y1 - y0) == pytest.approx((x2 - x1, y2 - y1), abs=0.11)
    assert y2 > y0  # error falls to the bottom of the screen
    assert_tidy(svg)


def test_what_jumps_above_the_axis_is_drawn_at_its_end():
    x, y = charts.count_axis("epoch", 2), charts.percent_axis("", 1.0)
    svg = charts.lines([Series(label="a", color="c0", points=((0, 1), (1, 99)))], title="t", size=(400, 300), x=x, y=y)
    first, second = (p.split()[1] for p in (nodes(svg, "path", "line")[0].get("d") or "").removeprefix("M").split("L"))
    assert first == second


@pytest.mark.parametrize("count", range(1, 13))
def test_names_at_the_ends_of_lines_do_not_cover_each_other(count: int):
    series = [Series(label=f"{LONG} {i}", color=f"c{i}", points=((0, 0.7), (10, 0.2 + i / 1000))) for i in range(count)]
    x, y = charts.time_axis("training time", 4000), charts.percent_axis("", 0.75)
    assert_tidy(charts.lines(series, title="t", size=(540, 320), x=x, y=y, marks=[Mark(label="chance", value=0.75)]))


def test_spread_keeps_order_gap_and_room():
    moved = charts.spread([10, 11, 12, 95, 99], 13, (0, 100))
    assert moved == sorted(moved)
    assert all(b - a >= 13 - 1e-9 for a, b in itertools.pairwise(moved))
    assert 0 <= moved[0] <= moved[-1] <= 100


def test_what_lies_apart_is_not_moved():
    assert charts.spread([10, 50, 90], 13, (0, 100)) == [10, 50, 90]


def test_too_many_for_the_room_share_it():
    assert charts.spread([5] * 11, 13, (0, 100)) == pytest.approx([10.0 * i for i in range(11)])


@pytest.mark.parametrize(
    ("largest", "count", "places"),
    [
        (1.0, 5, (0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (0.3, 3, (0, 0.1, 0.2, 0.3)),
        (18.2, 5, (0, 5, 10, 15, 20)),
        (0, 5, (0, 1)),
    ],
)
def test_ticks_are_round_and_reach_the_end(largest: float, count: int, places: tuple[float, ...]):
    assert charts.ticks(largest, count) == pytest.approx(places)


def test_time_is_cut_at_whole_minutes():
    assert [text.replace("\xa0", " ") for _, text in charts.time_axis("", 500, 5).ticks] == [
        "0",
        "2 min",
        "4 min",
        "6 min",
        "8 min",
    ]
    assert charts.time_axis("", 0, 5).ticks[0] == (0, "0")


def test_a_trend_places_years_evenly_and_words_apart():
    svg = charts.trend(
        [(2013, 0.226), (2014, 0.372), (2015, 0.621), (2017, 0.732)],
        title="t",
        size=(340, 210),
        years=(2010, 2017),
        axis=charts.percent_axis("", 0.8),
        hollow=[(2014, 0.439)],
    )
    dots = nodes(svg, "circle", "dot")
    xs = [number(dot, "cx") for dot in dots]
    assert xs[3] - xs[2] == pytest.approx(2 * (xs[2] - xs[1]), abs=0.02)
    assert len(nodes(svg, "circle", "ring")) == 1
    assert "43.9" in svg


def test_a_text_is_cut_only_where_it_is_too_long():
    assert charts.fitted("AlexNet", 12, 200) == "AlexNet"
    cut = charts.fitted(LONG, 12, 100)
    assert cut.endswith("…")
    assert charts.text_width(cut, 12) <= 100


def test_what_is_nothing_but_a_rounding_has_an_axis_too():
    assert charts.ticks(2e-13, 5) == (0.0, 1.0)
