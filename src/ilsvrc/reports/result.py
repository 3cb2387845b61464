"""The page's first two parts: what the race came to, and how the networks learned."""

from collections.abc import Callable

from ilsvrc.reports import charts
from ilsvrc.reports.charts import Axis, Bar, Mark, Series
from ilsvrc.reports.formats import DASH, SPACE, duration, percent, plain, short, whole
from ilsvrc.reports.layout import color, figure, grid, section, swatch
from ilsvrc.reports.markup import Html, element, join
from ilsvrc.reports.race_report import Contender, Point, Race, interval, known, ranked
from ilsvrc.reports.verdict import certificate, order_of_history
from ilsvrc.spec import Reported

WIDE, NARROW = 540.0, 340.0  # of a drawing, in pixels
POINTS = 160  # at most this many per line: more cannot be seen


def result_section(race: Race) -> Html:
    """Errors of this race, beside them the published ones on an axis of their own, and the table of both."""
    drawings = element("div", {"class": "pair"}, _ours(race), _theirs(race))
    return section("result", "The result", drawings, _table(race), lead=order_of_history(race))


def _ours(race: Race) -> Html:
    data = race.data
    rows = [_our_bar(contender, i, race) for i, contender in enumerate(race.contenders)]
    marks = (
        Mark(label=f"chance, top-5: {percent(data.chance_top5_error)}", value=data.chance_top5_error),
        Mark(label=f"chance, top-1: {percent(data.chance_top1_error)}", value=data.chance_top1_error),
    )
    return figure(
        "This race",
        f"Thick: top-5 error with its 95{SPACE}% interval. Thin: top-1 error. {certificate(race)}.",
        lambda wide: charts.bars(
            rows,
            title=_spoken("Errors in this race", rows),
            width=WIDE if wide else NARROW,
            axis=charts.percent_axis("", 1.0, 5 if wide else 4),
            marks=marks,
        ),
        note=f"{data.classes} classes, axis to 100{SPACE}%",
    )


def _our_bar(contender: Contender, index: int, race: Race) -> Bar:
    error, images = contender.top5_error, race.data.val_images
    low, high = interval(error, images) if known(error) and images else (None, None)
    return Bar(
        label=contender.title,
        note=str(contender.year),
        value=error,
        second=contender.top1_error,
        low=low,
        high=high,
        color=color(index),
        title=f"{contender.title}: top-5 error {percent(error)}, top-1 error {percent(contender.top1_error)}",
    )


def _theirs(race: Race) -> Html:
    found = [(i, contender, published_error(contender)) for i, contender in enumerate(race.contenders)]
    rows = [
        Bar(
            label=contender.title,
            note=f"{contender.team} {contender.year}".strip(),  # an entry's figure is its team's, often an ensemble's
            value=reported.percent / 100 if reported else None,
            text=f"{plain(reported.percent)}{SPACE}%" if reported else None,
            color=color(i),
            title=f"{contender.title}: {_sourced(reported)}" if reported else "",
        )
        for i, contender, reported in found
    ]
    axis = charts.percent_axis("", max([row.value for row in rows if row.value] or [0.2]), 4)
    sources = "; ".join(f"{contender.title} {_sourced(reported)}" for _, contender, reported in found if reported)
    return figure(
        "As published",
        f"Top-5 error as published: {sources}." if sources else "No published top-5 error is given.",
        lambda wide: charts.bars(
            rows, title=_spoken("Published top-5 errors", rows), width=WIDE if wide else NARROW, axis=axis
        ),
        note="ImageNet, 1,000 classes, by single networks or ensembles as the caption says; "
        f"another axis, to {percent(axis.largest, 0)}",
    )


def published_error(contender: Contender) -> Reported | None:
    """The published top-5 error that stands for a network: the first one given."""
    return next((one for one in contender.published if one.metric.startswith("top-5")), None)


def _sourced(reported: Reported) -> str:
    return f"{plain(reported.percent)}{SPACE}% ({reported.split}, {reported.source})"


def _spoken(what: str, rows: list[Bar]) -> str:
    return f"{what}: " + ", ".join(f"{row.label} {percent(row.value)}" for row in rows)


def _table(race: Race) -> Html:
    places = {contender.name: str(place) for place, contender in enumerate(ranked(race), start=1)}
    head = [
        *("Network", "Year", "Place", "Top-5 error", f"95{SPACE}% interval", "Top-1 error", "Published top-5"),
        *("Parameters", "Multiply-adds", "Layers", "Epochs", "Training"),
    ]
    rows = [
        (
            join(swatch(i), contender.title, Html("<sup>m</sup>") if contender.miniature else None),
            str(contender.year),
            places.get(contender.name, DASH),
            percent(contender.top5_error),
            _interval(contender, race),
            percent(contender.top1_error),
            _published(contender),
            _in_full(contender.parameters),
            _in_full(contender.macs),
            whole(contender.layers),
            epochs(contender),
            duration(contender.seconds),
        )
        for i, contender in enumerate(race.contenders)
    ]
    note = (
        "m: a miniature, smaller than the paper's network; parameters and multiply-adds are of the network that ran. "
        f"Errors of this race: {certificate(race)}. Published: see the drawing above; other images, never comparable."
    )
    return join(
        grid("Result of every network", head, rows, words=2),
        element("p", {"class": "fine"}, note),
    )


