"""An ensemble in a terminal: each member, each pair, each one left out, and what all gained over the best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table

from ilsvrc.reports.formats import percent, plain, plural, whole
from ilsvrc.reports.race_report import interval


@dataclass(frozen=True, kw_only=True)
class Combination:
    """Some members, by their places, and the errors of their mean, each in [0, 1]."""

    members: tuple[int, ...]
    top1_error: float
    top5_error: float


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Members and what became of them together. Without labels nothing is judged, and `whole` is None."""

    members: tuple[str, ...]
    weights: tuple[float, ...]  # of sum 1
    images: int  # that the errors are of
    data: str
    fitted: bool = False  # on the other half of the images
    alone: tuple[Combination, ...] = ()
    pairs: tuple[Combination, ...] = ()
    left_out: tuple[Combination, ...] = ()  # in the members' order: all but that one
    whole: Combination | None = None
    best: int = 0  # the member with the lowest top-5 error
    mended: int = 0  # images right in five guesses of all that are wrong in the best's
    spoilt: int = 0  # and the other way round
    written: str | None = None

    def saying(self, written: str | None) -> "Ensemble":
        """The same, with where the submission is."""
        return replace(self, written=written)

    def lines(self) -> Sequence[str | Table]:
        """The ensemble, to be read."""
        return _lines(self)

    @property
    def gain(self) -> float | None:
        """How much lower the top-5 error of all is than the best member's."""
        return None if self.whole is None else self.alone[self.best].top5_error - self.whole.top5_error

    def as_json(self) -> dict[str, Any]:
        """One object for machines."""

        def told(one: Combination) -> dict[str, Any]:
            return {"members": list(one.members), "top1_error": one.top1_error, "top5_error": one.top5_error}

        return {
            "members": list(self.members),
            "weights": list(self.weights),
            "fitted": self.fitted,
            "images": self.images,
            "data": self.data,
            "alone": list(map(told, self.alone)),
            "pairs": list(map(told, self.pairs)),
            "left_out": list(map(told, self.left_out)),
            "all": told(self.whole) if self.whole else None,
            "best": self.best,
            "gain": self.gain,
            "mended": self.mended,
            "spoilt": self.spoilt,
            "submission": self.written,
        }


def _lines(found: Ensemble) -> tuple[str | Table, ...]:
    parts: list[str | Table] = [_members(found)]
    if found.whole is None:
        parts.append("\nThe images have no labels: nothing is judged.")
    elif found.pairs:
        parts += ["\nTwo of them, and all but one:", _groups(found)]
    if found.whole is not None:
        parts.append(f"\n{verdict(found)}")
    return (*parts, *((found.written,) if found.written else ()))


def verdict(found: Ensemble) -> str:
    """What all gained over the best, in sentences."""
    assert found.whole is not None
    best, all_of_them = found.alone[found.best], found.whole
    low, high = interval(all_of_them.top5_error, found.images)
    gain = best.top5_error - all_of_them.top5_error
    more = "lower" if gain >= 0 else "higher"
    half = ", the half that the weights were not fitted on" if found.fitted else ""
    return (
        f"All {len(found.members)} together: top-5 error {percent(all_of_them.top5_error, 2)} (95 % interval "
        f"{percent(low, 2)} to {percent(high, 2)}), top-1 error {percent(all_of_them.top1_error, 2)}, of "
        f"{whole(found.images)} images, {found.data}{half}.\n"
        f"{plain(round(100 * abs(gain), 3))} points {more} in the top 5 than {found.members[found.best]}, the best of "
        f"them: {plural(found.mended, 'image')} became right, {plural(found.spoilt, 'image')} wrong."
    )


def _members(found: Ensemble) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("member")
    for title in ("weight", "top-5 error", "top-1 error"):
        table.add_column(title, justify="right", no_wrap=True)
    for place, (title, weight) in enumerate(zip(found.members, found.weights, strict=True)):
        one = found.alone[place] if found.alone else None
        errors = (percent(one.top5_error, 2), percent(one.top1_error, 2)) if one else ("", "")
        table.add_row(letter(place), title, plain(round(weight, 4)), *errors)
    if found.whole:
        table.add_row(
            "", "all of them", "1", percent(found.whole.top5_error, 2), percent(found.whole.top1_error, 2), style="bold"
        )
    return table


def _groups(found: Ensemble) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("who")
    for title in ("top-5 error", "top-1 error"):
        table.add_column(title, justify="right", no_wrap=True)
    for pair in found.pairs:
        who = " and ".join(map(letter, pair.members))
        table.add_row(who, percent(pair.top5_error, 2), percent(pair.top1_error, 2))
    for place, rest in enumerate(found.left_out):
        table.add_row(f"without {letter(place)}", percent(rest.top5_error, 2), percent(rest.top1_error, 2))
    return table


def letter(place: int) -> str:
    """A short name for a member in a table: A, B, ..., Z, A26."""
    return chr(ord("A") + place) if place < 26 else f"A{place}"
