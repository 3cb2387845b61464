"""Re-run the challenge: train the winners one after another on one data set, judge them, report.

What exists is not redone: a race that stops is started again with the same words.
"""

import json
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ilsvrc import models
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature import MINIATURES, PROTOCOL
from ilsvrc.entries.recipes import PAPER
from ilsvrc.errors import SpecError
from ilsvrc.jobs.before import race_before, without
from ilsvrc.jobs.box_tasks import RACE
from ilsvrc.jobs.contenders import contender, race_data
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.looks import looks
from ilsvrc.jobs.machine import Bench, machine
from ilsvrc.jobs.machine import command as machine_command
from ilsvrc.jobs.pictures import pictures
from ilsvrc.jobs.race_entries import race_entries
from ilsvrc.jobs.race_runs import run_all
from ilsvrc.jobs.training import Training
from ilsvrc.jobs.wishes import Wishes as Wishes
from ilsvrc.reports import race_report
from ilsvrc.reports.page import write_page
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.protocol_words import told
from ilsvrc.reports.race_report import Race
from ilsvrc.spec import Member
from ilsvrc.train.checkpoint import write_text
from ilsvrc.train.recipe import while_training


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

    Whole entries, where they are wished, race instead of single networks: see race_entries.
    Raises DataError, SpecError or Diverged for what a user can mend, Stopped when asked to stop.
    """
    if wishes.entries:
        whole = race_entries(path, out, wishes, bench, watch, command)
        write_report(whole, out)
        return whole
    began, started = time.monotonic(), datetime.now().astimezone().isoformat(timespec="seconds")
    _check_tasks(wishes)
    splits = open_splits(path, labelled=wishes.tasks != ("detection",))
    trainings = {key: _training(key, member, wishes) for key, member in _networks(wishes).items()}
    networks = f"{len(trainings)} networks, " if trainings else ""
    watch.say(
        f"{networks}{len(splits.train.classes)} classes, "
        f"{len(splits.train):,} images to learn from, {len(splits.val):,} to be judged on"
    )
    names = {key: f"{training.member.model}.{training.seed}" for key, training in trainings.items()}
    with watch.live():
        by_name = {names[key]: training for key, training in trainings.items()}
        first = race_before(wishes, splits, out / "before", bench, watch) if "classification" in wishes.tasks else ()
        found = run_all(by_name, splits, out / "runs", bench, watch) if trainings else {}
    runs = {key: found[name] for key, name in names.items()}
    others = tuple(RACE[task](path, out, wishes, bench, watch) for task in wishes.tasks if task != "classification")
    classes = len(splits.train.classes)
    networks_raced = tuple(contender(ENTRIES[key], trainings[key], run, classes) for key, run in runs.items())
    contenders = (*(raced.contender for raced in first), *networks_raced)
    ran = {trainings[key].member.model: run for key, run in runs.items()}
    result = Race(
        title="The ImageNet challenge re-run" + ("" if wishes.full else " in miniature"),
        data=race_data(splits),
        contenders=contenders,
        machine=machine(bench.device),
        command=command or machine_command(),
        started=started,
        # Of a race that was stopped in between, the sittings before are known by their trainings.
        seconds=max(time.monotonic() - began, sum(contender.seconds or 0.0 for contender in contenders)),
        protocol=_protocol(list(trainings.values())) or "; ".join(one.protocol for one in others),
        seed=wishes.seed,
        pictures=pictures(splits.val, {**{raced.contender.name: raced.run for raced in first}, **ran}),
        looks=looks(splits.val, ran, str(bench.device)),
        tasks=others,
    )
    write_report(result, out)
    return result


def _networks(wishes: Wishes) -> dict[str, Member]:
    """The seats of classification; none where those from before the networks are named and nobody else."""
    own = without(wishes)
    if "classification" not in wishes.tasks or (wishes.names and not own.names):
        return {}
    return seats(own)


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


def _protocol(trainings: list[Training]) -> str:
    """The protocols in a few words, each once."""
    return "; ".join(dict.fromkeys(told(training.judged_by) for training in trainings))
