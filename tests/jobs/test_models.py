"""What `ilsvrc models` shows."""

import json

import pytest

from ilsvrc.errors import SpecError
from ilsvrc.jobs.models import counted, describe
from ilsvrc.jobs.networks import summaries
from ilsvrc.models import MODELS


@pytest.mark.slow
def test_the_list_has_every_network_in_order() -> None:
    rows = summaries()
    assert [row["name"] for row in rows] == list(MODELS)
    assert all({"name", "year", "team", "paper", "parameters", "macs", "image_size", "depth"} == set(r) for r in rows)
    assert rows == counted(), "run scripts/docs"


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "senet154"])
def test_the_layers_of_a_network_sum_to_its_parameters(name: str) -> None:
    shown = describe(name)
    assert sum(layer["parameters"] for layer in shown["layers"]) == shown["parameters"]
    at_test = [layer for layer in shown["layers"] if not layer["name"].startswith("side_")]
    assert sum(layer["macs"] for layer in at_test) == shown["macs"]
    assert {"new", "differences", "layers"} < set(shown)
    assert {"name", "kind", "shape", "parameters", "macs"} == set(shown["layers"][0])
    json.dumps(shown)


def test_an_unknown_network_is_a_spec_error_with_the_nearest_names() -> None:
    with pytest.raises(SpecError, match="no model is called 'vgg61'; did you mean vgg"):
        describe("vgg61")
