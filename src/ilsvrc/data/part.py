"""A data set without some of its images: those that a fix list names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ilsvrc.data.sample import Classes, Dataset, Sample
from ilsvrc.errors import DataError


@dataclass(frozen=True, eq=False)
class Part:
    """The samples of a data set at some places, in their order."""

    whole: Dataset
    places: tuple[int, ...]
    facts: tuple[tuple[str, int, int | None], ...]  # name, size in bytes and label of each

    @property
    def classes(self) -> Classes:
        """Those of the whole set, also where one has no image left."""
        return self.whole.classes

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the images."""
        return tuple(fact[0] for fact in self.facts)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`, read now."""
        return self.whole[self.places[index]]

    def rows(self) -> Iterator[tuple[str, int, int | None]]:
        """Name, size in bytes and label of each image; no image is read."""
        yield from self.facts


def read_fix_list(path: Path) -> dict[str, set[str]]:
    """The names to leave out by split, of lines 'split/name' as `ilsvrc check --fix-list` writes them.

    Raises DataError when the file cannot be read or a line is another.
    """
    found: dict[str, set[str]] = {}
    try:
        lines = path.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give the list that check wrote") from error
    for number, line in enumerate(lines, 1):
        split, slash, name = line.strip().partition("/")
        if slash and split in ("train", "val", "test"):
            found.setdefault(split, set()).add(name)
        elif line.strip():
            raise DataError(f"line {number} of {path} is {line[:40]!r}, not split/name as `ilsvrc check` writes it")
    return found


def without(dataset: Dataset, rows: Iterator[tuple[str, int, int | None]], names: set[str], where: str) -> Part:
    """The data set without the images of those names. Raises DataError when it has no image of one of them."""
    facts = list(enumerate(rows))
    strange = names - {fact[0] for _, fact in facts}
    if strange:
        raise DataError(f"{where} names {min(strange)}, which is no image of the data set; check the set again")
    kept = [(place, fact) for place, fact in facts if fact[0] not in names]
    return Part(dataset, tuple(place for place, _ in kept), tuple(fact for _, fact in kept))
