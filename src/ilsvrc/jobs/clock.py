"""How long a race still takes, from what was measured here: a lap per network before the start, then its real pace."""

import time
from collections.abc import Callable


class Clock:
    """Seconds left over several networks whose paces differ.

    expected holds each network's seconds as first measured. A network that is done corrects those to come: when
    finished ones took 1.2 times what was expected, so will the others.
    """

    def __init__(self, expected: dict[str, float], now: Callable[[], float] = time.monotonic) -> None:
        self._expected = dict(expected)
        self._now = now
        self._took: dict[str, float] = {}
        self._running: tuple[str, float, float] | None = None
        self._began = now()

    def gone(self) -> float:
        """Seconds since the clock was made."""
        return self._now() - self._began

    def start(self, name: str, fraction: float = 0.0) -> None:
        """That network starts, or goes on with a part of its way behind it."""
        self._running = (name, self._now(), fraction)

    def done(self, name: str) -> None:
        """That network is done."""
        if self._running and self._running[0] == name and self._running[2] == 0:
            self._took[name] = self._now() - self._running[1]
        self._running = None
        if name not in self._took:
            self._expected.pop(name, None)

    def left(self, fraction: float = 0.0) -> float:
        """Seconds left when the running network has `fraction` of its way behind it."""
        waiting = [name for name in self._expected if name not in self._took]
        correction = self._correction()
        seconds = 0.0
        for name in waiting:
            if self._running and name == self._running[0]:
                seconds += self._rest(name, fraction, correction)
            else:
                seconds += self._expected[name] * correction
        return seconds

    def _correction(self) -> float:
        expected = sum(self._expected[name] for name in self._took)
        return sum(self._took.values()) / expected if expected else 1.0

    def _rest(self, name: str, fraction: float, correction: float) -> float:
        assert self._running is not None
        _, started, first = self._running
        expected = self._expected[name] * correction * (1 - fraction)
        gone = fraction - first
        if gone <= 0:
            return expected
        paced = (self._now() - started) / gone * (1 - fraction)
        # The first steps of a network tell little: trust its own pace as far as it has come.
        trust = min(1.0, gone * 4)
        return trust * paced + (1 - trust) * expected
