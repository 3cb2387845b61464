"""Re-run whole entries: train every network of each once, look as its paper looked, combine, submit, score, report.

runs/ has a directory for each network, shared by all entries that have it; scores/ what each said by each protocol;
submissions/ a file per entry in the kit's form. What exists is not redone.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ilsvrc import models
from ilsvrc.entries.miniature import PROTOCOL, miniature_of
from ilsvrc.entries.recipes import recipes_of
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import SpecError
from ilsvrc.jobs.contenders import contender, race_data
from ilsvrc.jobs.entry import find
from ilsvrc.jobs.entry_scores import Panel, submitted
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import Bench, machine
from ilsvrc.jobs.machine import command as machine_command
from ilsvrc.jobs.pictures import pictures
from ilsvrc.jobs.race_runs import run_all
from ilsvrc.jobs.training import Training
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.race_report import Contender, Race
from ilsvrc.spec import Crops, Entry, Member, ShortSide
from ilsvrc.train.run import Run


@dataclass(frozen=True)
class Chair:
    """One network of an entry as it races: the name of its run, its training, and whose place it takes."""

    name: str
    training: Training
    member: Member  # of the entry


def race_entries(path: str, out: Path, wishes: Wishes, bench: Bench, watch: Watch, command: str | None = None) -> Race:
    """Race the entries of `wishes` on the data set at `path`; everything ends in `out`, results.json and the page last.

    Raises DataError, SpecError or Diverged for what a user can mend, Stopped when asked to stop.
    """
    began, started = time.monotonic(), datetime.now().astimezone().isoformat(timespec="seconds")
    entries = chosen(wishes)
    splits = open_splits(path)
    chairs = {entry.key: seated(entry, wishes) for entry in entries}
    trainings = in_order([chair for seats in chairs.values() for chair in seats], out / "runs", wishes)
    watch.say(
        f"{len(entries)} entries of {sum(map(len, chairs.values()))} networks, {len(trainings)} to train; "
        f"{len(splits.train.classes)} classes, {len(splits.train):,} images to learn from, "
        f"{len(splits.val):,} to be judged on"
    )
    with watch.live():
        runs = run_all(trainings, splits, out / "runs", bench, watch)
    panel = Panel(splits=splits, out=out, bench=bench, watch=watch, reading=wishes.reading)
    done = tuple(
        submitted(entry, [(chair.member, runs[chair.name], chair.training) for chair in chairs[entry.key]], panel)
        for entry in entries
    )
    contenders = _contenders(entries, chairs, runs, len(splits.train.classes))
    return Race(
        title="Entries of the ImageNet challenge re-run" + ("" if wishes.full else " in miniature"),
        data=race_data(splits),
        contenders=contenders,
        machine=machine(bench.device),
        command=command or machine_command(),
        started=started,
        seconds=max(time.monotonic() - began, sum(each.seconds or 0.0 for each in contenders)),
        protocol="every entry by its own protocol, in proportion to its images; networks alone by one centre crop",
        seed=wishes.seed,
        pictures=pictures(splits.val, {each.name: runs[each.name] for each in contenders}),
        entries=done,
    )


def chosen(wishes: Wishes) -> tuple[Entry, ...]:
    """The entries and rows by key, each once. Raises SpecError on an unknown key and on another task's."""
    if wishes.tasks != ("classification",):
        raise SpecError(f"--task {wishes.tasks[0]} and --entries are both given; whole entries race in classification")
    if wishes.names:
        raise SpecError("--models and --entries are both given; a race is of networks or of whole entries")
    found = tuple(find(key) for key in dict.fromkeys(wishes.entries))
    for entry in found:
        if entry.task != "classification":
            raise SpecError(f"{entry.key} is an entry in {entry.task}; race --entries takes those in classification")
    return found


def seated(entry: Entry, wishes: Wishes) -> tuple[Chair, ...]:
    """Every network of an entry, copies of one another by other seeds."""
    chairs: list[Chair] = []
    taken: dict[str, int] = {}
    for member in entry.members:
        here = racing(member, wishes)
        for _ in range(member.copies):
            name = run_name(here)
            seed = wishes.seed + taken.get(name, 0)
            taken[name] = taken.get(name, 0) + 1
            chairs.append(Chair(f"{name}.{seed}", training_of(here, seed, wishes), member))
    return tuple(chairs)


def racing(member: Member, wishes: Wishes) -> Member:
    """The network that races for a member: itself, or narrow on small images, or what stands for it."""
    here = Member(model=member.model, recipe=member.recipe) if wishes.full else miniature_of(member)
    size = here.image_size if wishes.image_size is None else wishes.image_size
    return replace(here, image_size=size, width=here.width if wishes.width is None else wishes.width)


def training_of(member: Member, seed: int, wishes: Wishes) -> Training:
    """How it is trained, judged by one crop after each epoch. Raises SpecError for no epoch at all."""
    size = models.paper_size(member.model)
    epochs = round(member.recipe.epochs) if wishes.epochs is None else wishes.epochs
    if epochs < 1:
        raise SpecError(f"{epochs} epochs are asked for; a race takes at least 1")
    judged = Crops(layout="center", short_sides=(round(256 * size / 224),), size=size) if wishes.full else PROTOCOL
    return Training(member=member, protocol=judged, epochs=epochs, seed=seed, reading=wishes.reading)


def run_name(member: Member) -> str:
    """The network, and what sets its recipe apart from its usual one: 'vgg16-110'."""
    known = recipes_of(member.model)
    for name, recipe in known.items():
        if member.recipe.augment == recipe.augment and member.recipe.source == recipe.source:
            return member.model if name in ("paper", "miniature") else f"{member.model}-{name}"
    scales = member.recipe.augment[0]
    assert isinstance(scales, ShortSide)
    sides = f"{scales.low}" if scales.low == scales.high else f"{scales.low}-{scales.high}"
    return f"{member.model}-{sides}"


def in_order(chairs: list[Chair], runs: Path, wishes: Wishes) -> dict[str, Training]:
    """Every training once, by the name of its run; one that starts from another's weights after that other."""
    found: dict[str, Training] = {}

    def add(name: str, training: Training) -> None:
        start = training.member.recipe.starts_from
        if start is not None:
            model = start.model or training.member.model
            recipe = next(each for each in recipes_of(model).values() if each.source == start.recipe)
            before = replace(training.member, model=model, recipe=recipe)
            place = f"{run_name(before)}.{training.seed}"
            add(place, training_of(before, training.seed, wishes))
            training = replace(training, start=runs / place)
        found.setdefault(name, training)

    for chair in chairs:
        add(chair.name, chair.training)
    return found


def _contenders(
    entries: tuple[Entry, ...], chairs: dict[str, tuple[Chair, ...]], runs: dict[str, Run], classes: int
) -> tuple[Contender, ...]:
    """Each network once: of copies, which differ in seed, the first."""
    found: dict[str, Contender] = {}
    for entry in entries:
        for chair in chairs[entry.key]:
            kind = chair.name.rpartition(".")[0]
            if kind not in found:
                one = contender(replace(entry, reported=()), chair.training, runs[chair.name], classes)
                title = TITLES[one.name] + kind.removeprefix(one.name).replace("-", ", S ", 1)
                found[kind] = replace(one, name=chair.name, title=title)
    return tuple(found.values())
