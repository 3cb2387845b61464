"""Other people's weights in our networks: the winners' Caffe files, and our own record of where they are from."""

from ilsvrc.weights import caffe
from ilsvrc.weights.networks import load
from ilsvrc.weights.own import read_record, save
from ilsvrc.weights.source import Weights

__all__ = ["Weights", "caffe", "load", "read_record", "save"]
