"""The page's part that shows what each network looks at: where a grey square over an image costs the true class."""

from dataclasses import dataclass

from ilsvrc.reports.formats import percent
from ilsvrc.reports.gallery import source
from ilsvrc.reports.layout import section
from ilsvrc.reports.markup import Html, element


@dataclass(frozen=True, kw_only=True)
class Look:
    """One network at one image: the map laid over it, and the probability of the true class in [0, 1]."""

    title: str  # of the network
    jpeg: bytes
    clean: float  # without the square
    lowest: float  # with it, where it costs most


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One image and every network's look at it; `jpeg` is a thumbnail."""

    name: str
    truth: str
    jpeg: bytes
    looks: tuple[Look, ...]


def looks_section(images: tuple[Looked, ...]) -> Html | None:
    """A row per image; None without any."""
    if not images:
        return None
    lead = (
        "A square in the mean colour slides over an image; at its centre the probability of the true class is drawn, "
        "dark where covering costs most (occlusion, Zeiler and Fergus 2013, figure 7). Each map is scaled from zero to "
        "its own largest value."
    )
    return section("looks", "What they look at", *(_row(image) for image in images), lead=lead)


def _row(image: Looked) -> Html:
    first = _shown(image.jpeg, image.truth, image.name)
    others = (
        _shown(one.jpeg, one.title, f"{percent(one.clean)}, at the darkest place {percent(one.lowest)}")
        for one in image.looks
    )
    return element("div", {"class": "card looks"}, first, *others)


def _shown(jpeg: bytes, title: str, note: str) -> Html:
    return element(
        "figure",
        None,
        element("img", {"src": source(jpeg), "alt": ""}),
        element("figcaption", None, element("b", None, title), element("br"), note),
    )
