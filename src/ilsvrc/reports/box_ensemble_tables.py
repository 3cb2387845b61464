"""An ensemble of networks that box, in a terminal: each member, each one left out, what all gained over the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.table import Table

from ilsvrc.reports.ensemble_tables import letter
from ilsvrc.reports.formats import DASH, percent, plain, plural, whole


@dataclass(frozen=True, kw_only=True)
class BoxEnsemble:
    """Members and what became of them together; each figure is of `metric`, in [0, 1].

    That is the mean AP over the classes with an object, or the localization error.
    """

    metric: Literal["mean AP", "localization error"]
    members: tuple[str, ...]
    networks: tuple[int, ...]  # of each member
    images: int
    data: str
    alone: tuple[float, ...]
    left_out: tuple[float, ...]  # in the members' order: all but that one; empty of two
    whole: float
    remarks: tuple[str, ...] = ()
    written: str | None = None

    @property
    def best(self) -> int:
        """The member that is best alone, the first among equals."""
        sign = 1 if self.metric == "mean AP" else -1
        return max(range(len(self.alone)), key=lambda member: sign * self.alone[member])

    @property
    def gain(self) -> float:
        """How much better all are than the best member: a higher mean AP, a lower error."""
        more = self.whole - self.alone[self.best]
        return more if self.metric == "mean AP" else -more

    def as_json(self) -> dict[str, Any]:
        """One object for machines."""
        return {
            "metric": self.metric,
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


def verdict(found: BoxEnsemble) -> str:
    """What all gained over the best, in sentences."""
    more = "better" if found.gain >= 0 else "worse"
    networks, value = plural(sum(found.networks), "network"), f"{found.metric} {percent(found.whole, 2)}"
    return (
        f"All {len(found.members)} together, {networks}: {value} of {whole(found.images)} images, {found.data}.\n"
        f"{plain(round(100 * abs(found.gain), 3))} points {more} than {found.members[found.best]}, the best of them."
    )


def _members(found: BoxEnsemble) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    table.add_column("member")
    for title in ("networks", found.metric, "without it"):
        table.add_column(title, justify="right", no_wrap=True)
    for place, (title, count) in enumerate(zip(found.members, found.networks, strict=True)):
        without = percent(found.left_out[place], 2) if found.left_out else DASH
        table.add_row(letter(place), title, str(count), percent(found.alone[place], 2), without)
    table.add_row("", "all of them", str(sum(found.networks)), percent(found.whole, 2), "", style="bold")
    return table
