"""The page's part with a card per network: what it is, what was new, what ran here, what was published."""

from ilsvrc.reports.formats import DASH, SPACE, duration, percent, plain, short, whole
from ilsvrc.reports.layout import bullets, color, folded, section
from ilsvrc.reports.markup import Html, element
from ilsvrc.reports.race_report import Contender, Race, known, ranked


def cards_section(race: Race) -> Html:
    """One card per contender, in the race's order."""
    places = {contender.name: place for place, contender in enumerate(ranked(race), start=1)}
    cards = (
        _card(contender, i, places.get(contender.name), len(places)) for i, contender in enumerate(race.contenders)
    )
    lead = "Each is built from its paper. What ran here and what the paper describes stand side by side."
    drawings = [folded(f"{one.title}, drawn", one.drawing) for one in race.contenders if one.drawing]
    below = element("div", {"class": "drawings"}, *drawings) if drawings else None
    return section("networks", "The networks", element("div", {"class": "cards"}, *cards), below, lead=lead)


def _card(contender: Contender, index: int, place: int | None, of: int) -> Html:
    title = f"card-{index}"
    head = element(
        "header",
        None,
        element("p", {"class": "year"}, str(contender.year)),
        element("h3", {"id": title}, contender.title),
        element("p", {"class": "team"}, _origin(contender)),
        element("p", {"class": "tag"}, "miniature") if contender.miniature else None,
    )
    return element(
        "article",
        {"class": f"card network {color(index)}", "aria-labelledby": title},
        head,
        element("p", {"class": "new"}, contender.new) if contender.new else None,
        _score(contender, place, of),
        bullets(contender.notes, "warnings"),
        element("p", {"class": "training"}, _training(contender)),
        _sides(contender),
        _published(contender),
        folded(f"What differs from the paper ({len(contender.differences)})", bullets(contender.differences))
        if contender.differences
        else None,
    )


def _origin(contender: Contender) -> str:
    return f"{contender.team}; {contender.paper}" if contender.paper else contender.team


def _score(contender: Contender, place: int | None, of: int) -> Html:
    where = f"place {place} of {of}" if place else "no result"
    return element(
        "p",
        {"class": "score"},
        element("strong", None, percent(contender.top5_error)),
        element("span", None, "top-5 error", element("br"), where),
    )


def _sides(contender: Contender) -> Html:
    """What ran here beside what the paper describes."""
    ours, paper = contender.image_size, contender.paper_image_size
    rows: tuple[tuple[str, str, str | Html], ...] = (
        ("Layers", whole(contender.layers), whole(contender.layers)),
        ("Parameters", whole(contender.parameters), _in_full(contender.paper_parameters)),
        ("Multiply-adds", whole(contender.macs), _in_full(contender.paper_macs)),
        ("Input", _square(ours), _square(paper)),
        ("Width", plain(contender.width), "1"),
        ("Epochs", plain(contender.epochs), plain(contender.full_epochs)),
    )
    if not contender.network:
        rows = (("Parameters", whole(contender.parameters), DASH), ("Short side", f"{ours} px", f"{paper} px"))
    head = ("", "Here", "Paper")
    body = (
        element(
            "tr",
            None,
            element("th", {"scope": "row"}, name),
            element("td", None, here),
            element("td", None, there),
        )
        for name, here, there in rows
    )
    return element(
        "table",
        {"class": "sides"},
        element("caption", {"class": "hidden"}, f"{contender.title} here and in its paper"),
        element("thead", None, element("tr", None, *(element("th", {"scope": "col"}, cell) for cell in head))),
        element("tbody", None, *body),
    )


def _in_full(count: int | None) -> Html:
    return element("span", {"title": whole(count)}, short(count))


def _square(side: int | None) -> str:
    return f"{side}{SPACE}×{SPACE}{side}" if side is not None else DASH


def _training(contender: Contender) -> str:
    speed = contender.images_per_second
    parts = [
        f"Top-1 error {percent(contender.top1_error)}",
        f"trained for {duration(contender.seconds)}" if known(contender.seconds) else None,
        f"{plain(round(speed, 1 if speed < 100 else 0))} images per second" if known(speed) else None,
        contender.precision,
    ]
    return "; ".join(part for part in parts if part)


def _published(contender: Contender) -> Html | None:
    if not contender.published:
        return None
    rows = (
        element(
            "li",
            None,
            element("b", None, f"{plain(one.percent)}{SPACE}%"),
            f" {one.metric}, {one.split}; {one.source}",
        )
        for one in contender.published
    )
    return element(
        "div",
        {"class": "published"},
        element("h4", None, "Published, on ImageNet"),
        element("ul", None, *rows),
    )
