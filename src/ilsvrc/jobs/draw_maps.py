"""What the maps of a layer look for: deconvnet, top nine, evolution, first filters. Zeiler and Fergus 2013."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ilsvrc.data.sample import Dataset
from ilsvrc.errors import DataError, SpecError
from ilsvrc.jobs import draw
from ilsvrc.jobs.draw import Seen, Source, Split, Subject, subject
from ilsvrc.reports.drawings_page import Drawings, Panel, Plate, write_drawings
from ilsvrc.reports.progress import Watch
from ilsvrc.viz.deconvnet import project
from ilsvrc.viz.filters import first_filters
from ilsvrc.viz.layers import Layer, answers, check_map, peaks
from ilsvrc.viz.picture import beside, contrast, grid, png, resized
from ilsvrc.viz.top import Strongest, strongest

SIDE = 240  # pixels of a picture that stands alone
TILE = 80  # of one of nine
NINE, IMAGES, MAPS = 9, 4, 8
HOW = (
    "Every other activation of the layer is set to zero and this one is carried down: switches of the pools, ReLU "
    "on the way down, transposed filters (Zeiler and Fergus 2013, section 2.1). It is a pattern that this image "
    "excited the map with, not a sample of a model. Grey is zero; the contrast of each is scaled by itself."
)


def deconvnet(source: Source, layer: str, maps: Sequence[int], words: Sequence[str], out: Path) -> str:
    """Draw the strongest activation of maps in images, back in pixels; those that answer most where none are named.

    In a line, what was written. Raises SpecError for a layer or a map that there is not, DataError for no images.
    """
    who = subject(source)
    at = who.layer(layer)
    for number in maps:
        check_map(at, number)
    plates = [
        _projected(who, at, number, image, tuple(maps))
        for number, image in enumerate(draw.chosen(who, words, IMAGES), start=1)
    ]
    lead = f"Where {who.title} answers in {at.name}, and the pattern in the image that made it answer."
    return write_drawings(_page(who, at, "Deconvnet", lead, plates), out)


def _projected(who: Subject, at: Layer, number: int, image: Seen, maps: tuple[int, ...]) -> Plate:
    values, _ = peaks(answers(who.found.network, image.blob[None], at.name))
    best = values[0].argsort(descending=True, stable=True)[:MAPS].tolist()
    taken = maps or tuple(best)
    panels = [_panel(f"{number:02d}-image.png", image.pixels, "The image, as the network sees it", image.note)]
    for one in taken:
        found = project(who.found.network, image.blob[None], at.name, [one])
        pattern, patch = draw.tiles(
            who, image, found.pixels[0], at, found.places[0] if found.places else None, SIDE // 2
        )
        value = float(found.activations[0])
        note = f"activation {value:.3g}" if value else "does not answer to this image"
        sheet = beside([grid([pattern], 1), grid([patch], 1)], gap=4)
        panels.append(Panel(file=f"{number:02d}-map{one:04d}.png", png=png(sheet), title=_named(at, one), note=note))
    which = "The maps that were asked for" if maps else f"The {len(taken)} maps that answer most"
    caption = f"{which}: the projection left, the same place of the image right."
    return Plate(title=image.name, caption=caption, panels=tuple(panels), least=200, most=SIDE + 4)


def top9(source: Source, layer: str, maps: Sequence[int], split: Split, out: Path, watch: Watch) -> str:
    """Draw, for maps of a layer, the nine images of a data set they answer most to beside their projections.

    MAPS maps are drawn by chance, always the same, where none are named. In a line, what was written.
    Raises SpecError for a layer or a map that there is not, or where no data set is known.
    """
    who = subject(source)
    at, images = who.layer(layer), draw.dataset(who, split)
    taken = _taken(at, maps, MAPS)
    best, unread = _strongest(who, images, at, NINE, watch)
    panels = []
    for one in taken:
        pairs = _pairs(who, at, images, best, one)
        sheet = beside([grid([tile for tile, _ in pairs], 3), grid([tile for _, tile in pairs], 3)])
        values = best.values[one]
        note = f"activations {float(values[0]):.3g} to {float(values[len(pairs) - 1]):.3g}"
        if not bool(values[0] > 0):
            note = "answers to no image"
        panels.append(Panel(file=f"map{one:04d}.png", png=png(sheet), title=_named(at, one), note=note))
    caption = (
        f"Left the projections of the strongest activations of a map over {len(images):,} images, one per image; right "
        f"the same places of the images (as figure 2 of Zeiler and Fergus 2013)."
    )
    plate = Plate(title=f"{len(taken)} of {at.maps} maps", caption=caption, panels=tuple(panels), least=300, most=520)
    lead = f"What makes maps of {at.name} answer: the nine strongest of {len(images):,} images for each."
    skipped = (f"{len(unread):,} images could not be read and were passed over.",) if unread else ()
    return write_drawings(_page(who, at, "Top nine", lead, [plate], skipped), out)


def _strongest(who: Subject, images: Dataset, at: Layer, count: int, watch: Watch) -> tuple[Strongest, list[int]]:
    unread: list[int] = []
    with watch.live(), watch.stage(f"{at.name} over the images", len(images)) as stage:

        def counted(batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
            stage.at(int(batch[0][-1]) + 1)
            return batch

        best = strongest(who.found.network, map(counted, draw.batches(who, images, unread)), at.name, count)
    if best is None:
        raise DataError("none of the images could be read; give others with --data")
    return best, unread


def _pairs(who: Subject, at: Layer, images: Dataset, best: Strongest, one: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of a map, projection and patch of its strongest images."""
    pairs = []
    for place, where in zip(best.images[one].tolist(), best.places[one].tolist(), strict=True):
        image = draw.seen(who, images, place)
        found = project(who.found.network, image.blob[None], at.name, [one], [where])
        position = found.places[0] if found.places else None
        pairs.append(draw.tiles(who, image, found.pixels[0], at, position, TILE))
    return pairs


