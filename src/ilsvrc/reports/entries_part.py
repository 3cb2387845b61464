"""The page's part on whole entries: what each scored and gained, here and in its paper, protocol by protocol."""

from ilsvrc.reports import charts
from ilsvrc.reports.charts import Bar, Mark
from ilsvrc.reports.formats import DASH, SPACE, duration, listed, percent, plain, plural
from ilsvrc.reports.layout import bullets, color, figure, folded, grid, section, swatch
from ilsvrc.reports.markup import Html, element, join
from ilsvrc.reports.race_report import Race, by_error, interval
from ilsvrc.reports.submitted import Gained, Submitted

WIDE, NARROW = 540.0, 340.0  # of a drawing, in pixels
KINDS = {
    "protocol": ("What looking more took away", "its protocol instead of the simplest of its tables"),
    "ensemble": ("What more networks took away", "all its networks instead of the best of them"),
}


def entries_headline(race: Race) -> str:
    """Which entry won, in a few words."""
    order = by_error(race.entries)
    first = [one.title for one in order if (one.top5_error, one.top1_error) == _errors(order[0])]
    if order[0].top5_error >= race.data.chance_top5_error:
        return "No entry beat chance"
    return f"{first[0]} wins the re-run" if len(first) == 1 else f"{listed(first)} share the first place"


def entries_verdict(race: Race) -> str:
    """What the race of entries came to, in three or four sentences."""
    order = by_error(race.entries)
    best, chance = order[0], race.data.chance_top5_error
    count = f"first of {len(order)} entries" if len(order) > 1 else "alone"
    sentences = [
        f"{best.title} came out {count}: {plural(len(best.seats), 'network')}, {best.protocol}, a top-5 error of "
        f"{percent(best.top5_error)}; five guesses at random would miss {percent(chance)} of the images."
    ]
    if len(order) > 1:
        _, high = interval(best.top5_error, race.data.val_images)
        close = f", closer than {plural(race.data.val_images, 'image')} can tell apart"
        second = order[1].top5_error
        sentences.append(f"Next is {order[1].title} with {percent(second)}{close if second <= high else ''}.")
    for kind, words in (("protocol", "Looking more"), ("ensemble", "Averaging networks")):
        found = [one for entry in race.entries for one in entry.gained if one.what == kind]
        fell = sum(one.after < one.before for one in found)
        if found:
            sentences.append(f"{words} lowered the error in {fell} of {len(found)}.")
    return " ".join(sentences)


def _errors(entry: Submitted) -> tuple[float, float]:
    return entry.top5_error, entry.top1_error


def entries_section(race: Race) -> Html:
    """Everything about the entries: errors, gains, every way of looking, and a card for each."""
    lead = (
        "Each entry as its team entered it: every network trained, each looking at the images as its paper looked, "
        "their probabilities averaged, the five likeliest classes written into a file as it was handed in, and that "
        "file scored by the kit's rules."
    )
    return section(
        "result",
        "The entries",
        element("div", {"class": "pair"}, _ours(race), _theirs(race)),
        element("div", {"class": "pair"}, *(_gains(race, kind) for kind in KINDS)),
        _gain_table(race),
        _look_table(race),
        element("div", {"class": "cards"}, *(_card(entry, i, race) for i, entry in enumerate(race.entries))),
        lead=lead,
    )


def _ours(race: Race) -> Html:
    rows = []
    for i, entry in enumerate(race.entries):
        low, high = interval(entry.top5_error, race.data.val_images)
        alone = entry.seats[entry.best].top5_error
        rows.append(
            Bar(
                label=entry.title,
                note=_networks(entry),
                value=entry.top5_error,
                second=alone if len(entry.seats) > 1 else None,
                low=low,
                high=high,
                color=color(i),
                title=f"{entry.name}: top-5 error {percent(entry.top5_error)}, its best network alone {percent(alone)}",
            )
        )
    mark = Mark(label=f"chance: {percent(race.data.chance_top5_error)}", value=race.data.chance_top5_error)
    largest = max([race.data.chance_top5_error, *(bar.high or 0.0 for bar in rows)])
    return figure(
        "This race",
        f"Top-5 error of the submissions, {race.data.name}, {race.data.split} split, n = {race.data.val_images:,}, "
        f"with its 95{SPACE}% interval. Thin: the best of the entry's networks alone, by the same protocol.",
        lambda wide: charts.bars(
            rows,
            title=_spoken("Top-5 errors in this race", rows),
            width=WIDE if wide else NARROW,
            axis=charts.percent_axis("", largest, 5 if wide else 4),
            marks=(mark,),
        ),
        note=f"{race.data.classes} classes; "
        + ("miniatures" if any(e.miniature for e in race.entries) else "full size"),
    )


def _theirs(race: Race) -> Html:
    rows = []
    for i, entry in enumerate(race.entries):
        found = next((one for one in entry.published if one.metric == "top-5 error"), None)
        alone = next((look.published for look in reversed(entry.looks) if look.who == "one network"), None)
        rows.append(
            Bar(
                label=entry.title,
                note=_networks(entry),
                value=found.percent / 100 if found else None,
                text=f"{plain(found.percent)}{SPACE}%" if found else None,
                second=alone if len(entry.seats) > 1 else None,
                color=color(i),
                title=f"{entry.name}: {found.split}, {found.source}" if found else "",
            )
        )
    sources = "; ".join(
        f"{entry.title} {entry.published[0].split}, {entry.published[0].source}" for entry in race.entries
    )
    largest = max([value for bar in rows for value in (bar.value, bar.second) if value is not None], default=0.2)
    return figure(
        "As published",
        f"Top-5 error on ImageNet: {sources}. Thin: its best network alone by the same protocol, where a table has it.",
        lambda wide: charts.bars(
            rows,
            title=_spoken("Published top-5 errors", rows),
            width=WIDE if wide else NARROW,
            axis=charts.percent_axis("", largest, 4),
        ),
        note="1,000 classes, the papers' networks; another axis",
    )


