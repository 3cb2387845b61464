"""A verdict in the terminal: tables where a person looks, plain lines where a program reads."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from ilsvrc.reports.formats import SPACE, percent, whole
from ilsvrc.reports.score_tables import Breakdown, Table
from ilsvrc.scoring.score import Score


def print_scores(
    title: str, scores: Sequence[Score], remarks: Sequence[str], breakdown: Breakdown, console: Console | None = None
) -> None:
    """Print scores, remarks and tables to standard output, or to a console.

    On a terminal as tables; elsewhere a line per score with its full value, then tables with tabs between the cells.
    """
    console = console or Console()
    if not console.is_terminal:
        for line in plain_lines(scores, remarks, breakdown):
            print(line, file=console.file)
        return
    console.print(Text(title, style="bold"))
    grid = Grid(box=SIMPLE_HEAD)
    for column in ("score", "value", "images", "left out", "rules"):
        grid.add_column(column, justify="left" if column in ("score", "rules") else "right")
    for score in scores:
        grid.add_row(score.metric, value_text(score), whole(score.images), whole(score.excluded), score.rules)
    console.print(grid)
    for remark in remarks:
        console.print(Text(remark, style="yellow"))
    for table in breakdown.tables:
        _print_table(table, console)


def value_text(score: Score) -> str:
    """A score for people: percent, but a cost as the number it is."""
    return f"{score.value:.4f}" if "cost" in score.metric else percent(score.value, 3)


def _print_table(table: Table, console: Console) -> None:
    grid = Grid(box=SIMPLE_HEAD)
    for place, column in enumerate(table.head):
        grid.add_column(column, justify="left" if place < table.words else "right", overflow="fold")
    for row in table.rows[: table.shown]:
        grid.add_row(*map(Text, row))
    console.print(Text(f"\n{table.title}", style="bold"))
    console.print(grid)
    for note in _notes(table):
        console.print(Text(note, style="dim"))


def _notes(table: Table) -> list[str]:
    more = len(table.rows) - table.shown
    return [table.note] * bool(table.note) + [f"{more:,} more rows are on the page that --html writes"] * (more > 0)


def plain_lines(scores: Sequence[Score], remarks: Sequence[str], breakdown: Breakdown) -> list[str]:
    """The same without a terminal: a line per score, remark and row; cells are separated by tabs."""
    lines = [
        f"{score.metric}\t{score.value!r}\t{score.images} images, {score.excluded} left out\t{score.rules}"
        for score in scores
    ]
    lines += remarks
    for table in breakdown.tables:
        lines += ["", table.title, "\t".join(table.head)]
        lines += ["\t".join(row) for row in table.rows[: table.shown]]
        lines += _notes(table)
    return [line.replace(SPACE, " ") for line in lines]
