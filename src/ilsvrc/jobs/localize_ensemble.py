"""Finished localization runs as one: what their networks box together on val, beside each alone and each left out.

Of MSRA 2015 an ensemble is known, neither its networks nor how they were joined; Trimps-Soushen 2016 fused several, and
showed what leaving out each one costs. Here classes are named by all classifiers; windows' boxes are merged as one set,
or the proposals of all judged by all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc.data.sample import Dataset
from ilsvrc.errors import SpecError
from ilsvrc.jobs.box_ensemble import images_of, in_turn, reading_of, seated
from ilsvrc.jobs.localize_judge import BoxJudge, Located
from ilsvrc.jobs.localize_submission import write_boxed
from ilsvrc.jobs.localizer import Localizer, fused, load_localizers, said_by, speakers
from ilsvrc.jobs.machine import Bench
from ilsvrc.predict.members import over_members
from ilsvrc.reports.box_ensemble_tables import BoxEnsemble
from ilsvrc.reports.progress import Watch
from ilsvrc.scoring import Localization
from ilsvrc.spec import Regression, as_json
from ilsvrc.train.run import Run, first_difference


@dataclass(frozen=True, eq=False)
class Together:
    """Whoever is asked, on the same images; what a classifier said is kept for the next ones."""

    dataset: Dataset
    judge: BoxJudge
    said: dict[str, np.ndarray]
    bench: Bench

    def __call__(self, group: Sequence[Localizer]) -> tuple[Located, Localization]:
        """What they box together, and the verdict."""
        naming, reading = speakers(group), self.judge.reading
        for each in naming:
            if each.start not in self.said:
                self.said[each.start] = said_by(each, self.dataset, self.bench, reading)
        probabilities = over_members(
            [self.said[each.start] for each in naming], [each.member.weight for each in naming]
        )
        located = self.judge.one_by_one(fused(group, self.bench, reading), probabilities)
        return located, self.judge.score(located)


def ensemble(sources: Sequence[Path], out: Path | None, meta: Path | None, bench: Bench, watch: Watch) -> BoxEnsemble:
    """Judge localization runs together on the val images of the data they were trained on.

    One run of several networks is taken apart into them; each counts by the weight that its entry gives it. Runs that
    were all trained in fp32 are looked at in fp32, whatever the bench's precision. With `out`, the submission of all in
    the kit's form, by the ids of `meta`, a kit's meta.mat, or of the kit beside the images.
    Raises DataError for what cannot be read, SpecError for members that do not fit together.
    """
    seats = seated(sources, load_localizers)
    every = [localizer for seat in seats for localizer in seat.networks]
    check_alike(every)
    place, dataset = images_of(seats)
    if all(Run(seat.source).spec()["asked"].get("precision") == "fp32" for seat in seats):
        bench = replace(bench, precision="fp32")  # as each was judged when its training was done
    first = every[0]
    judge = BoxJudge(dataset, first.protocol, first.regression, first.size, bench, reading_of(seats))
    together = Together(dataset, judge, {}, bench)
    (located, whole), left_out = in_turn([seat.networks for seat in seats], together, watch)
    written = None
    if out is not None:
        numbering = write_boxed(out, located, dataset.classes.wnids, meta or place)
        written = f"{out}: {len(located.names):,} lines, classes numbered {numbering}"
    return BoxEnsemble(
        metric="localization error",
        members=tuple(seat.title(_kind(seat.networks[0])) for seat in seats),
        networks=tuple(len(seat.networks) for seat in seats),
        images=int(located.judged.sum()),
        data=f"val of {place}",
        alone=tuple((Run(seat.source).read_scores() or {})["scores"][0]["value"] for seat in seats),
        left_out=tuple(found.localization.value for _, found in left_out),
        whole=whole.localization.value,
        written=written,
    )


def _kind(localizer: Localizer) -> str:
    if localizer.regression.head == "proposals":
        return "RPN + R-CNN" if localizer.judge is not None else "RPN"
    return "box regressor"


def check_alike(localizers: Sequence[Localizer]) -> None:
    """Raise SpecError unless the boxes of all can be put together, by naming two whose cannot.

    Networks that judge proposals again have each its own way to find and judge them; windows are merged in one.
    """
    first = localizers[0]
    for other in localizers[1:]:
        mine, its = first.run.directory, other.run.directory
        if (first.judge is None) != (other.judge is None):
            judging, not_so = (its, mine) if first.judge is None else (mine, its)
            raise SpecError(f"{judging} judges proposals again and {not_so} does not; their answers are not joined")
        difference = first.judge is None and first_difference(_windows(first.regression), _windows(other.regression))
        if difference:
            name, own, theirs = difference
            raise SpecError(
                f"{mine} boxes with {name} = {own} and {its} with {theirs}; regressors whose boxes are put together "
                "are of one kind"
            )


def _windows(regression: Regression) -> dict[str, Any]:
    """The part of how boxes are regressed that decides how those of windows are put together."""
    return {name: value for name, value in as_json(regression).items() if name in ("head", "per_class", "merging")}
