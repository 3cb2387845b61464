"""Detection in a race: each entry's classifier, its detectors, what each class scores, and pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ilsvrc import data, models
from ilsvrc.data.proposals import NAMES
from ilsvrc.data.sample import Classes, Dataset
from ilsvrc.entries import ENTRIES
from ilsvrc.entries.miniature_det import BY_NAME, DETECTORS
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_pictures import chosen_places, jpeg_of
from ilsvrc.jobs.detect_feed import Halves, open_halves
from ilsvrc.jobs.detect_fusion import alone_in, run_detectors
from ilsvrc.jobs.detect_judge import objects_in, read_spotted
from ilsvrc.jobs.detect_train import check_classified, classifier_training, detecting
from ilsvrc.jobs.detecting import detector_of, each_of
from ilsvrc.jobs.entry_size import wished
from ilsvrc.jobs.input import open_splits
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.propose import propose
from ilsvrc.jobs.train import run_training
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.models import anatomy
from ilsvrc.reports.formats import percent
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.task_result import BoxPicture, ClassCurve, Drawn, Finder, Finding, TaskResult
from ilsvrc.scoring import Detection, Detections, Objects, detect
from ilsvrc.scoring.detection import RULES, TRUE
from ilsvrc.spec import Detector, Entry, Search, Split
from ilsvrc.train.run import Run

SURE = 0.5  # confidence from which a detection is drawn
POINTS = 60  # of a curve, at most


def race_task(path: str, out: Path, wishes: Wishes, bench: Bench, watch: Watch) -> TaskResult:
    """Race the detection entries; runs end in `out`/runs, beside the classifiers they start from.

    A classifier that a race of classification left there is taken as it is. Raises as run_detectors does.
    """
    halves, entries = open_halves(path), seats(wishes)
    watch.say(f"detection: {len(entries)} entries, {len(halves.train):,} images to learn from")
    with watch.live():
        runs = {key: _run(entry, path, halves, out / "runs", (wishes, bench, watch)) for key, entry in entries.items()}
    objects = objects_in(halves.val)
    found = {key: read_spotted(run.directory / "spotted.npz") for key, run in runs.items()}
    verdicts = {
        key: detect(detections, objects, np.arange(1, len(halves.val) + 1))
        for key, detections in found.items()
        if len(detections)
    }
    return TaskResult(
        task="detection",
        finders=tuple(_finder(entries[key], run, len(halves.train.classes)) for key, run in runs.items()),
        data=data.name(halves.val),
        classes=len(halves.train.classes),
        train_images=len(halves.train),
        val_images=len(halves.val),
        protocol="; ".join(dict.fromkeys(_looked(entry) for entry in entries.values())),
        rules=RULES,
        curves=tuple(
            curve for key, verdict in verdicts.items() for curve in curves(key, verdict, halves.train.classes)
        ),
        pictures=pictures(halves.val, found, verdicts, objects),
    )


def _looked(entry: Entry) -> str:
    how = entry.boxes
    assert isinstance(how, Detector)
    sides = ", ".join(str(side) for side in how.test_sides or (how.short_side,))
    refined = ", boxes refined and voted" if how.refined else ""
    given = how.kind == "r-cnn"
    where = "proposals that are given" if given else f"Short side {sides}, {how.kept_testing[1]} proposals"
    return f"{where}, suppression at {how.detection_overlap:g}{refined}"


def seats(wishes: Wishes) -> dict[str, Entry]:
    """Who races, by key: those named, else all but BY_NAME.

    Raises SpecError on a name that is in no race of this task, with those that are.
    """
    full = {key: entry for key, entry in ENTRIES.items() if isinstance(entry.boxes, Detector)}
    taken = full if wishes.full else DETECTORS
    unknown = [name for name in wishes.names if name not in taken]
    if unknown:
        raise SpecError(f"{unknown[0]!r} does not race in detection; those who do: {', '.join(taken)}")
    names = wishes.names or tuple(key for key in taken if key not in BY_NAME)
    return {key: wished(entry, wishes) for key, entry in taken.items() if key in names}


def _run(entry: Entry, path: str, halves: Halves, runs: Path, under: tuple[Wishes, Bench, Watch]) -> Run:
    wishes, bench, watch = under
    check_classified(entry, path)
    assert isinstance(entry.boxes, Detector)
    if entry.boxes.kind == "r-cnn":
        _propose(entry.boxes.search or Search(), halves.path, bench, watch)
    asked, places = [], set[Path]()
    for one, seed in each_of(entry, wishes.seed):
        training = replace(classifier_training(one, wishes.seed, wishes.epochs), reading=wishes.reading)
        place = runs / f"{training.member.model}.{wishes.seed}"
        if place not in places:
            run_training(training, open_splits(path), place, bench, watch)
            places.add(place)
        asked.append(detecting(one, place, wishes.epochs, seed, wishes.reading))
    return run_detectors(asked, halves, runs / f"{entry.key}.{wishes.seed}", bench, watch)


def _propose(how: Search, place: str, bench: Bench, watch: Watch) -> None:
    """Have proposals beside the images: those that stand there, else computed now, once."""
    splits: tuple[Split, ...] = ("train", "val")
    for split in splits:
        if any((Path(place) / name.format(split=split)).exists() for name in NAMES):
            continue
        with watch.stage(f"proposals of {split}", 1) as stage:
            done = propose(place, split, how, bench.loaders, lambda k, n, stage=stage: stage.at(k / n))  # type: ignore[misc]
        watch.say(str(done))


def _finder(entry: Entry, run: Run, classes: int) -> Finder:
    member, scores, how = entry.members[0], run.read_scores() or {}, entry.boxes
    assert isinstance(how, Detector)
    with torch.device("meta"):
        parameters = sum(m.copies * anatomy.parameters(detector_of(m, how, classes)) for m in entry.members)
    kind = "R-CNN" if how.kind == "r-cnn" else "Faster R-CNN"
    count = sum(each.copies for each in entry.members)
    names = ", ".join(dict.fromkeys(TITLES[each.model] for each in entry.members))
    alone = ", ".join(map(percent, alone_in(run)))
    return Finder(
        key=entry.key,
        name=member.model,
        title=f"{f'{count} × ' if count > 1 else ''}{kind}, {names}",
        year=entry.year,
        team=entry.team,
        mean_ap=scores["mean_ap"],
        parameters=parameters,
        seconds=scores["seconds"],
        epochs=run.spec()["asked"]["epochs"],
        image_size=how.short_side,
        width=member.width,
        miniature=member.width != 1 or member.image_size not in (None, models.paper_size(member.model)),
        new=entry.new,
        differences=tuple(dict.fromkeys((*entry.gaps, *(gap for each in entry.members for gap in each.recipe.gaps)))),
        published=entry.reported,
        notes=(*([f"mean AP of each network alone: {alone}"] if alone else []), *scores.get("data", ())),
    )


def curves(key: str, verdict: Detection, classes: Classes) -> tuple[ClassCurve, ...]:
    """Precision over recall of each class that has an object, at POINTS places at most."""
    found = []
    for one in verdict.classes:
        if not one.objects:
            continue
        places = np.unique(np.linspace(0, len(one.order) - 1, min(POINTS, len(one.order))).round().astype(int))
        recall, precision = one.recall[places], one.precision[places]
        points = tuple(zip(recall.tolist(), precision.tolist(), strict=True)) if len(one.order) else ()
        word = classes.name(one.label - 1)
        found.append(ClassCurve(entry=key, word=word, ap=one.average_precision, objects=one.objects, points=points))
    return tuple(found)


def pictures(
    dataset: Dataset, found: dict[str, Detections], verdicts: dict[str, Detection], objects: Objects
) -> tuple[BoxPicture, ...]:
    """Images of the split, half in which most entries found everything, half in which they did not."""
    if not verdicts:
        return ()
    kinds = {key: _true_rows(verdict, len(found[key])) for key, verdict in verdicts.items()}
    wrong = {key: missed(found[key], kinds[key], objects) for key in verdicts}
    judged = np.bincount(objects.image, minlength=objects.images) > 0
    shown = []
    for index in chosen_places(np.mean(list(wrong.values()), axis=0), judged):
        jpeg = jpeg_of(dataset, index)
        if jpeg is None:
            continue
        shown.append(_picture(dataset, index, jpeg, (found, kinds, wrong), objects))
    return tuple(shown)


def _true_rows(verdict: Detection, rows: int) -> np.ndarray:
    """(D,) bool: which rows of the submission found an object."""
    right = np.zeros(rows, bool)
    for one in verdict.classes:
        right[one.order[one.outcome == TRUE]] = True
    return right


def missed(found: Detections, right: np.ndarray, objects: Objects) -> np.ndarray:
    """(N,) bool: whether the sure detections of an image leave an object out or show one that is not there."""
    sure = found.confidence >= SURE
    hits = np.bincount(found.image[sure & right] - 1, minlength=objects.images)
    false = np.bincount(found.image[sure & ~right] - 1, minlength=objects.images)
    return np.asarray((hits < np.bincount(objects.image, minlength=objects.images)) | (false > 0))


def _picture(
    dataset: Dataset,
    index: int,
    jpeg: bytes,
    told: tuple[dict[str, Detections], dict[str, np.ndarray], dict[str, np.ndarray]],
    objects: Objects,
) -> BoxPicture:
    from ilsvrc.data.decode import Image

    found, kinds, wrong = told
    sample = dataset[index]
    image = Image(sample)
    mine = objects.image == index
    truth = tuple(
        Drawn(box=_edges(box), word=dataset.classes.name(int(label) - 1), kind="truth")
        for box, label in zip(objects.box[mine], objects.label[mine], strict=True)
    )
    findings = []
    for key, right in kinds.items():
        rows = np.flatnonzero((found[key].image == index + 1) & (found[key].confidence >= SURE))
        rows = rows[np.argsort(-found[key].confidence[rows], kind="stable")]
        boxes = tuple(
            Drawn(
                box=_edges(found[key].box[row]),
                word=dataset.classes.name(int(found[key].label[row]) - 1),
                kind="right" if right[row] else "wrong",
                confidence=float(found[key].confidence[row]),
            )
            for row in rows.tolist()
        )
        note = f"{int(right[rows].sum())} of {len(truth)} found, {int((~right[rows]).sum())} false"
        findings.append(Finding(entry=key, right=not bool(wrong[key][index]), boxes=boxes, note=note))
    return BoxPicture(
        name=sample.name,
        jpeg=jpeg,
        width=image.width,
        height=image.height,
        truth=truth,
        findings=tuple(findings),
    )


def _edges(box: np.ndarray) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(edge) for edge in box)
    return x1, y1, x2, y2
