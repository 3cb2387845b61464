"""Which finished run each network of an entry starts from: one that is given, or that of its kind in a folder."""

import json
from pathlib import Path

from ilsvrc import models
from ilsvrc.errors import SpecError
from ilsvrc.spec import Member, from_json
from ilsvrc.train.run import Run


def start_of(given: Path, member: Member) -> Path:
    """The classifier that `member` starts from: `given` itself, or where that is a folder of runs the one of its kind.

    Of its kind is a finished run of classification of that network at its size and width. Raises SpecError where the
    folder has none, or several.
    """
    if not given.is_dir() or (given / "spec.json").exists():
        return given
    wanted = _kind(member)
    found = [place.parent for place in sorted(given.glob("*/spec.json")) if _of(place) == wanted]
    if len(found) == 1:
        return found[0]
    told = "{} at {} px and {:g} of its width".format(*wanted)
    if not found:
        raise SpecError(f"{given} has no finished run of {told} in it; train one there, or name a run")
    raise SpecError(
        f"{given} has {len(found)} runs of {told}: {found[0]} and {found[1]}; leave one in it, or name a run"
    )


def _kind(member: Member) -> tuple[str, int, float]:
    return member.model, member.image_size or models.paper_size(member.model), member.width


def _of(spec: Path) -> tuple[str, int, float] | None:
    """What a finished run of classification trained; None for any other."""
    try:
        asked = json.loads(spec.read_text(encoding="utf-8"))["asked"]
        if asked.get("task", "classification") != "classification" or not Run(spec.parent).scores.exists():
            return None
        return _kind(from_json(asked["member"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
