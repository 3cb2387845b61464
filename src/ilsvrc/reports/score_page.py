"""The page of one verdict: one HTML file that opens offline, without a script; light and dark, wide and narrow."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ilsvrc import __version__
from ilsvrc.reports import charts
from ilsvrc.reports.document import document, write_document
from ilsvrc.reports.formats import percent, whole
from ilsvrc.reports.layout import facts, figure, folded, grid, section
from ilsvrc.reports.markup import Html, element
from ilsvrc.reports.score_tables import Bars, Breakdown, Curve, Table
from ilsvrc.reports.score_terminal import value_text
from ilsvrc.scoring.score import Score

OPEN_ROWS = 25  # rows of a table before the rest is folded
STYLE = """
.tables > div, .tables > details { margin-top: 12px }
.tables h3 { margin-top: 40px } #curves details { margin-top: 18px }
"""


@dataclass(frozen=True)
class ScorePage:
    """What the page shows."""

    title: str  # 'Localization, kit of 2014'
    predictions: str  # the file scored
    scores: tuple[Score, ...]
    remarks: tuple[str, ...]
    breakdown: Breakdown


def write_score_page(page: ScorePage, path: Path | str) -> None:
    """Write the page to `path`, whole or not at all. Raises SpecError where the file cannot be written."""
    write_document(Path(path), score_page(page))


def score_page(page: ScorePage) -> str:
    """The page as HTML text."""
    first = page.scores[0]
    body = element(
        "body",
        None,
        element("a", {"class": "skip", "href": "#where"}, "Skip to the breakdown"),
        _head(page),
        element(
            "main", None, _drawings(page.breakdown), _curves(page.breakdown.curves), _tables(page.breakdown.tables)
        ),
        element("footer", None, element("p", None, f"Written by ilsvrc {__version__}. Scored by {first.rules}.")),
    )
    return document(f"{value_text(first)} {first.metric}: {page.title}", body, STYLE)


def _head(page: ScorePage) -> Html:
    first = page.scores[0]
    numbers = [(score.metric, value_text(score)) for score in page.scores]
    numbers += [("images", whole(first.images)), ("left out", whole(first.excluded))]
    remarks = [element("p", None, remark) for remark in page.remarks]
    return element(
        "header",
        {"class": "top"},
        element("p", {"class": "kicker"}, page.title),
        element("h1", None, f"{value_text(first)} {first.metric}"),
        element("p", {"class": "verdict"}, f"{page.predictions}, by the rules of {first.rules}."),
        facts(numbers, "numbers"),
        element("aside", {"class": "limits", "aria-label": "Remarks"}, *remarks) if remarks else None,
    )


def _drawings(breakdown: Breakdown) -> Html:
    return section(
        "where",
        "Where it goes wrong",
        *(_bars(bars) for bars in breakdown.bars),
        lead="Counted from the same matches as the scores above.",
    )


def _bars(bars: Bars) -> Html:
    rows = [
        charts.Bar(label=name, value=share, note=whole(count), color="grey" if name == "right" else "accent")
        for name, share, count in bars.rows
    ]
    axis = charts.percent_axis("", max((share for _, share, _ in bars.rows), default=1.0) or 1.0)

    def draw(wide: bool) -> Html:
        return charts.bars(rows, title=bars.title, width=760.0 if wide else 400.0, axis=axis)

    return figure(bars.title, bars.caption, draw, kind="broad")


def _curves(curves: Sequence[Curve]) -> Html | None:
    """The best, the middle and the worst class in one drawing; every class small below."""
    drawn = [curve for curve in curves if curve.points]
    if not drawn:
        return None
    chosen = {0: "best", len(drawn) // 2: "middle", len(drawn) - 1: "worst"}
    series = [
        charts.Series(
            label=f"{rank}: {drawn[place].name.partition(' ')[2] or drawn[place].name}",
            color=f"c{4 - 2 * number}",
            points=((0.0, drawn[place].points[0][1]), *drawn[place].points),
            title=f"{drawn[place].name}: AP {percent(drawn[place].ap)}",
        )
        for number, (place, rank) in enumerate(chosen.items())
    ]
    axes = charts.percent_axis("recall", 1.0), charts.percent_axis("precision", 1.0)

    def draw(wide: bool) -> Html:
        size = (760.0, 360.0) if wide else (400.0, 320.0)
        return charts.lines(series, title="Precision over recall", size=size, x=axes[0], y=axes[1])

    broad = figure("Three classes", "The class of best, middle and worst average precision.", draw, kind="broad")
    wall = element("div", {"class": "wall"}, *map(_small, curves))
    every = folded(f"All {len(curves)} classes with objects, by falling average precision", wall)
    return section("curves", "Precision over recall", broad, every)


def _small(curve: Curve) -> Html:
    path = "M" + "L".join(f"{2 + 96 * r:.1f} {58 - 56 * p:.1f}" for r, p in curve.points) if curve.points else "M2 58"
    drawing = element(
        "svg",
        {"viewBox": "0 0 100 60", "role": "img", "aria-label": f"Precision over recall of {curve.name}"},
        element("rect", {"class": "frame", "x": 2, "y": 2, "width": 96, "height": 56, "rx": 2}),
        element("g", {"class": "accent"}, element("path", {"class": "line", "d": path})),
    )
    shown = "nan" if math.isnan(curve.ap) else percent(curve.ap)
    return element("div", None, drawing, element("p", None, element("b", None, shown), f" {curve.name}"))


def _tables(tables: Sequence[Table]) -> Html:
    parts: list[Html | None] = []
    for table in tables:
        parts.append(element("h3", None, table.title))
        parts.append(element("p", {"class": "note"}, table.note) if table.note else None)
        parts.append(grid(table.title, table.head, table.rows[:OPEN_ROWS], words=table.words))
        rest = table.rows[OPEN_ROWS:]
        if rest:
            more = grid(f"{table.title}, continued", table.head, rest, words=table.words)
            parts.append(folded(f"{len(rest):,} more", more))
    return section("tables", "Tables", element("div", {"class": "tables"}, *parts))
