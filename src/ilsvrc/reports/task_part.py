"""The page's part for a task of boxes: its figures, what a box without looking scores, and boxes over images."""

from ilsvrc.reports import charts
from ilsvrc.reports.charts import Bar, Mark
from ilsvrc.reports.curves_part import curves_part
from ilsvrc.reports.formats import DASH, SPACE, duration, percent, plain, short, whole
from ilsvrc.reports.gallery import source
from ilsvrc.reports.layout import bullets, color, figure, folded, grid, section, swatch
from ilsvrc.reports.markup import Attributes, Html, element, join
from ilsvrc.reports.race_report import interval, known
from ilsvrc.reports.task_result import BoxPicture, Drawn, Finder, Finding, TaskResult, best_first, figure_of
from ilsvrc.spec import Reported

TITLES = {"localization": "Localization", "detection": "Detection"}
FIGURES = {"localization": "Localization error", "detection": "Mean AP"}
WORDS = {"localization": "PCR: a box per class; SCR: one box for all classes. "}
WIDE, NARROW = 540.0, 340.0  # of a drawing, in pixels


def task_section(result: TaskResult) -> Html:
    """One task: sentence, drawing, table, pictures."""
    return section(
        result.task,
        TITLES[result.task],
        element("div", {"class": "pair"}, _drawing(result), _beside(result)),
        _table(result),
        curves_part(result),
        _pictures(result),
        lead=sentence(result),
    )


def sentence(result: TaskResult) -> str:
    """Who was best, by what, and what a box without looking scores."""
    order = best_first(result)
    if not order:
        return "No entry finished."
    best, figure_name = order[0], FIGURES[result.task].lower().replace("ap", "AP")
    said = (
        f"{best.title} of {best.year} came out first, with a {figure_name} of {percent(figure_of(result.task, best))}"
    )
    said += f" on {whole(result.val_images)} images"
    if result.baselines:
        pick = max if result.task == "detection" else min
        base = pick(result.baselines, key=lambda one: one.value)
        said += f"; without looking for the object: {percent(base.value)} ({base.said})"
    return said + "."


def _drawing(result: TaskResult) -> Html:
    rows = [_bar(finder, i, result) for i, finder in enumerate(result.finders)]
    marks = _best_baseline(result)
    name = FIGURES[result.task]
    return figure(
        "This race",
        f"{name}{_more(result)}. {result.data}, val, n = {whole(result.val_images)}; {result.rules}.",
        lambda wide: charts.bars(
            rows,
            title=f"{name} in this race: " + ", ".join(f"{row.label} {percent(row.value)}" for row in rows),
            width=WIDE if wide else NARROW,
            axis=charts.percent_axis("", 1.0, 5 if wide else 4),
            marks=marks,
        ),
        note=f"{result.classes} classes, axis to 100{SPACE}%",
    )


def _more(result: TaskResult) -> str:
    if result.task == "detection":
        return ", larger is better"
    return f" with its 95{SPACE}% interval; thin: the error of the labels alone"


def _best_baseline(result: TaskResult) -> tuple[Mark, ...]:
    """One line: more would hide the bars."""
    if not result.baselines:
        return ()
    pick = max if result.task == "detection" else min
    best = pick(result.baselines, key=lambda one: one.value)
    return (Mark(label=f"without looking: {percent(best.value)}", value=best.value),)


def _bar(finder: Finder, index: int, result: TaskResult) -> Bar:
    value = figure_of(result.task, finder)
    error = finder.localization_error
    low, high = interval(error, result.val_images) if known(error) and result.val_images else (None, None)
    return Bar(
        label=finder.title,
        note=f"{finder.team} {finder.year}",
        value=value,
        second=finder.top5_error,
        low=low,
        high=high,
        color=color(index),
        title=f"{finder.title}: {percent(value)}",
    )


def _beside(result: TaskResult) -> Html:
    """What was published, and what a box without looking scores."""
    lines = [f"{finder.title}: {_told(one)}" for finder in result.finders for one in finder.published[:2]]
    bases = _bases(result)
    return element(
        "div",
        {"class": "card listed"},
        element("h3", None, "As published, on ImageNet's images"),
        bullets(lines) or element("p", None, "Nothing."),
        element("h3", {"class": "later"}, "Without looking for the object, here") if bases else None,
        bullets(bases),
    )


