"""Pictures of a network on one page, each with what one sees and where it is from; and the same as files beside it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ilsvrc import __version__
from ilsvrc.reports.document import document, write_document
from ilsvrc.reports.formats import plural
from ilsvrc.reports.layout import bullets, facts, section
from ilsvrc.reports.markup import Html, element

STYLE = """
.how { margin-top: 12px; max-width: 62em; color: var(--muted); font-size: 15px }
.panels {
  display: grid; gap: 14px 18px; margin-top: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr))
}
.panels figure { min-width: 0 }
.panels img { display: block; width: 100%; max-width: var(--most); height: auto; border-radius: 4px }
.panels figcaption { margin-top: 6px; padding: 0; border: 0; color: var(--ink); font-weight: 600; font-size: 13.5px }
.panels figcaption small { display: block; color: var(--muted); font-weight: 400; font-size: 12.5px; line-height: 1.4 }
.plate { margin-top: 24px }
.plate > h3 { font-size: 1.12rem }
.plate > p { margin-top: 6px; color: var(--muted); font-size: 14px; max-width: 60em }
.key { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin-top: 12px; font-size: 13px }
.key i { display: inline-block; width: .85em; height: .85em; margin-right: .45em; border-radius: 2px }
.plate .scroll { margin-top: 16px }
.about { margin-top: 28px }
.about .fine { margin-top: 12px; padding-left: 1.2em }
"""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: its file's name in the folder, the PNG, and what stands under it."""

    file: str
    png: bytes
    title: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Plate:
    """Pictures that belong together; `most` and `least` are the widths of one in pixels."""

    title: str
    caption: str = ""  # what one sees, and its source, where the page's `how` does not say it
    panels: tuple[Panel, ...]
    key: tuple[tuple[str, str], ...] = ()  # '#rrggbb' and what has that colour
    table: Html | None = None
    least: int = 150
    most: int = 420


@dataclass(frozen=True, kw_only=True)
class Drawings:
    """A page: what is drawn, of which network, and what the method means there."""

    title: str  # 'conv5 of ZFNet'
    kicker: str  # 'Deconvnet'
    lead: str
    how: str = ""  # what every picture shows, and its source
    plates: tuple[Plate, ...]
    facts: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()  # sentences a reader must know


def write_drawings(drawings: Drawings, out: Path) -> str:
    """index.html and every picture as a PNG in `out`; in a line, what was written.

    Raises SpecError where the page cannot be written.
    """
    write_document(out / "index.html", drawings_page(drawings))
    panels = [panel for plate in drawings.plates for panel in plate.panels]
    for panel in panels:
        (out / panel.file).write_bytes(panel.png)
    return f"{out / 'index.html'}: {drawings.kicker.lower()}, {plural(len(panels), 'picture')}, each a PNG beside it"


def drawings_page(drawings: Drawings) -> str:
    """The page as HTML text."""
    head = element(
        "header",
        {"class": "top"},
        element("p", {"class": "kicker"}, drawings.kicker),
        element("h1", None, drawings.title),
        element("p", {"class": "verdict"}, drawings.lead),
        element("p", {"class": "how"}, drawings.how) if drawings.how else None,
    )
    about = section(
        "about",
        "What this is made from",
        element("div", {"class": "card about"}, facts(drawings.facts), bullets(drawings.remarks, "fine")),
    )
    body = element(
        "body",
        None,
        element("a", {"class": "skip", "href": "#about"}, "Skip the pictures"),
        head,
        element("main", None, *(_plate(plate) for plate in drawings.plates), about),
        element("footer", None, element("p", None, f"Written by ilsvrc {__version__}.")),
    )
    return document(f"{drawings.title}: {drawings.kicker.lower()}", body, STYLE)


def _plate(plate: Plate) -> Html:
    style = f"--least: {plate.least}px; --most: {plate.most}px"
    return element(
        "section",
        {"class": "card plate"},
        element("h3", None, plate.title),
        element("p", None, plate.caption) if plate.caption else None,
        _key(plate.key),
        element("div", {"class": "panels", "style": style}, *map(_panel, plate.panels)) if plate.panels else None,
        plate.table,
    )


def _key(colours: Sequence[tuple[str, str]]) -> Html | None:
    if not colours:
        return None
    items = (element("li", None, element("i", {"style": f"background: {colour}"}), words) for colour, words in colours)
    return element("ul", {"class": "key", "aria-label": "What the colours mean"}, *items)


def _panel(panel: Panel) -> Html:
    data = f"data:image/png;base64,{base64.b64encode(panel.png).decode()}"
    note = element("small", None, panel.note) if panel.note else None
    return element(
        "figure",
        None,
        element("img", {"src": data, "alt": panel.title}),
        element("figcaption", None, panel.title, note),
    )
