"""How commands print: rich on a terminal, plain text elsewhere, JSON for machines."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType

if TYPE_CHECKING:
    from ilsvrc.reports.race_report import Race


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def show(*parts: RenderableType) -> None:
    """Tables and text on standard output; as wide as they need where there is no terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    for part in parts:
        if isinstance(part, str):
            console.print(part, highlight=False, markup=False)
        else:
            console.print(part)


def show_race(race: "Race", out: Path) -> None:
    """The race's table, its verdict, and where the report is."""
    from ilsvrc.reports.tables import plain_text, table
    from ilsvrc.reports.verdict import verdict

    console = Console()
    if console.is_terminal:
        console.print(table(race))
        console.print(verdict(race), highlight=False, markup=False)
    else:
        print(plain_text(race))
    print(f"report: {out / 'report.html'}   numbers: {out / 'results.json'}   runs: {out / 'runs'}")
