"""The page's recurring shapes: section, figure, facts, a table that scrolls."""

from collections.abc import Callable, Sequence

from ilsvrc.reports.markup import Html, element, join

Row = Sequence[str]
COLORS = 20  # that page.css knows


def section(name: str, title: str, *children: Html | None, lead: str | None = None) -> Html:
    """A part of the page that the navigation leads to."""
    heading = element("h2", {"id": f"{name}-title"}, title)
    opening = element("p", {"class": "lead"}, lead) if lead else None
    return element("section", {"id": name, "aria-labelledby": f"{name}-title"}, heading, opening, *children)


def figure(
    title: str, caption: str | Html, draw: Callable[[bool], Html], *, note: str | None = None, kind: str = ""
) -> Html:
    """A drawing with a title above and its birth certificate below.

    draw(wide) is called twice: the page shows one for wide screens and print, the other for narrow ones.
    A figure of the kind 'broad' takes the whole width of the page.
    """
    return element(
        "figure",
        {"class": f"card chart {kind}".strip()},
        element("h3", None, title),
        element("p", {"class": "note"}, note) if note else None,
        element("div", {"class": "wide"}, draw(True)),
        element("div", {"class": "narrow"}, draw(False)),
        element("figcaption", None, caption),
    )


def facts(pairs: Sequence[tuple[str, str | None]], kind: str = "facts") -> Html:
    """A list of names and values; a value of None leaves the pair out."""
    return element(
        "dl",
        {"class": kind},
        *(
            element("div", None, element("dt", None, name), element("dd", None, value))
            for name, value in pairs
            if value is not None
        ),
    )


def grid(title: str, head: Row, rows: Sequence[Row], *, words: int = 1, kind: str = "") -> Html:
    """A table in a box that scrolls sideways and takes the keyboard's focus; the first `words` columns are text.

    Of the kind 'roomy', its text has room for sentences.
    """

    def sort(column: int) -> str | None:
        return None if column < words else "number"

    top = [element("th", {"scope": "col", "class": sort(i)}, cell) for i, cell in enumerate(head)]
    body = [
        element(
            "tr",
            None,
            element("th", {"scope": "row"}, row[0]),
            *(element("td", {"class": sort(i)}, cell) for i, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    table = element(
        "table",
        None,
        element("caption", {"class": "hidden"}, title),
        element("thead", None, element("tr", None, *top)),
        element("tbody", None, *body),
    )
    box = {"class": f"scroll {kind}".strip(), "role": "region", "aria-label": title, "tabindex": "0"}
    return element("div", box, table)


def color(index: int) -> str:
    """The class that gives an element the colour of the contender at that place of the race."""
    return f"c{index % COLORS}"


def swatch(index: int) -> Html:
    """A small disc in a contender's colour."""
    return element("span", {"class": f"swatch {color(index)}", "aria-hidden": "true"})


def bullets(lines: Sequence[str], kind: str | None = None) -> Html | None:
    """A list of sentences; None where there are none."""
    if not lines:
        return None
    return element("ul", {"class": kind}, *(element("li", None, line) for line in lines))


def folded(summary: str, *children: Html | None, kind: str | None = None) -> Html:
    """Something that opens on demand."""
    return element("details", {"class": kind}, element("summary", None, summary), join(*children))
