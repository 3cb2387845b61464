"""The page's part on the challenge itself: the two well-known figures, drawn from `entries.history`."""

from ilsvrc.entries.history import HUMAN, SECOND_HUMAN, Result, winners
from ilsvrc.reports import charts
from ilsvrc.reports.charts import Bar, Mark
from ilsvrc.reports.formats import SPACE, percent, plain
from ilsvrc.reports.layout import bullets, figure, folded, grid, section
from ilsvrc.reports.markup import Html, element
from ilsvrc.spec import Task

# The deepest network of a winning entry, in layers with weights, as its paper counts or names it.
DEPTH = {2010: "no network", 2011: "no network", 2012: "8 layers", 2013: "8 layers", 2014: "22 layers"}
DEPTH |= {2015: "152 layers", 2016: "several nets", 2017: "154 layers"}
FIRST, LAST = 2010, 2017


def challenge_section() -> Html:
    """Winners' top-5 error per year with the human line, the three tasks over the years, and all sources."""
    lead = (
        "What was won on ImageNet between 2010 and 2017, as the organisers announced it: errors on the hidden test "
        "images, by entries that were mostly ensembles. These numbers are quoted; nothing of them was measured here."
    )
    panels = element(
        "div", {"class": "triple"}, *(_panel(task) for task in ("classification", "localization", "detection"))
    )
    return section("challenge", "The challenge, 2010 to 2017", _winners(), panels, _sources(), lead=lead)


def _winners() -> Html:
    outside = {result.year: result.value for result in winners("classification", "outside")}
    best = winners("classification")
    human = (Mark(label=f"human {percent(HUMAN.error)}", value=HUMAN.error),)

    def bar(result: Result, wide: bool) -> Bar:
        return Bar(
            label=str(result.year) if wide else result.team,
            note=f"{result.team}\n{DEPTH[result.year]}" if wide else f"{result.year}, {DEPTH[result.year]}",
            value=result.value,
            text=f"{plain(round(100 * result.value, 1 if result.value > 0.05 else 2))}{SPACE}%",
            # From 2014 on the best entries were those on provided data, and the others say little.
            hollow=outside.get(result.year) if result.year < 2014 else None,
            color="grey" if DEPTH[result.year] == "no network" else "accent",
            title=f"{result.year} {result.team}: {percent(result.value, 2)}, {result.method}",
        )

    spoken = ", ".join(f"{result.year} {percent(result.value)}" for result in best)
    title = f"Winner's top-5 classification error: {spoken}; human {percent(HUMAN.error)}"

    def draw(wide: bool) -> Html:
        rows = [bar(result, wide) for result in best]
        axis = charts.percent_axis("", 0.3, 3)
        if wide:
            return charts.columns(rows, title=title, size=(1080.0, 400.0), axis=axis, marks=human)
        return charts.bars(rows, title=title, width=340.0, axis=axis, marks=human)

    caption = (
        "Top-5 error of the winning classification entry on the test set, trained on the provided data (100,000 "
        f"images; 150,000 in 2010). Dashed strokes, on wide screens: the winner with outside data, 15.3{SPACE}% in "
        f"2012, 11.2{SPACE}% in 2013. Human: {HUMAN.name}, {HUMAN.images:,} test images; a second annotator made "
        f"{percent(SECOND_HUMAN.error)} on {SECOND_HUMAN.images} ({HUMAN.source}). "
        "2010 and 2011, in grey, were won without neural networks, and 2010 had other classes."
    )
    return figure("Winner's top-5 error per year", caption, draw, kind="broad")


def _panel(task: Task) -> Html:
    best = winners(task)
    outside = [(result.year, result.value) for result in winners(task, "outside") if not result.unverified]
    first, last = best[0], best[-1]
    spoken = ", ".join(f"{result.year} {percent(result.value)}" for result in best)
    titles = {"classification": "Classification", "localization": "Localization", "detection": "Detection"}
    largest = {"classification": 0.3, "localization": 0.5, "detection": 0.8}[task]
    change = first.value / last.value if task != "detection" else last.value / first.value
    direction = "smaller" if task != "detection" else "larger"

    def draw(wide: bool) -> Html:
        return charts.trend(
            [(result.year, result.value) for result in best],
            title=f"{first.metric} of the winner: {spoken}",
            size=(340.0, 210.0),
            years=(FIRST, LAST),
            axis=charts.percent_axis("", largest),
            hollow=outside,
        )

    caption = (
        f"{first.metric[0].upper()}{first.metric[1:]} in percent, test set. From {first.year} to {last.year} it became "
        f"{plain(round(change, 1))} times {direction}. Rings: outside data."
    )
    return figure(titles[task], caption, draw)


def _sources() -> Html:
    rows = [
        (
            str(result.year),
            result.task.capitalize(),
            result.team,
            result.method or "–",
            result.data,
            f"{percent(result.value, 2)} {'mAP' if result.task == 'detection' else ''}".strip(),
            f"{result.source}{' (unverified)' if result.unverified else ''}",
        )
        for task in ("classification", "localization", "detection")
        for data in ("provided", "outside")
        for result in winners(task, data)
    ]
    head = ("Year", "Task", "Winner", "Method", "Data", "Value", "Source")
    marked = sorted({f"{row[0]} {row[1].lower()} ({row[4]} data)" for row in rows if "(unverified)" in row[6]})
    notes = (
        "Errors allow five guesses per image; detection is mean average precision over 200 classes, and its winner "
        "is who won most of them. Up to 2014 the results are also in Russakovsky et al. 2015.",
        f"Unverified, quoted from memory of the result pages: {', '.join(marked)}.",
        f"Detection in 2014: 37.2{SPACE}% on the provided data (NUS), 43.9{SPACE}% with classification data "
        "(GoogLeNet). The popular figure shows the larger.",
    )
    return element(
        "div",
        {"class": "notes"},
        bullets(notes, "fine"),
        folded("All winners with their sources", grid("Winners 2010 to 2017", head, rows, words=5)),
    )
