"""The page's drawings, as SVG: horizontal bars, columns by year, lines.

Pure functions from values to markup. Colours are classes and the page's style
gives them, so that a drawing follows light and dark. Lengths are pixels at the
drawing's own width; the page asks for each drawing twice, for wide and narrow
screens, because text in a scaled drawing is too small or too large.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ilsvrc.reports.formats import duration, percent, plain
from ilsvrc.reports.markup import Attributes, Html, element, join
from ilsvrc.reports.race_report import known

TEXT, SMALL = 12.5, 11.0  # font sizes in pixels


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row of `bars` or one column of `columns`; `value` and `second` are fractions of the axis' quantity."""

    label: str
    value: float | None
    note: str = ""  # small, beside or below the label
    color: str = "grey"  # a class of the page's style: 'c0' to 'c19', 'accent', 'grey'
    low: float | None = None  # ends of the interval around `value`
    high: float | None = None
    second: float | None = None  # a thinner bar below
    hollow: float | None = None  # an outlined mark at another value
    text: str | None = None  # how `value` is written, where not as percent with one decimal
    title: str = ""  # shown by a pointer that rests on it


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A dashed line across the drawing at a value, with its name."""

    label: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: points (x, y) in order of x."""

    label: str
    color: str
    points: tuple[tuple[float, float], ...]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From zero to `largest`, with its ticks and their text."""

    label: str
    largest: float
    ticks: tuple[tuple[float, str], ...]


def percent_axis(label: str, largest: float, count: int = 5) -> Axis:
    """An axis of fractions, written in percent, whose end is a round number not below `largest`."""
    places = ticks(largest, count)
    digits = 0 if math.isclose(100 * places[1], round(100 * places[1])) else 1
    return Axis(label=label, largest=places[-1], ticks=tuple((place, percent(place, digits)) for place in places))


def count_axis(label: str, largest: float, count: int = 5) -> Axis:
    """An axis of plain numbers that ends where the data end; of length one where they end at zero."""
    largest = largest if largest > 0 else 1.0
    inside = [place for place in ticks(largest, count) if place <= largest * 1.0001]
    return Axis(label=label, largest=largest, ticks=tuple((place, plain(place)) for place in inside))


def time_axis(label: str, largest: float, count: int = 5) -> Axis:
    """An axis of seconds that ends where the data end, with ticks at whole minutes or hours where it is long enough."""
    largest = largest if largest > 0 else 1.0
    steps = (0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
    step = next((step for step in steps if largest / step <= count), largest / count)
    places = [step * i for i in range(int(largest / step + 1e-6) + 1)]
    text = tuple((place, duration(place) if place else "0") for place in places)
    return Axis(label=label, largest=largest, ticks=text)


def ticks(largest: float, count: int) -> tuple[float, ...]:
    """Places from 0 to the first not below `largest`, at most `count` steps of 1, 2, 2.5 or 5 times a power of ten."""
    if not largest > 1e-9:  # the rate at the end of half a cosine is no more than a rounding
        return (0.0, 1.0)
    raw = largest / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.9999)
    return tuple(round(step * i, 10) for i in range(math.ceil(largest / step - 1e-9) + 1))


def text_width(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif font of that size: rather too wide than too narrow."""
    narrow, broad = "iljtfrI.,:;|'!()[] \N{NO-BREAK SPACE}", "mwMWGOQ%@"
    return size * sum(0.36 if c in narrow else 0.9 if c in broad else 0.64 for c in text)


def fitted(text: str, size: float, room: float) -> str:
    """The text, cut with an ellipsis where it is wider than `room`."""
    if text_width(text, size) <= room:
        return text
    kept = next((n for n in range(len(text) - 1, 0, -1) if text_width(text[:n] + "…", size) <= room), 0)
    return text[:kept].rstrip() + "…"


