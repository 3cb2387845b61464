"""Train the detectors of one entry, and judge what all of them find together.

Each is a run of its own, with its own verdict; the run about them has what the ensemble scores, and nothing else.
"""

from collections.abc import Sequence
from pathlib import Path

from ilsvrc.data.proposals import find_proposals
from ilsvrc.jobs.detect_feed import Halves
from ilsvrc.jobs.detect_judge import Finder, judge, leave
from ilsvrc.jobs.detect_run import run_detecting, starting, words
from ilsvrc.jobs.detecting import Detecting
from ilsvrc.jobs.detector import load_detectors, lookers
from ilsvrc.jobs.fused_runs import joined, places
from ilsvrc.jobs.machine import Bench, circumstances
from ilsvrc.reports.progress import Watch
from ilsvrc.train.run import Run


def run_detectors(asked: Sequence[Detecting], halves: Halves, directory: Path, bench: Bench, watch: Watch) -> Run:
    """Train what is asked, or go on where the runs in `directory` stand, until the scores are written.

    One detector is run_detecting's run. Of several each is such a run in `directory`/network1 and so on, and
    `directory` has what they find together. Raises as run_detecting.
    """
    if len(asked) == 1:
        return run_detecting(asked[0], halves, directory, bench, watch)
    run = Run(directory)
    each_said = [words(each, starting(each, bench), halves, bench) for each in asked]
    run.start(joined(each_said), circumstances(bench))
    run.write_data(halves.path, halves.train.classes.wnids, halves.train.classes.words)
    if run.scores.exists():
        return run
    alone = []
    for number, (each, place) in enumerate(zip(asked, places(directory, "detection", len(asked)), strict=True), 1):
        watch.say(f"network {number} of {len(asked)}: {each.member.model}, seed {each.seed}")
        alone.append(run_detecting(each, halves, place, bench, watch))
    watch.say(f"all {len(asked)} together on val")
    _judge_together(asked[0], run, alone, halves, bench)
    return run


def alone_in(run: Run) -> list[float]:
    """The mean average precision of each network of a run by itself, in [0, 1]; none where there is only one."""
    return [float(value) for value in (run.read_scores() or {}).get("alone", [])]


def _judge_together(first: Detecting, run: Run, alone: Sequence[Run], halves: Halves, bench: Bench) -> None:
    """What all find, and the verdict on it: the run is done."""
    given = find_proposals(Path(halves.path), "val") if first.how.kind == "r-cnn" else None
    finder = Finder(lookers(load_detectors(run.directory), bench), first.how, given)
    spotted = judge(finder, halves.val, first.reading)
    known = [each.read_scores() or {} for each in alone]
    epochs = [epoch for each in alone for epoch in each.log()]
    seconds = sum(scores["seconds"] for scores in known)
    run.write_scores(
        {
            **leave(run.directory, spotted, halves.val),
            "alone": [scores["mean_ap"] for scores in known],
            "seconds": seconds,
            "images_per_second": sum(epoch["images"] for epoch in epochs) / seconds,
            "data": list(dict.fromkeys(line for scores in known for line in scores["data"])),
        }
    )
