"""What a training has met of images that cannot be decoded: named once, and kept in its record."""

from collections.abc import Iterable, Mapping
from typing import Any

from ilsvrc.data.loader import Fault


class BadImages:
    """The faults of the loaders of one training, by split and name; what an earlier sitting found among them."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, dict[str, str]]] = {}

    def state_dict(self) -> dict[str, Any]:
        """What a training goes on from."""
        return self.found

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what state_dict gave."""
        self.found = state

    def learn(self, split: str, found: Mapping[int, Fault]) -> list[str]:
        """Take over what loaders found, by index; a line for each image that was not known."""
        faults = [fault for _, fault in sorted(found.items())]  # threads find them in any order
        new = [fault for fault in faults if fault.name not in self.found.get(split, {})]
        for fault in new:
            self.found.setdefault(split, {})[fault.name] = {"why": fault.why, "instead": fault.instead}
        return [_line(split, fault) for fault in new]

    def names(self) -> list[str]:
        """All of them, as split/name."""
        return [f"{split}/{name}" for split, faults in sorted(self.found.items()) for name in sorted(faults)]

    def added(self, record: dict[str, Any], value: object) -> dict[str, Any]:
        """A record with what is to be said of them, where there are any."""
        return {**record, "bad_images": value} if self.found else record


def counted_as_wrong(faults: Iterable[Fault]) -> str:
    """What a score says of images that could not be judged; empty where there are none."""
    count = sum(1 for _ in faults)
    return f"; {count:,} that cannot be decoded count as wrong" if count else ""


def _line(split: str, fault: Fault) -> str:
    what = f"{fault.instead} stands in for it" if fault.instead else "it counts as wrong"
    return f"  skipped in {split}, {what}: {fault.why}"