def bars(rows: Sequence[Bar], *, title: str, width: float, axis: Axis, marks: Sequence[Mark] = ()) -> Html:
    """Horizontal bars from zero, one row each in the order given, with intervals, second bars and marks."""
    left = min(0.37 * width, 14 + max((text_width(row.label, TEXT) for row in rows), default=0.0))
    # The farthest mark has its name on top, so that no line runs through the name of another.
    marks = sorted((mark for mark in marks if mark.value <= axis.largest), key=lambda mark: -mark.value)
    top = 10.0 + 15 * len(marks)
    pitch = 42.0 if any(row.note or known(row.second) for row in rows) else 30.0
    bottom = top + pitch * len(rows)
    # A label stands to the right of its bar: the longest bar still leaves it room.
    right = 58.0
    scale = (width - left - right) / axis.largest
    parts = [
        *(_rule(left + scale * place, top, bottom, text) for place, text in axis.ticks),
        *(
            _mark(mark, (left + scale * mark.value, 12.0 + 15 * i), (left + scale * mark.value, bottom))
            for i, mark in enumerate(marks)
        ),
        *(_row(row, left, top + pitch * i, scale) for i, row in enumerate(rows)),
        element("line", {"class": "base", "x1": left, "y1": top, "x2": left, "y2": bottom}),
        _text(axis.label, (left, bottom + 33), SMALL, "axis") if axis.label else None,
    ]
    return _svg(title, width, bottom + (40 if axis.label else 22), parts)


def _row(row: Bar, left: float, y: float, scale: float) -> Html:
    thick = 15.0
    parts = [element("title", None, row.title) if row.title else None]
    parts.append(_text(fitted(row.label, TEXT, left - 12), (left - 10, y + 15), TEXT, "name", "end"))
    if row.note:
        parts.append(_text(fitted(row.note, SMALL, left - 12), (left - 10, y + 29), SMALL, "note", "end"))
    if not known(row.value):
        parts.append(_text("no result", (left + 8, y + 15), SMALL, "note"))
        return element("g", {"class": row.color}, *parts)
    length = scale * row.value
    parts.append(element("rect", {"class": "bar", "x": left, "y": y + 3, "width": length, "height": thick, "rx": 2}))
    end = length
    if known(row.low) and known(row.high):
        end = max(length, scale * row.high)
        parts.append(_whisker(left + scale * row.low, left + scale * row.high, y + 3 + thick / 2))
    parts.append(_text(row.text or percent(row.value), (left + end + 6, y + 15), TEXT, "value"))
    if known(row.second):
        thin: Attributes = {
            "class": "bar thin",
            "x": left,
            "y": y + 22,
            "width": scale * row.second,
            "height": 5,
            "rx": 2,
        }
        parts.append(element("rect", thin))
        parts.append(_text(percent(row.second), (left + scale * row.second + 6, y + 28.5), SMALL, "note halo"))
    return element("g", {"class": row.color}, *parts)


def _whisker(x1: float, x2: float, y: float) -> Html:
    path = f"M{x1:.1f} {y - 4:.1f}v8M{x1:.1f} {y:.1f}H{x2:.1f}M{x2:.1f} {y - 4:.1f}v8"
    return element("path", {"class": "whisker", "d": path})


def columns(
    rows: Sequence[Bar], *, title: str, size: tuple[float, float], axis: Axis, marks: Sequence[Mark] = ()
) -> Html:
    """Vertical bars from zero, one column each in the order given; `size` is width and height of the drawing.

    Below a column stand its label and, each on a line, the parts of its note
    separated by line feeds. A `hollow` value is an outlined stroke across the column.
    """
    width, height = size
    notes = max((len(bar.note.split("\n")) for bar in rows), default=0)
    left, top, bottom = 44.0, 24.0, height - 26 - 15 * notes
    step = (width - left) / max(len(rows), 1)
    scale = (bottom - top) / axis.largest
    parts: list[Html | None] = []
    for place, text in axis.ticks:
        y = bottom - scale * place
        parts.append(element("line", {"class": "grid", "x1": left, "y1": y, "x2": width, "y2": y}))
        parts.append(_text(text, (left - 8, y + 4), SMALL, "tick", "end"))
    feet = [(left + step * (i + 0.5), bottom) for i in range(len(rows))]
    parts.extend(_column(bar, foot, step, scale) for bar, foot in zip(rows, feet, strict=True))
    for mark in marks:
        y = bottom - scale * mark.value
        parts.append(element("line", {"class": "mark", "x1": left, "y1": y, "x2": width, "y2": y}))
        parts.append(_text(mark.label, (width - 2, y - 6), SMALL, "mark-label halo", "end"))
    # Words come last: a mark passes behind them.
    parts.extend(_column_words(bar, foot, step, scale) for bar, foot in zip(rows, feet, strict=True))
    return _svg(title, width, height, parts)