def evolution(sources: Sequence[Source], layer: str, maps: Sequence[int], split: Split, out: Path, watch: Watch) -> str:
    """Draw how maps of a layer came to be: for every network of a row, the projection of a map's strongest activation.

    sources are in order: copies of a run made while it trained, or several weight files. In a line, what was written.
    Raises SpecError for fewer than two, for networks that differ, and as `top9` does.
    """
    if len(sources) < 2:
        raise SpecError(f"{len(sources)} network is given; an evolution takes two or more, the earliest first")
    people = [subject(source) for source in sources]
    first, last = people[0], people[-1]
    at = first.layer(layer)
    for who in people[1:]:
        if who.found.model != first.found.model or who.layer(layer) != at:
            raise SpecError(
                f"{who.source.path} is {who.found.model} and {first.source.path} is {first.found.model}, or of another "
                "width or size; an evolution is of one network"
            )
    taken = _taken(at, maps, MAPS)
    panels: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {one: [] for one in taken}
    for who in people:
        images = draw.dataset(who, split)
        best, _ = _strongest(who, images, at, 1, watch)
        for one in taken:
            panels[one] += _pairs(who, at, images, best, one)[:1]
    rows = [
        Panel(
            file=f"map{one:04d}.png",
            png=png(grid([tile for pair in (0, 1) for tile in (both[pair] for both in found)], len(people))),
            title=_named(at, one),
        )
        for one, found in panels.items()
    ]
    stages = ", ".join(_stage(who) for who in people)
    caption = (
        f"Each column is a network, from left to right {stages}. Above the projection of the map's strongest "
        f"activation over all images of {split}, below its place in the image; the image may change (as figure 4 of "
        f"Zeiler and Fergus 2013)."
    )
    plate = Plate(title="From left to right, later", caption=caption, panels=tuple(rows), least=300, most=TILE * 10)
    lead = f"How maps of {at.name} came to be, over {len(people)} states of {last.title}."
    return write_drawings(_page(last, at, "Evolution", lead, [plate]), out)


def _stage(who: Subject) -> str:
    return who.source.path.name or str(who.source.path)


def filters(source: Source, out: Path) -> str:
    """Draw the filters of the first layer. In a line, what was written."""
    who = subject(source)
    name, weights = first_filters(who.found.network)
    side = max(32, weights.shape[-1] * 4)
    patches = [resized(contrast(who.signed(one)), side, smooth=False) for one in weights]
    columns = 16 if len(patches) >= 64 else 8
    panel = Panel(file="filters.png", png=png(grid(patches, columns)), title=f"{name}, {len(patches)} filters")
    dead = int((weights.flatten(1).norm(dim=1) < 1e-3 * weights.flatten(1).norm(dim=1).max()).sum())
    caption = (
        f"The {weights.shape[-2]}×{weights.shape[-1]} filters of {name} as colours, in their order (as figure 3 of "
        "Krizhevsky et al. 2012). Grey is zero; the contrast of each is scaled by itself."
    )
    plate = Plate(title=name, caption=caption, panels=(panel,), least=300, most=900)
    said = (f"{dead} of them are below a thousandth of the largest and as good as dead.",) if dead else ()
    page = Drawings(
        title=f"{name} of {who.title}",
        kicker="First-layer filters",
        lead="What the first layer looks for: edges and colours, where it has learnt.",
        plates=(plate,),
        facts=who.facts(),
        remarks=said,
    )
    return write_drawings(page, out)


def _taken(at: Layer, maps: Sequence[int], count: int) -> list[int]:
    """The maps that were asked for, or some drawn by chance from seed 0. Raises SpecError for one that there is not."""
    for one in maps:
        check_map(at, one)
    if maps:
        return list(dict.fromkeys(maps))
    order = torch.randperm(at.maps, generator=torch.Generator().manual_seed(0))
    return sorted(order[:count].tolist())


def _named(at: Layer, number: int) -> str:
    return f"map {number}" if at.side else f"unit {number}"


def _panel(file: str, pixels: np.ndarray, title: str, note: str = "") -> Panel:
    return Panel(file=file, png=png(resized(pixels, SIDE)), title=title, note=note)


def _page(
    who: Subject, at: Layer, kicker: str, lead: str, plates: Sequence[Plate], more: tuple[str, ...] = ()
) -> Drawings:
    size = "" if at.side is None else f", {at.side[0]}×{at.side[1]}"
    return Drawings(
        title=f"{at.name} of {who.title}",
        kicker=kicker,
        lead=lead,
        how=HOW,
        plates=tuple(plates),
        facts=(*who.facts(), ("Layer", f"{at.name}, {at.maps:,} maps{size}")),
        remarks=(*draw.remarks(who, at), *more),
    )
