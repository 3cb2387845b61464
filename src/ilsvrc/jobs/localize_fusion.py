"""Train the regressors of one localization entry, and judge the boxes of all of them together.

Each is a run of its own, with its own verdict, as the rows of table 9 of Simonyan and Zisserman 2014 are; the run about
them has what they score together, and nothing else. Where proposals are judged again each of those runs has two
networks, what proposes and what judges.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ilsvrc.jobs.fused_runs import joined, places
from ilsvrc.jobs.input import Splits
from ilsvrc.jobs.judge import read_predictions
from ilsvrc.jobs.localize_ask import Localizing, starting, words
from ilsvrc.jobs.localize_judge import BoxJudge
from ilsvrc.jobs.localize_look import check_merging
from ilsvrc.jobs.localize_regions import run_regions
from ilsvrc.jobs.localize_run import run_localizing
from ilsvrc.jobs.localize_submission import leave
from ilsvrc.jobs.localizer import fused, load_localizers
from ilsvrc.jobs.machine import Bench, circumstances
from ilsvrc.jobs.start import Left
from ilsvrc.predict.members import over_members
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import as_json
from ilsvrc.train.run import Run


def run_regressors(asked: Sequence[Localizing], splits: Splits, directory: Path, bench: Bench, watch: Watch) -> Run:
    """Train what is asked, or go on where the runs in `directory` stand, until the scores are written.

    One regressor is run_localizing's run, or run_regions's where its proposals are judged again. Of several each is
    such a run in `directory`/regressor1 and so on, and `directory` has what their boxes score together, for the classes
    that their classifiers name together. Raises as run_localizing, and SpecError where their boxes are not put
    together.
    """
    train = run_regions if asked[0].regression.regions else run_localizing
    if len(asked) == 1:
        return train(asked[0], splits, directory, bench, watch)
    check_merging(asked[0].regression, len(asked), asked[0].entry.key)
    run = Run(directory)
    run.start(
        joined([words(each, starting(each, splits, bench), splits, bench) for each in asked]), circumstances(bench)
    )
    run.write_data(splits.path, splits.train.classes.wnids, splits.train.classes.words)
    if run.scores.exists():
        return run
    alone = []
    for number, (each, place) in enumerate(zip(asked, places(directory, "localization", len(asked)), strict=True), 1):
        watch.say(f"regressor {number} of {len(asked)}: {each.member.model} as in {each.member.recipe.source}")
        alone.append(train(each, splits, place, bench, watch))
    watch.say(f"all {len(asked)} together on val")
    _judge_together(asked, run, alone, (splits, bench))
    return run


def errors_alone(run: Run) -> list[float]:
    """The localization error of each regressor of a run by itself, in [0, 1]; none where there is only one."""
    return [float(scores[0]["value"]) for scores in (run.read_scores() or {}).get("alone", [])]


def named(asked: Sequence[Localizing]) -> np.ndarray:
    """(N, C): what the classifiers of regressors find probable together, each once, by its regressor's weight."""
    found: dict[str, Localizing] = {}
    for each in asked:
        found.setdefault(Left(Run(each.classifier).weights, ()).digest, each)
    said = [read_predictions(each.classifier / "predictions.npz").probabilities for each in found.values()]
    return over_members(said, [each.member.weight for each in found.values()])


def error_of_proposals(run: Run) -> float | None:
    """The localization error of a run's proposals by themselves, in [0, 1]; None where none were judged again."""
    scores = (run.read_scores() or {}).get("proposals")
    return float(scores[0]["value"]) if scores else None


def _judge_together(asked: Sequence[Localizing], run: Run, alone: Sequence[Run], on: tuple[Splits, Bench]) -> None:
    """The boxes of all and the verdict on them: the run is done."""
    first, (splits, bench) = asked[0], on
    localizers = load_localizers(run.directory)
    judge = BoxJudge(splits.val, first.judged_by, first.regression, first.size, bench, first.reading)
    located = judge.one_by_one(fused(localizers, bench, first.reading), named(asked))
    found = judge.score(located)
    leave(run.directory, located, splits.val.classes.wnids, splits.path)
    epochs = [epoch for each in alone for epoch in each.log()]
    seconds = sum((each.read_scores() or {})["seconds"] for each in alone)
    run.write_scores(
        {
            "protocol": as_json(first.judged_by),
            "split": "val",
            "scores": [asdict(found.localization), asdict(found.classification)],
            "alone": [(each.read_scores() or {})["scores"] for each in alone],
            "seconds": seconds,
            "images_per_second": sum(epoch["images"] for epoch in epochs) / seconds,
        }
    )
