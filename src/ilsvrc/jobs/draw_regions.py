"""Which places of an image matter: occlusion and class activation maps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ilsvrc.jobs import draw
from ilsvrc.jobs.draw import Seen, Source, Subject, subject
from ilsvrc.reports.drawings_page import Drawings, Panel, Plate, write_drawings
from ilsvrc.reports.formats import percent
from ilsvrc.reports.progress import Watch
from ilsvrc.viz.cam import class_map, gradient_map, head
from ilsvrc.viz.deconvnet import project
from ilsvrc.viz.layers import last_maps
from ilsvrc.viz.occlusion import Occlusion, occlude
from ilsvrc.viz.picture import PALETTE, coloured, contrast, heat, mixed, png, resized

SIDE = 240
IMAGES = 3
SQUARE, STEP = 50 / 224, 8 / 224  # of the image's side; ours, for the paper gives neither


def occlusion(
    source: Source,
    layer: str | None,
    words: Sequence[str],
    label: str | None,
    square: tuple[int | None, int | None],
    out: Path,
    watch: Watch,
) -> str:
    """Slide a grey square over images and draw what the network says meanwhile, in the panels of figure 7.

    layer is the last of maps by default; label the true class, by default the image's own or, where that is not
    known, what the network says of it; square its side and its step in pixels. In a line, what was written.
    Raises SpecError for a layer, class or square that there is not, DataError for no images.
    """
    who = subject(source)
    size = who.found.image_size
    at = who.layer(layer or last_maps(who.found.network, size))
    side, step = square[0] or max(1, round(size * SQUARE)), square[1] or max(1, round(size * STEP))
    wanted = None if label is None else who.logit(label)
    images = draw.chosen(who, words, IMAGES)
    plates = []
    with watch.live(), watch.stage("occluding", len(images)) as stage:
        for number, image in enumerate(images):
            truth = image.label if wanted is None else wanted
            found = occlude(
                who.found.network,
                image.blob,
                at.name,
                truth,
                side=side,
                stride=step,
                moved=lambda share, done=number: stage.at(done + share),  # type: ignore[misc]
            )
            plates.append(_occluded(who, at.name, image, found, number + 1, truth is not None))
    how = (
        f"A square of {side} pixels in the mean colour slides over the image in steps of {step}; a place of a map is "
        f"the square's centre (as figure 7 of Zeiler and Fergus 2013, which gives neither size nor step). Dark is low, "
        f"light is high: a dark place of (b) or (d) is one that was needed."
    )
    page = Drawings(
        title=f"What {who.title} looks at",
        kicker="Occlusion",
        lead="If the network uses the object, covering it must hurt; if it uses the surroundings, covering those must.",
        how=how,
        plates=tuple(plates),
        facts=(*who.facts(), ("Layer", at.name), ("Square", f"{side} pixels, steps of {step}")),
        remarks=draw.remarks(who, at),
    )
    return write_drawings(page, out)


def _occluded(who: Subject, layer: str, image: Seen, found: Occlusion, number: int, known: bool) -> Plate:
    pattern = project(who.found.network, image.blob[None], layer, [found.map])
    word = who.word(found.label)
    order = [place for place, _ in sorted(_counted(found.best).items(), key=lambda item: -item[1])]
    places = np.vectorize({logit: place for place, logit in enumerate(order)}.get)(found.best)
    truth = f"the true class, {word}" if known else f"{word}, what the network says of the clean image"
    low, high = float(found.activation.min()), float(found.activation.max())
    drawn = (
        ("a", image.pixels, "(a) The image", image.note),
        (
            "b",
            heat(found.activation, low, high),
            f"(b) Sum of map {found.map} of {layer}, the strongest here",
            f"{low:.3g} to {high:.3g}; {found.clean_activation:.3g} without the square",
        ),
        (
            "c",
            contrast(who.signed(pattern.pixels[0])),
            f"(c) Projection of map {found.map}",
            "by the deconvnet, contrast scaled",
        ),
        (
            "d",
            heat(found.probability, 0.0, max(found.clean_probability, float(found.probability.max()))),
            f"(d) Probability of {truth}",
            f"{percent(float(found.probability.min()))} to {percent(float(found.probability.max()))}; "
            f"{percent(found.clean_probability)} without the square",
        ),
        ("e", coloured(places), "(e) The most probable class", f"{who.word(found.clean_best)} without the square"),
    )
    panels = tuple(
        Panel(file=f"{number:02d}-{part}.png", png=png(resized(pixels, SIDE, part in "ac")), title=title, note=note)
        for part, pixels, title, note in drawn
    )
    key = tuple(
        (_hex(PALETTE[min(place, len(PALETTE) - 1)]), who.word(logit)) for place, logit in enumerate(order[:12])
    )
    return Plate(title=image.name, panels=panels, key=key, least=180, most=SIDE)


def _counted(values: np.ndarray) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in colour)


def cam(source: Source, words: Sequence[str], label: str | None, layer: str | None, gradient: bool, out: Path) -> str:
    """Draw where in images a class is spoken for: class activation maps, or Grad-CAM on a layer with `gradient`.

    The class is the image's own and the network's first guess, or the one that is asked for. In a line, what was
    written. Raises SpecError for a network without a global average at its end, unless `gradient`.
    """
    who = subject(source)
    size = who.found.image_size
    if not gradient:
        head(who.found.network, size)
    at = who.layer(layer or last_maps(who.found.network, size)).name
    wanted = None if label is None else who.logit(label)
    plates = [
        _spoken_for(who, image, wanted, at if gradient else None, number)
        for number, image in enumerate(draw.chosen(who, words, IMAGES), start=1)
    ]
    name = "Grad-CAM" if gradient else "Class activation map"
    how = (
        f"The maps of {at}, each times the mean of its gradient, added and cut off below zero (Grad-CAM, Selvaraju et "
        "al. 2017). It shows places, and its values add up to nothing."
        if gradient
        else "The last maps, each times its weight for the class, added (Zhou et al. 2016). The mean over the places "
        "and the bias are the logit, so each place's share in it is seen. Dark is low, light is high."
    )
    page = Drawings(
        title=f"Where {who.title} sees it",
        kicker=name,
        lead="The places of the image that speak for a class.",
        how=how,
        plates=tuple(plates),
        facts=who.facts(),
        remarks=("A map has few places and is drawn enlarged: its edges are those of the enlargement.",),
    )
    return write_drawings(page, out)


def _spoken_for(who: Subject, image: Seen, wanted: int | None, gradient: str | None, number: int) -> Plate:
    with torch.inference_mode():
        shares = who.found.network(image.blob[None])[0].softmax(0)
    first = int(shares.argmax())
    asked = (wanted, first) if wanted is not None else (image.label, first)
    panels = [
        Panel(
            file=f"{number:02d}-image.png",
            png=png(resized(image.pixels, SIDE)),
            title="The image, as the network sees it",
            note=image.note,
        )
    ]
    for logit in dict.fromkeys(one for one in asked if one is not None):
        values, said = _values(who, image, logit, gradient)
        spread = resized(heat(values, float(values.min()), float(values.max())), SIDE)
        role = "true class" if logit == image.label else "first guess" if logit == first else "as asked"
        panels.append(
            Panel(
                file=f"{number:02d}-class{logit:04d}.png",
                png=png(mixed(resized(image.pixels, SIDE), spread)),
                title=f"{who.word(logit)}, {role}",
                note=f"probability {percent(float(shares[logit]))}; {said}",
            )
        )
    return Plate(title=image.name, panels=tuple(panels), least=180, most=SIDE)


def _values(who: Subject, image: Seen, logit: int, gradient: str | None) -> tuple[np.ndarray, str]:
    if gradient is not None:
        return _numbers(gradient_map(who.found.network, image.blob, gradient, logit)), "Grad-CAM"
    values, bias = class_map(who.found.network, image.blob, logit)
    return _numbers(values), f"logit {float(values.mean() + bias):.3g}"


def _numbers(values: Tensor) -> np.ndarray:
    found: np.ndarray = values.cpu().numpy()
    return found
