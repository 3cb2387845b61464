"""Localization in a race: each entry's classifier, its regressors, what a box without looking scores, and pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ilsvrc import models
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_loc import LOCALIZERS
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_pictures import chosen_places, jpeg_of
from ilsvrc.jobs.entry_size import wished
from ilsvrc.jobs.input import Splits, open_splits
from ilsvrc.jobs.localize_ask import each_of
from ilsvrc.jobs.localize_fusion import error_of_proposals, errors_alone, run_regressors
from ilsvrc.jobs.localize_judge import Located, Truth, read_located, truth_of, verdict
from ilsvrc.jobs.localize_networks import region_network, regressor
from ilsvrc.jobs.localize_submission import LOCATED
from ilsvrc.jobs.localize_train import classifier_training, localizing
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.models import anatomy
from ilsvrc.reports.entry_tables import recipes_in
from ilsvrc.reports.formats import percent
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.protocol_words import told
from ilsvrc.reports.task_result import Baseline, BoxPicture, Drawn, Finder, Finding, TaskResult
from ilsvrc.scoring import overlap
from ilsvrc.spec import Entry, Regression
from ilsvrc.tasks.localize import best_constant, on_image
from ilsvrc.train.run import Run


def race_task(path: str, out: Path, wishes: Wishes, bench: Bench, watch: Watch) -> TaskResult:
    """Race the localization entries; runs end in `out`/runs, beside the classifiers they start from.

    A classifier that a race of classification left there is taken as it is. Raises as run_regressors does.
    """
    splits, entries = open_splits(path), seats(wishes)
    watch.say(f"localization: {len(entries)} entries")
    with watch.live():
        runs = {key: _run(entry, splits, out / "runs", wishes, bench, watch) for key, entry in entries.items()}
    truth = truth_of(splits.val)
    found = {key: read_located(run.directory / LOCATED) for key, run in runs.items()}
    return TaskResult(
        task="localization",
        finders=tuple(_finder(entries[key], run, len(splits.train.classes)) for key, run in runs.items()),
        data=splits.train.name,
        classes=len(splits.train.classes),
        train_images=len(splits.train),
        val_images=int(truth.judged.sum()),
        protocol="; ".join(
            dict.fromkeys(told(m.protocol or entry.protocol) for entry in entries.values() for m in entry.members)
        ),
        rules=next(iter(runs.values())).read_scores()["scores"][0]["rules"],  # type: ignore[index]
        baselines=tuple(line for key in found for line in baselines(_networks(entries[key]), found[key], truth)),
        pictures=pictures(splits, found, truth),
    )


def seats(wishes: Wishes) -> dict[str, Entry]:
    """Who races, by key. Raises SpecError on a name that is in no race of this task, with those that are."""
    full = {key: entry for key, entry in ENTRIES.items() if entry.task == "localization"}
    taken = full if wishes.full else LOCALIZERS
    unknown = [name for name in wishes.names if name not in taken]
    if unknown:
        raise SpecError(f"{unknown[0]!r} does not race in localization; those who do: {', '.join(taken)}")
    return {key: wished(entry, wishes) for key, entry in taken.items() if not wishes.names or key in wishes.names}


def _run(entry: Entry, splits: Splits, runs: Path, wishes: Wishes, bench: Bench, watch: Watch) -> Run:
    asked = []
    for one in each_of(entry):
        training = replace(classifier_training(one, wishes.seed, wishes.epochs), reading=wishes.reading)
        first = run_training(training, splits, runs / f"{training.member.model}.{wishes.seed}", bench, watch)
        asked.append(localizing(one, first.directory, wishes.epochs, wishes.seed, wishes.reading))
    return run_regressors(asked, splits, runs / f"{entry.key}.{wishes.seed}", bench, watch)


def _finder(entry: Entry, run: Run, classes: int) -> Finder:
    member, scores = entry.members[0], run.read_scores() or {}
    assert isinstance(entry.boxes, Regression)
    error, labels = (score["value"] for score in scores["scores"])
    names = _networks(entry)
    count = f"{len(entry.members)} regressors on " if len(entry.members) > 1 and "," not in names else ""
    return Finder(
        key=entry.key,
        name=member.model,
        title=f"{count}{names}, {_kind(entry.boxes)}",
        year=entry.year,
        team=entry.team,
        localization_error=error,
        top5_error=labels,
        parameters=_parameters(entry, classes),
        seconds=scores["seconds"],
        epochs=run.spec()["asked"]["epochs"],
        image_size=member.image_size or models.paper_size(member.model),
        width=member.width,
        miniature=member.width != 1 or member.image_size not in (None, models.paper_size(member.model)),
        new=entry.new,
        differences=tuple(dict.fromkeys((*entry.gaps, *(gap for recipe in recipes_in(entry) for gap in recipe.gaps)))),
        published=entry.reported,
        notes=_notes(run),
    )


def _networks(entry: Entry) -> str:
    """The networks of an entry, each once."""
    return ", ".join(dict.fromkeys(TITLES[each.model] for each in entry.members))


def _kind(boxes: Regression) -> str:
    """How boxes are found, as the papers' tables call it."""
    if boxes.head == "proposals":
        return "RPN + R-CNN" if boxes.regions else "RPN"
    return "PCR" if boxes.per_class else "SCR"


