"""The ImageNet challenge (ILSVRC, 2010-2017) as software.

Five imports do most things:

    from ilsvrc import ENTRIES          # what each winner did, by key
    from ilsvrc import models           # models.build("resnet50", classes=20): the networks
    from ilsvrc import data             # data.open("imagenet", "val"): directories of images as samples
    from ilsvrc import scoring          # submissions scored as the official kits score them
    from ilsvrc.jobs.race import race   # what the command line does is a function each

and `ilsvrc.Predictor("resnet50.safetensors")(images)` names what is in images.
Importing the package itself brings in the standard library alone, and what it names when that is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ilsvrc.entries import ENTRIES
    from ilsvrc.spec import Entry

__all__ = ["ENTRIES", "Entry", "Predictor", "__version__"]

__version__ = "0.1.0"


HOMES = {"ENTRIES": "ilsvrc.entries", "Entry": "ilsvrc.spec", "Predictor": "ilsvrc.jobs.predictor"}


def __getattr__(name: str) -> Any:
    """What the package names, brought in when it is first asked for: the entries in a moment, Predictor with torch."""
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module 'ilsvrc' has no attribute {name!r}")
