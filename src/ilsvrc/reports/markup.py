"""HTML and SVG as nested calls; text is escaped by construction."""

import html
import re
from collections.abc import Mapping

EMPTY = frozenset(("br", "hr", "img", "input", "link", "meta", "circle", "line", "path", "rect"))  # have no content
# Not allowed in HTML or XML: control characters and the halves that stand for undecodable bytes of file names.
FOREIGN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Attributes = Mapping[str, str | int | float | None]


class Html(str):
    """Text that is markup already and is not escaped again."""

    __slots__ = ()


def element(name: str, attributes: Attributes | None = None, *children: str | None) -> Html:
    """One element: children that are not `Html` are escaped, None is left out, as is an attribute that is None.

    Coordinates are written with at most two decimals. The result reads as HTML and as XML.
    """
    written = "".join(
        f' {key}="{_escaped(_number(value) if isinstance(value, float) else str(value))}"'
        for key, value in (attributes or {}).items()
        if value is not None
    )
    if name in EMPTY:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: str | None) -> Html:
    """The children one after the other, escaped where they are text."""
    return Html(
        "".join(child if isinstance(child, Html) else _escaped(child) for child in children if child is not None)
    )


def _escaped(text: str) -> str:
    return html.escape(FOREIGN.sub("\N{REPLACEMENT CHARACTER}", text))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
