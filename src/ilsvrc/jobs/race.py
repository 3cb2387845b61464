"""Re-run the challenge: train the winners one after another on one data set, judge them, report.

What exists is not redone: a race that stops is started again with the same words.
"""

import json
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import torch

from ilsvrc import models
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature import MINIATURES, PROTOCOL
from ilsvrc.entries.recipes import PAPER
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_tasks import RACE
from ilsvrc.jobs.clock import Clock
from ilsvrc.jobs.curve import curve
from ilsvrc.jobs.draw_architecture import svg_of
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.lap import expected_seconds
from ilsvrc.jobs.machine import Bench, machine
from ilsvrc.jobs.machine import command as machine_command
from ilsvrc.jobs.pictures import pictures
from ilsvrc.jobs.stores import Stores
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.training import Training
from ilsvrc.jobs.wishes import Wishes as Wishes
from ilsvrc.models import anatomy
from ilsvrc.reports import race_report
from ilsvrc.reports.formats import duration
from ilsvrc.reports.page import write_page
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.protocol_words import told
from ilsvrc.reports.race_report import Contender, Data, Race
from ilsvrc.spec import Member
from ilsvrc.train.checkpoint import write_text
from ilsvrc.train.recipe import while_training
from ilsvrc.train.run import Run

PRECISIONS = {"bf16": "bfloat16", "fp32": "float32", "fp16": "float16", "tf32": "TensorFloat-32"}


def seats(wishes: Wishes) -> dict[str, Member]:
    """Who races: entries by key, each with the network that stands for it.

    Raises SpecError on a name that is in no race, with those that are.
    """
    taken = {key: _first(key) for key in MINIATURES} if wishes.full else dict(MINIATURES)
    known = {**{key: key for key in taken}, **{member.model: key for key, member in taken.items()}}
    unknown = [name for name in wishes.names if name not in known]
    if unknown:
        raise SpecError(
            f"{unknown[0]!r} does not race here; those who do: {', '.join(m.model for m in taken.values())}"
        )
    chosen = {known[name] for name in wishes.names} or set(taken)
    return {key: _wished(member, wishes) for key, member in taken.items() if key in chosen}


def race(path: str, out: Path, wishes: Wishes, bench: Bench, watch: Watch, command: str | None = None) -> Race:
    """Race on the data set at `path` in the tasks that are wished; runs, results.json and report.html end in `out`.

    command is what runs it again, the words of this process by default.

    Raises DataError, SpecError or Diverged for what a user can mend, Stopped when asked to stop.
    """
    began, started = time.monotonic(), datetime.now().astimezone().isoformat(timespec="seconds")
    _check_tasks(wishes)
    splits = open_splits(path, labelled=wishes.tasks != ("detection",))
    chosen = seats(wishes) if "classification" in wishes.tasks else {}
    trainings = {key: _training(key, member, wishes) for key, member in chosen.items()}
    networks = f"{len(trainings)} networks, " if trainings else ""
    watch.say(
        f"{networks}{len(splits.train.classes)} classes, "
        f"{len(splits.train):,} images to learn from, {len(splits.val):,} to be judged on"
    )
    with watch.live():
        runs = _run_all(trainings, splits, out / "runs", bench, watch) if trainings else {}
    others = tuple(RACE[task](path, out, wishes, bench, watch) for task in wishes.tasks if task != "classification")
    contenders = tuple(_contender(key, trainings[key], run, len(splits.train.classes)) for key, run in runs.items())
    result = Race(
        title="The ImageNet challenge re-run" + ("" if wishes.full else " in miniature"),
        data=_data(splits),
        contenders=contenders,
        machine=machine(bench.device),
        command=command or machine_command(),
        started=started,
        # Of a race that was stopped in between, the sittings before are known by their trainings.
        seconds=max(time.monotonic() - began, sum(contender.seconds or 0.0 for contender in contenders)),
        protocol=_protocol(list(trainings.values())),
        seed=wishes.seed,
        pictures=pictures(splits.val, {trainings[key].member.model: run for key, run in runs.items()}),
        tasks=others,
    )
    write_report(result, out)
    return result


def _check_tasks(wishes: Wishes) -> None:
    unknown = [task for task in wishes.tasks if task != "classification" and task not in RACE]
    if unknown or not wishes.tasks:
        asked = unknown[0] if unknown else "no task"
        raise SpecError(f"{asked} is asked for; there are {', '.join(('classification', *RACE))}")


def write_report(result: Race, out: Path) -> None:
    """results.json and report.html in `out`."""
    write_text(out / "results.json", json.dumps(race_report.results(result), indent=1) + "\n")
    write_page(result, out / "report.html")


