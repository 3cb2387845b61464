"""An entry of boxes at the size that is asked of it: the paper's, its miniature's, or one between."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ilsvrc import models
from ilsvrc.entries import ENTRIES
from ilsvrc.errors import SpecError
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.spec import Entry
from ilsvrc.train.recipe import scaled

if TYPE_CHECKING:
    from ilsvrc.jobs.train_one import Order


def ordered(order: "Order", miniatures: Mapping[str, Entry]) -> Entry:
    """What a training is ordered of: the entry, or its miniature where it, or its recipe, is asked for smaller.

    Raises SpecError on a recipe that it has none of.
    """
    entry = ENTRIES[order.name]
    size = models.paper_size(entry.members[0].model)
    small = order.width not in (None, 1.0) or order.image_size not in (None, size)
    kind = order.recipe or ("miniature" if small else "paper")
    if kind not in ("paper", "miniature"):
        raise SpecError(f"no recipe for {entry.key} is called {kind!r}; there are paper, miniature")
    if kind == "miniature" and entry.key not in miniatures:
        raise SpecError(f"{entry.key} has no miniature; those with one: {', '.join(miniatures)}")
    entry = miniatures[entry.key] if kind == "miniature" else entry
    members = (
        replace(
            member,
            width=order.width or member.width,
            image_size=order.image_size or member.image_size,
            recipe=scaled(member.recipe, order.batch) if order.batch else member.recipe,
        )
        for member in entry.members
    )
    return replace(entry, members=tuple(members))


def wished(entry: Entry, wishes: Wishes) -> Entry:
    """The entry as it races where a user wishes another size or width."""
    members = (
        replace(
            member,
            image_size=member.image_size if wishes.image_size is None else wishes.image_size,
            width=member.width if wishes.width is None else wishes.width,
        )
        for member in entry.members
    )
    return replace(entry, members=tuple(members))