def _parameters(entry: Entry, classes: int) -> int:
    """Of all networks that find boxes."""
    assert isinstance(entry.boxes, Regression)
    with torch.device("meta"):
        networks = [regressor(each, entry.boxes, classes) for each in entry.members]
        networks += [region_network(each, classes) for each in entry.members if entry.boxes.regions]
    return sum(map(anatomy.parameters, networks))


def _notes(run: Run) -> tuple[str, ...]:
    """What the parts of a run score by themselves."""
    alone, first = ", ".join(map(percent, errors_alone(run))), error_of_proposals(run)
    said = (f"localization error of each regressor alone: {alone}",) if alone else ()
    return said if first is None else (*said, f"localization error of the proposals alone: {percent(first)}")


def baselines(title: str, located: Located, truth: Truth) -> tuple[Baseline, ...]:
    """The same labels with the whole image as their box, and with the constant box that does best on these images."""
    whole = np.array([0.0, 0.0, 1.0, 1.0])
    best = best_constant(truth.objects, truth.labels, located.sizes)
    where = dict(zip(("left", "top", "right", "bottom"), best.tolist(), strict=True))
    notes = ("", ", ".join(f"{edge} {place:.2f}" for edge, place in where.items()) + " of the image")
    labels = ("the whole image", "the best constant box")
    found = []
    for label, note, edges in zip(labels, notes, (whole, best), strict=True):
        boxes = np.array([on_image(edges, np.array([0, 0, w, h]), w, h) for w, h in located.sizes.tolist()])
        constant = replace(located, boxes=np.repeat(boxes[:, None], located.labels.shape[1], axis=1))
        found.append(
            Baseline(label=label, note=note, of=title, value=verdict(constant, truth.objects).localization.value)
        )
    return tuple(found)


def pictures(splits: Splits, found: dict[str, Located], truth: Truth) -> tuple[BoxPicture, ...]:
    """Images of the split, half that most entries got and half that most missed, with what each drew."""
    wrong = {key: wrong_of(located, truth) for key, located in found.items()}
    mean = np.mean(list(wrong.values()), axis=0)
    shown = []
    for index in chosen_places(mean, truth.judged):
        jpeg = jpeg_of(splits.val, index)
        if jpeg is None:
            continue
        mine = truth.objects.image == index
        word = splits.val.classes.name
        width, height = next(iter(found.values())).sizes[index].tolist()
        shown.append(
            BoxPicture(
                name=next(iter(found.values())).names[index],
                jpeg=jpeg,
                width=width,
                height=height,
                truth=tuple(
                    Drawn(box=tuple(box), word=word(int(label) - 1), kind="truth")
                    for box, label in zip(truth.objects.box[mine].tolist(), truth.objects.label[mine], strict=True)
                ),
                findings=tuple(
                    _finding(key, located, index, truth, bool(wrong[key][index]), word)
                    for key, located in found.items()
                ),
            )
        )
    return tuple(shown)


def wrong_of(located: Located, truth: Truth) -> np.ndarray:
    """(N,) bool: whom the kit's rule counts as wrong; False for those left out."""
    wrong = np.zeros(len(truth.labels), bool)
    score = verdict(located, truth.objects)
    wrong[np.flatnonzero(truth.judged)] = score.wrong_label | score.wrong_box
    return wrong


def _finding(key: str, located: Located, index: int, truth: Truth, wrong: bool, word: object) -> Finding:
    """The box of the right label where it is among the five, else that of the first."""
    labels = located.labels[index]
    hit = np.flatnonzero(labels == truth.labels[index])
    place = int(hit[0]) if len(hit) else 0
    box = located.boxes[index, place]
    mine = truth.objects.box[(truth.objects.image == index) & (truth.objects.label == truth.labels[index] + 1)]
    shared = float(overlap(box[None], mine).max()) if len(mine) else 0.0
    note = f"overlap {shared:.2f}" if len(hit) else "the label is not among the five"
    drawn = Drawn(
        box=tuple(box.tolist()),
        word=word(int(labels[place])),  # type: ignore[operator]
        kind="wrong" if wrong else "right",
        confidence=float(located.probabilities[index, place]),
    )
    return Finding(entry=key, right=not wrong, boxes=(drawn,), note=f"guess {place + 1}; {note}" if len(hit) else note)
