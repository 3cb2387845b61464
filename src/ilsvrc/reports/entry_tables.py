"""The challenge's entries, and the rows of the papers' tables, as tables and pages for a terminal."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ilsvrc.entries.gains import Gain, gains, rows_of
from ilsvrc.entries.history import HISTORY
from ilsvrc.entries.protocols import PROTOCOLS
from ilsvrc.reports.formats import plain
from ilsvrc.reports.protocol_words import brief
from ilsvrc.reports.protocol_words import told as told_protocol
from ilsvrc.spec import BatchNorm, Detector, Entry, Member, Recipe, Regions, Regression, Reported

Part = str | Table | Text | Padding
PLACES = {1: "first", 2: "second"}
MEANS = {  # what is averaged over several networks; localization merges their boxes instead
    "classification": "the mean of the networks' probabilities, by the weights above",
    "detection": "the mean of the networks' boxes and probabilities, each of the proposals of all",
}


def rows(entries: dict[str, Entry]) -> list[dict[str, Any]]:
    """One object per entry: key, year, team, task, networks, how it was tested, and its published figures."""
    return [
        {
            "key": entry.key,
            "year": entry.year,
            "team": entry.team,
            "task": entry.task,
            "kind": "row" if entry.row else "entry",
            "row": entry.row or None,
            "networks": _networks(entry),
            "protocol": told_protocol(entry.protocol),
            "data": entry.data,
            "reconstruction": entry.reconstruction,
            "reported": _figure(entry.reported[0]),
            "figures": [_figure(figure) for figure in entry.reported],
        }
        for entry in entries.values()
    ]


def _networks(entry: Entry) -> dict[str, int]:
    """How many of each network; the same network by other recipes counts on."""
    found: dict[str, int] = {}
    for member in entry.members:
        found[member.model] = found.get(member.model, 0) + member.copies
    return found


def _figure(figure: Reported) -> dict[str, Any]:
    return {
        "metric": figure.metric,
        "percent": figure.percent,
        "split": figure.split,
        "source": figure.source,
        "unverified": figure.unverified,
    }


def overview(entries: dict[str, Entry]) -> Table:
    """One line per entry."""
    table = _table("entry", "year", "team", "task", "networks", "tested by", "published")
    for entry in entries.values():
        table.add_row(
            entry.key,
            str(entry.year),
            entry.team,
            entry.task,
            seats(entry),
            tested(entry),
            published(entry.reported[0]),
        )
    return table


def published(figure: Reported) -> str:
    """A figure in a list: '16.4 % top-5 error (test)'; one quoted from memory has a question mark."""
    return f"{figure.percent:g}{'?' * figure.unverified} % {figure.metric} ({figure.split})"


def tested(entry: Entry) -> str:
    """How it was tested, in two or three words."""
    ways = dict.fromkeys(brief(member.protocol or entry.protocol) for member in entry.members)
    return "; ".join(ways)


def page(entry: Entry) -> tuple[Part, ...]:
    """One entry, to be read: what it brought and scored, who took part, what is not known, how each was trained."""
    title = f"ILSVRC {entry.year}, {entry.task}{standing(entry)}" if not entry.row else f"{entry.year}, {entry.row}"
    parts: list[Part] = [
        _heading(f"{entry.team}, {title}  ({entry.key})"),
        entry.new,
        f"Source: {entry.source}",
    ]
    if entry.reconstruction:
        parts.append("A reconstruction: not all of what was entered is published; what is ours stands below.")
    parts += [_heading("\nPublished"), _figures(entry), *_gained(entry), _heading("\nNetworks"), _members(entry)]
    parts += [*_bulleted(looked(entry)), *_boxes(entry)]
    parts += _sentences("\nNot known, or done otherwise here", entry.gaps)
    for recipe in recipes_in(entry):
        lines = "\n".join(f"{name:<16} {value}" for name, value in told(recipe))
        parts += [_heading(f"\nTrained by: {recipe.source}"), Padding(Text(lines), (0, 0, 0, 2), expand=False)]
        parts += _sentences("\nLeft open by the source, and what was chosen", recipe.gaps)
    if not entry.row and rows_of(entry):
        parts += [_heading("\nRows of its tables (ilsvrc show KEY)"), _rows(rows_of(entry))]
    how = f"--entries {entry.key}" if entry.task == "classification" else f"--task {entry.task} --models {entry.key}"
    parts.append(f"\nTo run it: ilsvrc race {how} --data DIRECTORY")
    return tuple(parts)


def standing(entry: Entry) -> str:
    """', first' or ', second with outside data' of the challenge; empty where it was neither, or is a row."""
    own = (entry.year, entry.task, entry.team, entry.data)
    found = [r.place for r in HISTORY if (r.year, r.task, r.team, r.data) == own and not entry.row]
    outside = " with outside data" if entry.data == "outside" else ""
    return f", {PLACES[found[0]]}{outside}" if found and found[0] in PLACES else ""


def _figures(entry: Entry) -> Padding:
    table = _table("percent", "metric", "split", "source")
    for figure in entry.reported:
        mark = " (unverified)" if figure.unverified else ""
        table.add_row(f"{figure.percent:g}", figure.metric, figure.split, f"{figure.source}{mark}")
    return Padding(table, (0, 0, 0, 2), expand=False)


def _gained(entry: Entry) -> list[Part]:
    lines = [gained(gain) for gain in gains(entry) if not entry.row]
    return [_heading("\nWhat was gained"), *_bulleted(lines)] if lines else []


def gained(gain: Gain) -> str:
    """A published gain as a sentence."""
    if gain.what == "ensemble":
        who = f"{sum(member.copies for member in gain.after.members)} networks instead of their best"
    else:
        who = f"{tested(gain.after)} instead of {tested(gain.before)}, {seats(gain.after)}"
    splits = f"{gain.first.split} to {gain.second.split}" if gain.across else gain.first.split
    change = f"{gain.first.percent:g} to {gain.second.percent:g} %, {plain(gain.points)} points"
    return f"{who}: {gain.first.metric} {change} ({splits}; {gain.first.source})"


def _members(entry: Entry) -> Padding:
    table = _table("network", "weight", "trained by", "tested by")
    total = sum(member.copies * member.weight for member in entry.members)
    for member in entry.members:
        share = f"{plain(100 * member.weight / total)} %" + (" each" if member.copies > 1 else "")
        table.add_row(seat(member), share, member.recipe.source, brief(member.protocol or entry.protocol))
    return Padding(table, (0, 0, 0, 2), expand=False)


def looked(entry: Entry) -> tuple[str, ...]:
    """How the images were looked at, what was averaged, and what the papers do not say of it, a sentence each."""
    ways = dict.fromkeys(member.protocol or entry.protocol for member in entry.members)
    several = sum(member.copies for member in entry.members) > 1 and entry.task in MEANS
    mean = (MEANS[entry.task],) if several else ()
    names = {way: name for way in ways for name, known in PROTOCOLS.items() if known.protocol == way}
    gaps = dict.fromkeys(gap for name in names.values() for gap in PROTOCOLS[name].gaps)
    tested_by = (
        f"tested by {told_protocol(way)}" + (f" (protocol {names[way]})" if way in names else "") for way in ways
    )
    return (*tested_by, *gaps, *mean)


def _boxes(entry: Entry) -> list[Part]:
    """How objects are found, where that is the task: the fields of the entry's own way, then of what judges again."""
    if entry.boxes is None:
        return []
    parts: list[Part] = [_heading("\nHow objects are found"), _set(entry.boxes)]
    regions = entry.boxes.regions if isinstance(entry.boxes, Regression) else None
    return parts if regions is None else [*parts, _heading("\nHow their proposals are judged again"), _set(regions)]


