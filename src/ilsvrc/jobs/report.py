"""The page of several trainings: their directories read into what `reports.runs_page` draws."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.curve import curve
from ilsvrc.jobs.fused_runs import parts_of
from ilsvrc.jobs.localize_regions import FIRST
from ilsvrc.reports.formats import plain, whole
from ilsvrc.reports.runs_page import Trained, write_runs_page
from ilsvrc.spec import Member, Regression, from_json
from ilsvrc.train.run import Run
from ilsvrc.train.signs import signs


def report(directories: Sequence[Path], out: Path) -> str:
    """Write the page of these runs, and of the runs directly in folders of runs; in a line, what was written.

    A run that is still under way is drawn as far as it is. Raises DataError for what is no run, SpecError when
    nothing is given or `out` cannot be written.
    """
    found = [run for directory in directories for run in runs_in(directory)]
    if not found:
        raise SpecError("no training is given; name the directories of runs, or a folder of them")
    found = list(dict.fromkeys(found))
    runs = [trained(place, label) for place, label in zip(found, labels(found), strict=True)]
    write_runs_page(runs, out)
    return f"{out}: {len(runs)} trainings" if len(runs) > 1 else f"{out}: the training in {found[0]}"


def runs_in(directory: Path) -> list[Path]:
    """The directory where it is a run, else the runs directly in it, by name; of several parts the runs of each.

    Raises DataError when there is none.
    """
    if (directory / "spec.json").is_file():
        return trainings_of(directory)
    below = sorted(path.parent for path in directory.glob("*/spec.json")) if directory.is_dir() else []
    if not below:
        raise DataError(f"{directory} holds no training (a directory with spec.json); give what ilsvrc train made")
    return [place for each in below for place in trainings_of(each)]


def trainings_of(directory: Path) -> list[Path]:
    """The trainings of a run: of joined networks each; where proposals are judged again, what proposes them, too."""
    places = parts_of(directory)
    return [each for place in places for each in (place / FIRST, place) if (each / "spec.json").is_file()]


def labels(places: Sequence[Path]) -> list[str]:
    """A short name for each directory: its last part, with as many parts above it as tell all apart."""
    parts = [Path(os.path.abspath(place)).parts for place in places]
    depth = 1
    while len({part[-depth:] for part in parts}) < len(places) and depth < max(map(len, parts)):
        depth += 1
    return ["/".join(part[-depth:]) for part in parts]


def trained(directory: Path, label: str) -> Trained:
    """One run as its directory tells it. Raises DataError when its files cannot be understood."""
    run = Run(directory)
    spec = run.spec()
    asked, here = spec["asked"], spec.get("circumstances", {})
    try:
        member = _member(asked)
        epochs = run.log()
        return Trained(
            label=label,
            model=member.model,
            curve=curve(epochs),
            epochs=float(asked.get("region_epochs", asked["epochs"])),
            classes=int(asked["classes"]),
            facts=_facts(member, asked, here),
            signs=_signs(asked, epochs),
            done=run.scores.exists(),
            images_per_second=epochs[-1]["images_per_second"] if epochs else None,
            extra=tuple(member.recipe.gaps),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{directory} cannot be understood ({type(error).__name__}: {error}); was it written by another version?"
        ) from error


def _member(asked: dict[str, Any]) -> Member:
    """The network and the recipe it is trained by: where proposals are judged again, that of the judge."""
    member: Member = from_json(asked["member"])
    boxes = from_json(asked.get("boxes"))
    regions = boxes.regions if isinstance(boxes, Regression) else None
    return member if regions is None else replace(member, recipe=regions.recipe)


def _signs(asked: dict[str, Any], epochs: list[dict[str, Any]]) -> tuple[str, ...]:
    """What looks wrong in a training of a classifier; the other tasks have no loss at chance to compare with."""
    if asked.get("task", "classification") != "classification":
        return ()
    return signs(epochs, int(asked["classes"]), int(epochs[-1].get("images", 0)) if epochs else 0)


def _facts(member: Member, asked: dict[str, Any], here: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    size = f"{member.image_size} px" if member.image_size else "the paper's"
    machine = f"{here.get('device', '?')} ({here.get('cpu', '?')}, {here.get('cores', '?')} cores)"
    versions = f"ilsvrc {here.get('ilsvrc', '?')}, PyTorch {here.get('torch', '?')}, commit {here.get('commit')}"
    return (
        ("Input", size),
        ("Width", plain(member.width)),
        ("Recipe", member.recipe.source),
        ("Batch", whole(member.recipe.batch)),
        ("Epochs", plain(asked.get("region_epochs", asked["epochs"]))),
        ("Seed", str(asked["seed"])),
        ("Precision", str(asked.get("precision"))),
        ("Data", f"{asked['classes']} classes, fingerprint {asked['data']}"),
        ("Machine", machine),
        ("Versions", versions),
    )
