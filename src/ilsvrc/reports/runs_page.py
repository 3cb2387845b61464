"""Several trainings on one page: their curves over each other, what was asked of each, and what went wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ilsvrc import __version__
from ilsvrc.reports import charts
from ilsvrc.reports.charts import Axis, Mark, Series
from ilsvrc.reports.document import document, write_document
from ilsvrc.reports.formats import DASH, duration, listed, percent, plain, plural, whole
from ilsvrc.reports.layout import bullets, color, facts, figure, grid, section, swatch
from ilsvrc.reports.markup import Html, element, join
from ilsvrc.reports.race_report import Point

WIDE, NARROW = 540.0, 340.0  # of a drawing, in pixels
POINTS = 400  # at most this many per line: more cannot be seen


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training as its directory tells it; `curve` has a point per epoch, oldest first."""

    label: str  # unique on the page
    model: str
    curve: tuple[Point, ...]
    epochs: float  # asked for
    classes: int
    facts: tuple[tuple[str, str], ...] = ()  # what was asked and on what machine, name and value
    signs: tuple[str, ...] = ()  # what looks wrong, a sentence each
    done: bool = True
    images_per_second: float | None = None
    extra: tuple[str, ...] = field(default=())  # further sentences of the run: images left out, other circumstances


def write_runs_page(runs: Sequence[Trained], path: Path) -> None:
    """Write the page to `path`, whole or not at all. Raises SpecError where the file cannot be written."""
    write_document(path, runs_page(runs))


def runs_page(runs: Sequence[Trained]) -> str:
    """The page as HTML text."""
    title = f"{runs[0].label}: a training" if len(runs) == 1 else f"{len(runs)} trainings"
    body = element(
        "body",
        None,
        element("a", {"class": "skip", "href": "#curves"}, "Skip to the curves"),
        _head(runs),
        element("main", None, _curves_section(runs), _table(runs), _details(runs)),
        element("footer", None, element("p", None, f"Written by ilsvrc {__version__}.")),
    )
    return document(title, body)


def _head(runs: Sequence[Trained]) -> Html:
    best = min((run for run in runs if run.curve), key=_final_error, default=None)
    found = [f"{run.label}: {sign}" if len(runs) > 1 else sign for run in runs for sign in run.signs]
    under_way = sum(not run.done for run in runs)
    words = (
        f"The lowest top-1 error is {percent(_final_error(best))}, of {best.label}." if best else "No epoch is done."
    )
    if under_way:
        words += f" {plural(under_way, 'training')} not finished."
    return element(
        "header",
        {"class": "top"},
        element("p", {"class": "kicker"}, "Trainings"),
        element("h1", None, plural(len(runs), "training") if len(runs) > 1 else runs[0].label),
        element("p", {"class": "verdict"}, words),
        element(
            "aside",
            {"class": "limits", "aria-label": "What looks wrong"},
            element("h2", None, "What looks wrong"),
            *(element("p", None, line) for line in found),
        )
        if found
        else None,
    )


def _final_error(run: Trained) -> float:
    error = run.curve[-1].val_top1_error if run.curve else None
    return 2.0 if error is None else error


def _curves_section(runs: Sequence[Trained]) -> Html:
    legend = element(
        "ul",
        {"class": "legend", "aria-label": "Colours of the trainings"},
        *(element("li", {"class": color(i)}, swatch(i), run.label) for i, run in enumerate(runs)),
    )
    panels = element(
        "div",
        {"class": "pair"},
        _panel(runs, "Top-1 error by epoch", "On the validation images.", lambda p: p.val_top1_error, share=True),
        _panel(runs, "Top-5 error by epoch", "On the validation images.", lambda p: p.val_top5_error, share=True),
        _panel(
            runs,
            "Training loss by epoch",
            "Of a classifier the mean cross entropy of an epoch, in nats.",
            lambda p: p.train_loss,
        ),
        _panel(runs, "Learning rate by epoch", "At the end of each epoch.", lambda p: p.rate),
        _panel(runs, "Top-1 error by time", "Training alone.", lambda p: p.val_top1_error, share=True, by_time=True),
        _panel(runs, "Training loss by time", "Training alone.", lambda p: p.train_loss, by_time=True),
    )
    return section("curves", "Curves", legend, panels)