def _gains(race: Race, kind: str) -> Html | None:
    title, words = KINDS[kind]
    rows = []
    for i, entry in enumerate(race.entries):
        for one in entry.gained:
            if one.what == kind:
                share, paper = one.share, one.published_share
                rows.append(
                    Bar(
                        label=entry.title,
                        note="" if paper is None else "thin: its paper",
                        value=max(0.0, share),
                        text=_percent(share),
                        second=None if paper is None else max(0.0, paper),
                        color=color(i),
                        title=f"{one.words}: {percent(one.before)} to {percent(one.after)}",
                    )
                )
    if not rows:
        return None
    largest = max([0.1, *(value for bar in rows for value in (bar.value, bar.second) if value is not None)])
    return figure(
        title,
        f"The part of the top-5 error that {words} took away. Thick: here. Thin: in the paper's tables, on ImageNet. "
        "Shares, because errors of other images and networks do not compare in points.",
        lambda wide: charts.bars(
            rows,
            title=_spoken(title, rows),
            width=WIDE if wide else NARROW,
            axis=charts.percent_axis("", largest, 4),
        ),
    )


def _gain_table(race: Race) -> Html:
    rows = [
        (
            join(swatch(i), entry.title),
            "looking" if one.what == "protocol" else "networks",
            one.words,
            one.source or "no pair of rows in its tables",
            f"{percent(one.before)} to {percent(one.after)}",
            _points(one.before, one.after),
            _from_to(one),
            _points(one.published_before, one.published_after),
        )
        for i, entry in enumerate(race.entries)
        for one in entry.gained
    ]
    head = ("Entry", "More", "What", "Published in", "Here, top-5", "Points", "Published, top-5", "Points")
    note = (
        "Points are percentage points of the top-5 error. A network alone is the mean of the entry's networks that the "
        "table is of; the best of them is the one with the lowest error here."
    )
    table = grid("What was gained, here and as published", head, rows, words=4, kind="roomy")
    return join(table, element("p", {"class": "fine"}, note))


def _from_to(one: Gained) -> str:
    if one.published_before is None:
        return DASH
    return f"{percent(one.published_before, 2)} to {percent(one.published_after, 2)}"


def _look_table(race: Race) -> Html:
    rows = [
        (
            join(swatch(i), entry.title),
            look.who,
            look.protocol,
            look.source or DASH,
            percent(look.top5_error),
            percent(look.top1_error),
            DASH if look.published is None else percent(look.published, 2),
        )
        for i, entry in enumerate(race.entries)
        for look in entry.looks
    ]
    protocol = "Protocol, as the paper has it"
    head = ("Entry", "Who", protocol, "Published in", "Top-5 here", "Top-1 here", "Top-5 published")
    return grid("Every way of looking, here and as published", head, rows, words=4, kind="roomy")


def _card(entry: Submitted, index: int, race: Race) -> Html:
    head = element(
        "header",
        None,
        element("p", {"class": "year"}, str(entry.year)),
        element("h3", None, entry.title),
        element("p", {"class": "team"}, entry.name),
        element("p", {"class": "tag"}, "reconstruction") if entry.reconstruction else None,
    )
    place = [one.name for one in by_error(race.entries)].index(entry.name) + 1
    seats = [
        f"{seat.title}, seed {seat.seed}{_stand(seat.title, seat.stands_for)}: {percent(seat.top5_error)}"
        + (f", weight {plain(round(seat.weight, 3))}" if len({s.weight for s in entry.seats}) > 1 else "")
        for seat in entry.seats
    ]
    return element(
        "article",
        {"class": f"card network {color(index)}"},
        head,
        element("p", {"class": "new"}, entry.new) if entry.new else None,
        element(
            "p",
            {"class": "score"},
            element("strong", None, percent(entry.top5_error)),
            element("span", None, "top-5 error", element("br"), f"place {place} of {len(race.entries)}"),
        ),
        element("p", {"class": "training"}, f"{entry.protocol}; {duration(entry.seconds)} of training"),
        folded(f"Its networks ({len(seats)}), top-5 error alone", bullets(seats)),
        folded(f"What is not known, or done otherwise ({len(entry.gaps)})", bullets(entry.gaps))
        if entry.gaps
        else None,
        element("p", {"class": "fine"}, f"{entry.submission}, scored by {entry.rules}"),
    )


def _stand(title: str, stands_for: str) -> str:
    return "" if title == stands_for else f", for {stands_for}"


def _networks(entry: Submitted) -> str:
    return plural(len(entry.seats), "network")


def _percent(share: float) -> str:
    return f"{'−' if share < 0 else ''}{100 * abs(share):.0f}{SPACE}%"


def _points(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return DASH
    change = round(100 * (after - before), 2)
    return f"{'−' if change < 0 else '+' if change > 0 else ''}{plain(abs(change))}"


def _spoken(what: str, rows: list[Bar]) -> str:
    return f"{what}: " + ", ".join(f"{row.label} {row.text or percent(row.value)}" for row in rows)


def gain_line(one: Gained) -> str:
    """A gain in a line of a terminal."""
    here = f"{percent(one.before)} to {percent(one.after)}"
    if one.published_before is None:
        return f"{one.words}: {here}"
    return f"{one.words}: {here}; published {percent(one.published_before, 2)} to {percent(one.published_after, 2)}"
