"""The page's part with validation images: what each network answered, and how sure it was.

The filter is radio buttons and style sheet rules: it works without a script.
"""

import base64
from collections.abc import Mapping

from ilsvrc.reports.formats import percent, plural
from ilsvrc.reports.layout import color, folded, section, swatch
from ilsvrc.reports.markup import Html, element
from ilsvrc.reports.race_report import Answer, Picture, Race
from ilsvrc.reports.verdict import certificate

ROWS = 12  # more networks than this are folded away
FILTERS = (("every", "All"), ("right", "All right"), ("split", "Divided"), ("wrong", "All wrong"))


def gallery_section(race: Race) -> Html | None:
    """A card per picture, with a filter by how many networks were right; None without pictures."""
    if not race.pictures:
        return None
    order = {contender.name: i for i, contender in enumerate(race.contenders)}
    titles = {contender.name: contender.title for contender in race.contenders}
    counts = {name: sum(agreement(picture) == name for picture in race.pictures) for name, _ in FILTERS}
    counts["every"] = len(race.pictures)
    buttons = [
        part
        for name, label in FILTERS
        for part in (
            element("input", {"type": "radio", "name": "show", "id": f"show-{name}", "checked": _checked(name)}),
            element("label", {"for": f"show-{name}"}, f"{label} ({counts[name]})"),
        )
    ]
    pictures = element("div", {"class": "pictures"}, *(_picture(picture, order, titles) for picture in race.pictures))
    lead = (
        f"{plural(len(race.pictures), f'{split_name(race.data.split)} image')} with each network's first guess; the "
        "bar is the probability it gave. A tick: the first guess is right. A ring: the right one is among the five."
    )
    return section(
        "images",
        "What they saw",
        element("div", {"class": "filter", "role": "group", "aria-label": "Which images to show"}, *buttons, pictures),
        element("p", {"class": "fine"}, f"Images and guesses: {certificate(race)}."),
        lead=lead,
    )


def _checked(name: str) -> str | None:
    return "checked" if name == "every" else None


def place_of_truth(answer: Answer, picture: Picture) -> int | None:
    """Which of the five guesses is right, from 1; None where none is."""
    return next((i for i, guess in enumerate(answer.guesses[:5], start=1) if guess.label == picture.label), None)


def agreement(picture: Picture) -> str:
    """'right', 'wrong' or 'split': whether all first guesses, none or some are right; without answers 'split'."""
    right = [place_of_truth(answer, picture) == 1 for answer in picture.answers]
    if not right:
        return "split"
    return "right" if all(right) else "split" if any(right) else "wrong"


def split_name(split: str) -> str:
    """A split as people call it: 'validation' for 'val'."""
    return {"val": "validation", "train": "training"}.get(split, split)


def source(jpeg: bytes) -> str:
    """The image as a data URI; PNG and WebP are known by their first bytes."""
    kind = "png" if jpeg.startswith(b"\x89PNG") else "webp" if jpeg[8:12] == b"WEBP" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(jpeg).decode('ascii')}"


def _picture(picture: Picture, order: Mapping[str, int], titles: Mapping[str, str]) -> Html:
    answers = sorted(picture.answers, key=lambda answer: order.get(answer.contender, len(order)))
    right = sum(place_of_truth(answer, picture) == 1 for answer in answers)
    image = {"src": source(picture.jpeg), "alt": f"Image of class {picture.truth}"}
    rows = [_row(answer, picture, order.get(answer.contender, 0), titles) for answer in answers]
    table = element("table", None, _head(picture), element("tbody", None, *rows))
    return element(
        "article",
        {"class": f"card picture {agreement(picture)}"},
        element(
            "header",
            None,
            element("img", image),
            element(
                "div",
                None,
                element("h3", None, picture.truth),
                element("p", {"class": "fine file"}, picture.name),
                element("p", {"class": "tally"}, f"{right} of {len(answers)} right") if answers else None,
            ),
        ),
        (table if len(rows) <= ROWS else folded(plural(len(rows), "answer"), table)) if rows else None,
        folded("All five guesses", _five(answers, picture, order, titles)) if rows else None,
    )


def _head(picture: Picture) -> Html:
    caption = element("caption", {"class": "hidden"}, f"First guesses for {picture.name}")
    names = ("Network", "First guess", "Probability")
    cells = (element("th", {"scope": "col"}, name) for name in names)
    return Html(caption + element("thead", {"class": "hidden"}, element("tr", None, *cells)))


def _row(answer: Answer, picture: Picture, index: int, titles: Mapping[str, str]) -> Html:
    place = place_of_truth(answer, picture)
    mark, meaning = ("✓", "right") if place == 1 else ("○", f"right is guess {place}") if place else ("✗", "wrong")
    name = element("th", {"scope": "row"}, swatch(index), titles.get(answer.contender, answer.contender))
    if not answer.guesses:
        return element("tr", {"class": color(index)}, name, element("td", {"colspan": 2}, "no guess"))
    guess = answer.guesses[0]
    sign = element("span", {"class": "sign", "title": meaning, "role": "img", "aria-label": meaning}, mark)
    width = f"width:{100 * min(max(guess.probability, 0.0), 1.0):.0f}%"
    bar = element("span", {"class": "bar", "aria-hidden": "true"}, element("i", {"style": width}))
    return element(
        "tr",
        {"class": f"{color(index)} {'hit' if place == 1 else 'near' if place else 'miss'}"},
        name,
        element("td", {"class": "word"}, sign, guess.word),
        element("td", {"class": "number"}, bar, percent(guess.probability, 0)),
    )


def _five(answers: list[Answer], picture: Picture, order: Mapping[str, int], titles: Mapping[str, str]) -> Html:
    items = []
    for answer in answers:
        guesses = [
            element(
                "li",
                {"class": "hit" if guess.label == picture.label else None},
                f"{guess.word} ",
                element("small", None, percent(guess.probability)),
            )
            for guess in answer.guesses[:5]
        ]
        title = titles.get(answer.contender, answer.contender)
        name = element("h4", None, swatch(order.get(answer.contender, 0)), title)
        items.append(element("div", None, name, element("ol", None, *guesses)))
    return element("div", {"class": "five"}, *items)
