"""One entry of the challenge, or one row of a paper's table, by its key."""

from difflib import get_close_matches

from ilsvrc.entries import ENTRIES, ROWS
from ilsvrc.entries.before import BEFORE
from ilsvrc.entries.earlier import Earlier
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import SpecError
from ilsvrc.spec import Entry


def find(key: str) -> Entry:
    """The entry or row of that key. Raises SpecError with the nearest keys, and for one from before the networks."""
    known = {**ENTRIES, **ROWS}
    if key in BEFORE:
        raise SpecError(f"{key} has no networks to combine; race it by --models {BEFORE[key].name}")
    if key not in known:
        near = ", ".join(get_close_matches(key, [*BEFORE, *known], cutoff=0.4)) or ", ".join(ENTRIES)
        raise SpecError(f"no entry is called {key!r}; did you mean {near}?")
    return known[key]


def find_any(key: str) -> Entry | Earlier:
    """The same, or one from before the networks."""
    return BEFORE[key] if key in BEFORE else find(key)


def is_network(name: str) -> bool:
    """Whether it is one of `models.MODELS`, said without them: every network has a title."""
    return name in TITLES
