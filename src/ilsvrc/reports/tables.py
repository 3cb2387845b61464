"""A race in a terminal: a table where there is room for one, aligned plain text elsewhere."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ilsvrc.reports.entries_part import gain_line
from ilsvrc.reports.formats import DASH, SPACE, duration, percent, plain, short, whole
from ilsvrc.reports.race_report import Contender, Race, ranked
from ilsvrc.reports.result import published_error
from ilsvrc.reports.task_result import figure_of
from ilsvrc.reports.verdict import certificate, verdict

HEAD = ("Entry", "Year", "Published", "Top-5", "Top-1", "Params", "MACs", "Time")
LEFT = ("Entry",)  # columns of words; the others are numbers
NOTE = "Published: top-5 error on ImageNet's images; it does not compare with the errors of this race."
MINIATURE = "*: a miniature, smaller than the paper's network."


def table(race: Race) -> Table:
    """The contenders in the race's order, the best one bold, the birth certificate below."""
    best = next(iter(ranked(race)), None)
    drawn = Table(
        title=race.title,
        caption="\n".join(_notes(race)),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        caption_justify="left",
        title_justify="left",
    )
    for name in HEAD:
        drawn.add_column(name, justify="left" if name in LEFT else "right", no_wrap=name not in LEFT)
    for contender in race.contenders:
        drawn.add_row(*(_escaped(cell) for cell in _row(contender)), style="bold" if contender is best else None)
    return drawn


def plain_text(race: Race) -> str:
    """The same for logs and pipes: aligned columns, ASCII apart from names, the verdict last."""
    rows = [HEAD, *(_row(contender) for contender in race.contenders)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if name in LEFT else cell.rjust(width)
            for cell, width, name in zip(row, widths, HEAD, strict=True)
        ).rstrip()
        for row in rows
    ]
    own = [*lines, "", verdict(race)] if race.contenders or not race.tasks else []
    if race.entries:
        own = [*entry_lines(race), "", verdict(race)]
    text = "\n".join([race.title, "", *own, *task_lines(race), *_notes(race)])
    return text.replace(SPACE, " ").replace(DASH, "-")


def entry_lines(race: Race) -> list[str]:
    """Whole entries in plain lines: what each scored and gained, here and as published, and its file."""
    lines = []
    for entry in race.entries:
        found = next((one for one in entry.published if one.metric == "top-5 error"), None)
        told = f", published {plain(found.percent)}{SPACE}% ({found.split})" if found else ""
        lines += [f"{entry.name}: top-5 error {percent(entry.top5_error)}, top-1 {percent(entry.top1_error)}{told}"]
        lines += [f"  {gain_line(one)}" for one in entry.gained]
        lines += [f"  {entry.submission}, scored by {entry.rules}"]
    return lines


def task_lines(race: Race) -> list[str]:
    """The other tasks in plain lines: who scored what, what was published, and what a box without looking scores."""
    lines = []
    for one in race.tasks:
        lines += ["", f"{one.task} ({whole(one.val_images)} images; {one.rules})"]
        width = max([len(finder.key) for finder in one.finders], default=0)
        for finder in one.finders:
            reported = next(iter(finder.published), None)
            told = f"published {plain(reported.percent)}{SPACE}%" if reported else ""
            lines.append(f"  {finder.key:<{width}}  {percent(figure_of(one.task, finder)):>7}  {told}".rstrip())
        lines += [f"  {base.said}: {percent(base.value)}" for base in one.baselines]
    return [*lines, ""] if lines else []


def _row(contender: Contender) -> tuple[str, ...]:
    reported = published_error(contender)
    return (
        f"{contender.title}{' *' if contender.miniature else ''}",
        str(contender.year),
        f"{plain(reported.percent)}{SPACE}%" if reported else DASH,
        percent(contender.top5_error),
        percent(contender.top1_error),
        short(contender.parameters),
        short(contender.macs),
        duration(contender.seconds),
    )


def _notes(race: Race) -> list[str]:
    small = any(contender.miniature for contender in race.contenders)
    return [f"{certificate(race)}.", NOTE, *([MINIATURE] if small else [])]


def _escaped(cell: str) -> str:
    return cell.replace("[", r"\[")  # a name in square brackets is no style
