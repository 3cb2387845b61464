"""The entries from before the networks as a table and as pages for a terminal."""

from dataclasses import fields
from typing import Any

from rich.table import Table

from ilsvrc.entries.earlier import Earlier, Shallow
from ilsvrc.reports.entry_tables import published


def rows(entries: dict[str, Earlier]) -> list[dict[str, Any]]:
    """One object per entry, with the names that the other entries' rows have; there are no networks."""
    return [
        {
            "key": entry.key,
            "year": entry.year,
            "team": entry.team,
            "task": entry.task,
            "kind": "entry",
            "row": None,
            "networks": {},
            "method": entry.name,
            "reported": figures(entry)[0],
            "figures": figures(entry),
        }
        for entry in entries.values()
    ]


def figures(entry: Earlier) -> list[dict[str, Any]]:
    """The published figures as JSON values."""
    names = ("metric", "percent", "split", "source", "unverified")
    return [{name: getattr(figure, name) for name in names} for figure in entry.reported]


def overview(entries: dict[str, Earlier]) -> Table:
    """One line per entry."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("before the networks", "year", "team", "task", "method", "published"):
        table.add_column(title, no_wrap=True)
    for entry in entries.values():
        figure = published(entry.reported[0])
        table.add_row(entry.key, str(entry.year), entry.team, entry.task, entry.name, figure)
    return table


def page(entry: Earlier) -> tuple[str, ...]:
    """One entry, to be read: what it brought and scored, its method, its miniature, what is not known."""
    return (
        f"{entry.team}, ILSVRC {entry.year}, {entry.task}  ({entry.key})",
        entry.new,
        f"Source: {entry.source}",
        "\nPublished",
        *(f"  {published(figure)}; {figure.source}" for figure in entry.reported),
        "\nNot known",
        *(f"  - {gap}" for gap in entry.gaps),
        *_method("\nMethod", entry.method),
        *_method("\nIn miniature", entry.miniature),
        f"\nTo run it: ilsvrc race --models {entry.name} --data DIRECTORY",
    )


def told(method: Shallow) -> list[tuple[str, str]]:
    """Names and values of what a method sets."""
    names = [field.name for field in fields(method) if field.name not in ("source", "gaps")]
    return [(name.replace("_", " "), str(getattr(method, name))) for name in names]


def _method(title: str, method: Shallow) -> list[str]:
    lines = [f"  {name:<16} {value}" for name, value in told(method)]
    return [f"{title}: {method.source}", *lines, *(f"  - {gap}" for gap in method.gaps)]
