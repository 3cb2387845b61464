"""The report of a race: one HTML file that opens offline, with nothing outside itself and no script.

The parts are in modules of their own, in the order of the page: `result`,
`challenge`, `cards`, `gallery`, `looks`. Colours, light and dark, print and small screens
are `page.css`.
"""

from pathlib import Path

from ilsvrc.reports.cards import cards_section
from ilsvrc.reports.challenge import challenge_section
from ilsvrc.reports.document import document, write_document
from ilsvrc.reports.entries_part import entries_section
from ilsvrc.reports.formats import SPACE, duration, moment, percent, plural, whole
from ilsvrc.reports.gallery import gallery_section, source, split_name
from ilsvrc.reports.layout import bullets, facts, section
from ilsvrc.reports.looks import looks_section
from ilsvrc.reports.markup import Html, element, join
from ilsvrc.reports.race_report import Race, by_error, ranked
from ilsvrc.reports.result import curves_section, result_section
from ilsvrc.reports.task_part import TITLES, sentence, task_section
from ilsvrc.reports.task_result import TaskResult, best_first, figure_of
from ilsvrc.reports.verdict import caveats, certificate, headline, verdict

MOSAIC_IMAGES, MOSAIC_BYTES = 12, 150_000  # in the head of the page, where images stand a second time
PARTS = {"result": "Result", "curves": "Curves", "challenge": "Challenge", "networks": "Networks"}
FIGURES = {"localization": "localization error", "detection": "mean AP"}
PARTS |= {"images": "Images", "looks": "Looks", "again": "Run it again"}


def write_page(race: Race, path: Path) -> None:
    """Write the report to `path`, whole or not at all.

    Raises SpecError where the file cannot be written.
    """
    write_document(path, page(race))


def page(race: Race) -> str:
    """The report as HTML text."""
    ran = bool(race.contenders)
    parts: dict[str, Html | None] = {
        "result": _result(race) if ran or not race.tasks else None,
        "curves": curves_section(race) if ran else None,
        **{one.task: task_section(one) for one in race.tasks},
        "challenge": challenge_section(),
        "networks": cards_section(race) if ran else None,
        "images": gallery_section(race),
        "looks": looks_section(race.looks),
        "again": _again(race),
    }
    there = {name: part for name, part in parts.items() if part is not None}
    links = (element("a", {"href": f"#{name}"}, (PARTS | TITLES)[name]) for name in there)
    body = element(
        "body",
        None,
        element("a", {"class": "skip", "href": f"#{next(iter(there))}"}, "Skip to the result"),
        _head(race),
        element("nav", {"aria-label": "Parts of the report"}, *links),
        element("main", None, *there.values()),
        _foot(race),
    )
    return document(f"{headline(race)}: {race.title}", body)


def _result(race: Race) -> Html:
    return entries_section(race) if race.entries else result_section(race)


def _head(race: Race) -> Html:
    text = element(
        "div",
        {"class": "opening"},
        element("p", {"class": "kicker"}, race.title),
        element("h1", None, headline(race)),
        element("p", {"class": "verdict"}, verdict(race)) if race.contenders or not race.tasks else None,
        *(element("p", {"class": "verdict"}, f"{TITLES[one.task]}: {sentence(one)}") for one in race.tasks),
    )
    return element(
        "header",
        {"class": "top"},
        element("div", {"class": "hero"}, text, _mosaic(race)),
        _numbers(race),
        _limits(race),
    )


def _mosaic(race: Race) -> Html | None:
    images: list[Html] = []
    room = MOSAIC_BYTES
    for picture in race.pictures[:MOSAIC_IMAGES]:
        room -= len(picture.jpeg)
        if room >= 0:
            images.append(element("img", {"src": source(picture.jpeg), "alt": ""}))
    # Rows are of four, on small screens of six: a ragged mosaic looks broken.
    if len(images) < MOSAIC_IMAGES:
        images = images[: len(images) // 4 * 4]
    return element("div", {"class": "mosaic", "aria-hidden": "true"}, *images) if images else None


def _numbers(race: Race) -> Html:
    data, machine = race.data, race.machine
    best = by_error(race.entries) or ranked(race)
    return facts(
        [
            ("best top-5 error", percent(best[0].top5_error) if best else None),
            *((f"best {FIGURES[one.task]}", _best(one)) for one in race.tasks),
            ("top-5 by chance", percent(data.chance_top5_error)),
            ("entries", whole(len(race.entries)) if race.entries else None),
            ("networks", whole(_networks(race))),
            ("classes", whole(data.classes)),
            ("training images", whole(data.train_images)),
            (f"{split_name(data.split)} images", whole(data.val_images)),
            ("start to end", duration(race.seconds)),
            ("hardware", machine.device if machine.device != "cpu" else plural(machine.cores, "CPU core")),
        ],
        "numbers",
    )


def _networks(race: Race) -> int:
    """How many were trained: in a race of whole entries, copies of one another too."""
    runs = {seat.run for entry in race.entries for seat in entry.seats}
    return len(runs or [c for c in race.contenders if c.network]) + sum(len(one.finders) for one in race.tasks)


def _best(result: TaskResult) -> str | None:
    order = best_first(result)
    return percent(figure_of(result.task, order[0])) if order else None


def _limits(race: Race) -> Html | None:
    found = caveats(race)
    if not found:
        return None
    return element(
        "aside",
        {"class": "limits", "aria-label": "What these numbers are not"},
        element("h2", None, "What these numbers are not"),
        element("p", None, " ".join(found)),
        element(
            "p",
            None,
            "They say how these networks learn on this set, in this time, on this machine. They are no measurement of "
            "the published networks on ImageNet, and one training with one seed is no verdict on a paper.",
        ),
    )


def _again(race: Race) -> Html:
    data, machine = race.data, race.machine
    chance = f"top-1 {percent(data.chance_top1_error)}, top-5 {percent(data.chance_top5_error)}"
    return section(
        "again",
        "Run it again",
        element("pre", {"tabindex": "0", "aria-label": "The command"}, element("code", None, race.command)),
        facts(
            [
                ("Started", moment(race.started)),
                ("Took", duration(race.seconds)),
                ("Seed", str(race.seed)),
                ("Protocol", race.protocol),
                ("Data", data.description or data.name),
                ("Fingerprint", data.fingerprint),
                ("Images", f"{whole(data.train_images)} train, {whole(data.val_images)} {data.split}"),
                ("Error by chance", chance),
                ("Processor", f"{machine.cpu}, {plural(machine.cores, 'core')}, {machine.memory_gib:.0f}{SPACE}GiB"),
                ("Device", machine.device),
                ("System", machine.system),
                ("Versions", f"ilsvrc {machine.ilsvrc}, Python {machine.python}, PyTorch {machine.torch}"),
                ("Commit", machine.commit),
            ],
            "facts again",
        ),
        lead="The same command continues a race that was stopped and repeats nothing that is done. "
        "The numbers of this page are also in results.json beside it.",
    )


def _foot(race: Race) -> Html:
    credit = bullets(race.data.credits, "fine")
    return element(
        "footer",
        None,
        element("p", None, f"Written by ilsvrc {race.machine.ilsvrc}. {certificate(race)}."),
        join(element("p", None, "Images: "), credit) if credit else None,
    )
