"""Finished runs of boxes as one, whatever their task: who sits together, on which images, and who is left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ilsvrc import data
from ilsvrc.data.decode import Decoder, Reading
from ilsvrc.data.sample import Classes, Dataset
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs.finished import data_of
from ilsvrc.jobs.fused_runs import parts_of
from ilsvrc.jobs.voices import check_classes, given_twice
from ilsvrc.reports.progress import Watch
from ilsvrc.spec import Member
from ilsvrc.train.run import Run


class Network(Protocol):
    """A finished network that boxes."""

    @property
    def run(self) -> Run:
        """Its run."""
        ...

    @property
    def member(self) -> Member:
        """What it is."""
        ...

    @property
    def classes(self) -> Classes:
        """What it knows."""
        ...

    @property
    def decoder(self) -> Decoder:
        """What read its images."""
        ...


N = TypeVar("N", bound=Network)


@dataclass(frozen=True, eq=False)
class Seat(Generic[N]):
    """One member of an ensemble: a finished run, of one network or of several."""

    source: Path
    networks: tuple[N, ...]
    fingerprint: str  # of the val images that it was judged on

    def title(self, kind: str) -> str:
        """The networks and the run, for a line."""
        models = ", ".join(dict.fromkeys(each.member.model for each in self.networks))
        count = f"{len(self.networks)} × " if len(self.networks) > 1 else ""
        return f"{count}{kind}, {models} ({self.source.name})"


def seated(sources: Sequence[Path], load: Callable[[Path], tuple[N, ...]]) -> list[Seat[N]]:
    """The members; one run of several networks is taken apart into them.

    Raises DataError or SpecError where one cannot be read or is not done, where one is given twice, where they see
    images differently, know other classes, or were judged on other images.
    """
    if len(sources) == 1:
        sources = parts_of(sources[0])
    if len(sources) < 2:
        raise SpecError(f"{len(sources)} member is given, and an ensemble takes at least 2; name another")
    seats = [_seat(source, load) for source in sources]
    every = [network for seat in seats for network in seat.networks]
    twice = given_twice([each.run.directory for each in every])
    if twice is not None:
        raise SpecError(f"{twice} is given twice; give it once")
    first = every[0]
    for other in every[1:]:
        mine, its = first.run.directory, other.run.directory
        if first.decoder != other.decoder:
            raise SpecError(
                f"{mine} reads images with the {first.decoder} decoder and {its} with the {other.decoder} one; "
                "members of an ensemble see the same"
            )
        check_classes((str(mine), first.classes.wnids), (str(its), other.classes.wnids))
    for seat in seats[1:]:
        if seat.fingerprint != seats[0].fingerprint:
            raise SpecError(
                f"{seats[0].source} was judged on other images ({seats[0].fingerprint}) than {seat.source} "
                f"({seat.fingerprint}); members of an ensemble must be judged on the same images of the same data"
            )
    return seats


def _seat(source: Path, load: Callable[[Path], tuple[N, ...]]) -> Seat[N]:
    run = Run(source)
    asked = run.spec()["asked"]
    if not run.scores.exists():
        raise DataError(f"{source} is not done; train it to its end with the words it was started with")
    if asked.get("step", 4) != 4:
        raise SpecError(f"{source} is a step on the way to a detector; give the run that it stands in")
    return Seat(source, load(source), str(asked.get("data", "")).partition("-")[2])


def images_of(seats: Sequence[Seat[N]]) -> tuple[str, Dataset]:
    """Where the data of the first member is, and its val images. Raises SpecError unless they are still the same."""
    first = seats[0]
    place = data_of(Run(first.source))
    dataset = data.open(place, "val")
    now = data.fingerprint(dataset)
    if now != first.fingerprint:
        raise SpecError(
            f"{first.source} was judged on other images ({first.fingerprint}) than val of {place} has now ({now}); "
            "put those back, or train again"
        )
    return place, dataset


def reading_of(seats: Sequence[Seat[N]]) -> Reading:
    """How the first member read its images."""
    first = seats[0].networks[0]
    asked = first.run.spec()["asked"].get("reading", {})
    return Reading(first.decoder, "skip" if asked.get("bad") == "skip" else "stop")


L = TypeVar("L")
R = TypeVar("R")


def in_turn(looking: Sequence[Sequence[L]], judge: Callable[[list[L]], R], watch: Watch) -> tuple[R, list[R]]:
    """What `judge` makes of all, and, of three or more, of all without each; looking has what looks for each member."""
    count = len(looking)
    out = [None, *(range(count) if count > 2 else ())]
    found = []
    with watch.live(), watch.stage("judging together", len(out)) as stage:
        for number, left in enumerate(out):
            stage.at(number, "all" if left is None else f"without {left + 1} of {count}")
            found.append(judge([each for place, own in enumerate(looking) if place != left for each in own]))
    return found[0], found[1:]