def _first(key: str) -> Member:
    """The network that stands for an entry at full size: its first, by the recipe that needs no other training."""
    model = ENTRIES[key].members[0].model
    return Member(model=model, recipe=PAPER[model])


def _wished(member: Member, wishes: Wishes) -> Member:
    size = member.image_size if wishes.image_size is None else wishes.image_size
    return replace(member, image_size=size, width=member.width if wishes.width is None else wishes.width)


def _training(key: str, member: Member, wishes: Wishes) -> Training:
    paper_size = models.paper_size(member.model)
    protocol = while_training(ENTRIES[key].protocol, paper_size) if wishes.full else PROTOCOL
    epochs = round(member.recipe.epochs) if wishes.epochs is None else wishes.epochs
    if epochs < 1:
        raise SpecError(f"{epochs} epochs are asked for; a race takes at least 1")
    return Training(member=member, protocol=protocol, epochs=epochs, seed=wishes.seed, reading=wishes.reading)


def _run_all(trainings: dict[str, Training], splits: Splits, runs: Path, bench: Bench, watch: Watch) -> dict[str, Run]:
    """Oldest entry first; those that are done already are only read."""
    stores, done = Stores(), {}
    clock = _clock(trainings, splits, runs, bench, watch)
    with watch.stage("race", 1.0) as whole:
        for number, (key, training) in enumerate(trainings.items(), 1):
            run = _run(runs, training)

            def moved(fraction: float) -> None:
                left, gone = clock.left(fraction), clock.gone()
                whole.at(gone / max(gone + left, 1e-9), f"about {duration(left)} left")

            if not run.scores.exists():
                watch.say(
                    f"{number} of {len(trainings)}: {_name(training)}, about {duration(clock.left())} left in all"
                )
            clock.start(key)
            done[key] = run_training(training, splits, run.directory, bench, watch, stores, moved)
            clock.done(key)
    return done


def _clock(trainings: dict[str, Training], splits: Splits, runs: Path, bench: Bench, watch: Watch) -> Clock:
    """An estimate from a lap of each network that still has to run."""
    waiting = {key: training for key, training in trainings.items() if not _run(runs, training).scores.exists()}
    expected = {}
    with watch.stage("a lap of each", len(waiting)) as stage:
        for number, (key, training) in enumerate(waiting.items()):
            stage.at(number, training.member.model)
            expected[key] = expected_seconds(training, splits, bench)
    return Clock(expected)


def _run(runs: Path, training: Training) -> Run:
    return Run(runs / f"{training.member.model}.{training.seed}")


def _name(training: Training) -> str:
    member = training.member
    small = "" if member.width == 1 else f" at {member.width:g} of its width"
    return f"{TITLES[member.model]}{small}, {training.size} px, {training.epochs} epochs"


def _data(splits: Splits) -> Data:
    return Data(
        name=splits.train.name,
        classes=len(splits.train.classes),
        train_images=len(splits.train),
        val_images=len(splits.val),
        fingerprint=splits.fingerprint,
        description=splits.train.description,
        credits=splits.train.credits,
    )


def _contender(key: str, training: Training, run: Run, classes: int) -> Contender:
    entry, member, card = ENTRIES[key], training.member, models.CARDS[training.member.model]
    scores = run.read_scores() or {}
    top1, top5 = (score["value"] for score in scores["scores"])
    with torch.device("meta"):
        own = models.build(member.model, classes, training.size, member.width)
        paper = models.build(member.model)
    return Contender(
        name=member.model,
        title=TITLES[member.model],
        year=entry.year,
        team=entry.team,
        top1_error=top1,
        top5_error=top5,
        parameters=anatomy.parameters(own),
        macs=anatomy.macs(anatomy.layer_table(own, training.size)),
        layers=anatomy.depth(paper, card.image_size),
        seconds=scores["seconds"],
        epochs=training.epochs,
        full_epochs=entry.members[0].recipe.epochs,
        image_size=training.size,
        paper_image_size=card.image_size,
        width=member.width,
        precision=PRECISIONS[run.spec()["asked"]["precision"]],
        images_per_second=scores["images_per_second"],
        paper_parameters=card.parameters,
        paper_macs=anatomy.macs(anatomy.layer_table(paper, card.image_size)),
        paper=card.paper,
        curve=curve(run.log()),
        new=entry.new,
        differences=(*card.differences, *member.recipe.gaps),
        published=entry.reported,
        drawing=svg_of(member.model, classes, member.width, training.size),
        miniature=member.width != 1 or training.size != card.image_size,
    )


def _protocol(trainings: list[Training]) -> str:
    """The protocols in a few words, each once."""
    return "; ".join(dict.fromkeys(told(training.judged_by) for training in trainings))
