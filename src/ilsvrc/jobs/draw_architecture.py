"""Networks as drawings: of a name, of an entry's members, of a run as it was trained."""

from difflib import get_close_matches
from pathlib import Path

import torch

from ilsvrc import models
from ilsvrc.entries import ENTRIES, ROWS
from ilsvrc.entries.before import BEFORE
from ilsvrc.entries.titles import TITLES
from ilsvrc.errors import SpecError
from ilsvrc.models.anatomy import parameters
from ilsvrc.reports.document import write_document
from ilsvrc.reports.markup import Html
from ilsvrc.spec import Member, from_json
from ilsvrc.train.run import Run
from ilsvrc.viz.architecture import drawing


def architecture(name: str, out: Path | None, width: float | None, image_size: int | None) -> list[str]:
    """Write the drawing of a network, of an entry's networks, or of a run's; a line per file that was written.

    out is NAME.svg by default; of several networks each has its own name behind it. Raises SpecError with the
    nearest names for one that is neither, and for a width or a size that the network cannot have.
    """
    if (Path(name) / "spec.json").is_file():
        svg = _of_run(Path(name))
        return [_written(out or Path(f"{Path(name).resolve().name}.svg"), svg)]
    found = networks_of(name)
    lines = []
    for model in found:
        path = out or Path(f"{name}.svg")
        if len(found) > 1:
            path = path.with_name(f"{path.stem}-{model}{path.suffix}")
        lines.append(_written(path, svg_of(model, width=width or 1.0, image_size=image_size)))
    return lines


def networks_of(name: str) -> list[str]:
    """A network's name itself, or those of an entry's members, each once. Raises SpecError with the nearest names."""
    if name in models.MODELS:
        return [name]
    known = {**ENTRIES, **ROWS}
    if name in known:
        return list(dict.fromkeys(member.model for member in known[name].members))
    if name in BEFORE:
        raise SpecError(f"{name} is of before the networks: there is none to draw; ilsvrc show {name} tells of it")
    near = get_close_matches(name, [*models.MODELS, *known], n=5, cutoff=0.4) or list(models.MODELS)[:5]
    raise SpecError(f"{name!r} is no network, entry or run; did you mean {', '.join(near)}?")


def svg_of(model: str, classes: int = 1000, width: float = 1.0, image_size: int | None = None) -> Html:
    """The drawing of a network of `models.MODELS` as one SVG element. Raises SpecError for one that cannot be."""
    try:
        size = image_size or models.paper_size(model)
        with torch.device("meta"):
            network = models.build(model, classes, size, width)
    except ValueError as error:
        raise SpecError(str(error)) from error
    small = "" if width == 1 else f", {width:g} of its width"
    note = f"{models.CARDS[model].paper}; {parameters(network):,} parameters{small}"
    return drawing(network, size, TITLES.get(model, model), note)


def _of_run(directory: Path) -> str:
    asked = Run(directory).spec()["asked"]
    try:
        member: Member = from_json(asked["member"])
        classes = int(asked["classes"])
    except (KeyError, ValueError, TypeError) as error:
        raise SpecError(f"{directory / 'spec.json'} cannot be understood: {error}") from error
    return svg_of(member.model, classes, member.width, member.image_size)


def _written(path: Path, svg: str) -> str:
    write_document(path, f"{svg}\n")
    return f"{path}: drawn"
