"""Peers: imported when they are asked for, and torchvision also where its compiled part does not load."""

import subprocess
import sys
from pathlib import Path

import pytest

from ilsvrc.bench import peers

# torchvision's way: of its operators one is asked for at import, and its compiled part would have declared it.
PRETENDER = """
import torch
from torchvision import transforms
torch.library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: dets)
__version__ = "0"
"""
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from ilsvrc.bench import peers
module = peers.torchvision()
assert module is peers.torchvision()
assert module.transforms.THERE and module.__version__ == "0"
"""


@pytest.mark.slow
def test_torchvision_is_imported_where_its_operators_are_declared_by_nobody(tmp_path: Path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(PRETENDER)
    (tmp_path / "torchvision" / "transforms.py").write_text("THERE = True\n")
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_peer_that_is_not_there_has_no_version():
    assert peers.version_of("no-such-peer") == "not installed"
    assert peers.version_of("torch")[0].isdigit()