def _column(bar: Bar, foot: tuple[float, float], step: float, scale: float) -> Html:
    x, bottom = foot
    wide = min(64.0, 0.62 * step)
    parts = [element("title", None, bar.title) if bar.title else None]
    if known(bar.value):
        y = bottom - scale * bar.value
        shape: Attributes = {"class": "bar", "x": x - wide / 2, "y": y, "width": wide, "height": bottom - y, "rx": 2}
        parts.append(element("rect", shape))
    if known(bar.hollow):
        y = bottom - scale * bar.hollow
        parts.append(element("line", {"class": "hollow", "x1": x - wide / 2, "y1": y, "x2": x + wide / 2, "y2": y}))
    return element("g", {"class": bar.color}, *parts)


def _column_words(bar: Bar, foot: tuple[float, float], step: float, scale: float) -> Html:
    x, bottom = foot
    parts = []
    if known(bar.value):
        above = bottom - scale * bar.value - 7
        parts.append(_text(bar.text or percent(bar.value), (x, above), TEXT, "value halo", "middle"))
    parts.append(_text(bar.label, (x, bottom + 18), TEXT, "name", "middle"))
    for i, line in enumerate(bar.note.split("\n")):
        parts.append(_text(fitted(line, SMALL, step - 4), (x, bottom + 34 + 15 * i), SMALL, "note", "middle"))
    return join(*parts)


def lines(
    series: Sequence[Series],
    *,
    title: str,
    size: tuple[float, float],
    x: Axis,
    y: Axis,
    marks: Sequence[Mark] = (),
    named: bool = True,
) -> Html:
    """Lines over a common axis; `size` is width and height. Where `named`, each line's name stands at its end.

    What lies above the end of the y axis is drawn at the end.
    """
    width, height = size
    shown = [one for one in series if one.points]
    names = max((text_width(one.label, SMALL) for one in shown), default=0.0) if named else 0.0
    left, top, bottom = 46.0, 14.0, height - 42
    right = width - (min(names, 124) + 24 if named else 14)
    across, up = (right - left) / x.largest, (bottom - top) / y.largest
    parts: list[Html | None] = []
    for place, text in y.ticks:
        level = bottom - up * place
        parts.append(element("line", {"class": "grid", "x1": left, "y1": level, "x2": right, "y2": level}))
        parts.append(_text(text, (left - 8, level + 4), SMALL, "tick", "end"))
    parts.extend(_text(text, (left + across * place, bottom + 17), SMALL, "tick", "middle") for place, text in x.ticks)
    parts.append(_text(x.label, (right, bottom + 35), SMALL, "axis", "end"))
    for mark in (mark for mark in marks if mark.value <= y.largest):
        level = bottom - up * mark.value
        parts.append(element("line", {"class": "mark", "x1": left, "y1": level, "x2": right, "y2": level}))
        parts.append(_text(mark.label, (left + 6, level - 5), SMALL, "mark-label halo"))
    drawn = [[(left + across * px, bottom - up * min(py, y.largest)) for px, py in one.points] for one in shown]
    parts.extend(_line(one, points) for one, points in zip(shown, drawn, strict=True))
    if named:
        levels = spread([points[-1][1] for points in drawn], 13.0, (top, bottom))
        ends = zip(shown, drawn, levels, strict=True)
        parts.extend(_end(one, points[-1], (right + 16, level)) for one, points, level in ends)
    return _svg(title, width, height, parts)


def _line(one: Series, points: list[tuple[float, float]]) -> Html:
    path = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
    return element(
        "g",
        {"class": f"{one.color} series"},
        element("title", None, one.title or one.label),
        element("path", {"class": "line", "d": path}),
        element("circle", {"class": "dot", "cx": points[-1][0], "cy": points[-1][1], "r": 3.0}),
    )


