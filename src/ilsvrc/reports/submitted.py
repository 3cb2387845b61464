"""What a race of whole entries leaves of each: its networks, how they looked, what was gained, and what was published.

Errors are fractions in [0, 1] on the race's split; an unknown one is None.
"""

from dataclasses import dataclass

from ilsvrc.spec import Reported


@dataclass(frozen=True, kw_only=True)
class Seat:
    """One network in an entry: which run it is, and what it scored alone by the entry's protocol."""

    run: str  # the name of its directory
    title: str  # 'AlexNet'
    stands_for: str  # the network of the entry, as people say it; the same where none stands in
    seed: int
    weight: float  # of sum 1
    protocol: str  # at the size that ran
    top1_error: float
    top5_error: float


@dataclass(frozen=True, kw_only=True)
class Look:
    """One way to look at the images, or one way to combine: the error here, and the paper's where a table has it."""

    who: str  # 'one network' (the mean of all of them) or 'all 5'
    protocol: str  # as the paper has it, in a few words
    top1_error: float
    top5_error: float
    published: float | None = None  # top-5 error in [0, 1]
    source: str = ""  # 'val, table 2, 1 CNN'


@dataclass(frozen=True, kw_only=True)
class Gained:
    """What one change took off the top-5 error, here and in the paper's tables. None where a table does not tell."""

    what: str  # 'protocol' or 'ensemble'
    words: str  # '10 crops of 224 instead of 1 crop of 224'
    before: float
    after: float
    published_before: float | None = None
    published_after: float | None = None
    source: str = ""

    @property
    def share(self) -> float:
        """The part of the error that went, here; negative where it grew."""
        return (self.before - self.after) / self.before if self.before else 0.0

    @property
    def published_share(self) -> float | None:
        """The part of the error that went, in the paper."""
        if self.published_before is None or self.published_after is None:
            return None
        return (self.published_before - self.published_after) / self.published_before


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """One entry in a race: its submission was written and scored by the kit's rules."""

    name: str  # its key
    title: str  # 'SuperVision 2012'
    year: int
    team: str
    top1_error: float  # of the submission
    top5_error: float
    rules: str
    submission: str  # the file, beside the report
    protocol: str  # as the paper has it, in a few words
    seats: tuple[Seat, ...]
    looks: tuple[Look, ...]
    gained: tuple[Gained, ...]
    best: int  # the seat with the lowest top-5 error
    seconds: float  # of training, of all its networks
    new: str = ""
    gaps: tuple[str, ...] = ()
    published: tuple[Reported, ...] = ()
    reconstruction: bool = False
    miniature: bool = True
