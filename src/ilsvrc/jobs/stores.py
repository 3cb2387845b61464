"""What several trainings on one data set have in common: images that are prepared alike, and their mean."""

from collections.abc import Callable

from ilsvrc.data.kept import Kept
from ilsvrc.jobs.input import Normal


class Stores:
    """What the trainings of one race share: decoded images and their mean, by what was done to them."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._normal: dict[str, Normal] = {}

    def of(self, key: object) -> Kept:
        """The store for images prepared like that."""
        return self._kept.setdefault(repr(key), Kept())

    def normal(self, key: object, compute: Callable[[], Normal]) -> Normal:
        """Mean and deviation for such images, computed once."""
        if repr(key) not in self._normal:
            self._normal[repr(key)] = compute()
        return self._normal[repr(key)]
