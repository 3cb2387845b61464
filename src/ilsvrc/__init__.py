"""The ImageNet challenge (ILSVRC, 2010-2017) as software."""

__version__ = "0.1.0"
