"""The ImageNet challenge (ILSVRC, 2010-2017) as software.

Five imports do most things:

    from ilsvrc import ENTRIES          # what each winner did, by key
    from ilsvrc import models           # models.build("resnet50", classes=20): the networks
    from ilsvrc import data             # data.open("imagenet", "val"): directories of images as samples
    from ilsvrc import scoring          # submissions scored as the official kits score them
    from ilsvrc.jobs.race import race   # what the command line does is a function each

Importing the package itself brings in the standard library alone.
"""

from ilsvrc.entries import ENTRIES
from ilsvrc.spec import Entry

__all__ = ["ENTRIES", "Entry", "__version__"]

__version__ = "0.1.0"
