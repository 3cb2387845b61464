"""The frame of every page: one HTML file that opens offline, with nothing outside itself and no script."""

import os
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from ilsvrc.errors import SpecError
from ilsvrc.reports.markup import Html, element

# Nothing is fetched, whatever a class name or a note may contain.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(title: str, body: Html, style: str = "") -> str:
    """The page as HTML text: `body` in the pages' common style, and `style` after it."""
    common = files("ilsvrc.reports").joinpath("page.css").read_text(encoding="utf-8")
    head = element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", None, title),
        element("link", {"rel": "icon", "href": "data:,"}),
        element("style", None, Html(common + style)),
    )
    return f"<!DOCTYPE html>\n{element('html', {'lang': 'en'}, head, body)}\n"


def write_document(path: Path, text: str) -> None:
    """Write a page to `path`, whole or not at all. Raises SpecError where the file cannot be written."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):  # the folder itself may be what refuses
            part.unlink()
        raise SpecError(
            f"the page {path} cannot be written ({error.strerror}); free some space or choose another folder"
        ) from error
