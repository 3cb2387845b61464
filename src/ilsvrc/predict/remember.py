"""What was measured on this machine, kept in a small file of the user's cache.

The file only saves time: one that is absent, damaged, foreign or cannot be written is as good as empty.
"""

import contextlib
import hashlib
import json
import math
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from ilsvrc.predict.engines import ENGINES, Engine
from ilsvrc.predict.measure import Change, Measured

FORMAT = 1  # of the file; another one's is not read
ENTRIES = 256  # kept; the oldest go
LARGEST = 1 << 20  # bytes of a file that is read


def place() -> Path | None:
    """The file: below XDG_CACHE_HOME, or ~/.cache. None where there is no home."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(root):  # the standard has relative ones ignored
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return None
        root = os.path.join(home, ".cache")
    return Path(root) / "ilsvrc" / "engines.json"


def key(network: nn.Module, size: int, batch: int, machine: str) -> str:
    """Of a network's structure, the side of its images, the class of batch, and the machine with its versions."""
    layers = [type(module).__name__ for module in network.modules()]
    shapes = [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()]
    return hashlib.sha256(repr((layers, shapes, size, batch, machine)).encode()).hexdigest()[:32]


def read(key: str, path: Path | None = None) -> dict[Engine, Measured]:
    """Engine to what was measured of it under that key; an engine that failed takes infinitely long."""
    found = {}
    entry = _entries(path or place()).get(key, {})
    for engine in ENGINES:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            found[engine] = _measured(entry[engine])
    return found


def write(key: str, measured: dict[Engine, Measured], path: Path | None = None) -> None:
    """Keep it, beside what other processes kept meanwhile. A file that cannot be written is left."""
    path = path or place()
    if path is None:
        return
    entries = _entries(path)
    entries.pop(key, None)
    entries[key] = {engine: asdict(values) for engine, values in measured.items()}
    newest = dict(list(entries.items())[-ENTRIES:])
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            part = Path(file.name)
            json.dump({"format": FORMAT, "engines": newest}, file, indent=1)
        os.replace(part, path)
    except OSError:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def _entries(path: Path | None) -> dict[str, dict[str, Any]]:
    """All that is in the file and has the right shape."""
    try:
        if path is None or path.stat().st_size > LARGEST:
            return {}
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(kept, dict) or kept.get("format") != FORMAT or not isinstance(kept.get("engines"), dict):
        return {}
    return {key: entry for key, entry in kept["engines"].items() if isinstance(entry, dict)}


def _measured(values: Any) -> Measured:
    """Raises KeyError, TypeError or ValueError for what this file never held."""
    found = Measured(values["prepare"], values["image"], Change(**values["change"]))
    shares = (found.change.agreement, found.change.mean, found.change.largest, found.change.images)
    if not (0 <= found.prepare < math.inf and found.image > 0 and all(share >= 0 for share in shares)):
        raise ValueError(f"{found} was not measured")
    return found
