"""One entry of the challenge, by its key."""

from difflib import get_close_matches

from ilsvrc.entries import ENTRIES
from ilsvrc.errors import SpecError
from ilsvrc.spec import Entry


def find(key: str) -> Entry:
    """The entry of that key. Raises SpecError with the nearest keys."""
    if key not in ENTRIES:
        near = ", ".join(get_close_matches(key, ENTRIES, cutoff=0.4)) or ", ".join(ENTRIES)
        raise SpecError(f"no entry is called {key!r}; did you mean {near}?")
    return ENTRIES[key]
