"""What a localization run found, as it was and in the kit's form: of each image five classes, each with a box."""

from pathlib import Path

from ilsvrc.data.devkit import read_synsets
from ilsvrc.jobs.localize_judge import Located, write_located
from ilsvrc.jobs.submission import ids_of, kit_beside
from ilsvrc.scoring import Guesses, write_guesses

LOCATED = "located.npz"  # in a run's directory: what it found on val, exactly
BOXED = "localization.txt"  # and the same as a submission


def leave(directory: Path, located: Located, wnids: tuple[str, ...], place: str) -> None:
    """Write what was found on val into a run, classes by the ids of the kit beside the images at `place`."""
    write_located(directory / LOCATED, located)
    write_boxed(directory / BOXED, located, wnids, place)


def write_boxed(path: Path, located: Located, wnids: tuple[str, ...], place: Path | str) -> str:
    """Write a line per image, in the split's order: the id of a class and its box in pixels, five times, best first.

    place is a kit's meta.mat, or a data set, whose kit's ids are taken where it has one; else positions by sorted
    WordNet id from 1. How classes are numbered, in words. Raises SpecError where the kit does not know a class,
    SubmissionError where the file cannot be written.
    """
    synsets = read_synsets(str(place)) if isinstance(place, Path) else kit_beside(place)
    ids, numbering = ids_of(wnids, synsets)
    write_guesses(path, Guesses(ids[located.labels], located.boxes))
    return numbering
