"""How long a race still takes, from what was measured here: a lap per network before the start, then its real pace."""

import statistics
import time
from collections.abc import Callable

ENOUGH = 0.5  # of its way must be seen of a network before its pace corrects what is expected of the others


class Clock:
    """Seconds left over several networks whose paces differ.

    expected holds each network's seconds as first measured; networks that are not in it are done already. A network
    that is done corrects those to come: what finished ones took over what was expected (the median, within half and
    twice) is expected of the others too.
    """

    def __init__(self, expected: dict[str, float], now: Callable[[], float] = time.monotonic) -> None:
        self._expected = dict(expected)
        self._now = now
        self._took: dict[str, float] = {}
        self._running: str | None = None
        self._mark: tuple[float, float] | None = None  # how far the running network was when first seen, and when
        self._began = now()

    def gone(self) -> float:
        """Seconds since the clock was made."""
        return self._now() - self._began

    def start(self, name: str) -> None:
        """That network starts, or goes on where it was stopped."""
        self._running, self._mark = name, None

    def done(self, name: str) -> None:
        """That network is done."""
        if name in self._expected:
            fraction, since = self._mark or (1.0, self._now())
            if self._running == name and fraction <= 1 - ENOUGH:
                self._took[name] = (self._now() - since) / (1 - fraction)
            else:
                del self._expected[name]
        self._running, self._mark = None, None

    def left(self, fraction: float = 0.0) -> float:
        """Seconds left when the running network has `fraction` of its way behind it."""
        if self._running is not None and self._mark is None and fraction > 0:
            self._mark = fraction, self._now()
        correction = self._correction()
        waiting = {name: seconds for name, seconds in self._expected.items() if name not in self._took}
        return sum(
            self._rest(seconds * correction, fraction) if name == self._running else seconds * correction
            for name, seconds in waiting.items()
        )

    def _correction(self) -> float:
        ratios = [took / self._expected[name] for name, took in self._took.items() if self._expected[name] > 0]
        # One lap that something else disturbed must not make the rest look short, or endless.
        return min(2.0, max(0.5, statistics.median(ratios))) if ratios else 1.0

    def _rest(self, expected: float, fraction: float) -> float:
        """Seconds left of the running network, of which `expected` in all were thought."""
        left = expected * max(0.0, 1 - fraction)  # fractions are sums of steps, and may pass one by a rounding
        if self._mark is None or fraction <= self._mark[0]:
            return left
        seen = fraction - self._mark[0]
        paced = (self._now() - self._mark[1]) / seen * max(0.0, 1 - fraction)
        # The first steps of a network tell little: trust its own pace as far as it has come.
        trust = min(1.0, seen * 4)
        return trust * paced + (1 - trust) * left
