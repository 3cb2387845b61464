"""Build the embedded data set, or say that it stands already."""

from dataclasses import dataclass
from pathlib import Path

from ilsvrc.data import mini as mini_set


@dataclass(frozen=True)
class Built:
    """What stands in the directory now. detection counts the pictures of the detection variant."""

    directory: Path
    train: int
    val: int
    test: int
    detection: int
    seed: int
    new: bool  # False: the same set stood there and nothing was done

    def __str__(self) -> str:
        found = "built" if self.new else "stands already"
        crowds = f", and {self.detection:,} with several objects for detection" if self.detection else ""
        return (
            f"{self.directory}: the mini set, {found}: {self.train:,} train, {self.val:,} val and "
            f"{self.test:,} test images of 20 classes{crowds}; seed {self.seed}"
        )


def mini(
    directory: Path,
    train: int = 1200,
    val: int = 400,
    test: int = 400,
    seed: int = 0,
    *,
    detection: bool = True,
    progress: mini_set.Progress | None = None,
) -> Built:
    """Build the mini set in `directory`; see `ilsvrc.data.mini.build`. Raises DataError as it does."""
    new = mini_set.build(directory, train, val, test, seed, detection=detection, progress=progress)
    crowds = sum(count // mini_set.CROWDS for count in (train, val, test)) if detection else 0
    return Built(directory, train, val, test, crowds, seed, new)
