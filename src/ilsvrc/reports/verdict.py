"""What a race came to, in sentences: the headline, the verdict, its limits and its birth certificate."""

from itertools import combinations

from ilsvrc.reports.entries_part import entries_headline, entries_verdict
from ilsvrc.reports.formats import listed, percent, plain, plural, whole
from ilsvrc.reports.race_report import Contender, Race, interval, known, ranked
from ilsvrc.reports.task_result import best_first


def headline(race: Race) -> str:
    """Who won, in three to six words."""
    if race.tasks and not race.contenders:
        best = [(first.title, task.task) for task in race.tasks for first in best_first(task)[:1]]
        return f"{best[0][0]} wins in {best[0][1]}" if best else "No entry finished"
    if race.entries:
        return entries_headline(race)
    order = ranked(race)
    if not order:
        return f"No {_noun(race)} finished"
    if not _beats_chance(order[0], race):
        return f"No {_noun(race)} beat chance"
    first = [contender.title for contender in order if _score(contender) == _score(order[0])]
    return f"{first[0]} wins the re-run" if len(first) == 1 else f"{listed(first)} share the first place"


def verdict(race: Race) -> str:
    """The result in two or three sentences, with chance, the runner-up and whether the lead is larger than sampling."""
    if race.entries:
        return entries_verdict(race)
    order = ranked(race)
    chance = race.data.chance_top5_error
    if not order:
        return f"{listed([contender.title for contender in race.contenders]) or 'Nobody'} ended without a result."
    best = order[0]
    sentences = [
        f"{best.title} of {best.year} came out first of {plural(len(order), _noun(race))}, with a top-5 error of "
        f"{percent(best.top5_error)}; five guesses at random would miss {percent(chance)} of the images."
    ]
    if len(order) > 1:
        second = order[1]
        sentences.append(f"Next is {second.title} with {percent(second.top5_error)}{_lead(best, second, race)}.")
    lost = [contender.title for contender in order if not _beats_chance(contender, race)]
    if lost:
        sentences.append(f"No better than chance: {listed(lost)}.")
    missing = [contender.title for contender in race.contenders if not known(contender.top5_error)]
    if missing:
        sentences.append(f"Without a result: {listed(missing)}.")
    return " ".join(sentences)


def _lead(best: Contender, second: Contender, race: Race) -> str:
    assert known(best.top5_error)  # both come from `ranked`
    assert known(second.top5_error)
    if race.data.val_images and second.top5_error <= interval(best.top5_error, race.data.val_images)[1]:
        return f", closer than {plural(race.data.val_images, 'image')} can tell apart"
    return ""


def newer_won(race: Race) -> tuple[int, int]:
    """Pairs of networks of different years and different errors: how many the newer one won, and how many there are."""
    pairs = [
        (old, new)
        for old, new in combinations(sorted(ranked(race), key=lambda contender: contender.year), 2)
        if old.year != new.year and old.top5_error != new.top5_error
    ]
    return sum((new.top5_error or 0.0) < (old.top5_error or 0.0) for old, new in pairs), len(pairs)


def order_of_history(race: Race) -> str | None:
    """How far the order of this race is the order of history; None with fewer than two years."""
    won, pairs = newer_won(race)
    if not pairs:
        return None
    return (
        f"Of the {plural(pairs, 'pair')} of {_noun(race)}s of different years, the newer one won {won} here. "
        "The order is reported as it came out."
    )


def caveats(race: Race) -> tuple[str, ...]:
    """Why the race's errors are not the published ones, in sentences; empty where nothing differs."""
    every = len(race.contenders)
    found = []
    if race.data.classes != 1000:
        found.append(
            f"The images are not ImageNet's: {race.data.name} has {plural(race.data.classes, 'class')} and "
            f"{whole(race.data.train_images)} training images, the challenge 1,000 classes and 1.2 to 1.3 million."
        )
    every_network = sum(contender.network for contender in race.contenders)
    small = sum(contender.miniature and contender.network for contender in race.contenders)
    if small:
        who = "All networks are" if small == every_network else f"{small} of {plural(every_network, 'network')} are"
        found.append(
            f"{who} miniatures: the paper's layers and wiring with fewer channels or smaller images, "
            "each card says by how much."
        )
    short = [c for c in race.contenders if known(c.epochs) and known(c.full_epochs) and c.epochs < c.full_epochs]
    if short:
        epochs = sorted({round(c.epochs or 0.0, 2) for c in short})
        span = plain(epochs[0]) if len(epochs) == 1 else f"{plain(epochs[0])} to {plain(epochs[-1])}"
        who = "They were" if len(short) == every_network == every else f"{listed([c.title for c in short])} were"
        fewest, most = (plain(pick(c.full_epochs or 0.0 for c in short)) for pick in (min, max))
        theirs = fewest if fewest == most else f"{fewest} to {most}"
        found.append(f"{who} trained for {span} epochs, where the papers took {theirs}.")
    return tuple(found)


def certificate(race: Race) -> str:
    """The birth certificate of the race's errors: split, number of images, protocol, seed, hardware, version."""
    machine = race.machine
    commit = f", commit {machine.commit[:10]}" if machine.commit else ""
    return (
        f"{race.data.name}, {race.data.split} split, n = {whole(race.data.val_images)}; {race.protocol}; "
        f"seed {race.seed}; {machine.hardware}; ilsvrc {machine.ilsvrc}{commit}"
    )


def _noun(race: Race) -> str:
    """What all contenders are."""
    return "network" if all(contender.network for contender in race.contenders) else "contender"


def _beats_chance(contender: Contender, race: Race) -> bool:
    return known(contender.top5_error) and contender.top5_error < race.data.chance_top5_error


def _score(contender: Contender) -> tuple[float | None, float | None]:
    return contender.top5_error, contender.top1_error
