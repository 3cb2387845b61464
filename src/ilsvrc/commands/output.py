"""How commands print: rich on a terminal, plain text elsewhere, JSON for machines."""

import csv
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console, RenderableType

if TYPE_CHECKING:
    from ilsvrc.jobs.detector import Sight
    from ilsvrc.jobs.localize import Found
    from ilsvrc.jobs.predict import Answer
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
    from ilsvrc.reports.tables import plain_text, table, task_lines
    from ilsvrc.reports.verdict import verdict

    console = Console()
    if console.is_terminal and not race.entries:
        if race.contenders or not race.tasks:
            console.print(table(race))
            console.print(verdict(race), highlight=False, markup=False)
        console.print("\n".join(task_lines(race)), highlight=False, markup=False)
    else:
        print(plain_text(race))
    print(f"report: {out / 'report.html'}   numbers: {out / 'results.json'}   runs: {out / 'runs'}")


def print_sights(sights: "Iterable[Sight]", json: bool) -> int:
    """What was found in images, as it is found; JSON is one list. How many images could not be read."""
    faults, rows = 0, []
    for sight in sights:
        faults += bool(sight.fault)
        if json:
            rows.append(asdict(sight))
        elif sight.fault:
            print(sight.fault, file=sys.stderr)
        else:
            print(sight.image + (f"  (drawn in {sight.drawing})" if sight.drawing else ""))
            for thing in sight.things:
                edges = " ".join(f"{edge:.0f}" for edge in thing.box)
                print(f"  {thing.confidence:7.2%}  {thing.wnid}  {thing.name}  {edges}")
    if json:
        print_json(rows)
    return faults


def print_answers(answers: "Iterable[Answer]", form: Literal["text", "json", "csv"]) -> int:
    """What a network says of images, as it says it; JSON is one list. How many images could not be read."""
    faults, rows = 0, []
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if form == "csv":
        writer.writerow(["image", "rank", "wnid", "label_by_wnid", "name", "probability"])
    for answer in answers:
        faults += bool(answer.fault)
        if form == "json":
            guesses = [
                {"wnid": g.wnid, "label_by_wnid": g.label, "name": g.name, "probability": g.probability}
                for g in answer.guesses
            ]
            rows.append({"image": answer.image, "guesses": guesses} | ({"fault": answer.fault} if answer.fault else {}))
        elif answer.fault:
            print(answer.fault, file=sys.stderr)
        elif form == "csv":
            for rank, g in enumerate(answer.guesses, start=1):
                writer.writerow([answer.image, rank, g.wnid, g.label, g.name, f"{g.probability:.6f}"])
        else:
            print(answer.image)
            for g in answer.guesses:
                print(f"  {g.probability:7.2%}  {g.wnid}  {g.name}")
    if form == "json":
        print_json(rows)
    return faults


def print_places(found: "Iterable[Found]", *, json: bool) -> int:
    """What a localizer says of images, as it says it; JSON is one list. How many images could not be read."""
    faults, rows = 0, []
    for one in found:
        faults += bool(one.fault)
        if json:
            rows.append(one.as_json())
        elif one.fault:
            print(one.fault, file=sys.stderr)
        else:
            print(f"{one.image}{f'  drawn in {one.drawing}' if one.drawing else ''}")
            for place in one.places:
                corners = " ".join(f"{edge:.0f}" for edge in place.box)
                print(f"  {place.probability:7.2%}  {place.wnid}  {place.name}  at {corners} (xmin ymin xmax ymax)")
    if json:
        print_json(rows)
    return faults