def _panel(
    runs: Sequence[Trained],
    title: str,
    caption: str,
    value: Callable[[Point], float | None],
    *,
    share: bool = False,
    by_time: bool = False,
) -> Html | None:
    """A drawing; None where no run has such a number, as one for boxes has no top-1 error."""
    series = [_series(run, i, value, by_time) for i, run in enumerate(runs)]
    points = [point for one in series for point in one.points]
    if not points and any(run.curve for run in runs):
        return None
    reach = max((x for x, _ in points), default=0.0)
    height = max((y for _, y in points), default=1.0)
    axis = charts.percent_axis("", min(1.0, height)) if share else _axis(height)

    def draw(wide: bool) -> Html:
        x = charts.time_axis("training time", reach, 5 if wide else 4) if by_time else charts.count_axis("epoch", reach)
        size = (WIDE, 320.0) if wide else (NARROW, 250.0)
        return charts.lines(series, title=title, size=size, x=x, y=axis, marks=_chance(runs, share), named=wide)

    return figure(title, caption, draw)


def _chance(runs: Sequence[Trained], share: bool) -> tuple[Mark, ...]:
    classes = {run.classes for run in runs}
    if not share or len(classes) != 1:
        return ()
    value = 1 - 1 / max(1, classes.pop())
    return (Mark(label=f"chance, top-1: {percent(value)}", value=value),)


def _axis(largest: float) -> Axis:
    # A rate ends at zero, and may be all there is.
    places = charts.ticks(largest if largest > 1e-9 else 1.0, 5)
    return Axis(label="", largest=places[-1], ticks=tuple((place, plain(place)) for place in places))


def _series(run: Trained, index: int, value: Callable[[Point], float | None], by_time: bool) -> Series:
    found = [(point.seconds if by_time else point.epoch, value(point)) for point in run.curve]
    points = [(x, y) for x, y in found if y is not None]
    stride = max(1, -(-len(points) // POINTS))
    kept = points[::stride] + (points[-1:] if points and (len(points) - 1) % stride else [])
    return Series(label=run.label, color=color(index), points=tuple(kept))


def _table(runs: Sequence[Trained]) -> Html:
    head = ["Training", "Network", "Top-1 error", "Top-5 error", "Lowest top-1", "Loss", "Epochs", "Time", "Images/s"]
    rows = []
    for i, run in enumerate(runs):
        last = run.curve[-1] if run.curve else None
        errors = [point.val_top1_error for point in run.curve if point.val_top1_error is not None]
        rows.append(
            (
                join(swatch(i), run.label),
                run.model,
                percent(last.val_top1_error) if last else DASH,
                percent(last.val_top5_error) if last else DASH,
                percent(min(errors)) if errors else DASH,
                f"{last.train_loss:.3f}" if last and last.train_loss is not None else DASH,
                f"{plain(last.epoch if last else 0)} of {plain(run.epochs)}",
                duration(last.seconds) if last else DASH,
                whole(run.images_per_second),
            )
        )
    return section("numbers", "Numbers", grid("The trainings", head, rows, words=2))


def _details(runs: Sequence[Trained]) -> Html:
    cards = [
        element(
            "article",
            {"class": f"card network {color(i)}"},
            element("header", None, element("h3", None, run.label), element("p", {"class": "team"}, run.model)),
            bullets(run.signs, "warnings"),
            facts(run.facts),
            bullets(run.extra, "fine"),
        )
        for i, run in enumerate(runs)
    ]
    return section("details", "What was asked", element("div", {"class": "cards"}, *cards), lead=_differences(runs))


def _differences(runs: Sequence[Trained]) -> str | None:
    """Which facts are not the same for all; None for a single training."""
    if len(runs) < 2:
        return None
    tables = [{"Network": run.model, **dict(run.facts)} for run in runs]
    names = [name for name in tables[0] if len({table.get(name) for table in tables}) > 1]
    return f"They differ in: {listed(names).lower()}." if names else "The same was asked of all."
