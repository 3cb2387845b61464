"""An ensemble of detectors in a terminal: each member, each one left out, and what all gained over the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from ilsvrc.reports.ensemble_tables import letter
from ilsvrc.reports.formats import DASH, percent, plain, plural, whole


@dataclass(frozen=True, kw_only=True)
class DetectorEnsemble:
    """Members and what became of them together; each figure is a mean AP over the classes with an object, in [0, 1]."""

    members: tuple[str, ...]
    networks: tuple[int, ...]  # of each member; every network counts the same
    images: int
    data: str
    alone: tuple[float, ...]
    left_out: tuple[float, ...]  # in the members' order: all but that one; empty of two
    whole: float
    remarks: tuple[str, ...] = ()
    written: str | None = None

    @property
    def best(self) -> int:
        """The member with the highest mean AP alone, the first among equals."""
        return max(range(len(self.alone)), key=lambda member: self.alone[member])

    @property
    def gain(self) -> float:
        """How much higher the mean AP of all is than the best member's."""
        return self.whole - self.alone[self.best]

    def as_json(self) -> dict[str, Any]:
        """One object for machines."""
        return {
            "members": list(self.members),
            "networks": list(self.networks),
            "images": self.images,
            "data": self.data,
            "alone": list(self.alone),
            "left_out": list(self.left_out),
            "all": self.whole,
            "best": self.best,
            "gain": self.gain,
            "remarks": list(self.remarks),
            "submission": self.written,
        }

    def lines(self) -> Sequence[str | Table]:
        """The ensemble, to be read."""
        written = (self.written,) if self.written else ()
        return (_members(self), f"\n{verdict(self)}", *self.remarks, *written)


def verdict(found: DetectorEnsemble) -> str:
    """What all gained over the best, in sentences."""
    more = "higher" if found.gain >= 0 else "lower"
    networks = plural(sum(found.networks), "network")
    return (
        f"All {len(found.members)} together, {networks}: mean AP {percent(found.whole, 2)} of {whole(found.images)} "
        f"images, {found.data}.\n"
        f"{plain(round(100 * abs(found.gain), 3))} points {more} than {found.members[found.best]}, the best of them."
    )


def _members(found: DetectorEnsemble) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("member")
    for title in ("networks", "mean AP", "without it"):
        table.add_column(title, justify="right", no_wrap=True)
    for place, (title, count) in enumerate(zip(found.members, found.networks, strict=True)):
        without = percent(found.left_out[place], 2) if found.left_out else DASH
        table.add_row(letter(place), title, str(count), percent(found.alone[place], 2), without)
    table.add_row("", "all of them", str(sum(found.networks)), percent(found.whole, 2), "", style="bold")
    return table
