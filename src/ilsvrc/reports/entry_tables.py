"""The challenge's entries as tables and pages for a terminal."""

from dataclasses import fields
from typing import Any

from rich.table import Table

from ilsvrc.spec import Crops, Entry, Member


def rows(entries: dict[str, Entry]) -> list[dict[str, Any]]:
    """One object per entry: key, year, team, task, networks, and the first published figure."""
    return [
        {
            "key": entry.key,
            "year": entry.year,
            "team": entry.team,
            "task": entry.task,
            "networks": {member.model: member.copies for member in entry.members},
            "reported": {
                "metric": entry.reported[0].metric,
                "percent": entry.reported[0].percent,
                "split": entry.reported[0].split,
                "source": entry.reported[0].source,
            },
        }
        for entry in entries.values()
    ]


def overview(entries: dict[str, Entry]) -> Table:
    """One line per entry."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("entry", "year", "team", "task", "networks", "published"):
        table.add_column(title)
    for entry in entries.values():
        first = entry.reported[0]
        table.add_row(
            entry.key,
            str(entry.year),
            entry.team,
            entry.task,
            ", ".join(map(_seat, entry.members)),
            f"{first.percent:g} % {first.metric} ({first.split})",
        )
    return table


def page(entry: Entry) -> tuple[str | Table, ...]:
    """One entry, to be read: what was new, who took part, how each was trained and tested, what was published."""
    parts: list[str | Table] = [
        f"{entry.team}, ILSVRC {entry.year}, {entry.task}  ({entry.key})\n{entry.new}\nSource: {entry.source}",
        f"\nNetworks: {', '.join(map(_seat, entry.members))}\nTested by: {_protocol(entry.protocol)}",
    ]
    for recipe in dict.fromkeys(member.recipe for member in entry.members):
        lines = [f"\nTrained by: {recipe.source}"]
        lines += [
            f"  {field.name.replace('_', ' '):<16} {_plain(getattr(recipe, field.name))}"
            for field in fields(recipe)
            if field.name not in ("source", "gaps")
        ]
        parts.append("\n".join(lines))
        parts.append(_sentences("What the paper leaves open, and what was chosen:", recipe.gaps))
    table = Table(box=None, pad_edge=False, header_style="bold", title="\nPublished", title_justify="left")
    for title in ("metric", "percent", "split", "source"):
        table.add_column(title)
    for figure in entry.reported:
        table.add_row(figure.metric, f"{figure.percent:g}", figure.split, figure.source)
    parts += [table, _sentences("What differs from the submission, or is not known:", entry.gaps)]
    return tuple(part for part in parts if part)


def _seat(member: Member) -> str:
    return member.model if member.copies == 1 else f"{member.copies} × {member.model}"


def _protocol(protocol: Crops) -> str:
    crops = {"center": "one centre crop", "ten": "ten crops"}[protocol.layout]
    sides = ", ".join(map(str, protocol.short_sides))
    return f"{crops} of {protocol.size} pixels from short side {sides}, {protocol.average} averaged"


def _plain(value: Any) -> str:
    """A recipe's field as a person writes it: SGD(lr=0.01, momentum=0.9)."""
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value)) or "none"
    return str(value)


def _sentences(title: str, sentences: tuple[str, ...]) -> str:
    return f"\n{title}" + "".join(f"\n- {sentence}" for sentence in sentences) if sentences else ""
