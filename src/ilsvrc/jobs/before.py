"""The winners before the networks in a race: which of them take part, and what becomes of each."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ilsvrc.entries.before import BEFORE
from ilsvrc.entries.earlier import Earlier, Shallow
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.machine import Bench, circumstances
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.reports.formats import percent
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.race_report import Contender
from ilsvrc.spec import as_json
from ilsvrc.train.run import Run


@dataclass(frozen=True)
class Raced:
    """One entry's part in a race: its row of the report, and the directory with its predictions."""

    contender: Contender
    run: Run


def chosen(wishes: Wishes) -> dict[str, Earlier]:
    """Those who take part: the ones that are named, or where nobody is, the ones a race has by default."""
    if wishes.names:
        return {key: entry for key, entry in BEFORE.items() if {key, entry.name} & set(wishes.names)}
    return {key: entry for key, entry in BEFORE.items() if key in wishes.before}


def without(wishes: Wishes) -> Wishes:
    """The wishes with their names of networks alone."""
    own = {name for key, entry in BEFORE.items() for name in (key, entry.name)}
    return replace(wishes, names=tuple(name for name in wishes.names if name not in own))


def race_before(wishes: Wishes, splits: Splits, folder: Path, bench: Bench, watch: Watch) -> tuple[Raced, ...]:
    """Train and judge those of `chosen`, oldest first, each in a directory in `folder`; done ones are only read.

    Raises SpecError when a directory holds another training, DataError when an image cannot be decoded.
    """
    found = []
    for entry in chosen(wishes).values():
        method = entry.method if wishes.full else entry.miniature
        run = Run(folder / f"{entry.name}.{wishes.seed}")
        run.start(_asked(entry, method, splits, wishes), circumstances(bench))
        if not run.scores.exists():
            watch.say(f"{entry.title} ({entry.team} {entry.year}), {method.short_side} px, {method.words} words")
            from ilsvrc.jobs.before_train import Work  # scikit-learn takes a second or two to import

            Work(method, splits, wishes.seed, wishes.reading, watch).into(run)
        found.append(Raced(_contender(entry, method, run, wishes), run))
        watch.say(f"  {entry.name:>18}  top-5 error {percent(found[-1].contender.top5_error)}")
    return tuple(found)


def _asked(entry: Earlier, method: Shallow, splits: Splits, wishes: Wishes) -> dict[str, Any]:
    """What decides the outcome."""
    return {
        "entry": entry.key,
        "method": as_json(method),
        "seed": wishes.seed,
        "data": splits.fingerprint,
        "classes": len(splits.train.classes),
        "reading": asdict(wishes.reading),
    }


def _contender(entry: Earlier, method: Shallow, run: Run, wishes: Wishes) -> Contender:
    scores = run.read_scores() or {}
    top1, top5 = (score["value"] for score in scores["scores"])
    return Contender(
        name=entry.name,
        title=entry.title,
        year=entry.year,
        team=entry.team,
        top1_error=top1,
        top5_error=top5,
        parameters=scores["parameters"],
        seconds=scores["seconds"],
        images_per_second=scores["images_per_second"],
        image_size=method.short_side,
        paper_image_size=entry.method.short_side,
        precision="float32",
        paper=method.source if wishes.full else entry.method.source,
        new=entry.new,
        differences=("no network: parameters are those of its linear classifier", *method.gaps, *entry.gaps),
        published=entry.reported,
        network=False,
        miniature=not wishes.full,
    )
