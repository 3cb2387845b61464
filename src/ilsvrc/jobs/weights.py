"""Describe the weights in a file, or those of a run."""

from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from ilsvrc import weights
from ilsvrc.jobs.finished import finished

ORDERS = {
    "wnid": "by WordNet id",
    "devkit": "of the development kit, ILSVRC2012_ID",
    "own": "of the training's own data",
}


def describe(path: Path, data_path: str | PathLike[str] | None = None) -> dict[str, Any]:
    """The record in a file that `weights.save` wrote, or of the run in a directory, as a dictionary.

    Raises WeightsError where there is none, and as `finished` does.
    """
    return asdict(finished(path, data_path).record() if path.is_dir() else weights.read_record(path))


def lines(record: dict[str, Any]) -> list[str]:
    """The record in words, one fact per line."""
    shown = ["warped" if record["warp"] else "shorter side", f"to {record['resize']} pixels, centre"]
    facts = {
        "network": record["model"],
        "origin": record["origin"],
        "licence": record["licence"],
        "sha256": record["sha256"],
        "classes": f"{record['classes']}, in the order {ORDERS[record['order']]}",
        "image": f"{' '.join(shown)} {record['image_size']} pixels",
        "channels": f"{record['channels']}, 0 to {record['top']:g}",
        "mean": ", ".join(f"{value:g}" for value in record["mean"]),
        "deviation": ", ".join(f"{value:g}" for value in record["std"]),
        "error": record["error"] or "not measured",
        "note": record["note"],
    }
    return [f"{name:<10} {fact}" for name, fact in facts.items() if fact]