def _set(way: Detector | Regression | Regions) -> Padding:
    """Fields and values of a way to find boxes; a part of it that is told by itself is left out."""
    told_of = {field.name.replace("_", " "): getattr(way, field.name) for field in fields(way)}
    told_of = {name: value for name, value in told_of.items() if not isinstance(value, Recipe | Regions | None)}
    wide = max(map(len, told_of))
    lines = "\n".join(f"{name:<{wide}}  {_plain(value)}" for name, value in told_of.items())
    return Padding(Text(lines), (0, 0, 0, 2), expand=False)


def recipes_in(entry: Entry) -> tuple[Recipe, ...]:
    """Every recipe that something in an entry is trained by, each once."""
    regions = entry.boxes.regions if isinstance(entry.boxes, Regression) else None
    again = () if regions is None else (regions.recipe,)
    return tuple(dict.fromkeys((*(member.recipe for member in entry.members), *again)))


def _rows(entries: Iterable[Entry]) -> Padding:
    table = _table("key", "row", "networks", "tested by", "published")
    for entry in entries:
        figures = ", ".join(published(figure) for figure in entry.reported)
        table.add_row(entry.key, entry.row, seats(entry), tested(entry), figures)
    return Padding(table, (0, 0, 0, 2), expand=False)


def seats(entry: Entry) -> str:
    """All members in a list; those that differ in recipe or protocol alone count together."""
    return ", ".join(seat_of(model, copies) for model, copies in _networks(entry).items())


def seat(member: Member) -> str:
    """A member in a list: '5 × alexnet'."""
    return seat_of(member.model, member.copies)


def seat_of(model: str, copies: int) -> str:
    """A network and how many of it."""
    return model if copies == 1 else f"{copies} × {model}"


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
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, justify="right" if title == "percent" else "left", no_wrap=title in ("entry", "key"))
    return table


def _heading(words: str) -> Text:
    return Text(words, style="bold")


def _sentences(title: str, sentences: tuple[str, ...]) -> list[Part]:
    return [_heading(title), *_bulleted(sentences)] if sentences else []


def _bulleted(sentences: Iterable[str]) -> list[Part]:
    """Sentences with hanging bullets, wrapped where the terminal ends."""
    table = Table.grid(padding=(0, 1))
    for sentence in sentences:
        table.add_row("-", Text(sentence))
    return [Padding(table, (0, 0, 0, 2), expand=False)]