def _end(one: Series, point: tuple[float, float], place: tuple[float, float]) -> Html:
    leader = f"M{point[0] + 5:.1f} {point[1]:.1f}L{place[0] - 4:.1f} {place[1]:.1f}"
    return element(
        "g",
        {"class": f"{one.color} series"},
        element("path", {"class": "leader", "d": leader}),
        _text(fitted(one.label, SMALL, 124), (place[0], place[1] + 4), SMALL, "end-label"),
    )


def spread(levels: Sequence[float], gap: float, room: tuple[float, float]) -> list[float]:
    """The levels moved to lie at least `gap` apart, in the same order, inside `room`; closer where they do not fit."""
    order = sorted(range(len(levels)), key=lambda i: levels[i])
    gap = min(gap, (room[1] - room[0]) / max(len(levels) - 1, 1))
    moved = list(levels)
    low = room[0]
    for i in order:
        moved[i] = low = max(moved[i], low)
        low += gap
    high = room[1]
    for i in reversed(order):
        moved[i] = high = min(moved[i], high)
        high -= gap
    return moved


def trend(
    points: Sequence[tuple[int, float]],
    *,
    title: str,
    size: tuple[float, float],
    years: tuple[int, int],
    axis: Axis,
    hollow: Sequence[tuple[int, float]] = (),
) -> Html:
    """One value per year as a line with its values written out; `hollow` points are outlined and stand apart."""
    width, height = size
    left, right, top, bottom = 24.0, width - 24, 26.0, height - 28
    across, up = (right - left) / (years[1] - years[0]), (bottom - top) / axis.largest
    place = {year: left + across * (year - years[0]) for year in range(years[0], years[1] + 1)}
    parts: list[Html | None] = [
        element("line", {"class": "base", "x1": left - 14, "y1": bottom, "x2": right + 14, "y2": bottom}),
        *(_text(f"’{year % 100}", (px, bottom + 18), SMALL, "tick", "middle") for year, px in place.items()),
    ]
    path = "M" + "L".join(f"{place[year]:.1f} {bottom - up * value:.1f}" for year, value in points)
    parts.append(element("path", {"class": "line accent", "d": path}))
    beside = dict(points)
    for year, value in hollow:
        at = (place[year], bottom - up * value)
        parts.append(element("circle", {"class": "ring accent", "cx": at[0], "cy": at[1], "r": 4.0}))
        if up * abs(value - beside.get(year, value)) > 10:  # else the two texts are one too many
            parts.append(_text(f"{100 * value:.1f}", (at[0] - 7, at[1] - 3), SMALL, "note halo", "end"))
    for i, (year, value) in enumerate(points):
        at = (place[year], bottom - up * value)
        # The text stands where the line does not go: below where it rises, above where it falls.
        last = i + 1 == len(points)
        rising = not last and points[i + 1][1] > value
        shift, lift, anchor = (5, 14, "start") if rising else (0, -9, "middle") if last else (-2, -9, "start")
        parts.append(element("circle", {"class": "dot accent", "cx": at[0], "cy": at[1], "r": 3.6}))
        parts.append(_text(f"{100 * value:.1f}", (at[0] + shift, at[1] + lift), SMALL, "value halo", anchor))
    return _svg(title, width, height, parts)


def _rule(x: float, top: float, bottom: float, text: str) -> Html:
    line = element("line", {"class": "grid", "x1": x, "y1": top, "x2": x, "y2": bottom})
    return join(line, _text(text, (x, bottom + 15), SMALL, "tick", "middle"))


def _mark(mark: Mark, start: tuple[float, float], end: tuple[float, float]) -> Html:
    line = element("line", {"class": "mark", "x1": start[0], "y1": start[1] - 9, "x2": end[0], "y2": end[1]})
    return join(line, _text(mark.label, (start[0] - 5, start[1]), SMALL, "mark-label halo", "end"))


def _text(text: str, place: tuple[float, float], size: float, kind: str, anchor: str | None = None) -> Html:
    where: Attributes = {"x": place[0], "y": place[1], "font-size": size, "class": kind, "text-anchor": anchor}
    return element("text", where, text)


def _svg(title: str, width: float, height: float, parts: Sequence[Html | None]) -> Html:
    view = f"0 0 {width:.0f} {height:.0f}"
    frame = {"viewBox": view, "width": f"{width:.0f}", "height": f"{height:.0f}", "role": "img", "aria-label": title}
    return element("svg", frame, *parts)
