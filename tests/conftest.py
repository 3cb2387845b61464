"""What every test may count on: one CPU thread, fixed seeds, and a tiny data set in the official layout."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch and numpy are imported

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("ilsvrc", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("ilsvrc")


FEW = 4  # cases of a test marked as sampled that a quick run has, where the mark does not say how many


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what a quick run leaves out of the cases of a test that is marked as sampled."""
    cases: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            cases.setdefault((item.path, getattr(item, "originalname", item.name)), []).append(item)
    for each in cases.values():
        mark = each[0].get_closest_marker("sampled")
        few = mark.args[0] if mark and mark.args else FEW
        kept = {round(number * (len(each) - 1) / max(1, few - 1)) for number in range(few)}
        for number, item in enumerate(each):
            if number not in kept:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Every test starts from the same state of the global generators, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """What is measured in a test is remembered for the tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """The mini set with 60 train, 40 val and 40 test images and its detection variant. Read only."""
    from ilsvrc.data import mini

    directory = tmp_path_factory.mktemp("data") / "tiny"
    mini.build(directory, train=60, val=40, test=40)
    return directory