def _in_full(count: int | None) -> Html:
    return element("span", {"title": whole(count)}, short(count))


def _interval(contender: Contender, race: Race) -> str:
    if not known(contender.top5_error) or not race.data.val_images:
        return DASH
    low, high = interval(contender.top5_error, race.data.val_images)
    return f"{100 * low:.1f} to {percent(high)}".replace(" ", SPACE)


def _published(contender: Contender) -> str:
    reported = published_error(contender)
    return f"{plain(reported.percent)}{SPACE}% {reported.split}" if reported else DASH


def epochs(contender: Contender) -> str:
    """How long it was trained, and how long the paper's recipe is: '12 of 90'."""
    if not known(contender.epochs):
        return DASH
    full = contender.full_epochs
    return f"{plain(contender.epochs)} of {plain(full)}" if known(full) else plain(contender.epochs)


def curves_section(race: Race) -> Html | None:
    """Top-5 error and training loss, against epochs and against seconds; None where no training left a curve."""
    if not any(contender.curve for contender in race.contenders):
        return None
    legend = element(
        "ul",
        {"class": "legend", "aria-label": "Colours of the networks"},
        *(
            element("li", {"class": color(i)}, swatch(i), contender.title)
            for i, contender in enumerate(race.contenders)
            if contender.curve
        ),
    )

    def error(point: Point) -> float | None:
        return point.val_top5_error

    def loss(point: Point) -> float | None:
        return point.train_loss

    chance = Mark(label=f"chance: {percent(race.data.chance_top5_error)}", value=race.data.chance_top5_error)
    ours = f"{certificate(race)}."
    panels = element(
        "div",
        {"class": "pair"},
        _curves(race, "Top-5 error by epoch", ours, error, False, (chance,)),
        _curves(race, "Top-5 error by time", ours, error, True, (chance,)),
        _curves(race, "Training loss by epoch", "Mean cross entropy of an epoch, in nats.", loss, False, ()),
        _curves(race, "Training loss by time", "Mean cross entropy of an epoch, in nats.", loss, True, ()),
    )
    lead = (
        "An epoch costs each network a different time, so the order by epoch and the order by time need not agree. "
        "Time is training alone, on the machine named below."
    )
    return section("curves", "How they learned", legend, panels, lead=lead)


def _curves(
    race: Race,
    title: str,
    caption: str,
    value: Callable[[Point], float | None],
    by_time: bool,
    marks: tuple[Mark, ...],
) -> Html:
    series = [_series(contender, i, value, by_time) for i, contender in enumerate(race.contenders)]
    points = [point for one in series for point in one.points]
    reach = max((x for x, _ in points), default=0.0)
    height = _height(series, marks)

    def draw(wide: bool) -> Html:
        x = charts.time_axis("training time", reach, 5 if wide else 4) if by_time else charts.count_axis("epoch", reach)
        size = (WIDE, 320.0) if wide else (NARROW, 250.0)
        named = wide and len(series) <= 12
        return charts.lines(series, title=title, size=size, x=x, y=height, marks=marks, named=named)

    return figure(title, caption, draw)


def _series(contender: Contender, index: int, value: Callable[[Point], float | None], by_time: bool) -> Series:
    found = [(point.seconds if by_time else point.epoch, value(point)) for point in contender.curve]
    points = [(x, y) for x, y in found if known(x) and known(y)]
    stride = max(1, -(-len(points) // POINTS))
    kept = points[::stride] + (points[-1:] if points and (len(points) - 1) % stride else [])
    return Series(label=contender.title, color=color(index), points=tuple(kept))


def _height(series: list[Series], marks: tuple[Mark, ...]) -> Axis:
    if marks:
        levels = [y for one in series for _, y in one.points] + [mark.value for mark in marks]
        return charts.percent_axis("", min(1.0, max(levels)))
    # A loss that jumped for a moment must not flatten all others: the axis ends at twice the highest first value.
    firsts = [one.points[0][1] for one in series if one.points]
    highest = max((y for one in series for _, y in one.points), default=1.0)
    top = min(highest, 2 * max(firsts, default=1.0))
    places = charts.ticks(top, 5)
    return Axis(label="", largest=places[-1], ticks=tuple((place, plain(place)) for place in places))
