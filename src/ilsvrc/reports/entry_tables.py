"""The challenge's entries as tables and pages for a terminal."""

from dataclasses import fields
from typing import Any

from rich.table import Table

from ilsvrc.reports import protocol_words
from ilsvrc.spec import BatchNorm, Entry, Member, Recipe


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
            ", ".join(map(seat, entry.members)),
            f"{first.percent:g} % {first.metric} ({first.split})",
        )
    return table


def page(entry: Entry) -> tuple[str | Table, ...]:
    """One entry, to be read: what was new, who took part, how each was trained and tested, what was published."""
    parts: list[str | Table] = [
        f"{entry.team}, ILSVRC {entry.year}, {entry.task}  ({entry.key})\n{entry.new}\nSource: {entry.source}",
        f"\nNetworks: {', '.join(map(seat, entry.members))}\nTested by: {protocol_words.told(entry.protocol)}",
    ]
    for recipe in dict.fromkeys(member.recipe for member in entry.members):
        lines = [f"\nTrained by: {recipe.source}"]
        lines += [f"  {name:<16} {value}" for name, value in told(recipe)]
        parts.append("\n".join(lines))
        parts.append(_sentences("What the paper leaves open, and what was chosen:", recipe.gaps))
    table = Table(box=None, pad_edge=False, header_style="bold", title="\nPublished", title_justify="left")
    for title in ("metric", "percent", "split", "source"):
        table.add_column(title)
    for figure in entry.reported:
        table.add_row(figure.metric, f"{figure.percent:g}", figure.split, figure.source)
    parts += [table, _sentences("What differs from the submission, or is not known:", entry.gaps)]
    return tuple(part for part in parts if part)


def seat(member: Member) -> str:
    """A member in a list: '5 × alexnet'."""
    return member.model if member.copies == 1 else f"{member.copies} × {member.model}"


def told(recipe: Recipe) -> list[tuple[str, str]]:
    """Names and values of what a recipe sets; what it does without is left out."""
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    values["side_weight"] = f"{recipe.side_weight:g}, where there are side heads"
    return [
        (name.replace("_", " "), _plain(value))
        for name, value in values.items()
        if name not in ("source", "gaps") and value not in (0, None, BatchNorm())
    ]


def _plain(value: Any) -> str:
    """A field as a person writes it: SGD(lr=0.01, momentum=0.9)."""
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value)) or "none"
    return str(value)


def _sentences(title: str, sentences: tuple[str, ...]) -> str:
    return f"\n{title}" + "".join(f"\n- {sentence}" for sentence in sentences) if sentences else ""
