"""The faults of a file: all are counted, the first ten are shown, in one error."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ilsvrc.errors import IlsvrcError, SubmissionError

SHOWN = 10


class Faults:
    """Gathers what is wrong with one file, line by line, and raises once."""

    def __init__(self, path: Path | str, error: type[IlsvrcError] = SubmissionError) -> None:
        self.path = path
        self.error = error
        self.count = 0
        self._first: list[tuple[int, str]] = []

    def add(self, line: int, found: str) -> None:
        """Note a fault at a line, from 1; 0 is the file as a whole."""
        self.count += 1
        self._first.append((line, found))
        if len(self._first) > 50 * SHOWN:  # a file of nothing but faults must not fill the memory
            self._trim()

    def add_where(self, wrong: np.ndarray, line: Callable[[int], int], found: Callable[[int], str]) -> None:
        """Note a fault at each true row of `wrong`, (N,); `line` and `found` are asked only for rows that are shown."""
        rows = np.flatnonzero(wrong)
        self.count += len(rows)
        self._first += [(line(int(row)), found(int(row))) for row in rows[:SHOWN]]

    def stop(self, advice: str = "") -> None:
        """Raise when there is any fault. `advice` is what to do, a clause without a full stop."""
        if not self.count:
            return
        self._trim()
        shown = [f"line {line:,}: {found}" if line else found for line, found in self._first]
        many = "a fault" if self.count == 1 else f"{self.count:,} faults"
        more = f"; and {self.count - len(shown):,} more" if self.count > len(shown) else ""
        advised = f". To mend it: {advice}" if advice else ""
        raise self.error(f"{self.path} has {many}: {'; '.join(shown)}{more}{advised}")

    def _trim(self) -> None:
        self._first = sorted(self._first, key=lambda fault: fault[0])[:SHOWN]


def short(text: str) -> str:
    """A text of any length and content as it may be shown in an error."""
    return repr(text if len(text) <= 30 else text[:27] + "...")