def _bases(result: TaskResult) -> list[str]:
    """A line for each box, with what it scores by whose labels."""
    found: dict[str, list[str]] = {}
    for base in result.baselines:
        box = f"{base.label} ({base.note})" if base.note else base.label
        found.setdefault(box, []).append(percent(base.value) + (f" with {base.of}'s labels" if base.of else ""))
    return [f"{box}: {'; '.join(values)}" for box, values in found.items()]


def _told(reported: Reported) -> str:
    return f"{reported.metric} {plain(reported.percent)}{SPACE}% ({reported.split}, {reported.source})"


def _table(result: TaskResult) -> Html:
    places = {finder.key: str(place) for place, finder in enumerate(best_first(result), start=1)}
    head = ("Entry", "Year", "Place", FIGURES[result.task], "Top-5 error", "Parameters", "Epochs", "Training")
    rows = [
        (
            join(swatch(i), finder.title, Html("<sup>m</sup>") if finder.miniature else None),
            str(finder.year),
            places.get(finder.key, DASH),
            percent(figure_of(result.task, finder)),
            percent(finder.top5_error),
            short(finder.parameters),
            plain(finder.epochs) if known(finder.epochs) else DASH,
            duration(finder.seconds),
        )
        for i, finder in enumerate(result.finders)
    ]
    note = f"m: a miniature. {WORDS.get(result.task, '')}Training without what an entry starts from. {result.protocol}."
    more = [f"{finder.title}: {line}" for finder in result.finders for line in finder.notes]
    differs = [
        folded(f"What differs from {finder.team}'s entry", bullets(finder.differences))
        for finder in result.finders
        if finder.differences
    ]
    return join(
        grid(f"{TITLES[result.task]}: every entry", head, rows, words=1),
        element("p", {"class": "fine"}, note),
        bullets(more, "fine"),
        *differs,
    )


def _pictures(result: TaskResult) -> Html | None:
    if not result.pictures:
        return None
    titles = {finder.key: finder.title for finder in result.finders}
    cards = [
        element(
            "article",
            {"class": "card boxes"},
            element("h4", None, ", ".join(dict.fromkeys(drawn.word for drawn in picture.truth))),
            *(_found(picture, finding, titles) for finding in picture.findings),
        )
        for picture in result.pictures
    ]
    note = "Dashed: a true box. Green: right by the kit's rule; red: wrong. Which images are shown is decided by their "
    note += "place in the split alone: half that most entries got right, half that most got wrong."
    return join(
        element("h3", {"class": "later"}, "Boxes over images"),
        element("p", {"class": "fine"}, note),
        element("div", {"class": "pictures"}, *cards),
    )


def _found(picture: BoxPicture, finding: Finding, titles: dict[str, str]) -> Html:
    verdict = "" if finding.right is None else "right" if finding.right else "wrong"
    text = ". ".join(part for part in (titles.get(finding.entry, finding.entry), verdict, finding.note) if part)
    words = "; ".join(f"{drawn.word} {percent(drawn.confidence, 0)}" for drawn in finding.boxes[:4])
    return element(
        "figure",
        {"class": f"found {verdict}".strip()},
        overlay(picture, finding.boxes, f"{picture.name}: {text}"),
        element("figcaption", None, element("b", None, text), element("span", None, words)),
    )


def overlay(picture: BoxPicture, boxes: tuple[Drawn, ...], title: str) -> Html:
    """The image with its true boxes and those found, as a drawing in the image's pixels."""
    unit = max(picture.width, picture.height) / 160
    image: Attributes = {"href": source(picture.jpeg), "width": picture.width, "height": picture.height}
    drawn = [_rectangle(one, unit) for one in (*picture.truth, *boxes)]
    view = f"0 0 {picture.width} {picture.height}"
    return element(
        "svg",
        {"viewBox": view, "role": "img", "aria-label": title, "class": "overlay"},
        element("image", {**image, "preserveAspectRatio": "none"}),
        *drawn,
    )


def _rectangle(one: Drawn, unit: float) -> Html:
    xmin, ymin, xmax, ymax = one.box
    place: Attributes = {
        "x": float(xmin),
        "y": float(ymin),
        "width": float(xmax - xmin + 1),
        "height": float(ymax - ymin + 1),
    }
    dash = f"{3 * unit:.2f} {2 * unit:.2f}" if one.kind == "truth" else None
    # Below each line a dark one: it must be seen on light and on dark pixels.
    below = element("rect", {**place, "class": "below", "stroke-width": 2.6 * unit})
    return join(
        below, element("rect", {**place, "class": one.kind, "stroke-width": 1.3 * unit, "stroke-dasharray": dash})
    )
