"""Finished detection runs as one: what their networks find together on val, beside each alone and each left out.

He et al. 2015, appendix B: proposals of all networks are joined, every network judges all of them, and boxes and
probabilities are averaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ilsvrc import data
from ilsvrc.data.decode import Reading
from ilsvrc.data.proposals import Given, find_proposals
from ilsvrc.data.sample import Dataset
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.detect_feed import other_search
from ilsvrc.jobs.detect_judge import (
    SPOTTED,
    Finder,
    Looker,
    judge,
    objects_in,
    read_spotted,
    verdict_on,
    write_submission,
)
from ilsvrc.jobs.detector import KINDS, FinishedDetector, check_alike, load_detectors, lookers
from ilsvrc.jobs.finished import data_of
from ilsvrc.jobs.fused_runs import parts_of
from ilsvrc.jobs.machine import Bench
from ilsvrc.jobs.voices import given_twice
from ilsvrc.reports.detector_tables import DetectorEnsemble
from ilsvrc.reports.progress import Watch
from ilsvrc.train.run import Run


@dataclass(frozen=True, eq=False)
class Seat:
    """One member of an ensemble: a finished run, of one network or of several."""

    source: Path
    detectors: tuple[FinishedDetector, ...]
    fingerprint: str  # of the val images that it was judged on

    def title(self) -> str:
        """The networks and the run, for a line."""
        kind = KINDS[self.detectors[0].how.kind].partition(" ")[2]
        models = ", ".join(dict.fromkeys(each.member.model for each in self.detectors))
        count = f"{len(self.detectors)} × " if len(self.detectors) > 1 else ""
        return f"{count}{kind}, {models} ({self.source.name})"


def ensemble(sources: Sequence[Path], out: Path | None, bench: Bench, watch: Watch) -> DetectorEnsemble:
    """Judge detection runs together on the val images of the data they were trained on.

    One run of several networks is taken apart into them. With `out`, the submission of all in the kit's form. Raises
    DataError for what cannot be read, SpecError for members that do not fit together.
    """
    seats = seated(sources)
    place = data_of(Run(seats[0].source))
    dataset = data.open(place, "val")
    _check_images(seats, place, dataset)
    objects, how = objects_in(dataset), seats[0].detectors[0].how
    given = find_proposals(Path(place), "val") if how.kind == "r-cnn" else None
    alone = [verdict_on(read_spotted(seat.source / SPOTTED), dataset, objects).mean_ap for seat in seats]
    looking, reading = [lookers(seat.detectors, bench) for seat in seats], _reading(seats[0])
    groups = [looking, *(without(looking, k) for k in range(len(seats)) if len(seats) > 2)]
    found = []
    with watch.live(), watch.stage("judging together", len(groups)) as stage:
        for number, group in enumerate(groups):
            stage.at(number, "all" if not number else f"without {number} of {len(seats)}")
            finder = Finder([looker for each in group for looker in each], how, given)
            found.append(judge(finder, dataset, reading, objects))
    if out is not None:
        write_submission(out, found[0].detections, dataset)
    return DetectorEnsemble(
        members=tuple(seat.title() for seat in seats),
        networks=tuple(len(seat.detectors) for seat in seats),
        images=len(dataset),
        data=f"val of {place}",
        alone=tuple(alone),
        left_out=tuple(each.mean_ap for each in found[1:]),
        whole=found[0].mean_ap,
        remarks=_remarks(given, seats),
        written=f"{out}: {len(found[0].detections):,} detections" if out else None,
    )


def without(looking: Sequence[list[Looker]], place: int) -> list[list[Looker]]:
    """All but one of them."""
    return [each for other, each in enumerate(looking) if other != place]


def seated(sources: Sequence[Path]) -> list[Seat]:
    """The members, which fit together. Raises DataError or SpecError where one cannot be read or two do not fit."""
    if len(sources) == 1:
        sources = parts_of(sources[0])
    if len(sources) < 2:
        raise SpecError(f"{len(sources)} member is given, and an ensemble takes at least 2; name another")
    seats = [_seat(source) for source in sources]
    every = [detector for seat in seats for detector in seat.detectors]
    twice = given_twice([each.run.directory for each in every])
    if twice is not None:
        raise SpecError(f"{twice} is given twice; give it once")
    check_alike(every)
    return seats


def _seat(source: Path) -> Seat:
    run = Run(source)
    asked = run.spec()["asked"]
    if not run.scores.exists():
        raise DataError(f"{source} is not done; train it to its end with the words it was started with")
    if asked.get("step", 4) != 4:
        raise SpecError(f"{source} is a step on the way to a detector; give the run that it stands in")
    return Seat(source, load_detectors(source), str(asked.get("data", "")).partition("-")[2])


def _check_images(seats: Sequence[Seat], place: str, dataset: Dataset) -> None:
    """Raise SpecError unless all were judged on these images, and these are still the same."""
    first = seats[0]
    for seat in seats[1:]:
        if seat.fingerprint != first.fingerprint:
            raise SpecError(
                f"{first.source} was judged on other images ({first.fingerprint}) than {seat.source} "
                f"({seat.fingerprint}); members of an ensemble must be judged on the same images of the same data"
            )
    now = data.fingerprint(dataset)
    if now != first.fingerprint:
        raise SpecError(
            f"{first.source} was judged on other images ({first.fingerprint}) than val of {place} has now ({now}); "
            "put those back, or train again"
        )


def _reading(seat: Seat) -> Reading:
    """How the first member read its images."""
    asked = seat.detectors[0].run.spec()["asked"].get("reading", {})
    return Reading(seat.detectors[0].decoder, "skip" if asked.get("bad") == "skip" else "stop")


def _remarks(given: Given | None, seats: Sequence[Seat]) -> tuple[str, ...]:
    """Whose own search the proposals are not of, each once."""
    other = (other_search(given, each.how) for seat in seats for each in seat.detectors)
    return tuple(dict.fromkeys(line for line in other if line))
