"""The ImageNet challenge (ILSVRC, 2010-2017) as software.

Five imports do most things:

    from ilsvrc import ENTRIES          # what each winner did, by key
    from ilsvrc import models           # models.build("resnet50", classes=20): the networks
    from ilsvrc import data             # data.open("imagenet", "val"): directories of images as samples
    from ilsvrc import scoring          # submissions scored as the official kits score them
    from ilsvrc.jobs.race import race   # what the command line does is a function each

and `ilsvrc.Predictor("resnet50.safetensors")(images)` names what is in images.
Importing the package itself brings in the standard library alone.
"""

from importlib import import_module
from typing import Any

from ilsvrc.entries import ENTRIES
from ilsvrc.spec import Entry

__all__ = ["ENTRIES", "Entry", "Predictor", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Predictor, brought in with torch when it is first asked for and not before."""
    if name == "Predictor":
        return import_module("ilsvrc.jobs.predictor").Predictor
    raise AttributeError(f"module 'ilsvrc' has no attribute {name!r}")
