"""Rows of the papers' tables of results as entries: what all rows of a paper share is said once."""

from dataclasses import dataclass
from typing import Literal

from ilsvrc.spec import Entry, Member, Protocol, Recipe, Reported

Percent = float | str | None  # '4.26?' is quoted from memory; None was not published
Figure = tuple[str, Percent, Literal["val", "test"]]  # metric, percent, split


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Whose tables they are."""

    key: str  # before the keys of its rows: 'vgg-2014'
    year: int  # of the challenge in which its entries stand
    team: str
    source: str
    new: str

    def row(
        self,
        key: str,
        table: str,
        members: Member | tuple[Member, ...],
        protocol: Protocol,
        figures: tuple[Figure, ...],
        gaps: tuple[str, ...] = (),
    ) -> Entry:
        """One row of a table: what was tested how, and its figures."""
        return Entry(
            key=f"{self.key}-{key}",
            year=self.year,
            team=self.team,
            task="classification",
            members=(members,) if isinstance(members, Member) else members,
            protocol=protocol,
            reported=tuple(_reported(figure, table) for figure in figures if figure[1] is not None),
            source=self.source,
            new=self.new,
            gaps=gaps,
            row=table,
        )


def val(top1: Percent = None, top5: Percent = None) -> tuple[Figure, ...]:
    """Top-1 and top-5 error in percent on the validation images."""
    return ("top-1 error", top1, "val"), ("top-5 error", top5, "val")


def on_test(top1: Percent = None, top5: Percent = None) -> tuple[Figure, ...]:
    """The same on the test images."""
    return ("top-1 error", top1, "test"), ("top-5 error", top5, "test")


def one(model: str, recipe: Recipe) -> Member:
    """A network and how it was trained."""
    return Member(model=model, recipe=recipe)


def _reported(figure: Figure, table: str) -> Reported:
    metric, percent, split = figure
    unverified = isinstance(percent, str)
    value = float(str(percent).rstrip("?"))
    return Reported(metric=metric, percent=value, split=split, source=table, unverified=unverified)
