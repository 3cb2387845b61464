"""What a protocol gained over a simpler one and an ensemble over its best member, as the papers' own tables have it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from ilsvrc.entries import ENTRIES, ROWS
from ilsvrc.spec import Crops, Dense, Entry, Protocol, Reported, Together

VIEWS = {"center": 1, "ten": 10, "twelve": 12, "googlenet": 36, "grid": 50}  # of an image at one short side


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Two published figures that differ in one thing: how the images were looked at, or how many networks did."""

    what: Literal["protocol", "ensemble"]
    before: Entry
    after: Entry
    first: Reported  # of before
    second: Reported  # of after, the same metric

    @property
    def points(self) -> float:
        """Percentage points by which the error fell."""
        return round(self.first.percent - self.second.percent, 4)

    @property
    def across(self) -> bool:
        """Whether the figures are of different splits, so that their difference is not the gain alone."""
        return self.first.split != self.second.split


def rows_of(entry: Entry) -> tuple[Entry, ...]:
    """The rows of its team's tables of that year."""
    own = (entry.year, entry.team, entry.task)
    return tuple(row for row in ROWS.values() if (row.year, row.team, row.task) == own)


def looks(protocol: Protocol) -> int:
    """How much is looked at, to order protocols: views; a dense one counts 20 for each size, about what it costs."""
    match protocol:
        case Crops():
            return VIEWS[protocol.layout] * len(protocol.short_sides)
        case Dense():
            return 20 * len(protocol.sizes or protocol.short_sides)
        case Together():
            return sum(map(looks, protocol.of))


def published_by(entry: Entry, *, alone: bool, protocol: Protocol | None = None) -> tuple[Entry, Reported] | None:
    """The top-5 error that a table gives the whole entry, or the best of its networks alone, looking by `protocol`.

    Without a protocol, by each network's own. On the validation images where there is such a figure, else on test.
    """
    known = [entry, *_related(entry)] if not alone else [*_related(entry)]
    found = [
        (one, figure)
        for one in known
        for figure in one.reported
        if figure.metric == "top-5 error"
        and (_of_one(one, entry, protocol) if alone else _of_all(one, entry, protocol))
    ]
    return min(found, key=lambda pair: (pair[1].split != "val", pair[1].percent), default=None)


def _of_one(one: Entry, entry: Entry, protocol: Protocol | None) -> bool:
    if protocol is None:
        return _is_a_member(one, entry)
    known = [(member.model, member.recipe) for member in entry.members]
    own = [(member.model, member.recipe) for member in one.members if member.copies == 1]
    return len(one.members) == len(own) == 1 and own[0] in known and one.protocol == protocol


def _of_all(one: Entry, entry: Entry, protocol: Protocol | None) -> bool:
    if protocol is None:
        return one is entry
    return _seats(one) == _seats(entry) and all((m.protocol or one.protocol) == protocol for m in one.members)


def gains(entry: Entry) -> tuple[Gain, ...]:
    """What the paper says each of the two gained, one gain per metric and kind where its tables tell.

    A protocol is compared with the simplest that a table has of the same networks; where that is not the whole
    ensemble, of the best of its members. An ensemble is compared with the best member by the same protocol, on the
    same split where there is one.
    """
    return tuple(
        found
        for metric in ("top-5 error", "top-1 error")
        for found in (_of_protocol(entry, metric), _of_ensemble(entry, metric))
        if found
    )


def _of_protocol(entry: Entry, metric: str) -> Gain | None:
    whole = list(_pairs([entry], metric))
    team = (row for row in ROWS.values() if row.team == entry.team)  # of any year: the paper of 2012 compares in 2010's
    single = list(_pairs((row for row in team if _is_a_member(row, entry)), metric))
    return min(whole or single, key=lambda gain: (gain.second.percent, looks(gain.before.protocol)), default=None)


def _pairs(entries: Iterable[Entry], metric: str) -> Iterator[Gain]:
    """Each of these, and what the same networks made by looking at less."""
    compared = ((before, after) for after in entries for before in _related(after) if _less(before, after))
    for before, after in compared:
        for first, second in _figures(before, after, metric):
            if first.split == second.split:
                yield Gain(what="protocol", before=before, after=after, first=first, second=second)


def _less(before: Entry, after: Entry) -> bool:
    return _seats(before) == _seats(after) and looks(before.protocol) < looks(after.protocol)


def _of_ensemble(entry: Entry, metric: str) -> Gain | None:
    if sum(member.copies for member in entry.members) < 2:
        return None
    found = [
        Gain(what="ensemble", before=row, after=entry, first=first, second=second)
        for row in _related(entry)
        if _is_a_member(row, entry)
        for first, second in _figures(row, entry, metric)
    ]
    return min(found, key=lambda gain: (gain.across, gain.first.percent), default=None)


def _related(entry: Entry) -> Iterator[Entry]:
    known = (*rows_of(entry), *ENTRIES.values())
    return (one for one in known if (one.year, one.team, one.task) == (entry.year, entry.team, entry.task))


def _is_a_member(row: Entry, entry: Entry) -> bool:
    """Whether the row is of one network that sits in the entry, looking as it does there."""
    if len(row.members) > 1 or row.members[0].copies > 1:
        return False
    seat = row.members[0]
    own = [member for member in entry.members if (member.model, member.recipe) == (seat.model, seat.recipe)]
    return any(row.protocol == (member.protocol or entry.protocol) for member in own)


def _seats(entry: Entry) -> list[tuple[str, str, int]]:
    return [(member.model, member.recipe.source, member.copies) for member in entry.members]


def _figures(before: Entry, after: Entry, metric: str) -> Iterator[tuple[Reported, Reported]]:
    for first in before.reported:
        for second in after.reported:
            if first.metric == second.metric == metric:
                yield first, second
