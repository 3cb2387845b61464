"""Finished detection runs as one: what their networks find together on val, beside each alone and each left out.

He et al. 2015, appendix B: proposals of all networks are joined, every network judges all of them, and boxes and
probabilities are averaged.
"""

from collections.abc import Sequence
from pathlib import Path

from ilsvrc.data.proposals import Given, find_proposals
from ilsvrc.jobs.box_ensemble import Seat, images_of, in_turn, reading_of, seated
from ilsvrc.jobs.detect_feed import other_search
from ilsvrc.jobs.detect_judge import (
    SPOTTED,
    Finder,
    Looker,
    Spotted,
    judge,
    objects_in,
    read_spotted,
    verdict_on,
    write_submission,
)
from ilsvrc.jobs.detector import KINDS, FinishedDetector, check_alike, load_detectors, lookers
from ilsvrc.jobs.machine import Bench
from ilsvrc.reports.box_ensemble_tables import BoxEnsemble
from ilsvrc.reports.progress import Watch


def ensemble(sources: Sequence[Path], out: Path | None, bench: Bench, watch: Watch) -> BoxEnsemble:
    """Judge detection runs together on the val images of the data they were trained on; all networks count the same.

    One run of several networks is taken apart into them. With `out`, the submission of all in the kit's form. Raises
    DataError for what cannot be read, SpecError for members that do not fit together.
    """
    seats = seated(sources, load_detectors)
    check_alike([detector for seat in seats for detector in seat.networks])
    place, dataset = images_of(seats)
    objects, how, reading = objects_in(dataset), seats[0].networks[0].how, reading_of(seats)
    given = find_proposals(Path(place), "val") if how.kind == "r-cnn" else None
    alone = [verdict_on(read_spotted(seat.source / SPOTTED), dataset, objects).mean_ap for seat in seats]

    def judged(group: list[Looker]) -> Spotted:
        return judge(Finder(group, how, given), dataset, reading, objects)

    whole, left_out = in_turn([lookers(seat.networks, bench) for seat in seats], judged, watch)
    if out is not None:
        write_submission(out, whole.detections, dataset)
    return BoxEnsemble(
        metric="mean AP",
        members=tuple(seat.title(KINDS[how.kind].partition(" ")[2]) for seat in seats),
        networks=tuple(len(seat.networks) for seat in seats),
        images=len(dataset),
        data=f"val of {place}",
        alone=tuple(alone),
        left_out=tuple(each.mean_ap for each in left_out),
        whole=whole.mean_ap,
        remarks=_remarks(given, seats),
        written=f"{out}: {len(whole.detections):,} detections" if out else None,
    )


def _remarks(given: Given | None, seats: Sequence[Seat[FinishedDetector]]) -> tuple[str, ...]:
    """Whose own search the proposals are not of, each once."""
    other = (other_search(given, each.how) for seat in seats for each in seat.networks)
    return tuple(dict.fromkeys(line for line in other if line))
