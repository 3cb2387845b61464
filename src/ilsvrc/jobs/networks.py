"""What `ilsvrc models` lists: every network in a line, read from a table that scripts/docs counts.

Building all of them takes ten seconds, and what is counted changes with the code alone; a test counts anew.
"""

import json
from importlib.resources import files
from typing import Any


def summaries() -> list[dict[str, Any]]:
    """One object per network, in the order of the papers.

    Keys: name, year, team, paper, parameters (of training, side heads included), macs (multiply-adds
    for one image at test time), image_size (pixels a side), depth (layers with weights on the longest way).
    """
    rows: list[dict[str, Any]] = json.loads((files("ilsvrc.jobs") / "networks.json").read_text(encoding="utf-8"))
    return rows
