"""Ctrl-C and SIGTERM as a question the training loop asks after each step."""

import signal
from contextlib import suppress
from types import FrameType
from typing import Any


class Stopped(Exception):  # noqa: N818  # not an error, and named as what happened
    """A job was asked to stop, saved what it had, and can be started again with the same words.

    Not an IlsvrcError: nothing is wrong. The command line leaves with 128 plus the signal's number.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class Interruption:
    """While entered, the first SIGINT or SIGTERM is only remembered; a second one acts as it always does.

    patient: those after it are only remembered, too. Of several processes each may be told more than once, by the
    terminal and by torchrun, which also ends those that take too long.
    """

    number: int | None = None

    def __init__(self, *, patient: bool = False) -> None:
        self._patient = patient

    def __enter__(self) -> "Interruption":
        self._before: dict[int, Any] = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(ValueError):  # not the main thread: whoever runs us there handles signals
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self.number is not None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        if not self._patient:
            self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
