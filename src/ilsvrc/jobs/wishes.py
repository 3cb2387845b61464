"""What a user may change of a race without writing an entry."""

from dataclasses import dataclass

from ilsvrc.data.decode import USUAL, Reading
from ilsvrc.spec import Task

TASKS: tuple[Task, ...] = ("classification", "localization", "detection")


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user may change of a race without writing an entry."""

    tasks: tuple[Task, ...] = ("classification",)
    full: bool = False
    names: tuple[str, ...] = ()  # models or entries; all of them when empty
    entries: tuple[str, ...] = ()  # whole entries or rows of tables by key, instead
    before: tuple[str, ...] = ("nec-2010-cls", "xrce-2011-cls")  # without networks, who race where nobody is named
    epochs: int | None = None
    image_size: int | None = None
    width: float | None = None
    seed: int = 0
    reading: Reading = USUAL
