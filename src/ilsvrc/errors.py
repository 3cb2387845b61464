"""The exceptions a user can cause.

IlsvrcError
├── DataError         a file of the data set is missing, truncated or not what its name says
│   └── BadImage      one image cannot be decoded; --bad-images says what becomes of it
├── SubmissionError   a prediction file breaks a rule of the challenge
├── WeightsError      names or shapes of weights do not fit the model
├── SpecError         an entry, a recipe or an argument contradicts itself or the machine
└── Diverged          the training loss is no longer a number

Each message is one sentence: what was found, what was wanted, what to do. The
command line prints it without a traceback and leaves with exit code 1.
"""


class IlsvrcError(Exception):
    """Anything a user can cause and can mend."""


class DataError(IlsvrcError):
    """A file of the data set is missing, truncated or not what its name says."""


class BadImage(DataError):
    """One image cannot be decoded: what `--bad-images skip` passes over."""


class SubmissionError(IlsvrcError):
    """A prediction file breaks a rule of the challenge."""


class WeightsError(IlsvrcError):
    """Names or shapes of weights do not fit the model."""


class SpecError(IlsvrcError):
    """An entry, a recipe or an argument contradicts itself or the machine."""


class Diverged(IlsvrcError):
    """The training loss is no longer a number."""
