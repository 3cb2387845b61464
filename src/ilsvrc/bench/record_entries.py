"""A record of whole entries raced on a part of Tiny ImageNet: docs/results/entries.md and entries.json.

scripts/record_entries runs it. Every tenth class, a part of their images, miniatures of minutes: what a protocol and
what an ensemble take off the error, beside what the papers say. What is done is not done again: stopped, the same words
go on.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ilsvrc import data
from ilsvrc.errors import SpecError
from ilsvrc.jobs.machine import bench, keep_memory
from ilsvrc.jobs.race import race
from ilsvrc.jobs.wishes import Wishes
from ilsvrc.reports import race_report
from ilsvrc.reports.formats import DASH, SPACE, duration, percent, plain
from ilsvrc.reports.progress import Watch
from ilsvrc.reports.race_report import Race
from ilsvrc.reports.submitted import Seat, Submitted
from ilsvrc.reports.verdict import certificate, verdict
from ilsvrc.train.checkpoint import write_text

# Ten crops and five networks; 144 crops of one; dense over three scales and two networks; over five scales and six.
ENTRIES = ("supervision-2012-cls", "googlenet-2014-1-144", "vgg-2014-d-e-multi", "msra-2015-cls")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be recorded; the defaults are the record's."""

    data: str
    out: Path = Path("docs/results")
    work: Path = Path("runs/entries")
    classes: int = 20
    images: int = 125  # to learn from, of each class
    entries: tuple[str, ...] = ENTRIES
    epochs: int | None = None
    width: float | None = None
    seed: int = 0
    device: str = "auto"


def main(words: Sequence[str] | None = None) -> None:
    """From the words of a command line to the record."""
    wish = _wish(words)
    keep_memory()
    print(record(wish, Watch()))


def record(wish: Wish, watch: Watch) -> str:
    """Race, and write the record; in a line, where it is. Raises as the race does."""
    place = wish.work / f"tiny-imagenet-{wish.classes}"
    part(wish.data, place, wish.classes, wish.images)
    wishes = Wishes(entries=wish.entries, epochs=wish.epochs, width=wish.width, seed=wish.seed)
    command = "scripts/record_entries --data tiny-imagenet-200" + _changed(wish)
    found = race(str(place), wish.work / "race", wishes, bench(wish.device), watch, command=command)
    kept = race_report.results(found)
    kept.pop("pictures")
    write_text(wish.out / "entries.json", json.dumps(kept, indent=1) + "\n")
    write_text(wish.out / "entries.md", page(found))
    return f"{wish.out / 'entries.md'}: {len(found.entries)} entries"


def part(source: str, target: Path, classes: int, images: int) -> None:
    """Every n-th class of a data set, its first `images` to learn from and all to be judged on, as class folders.

    A folder that is there already is left. Raises DataError for what is no data set, SpecError for too many classes.
    """
    if (target / "val").is_dir():
        return
    known = data.open(source, "train").classes
    if not 0 < classes <= len(known):
        raise SpecError(f"{classes} classes are asked for and {source} has {len(known)}; ask for fewer")
    chosen = set(range(0, len(known), len(known) // classes)[:classes])
    for split in ("train", "val"):
        dataset = data.open(source, split)
        taken: Counter[int] = Counter()
        for index in range(len(dataset)):
            sample = dataset[index]
            if sample.label not in chosen or (split == "train" and taken[sample.label] == images):
                continue
            taken[sample.label] += 1
            folder = target / f"{split}.part" / known.wnids[sample.label]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{Path(sample.name).name}.JPEG").write_bytes(sample.jpeg)
        (target / f"{split}.part").rename(target / split)
    words = "".join(f"{known.wnids[label]}\t{known.words[label]}\n" for label in sorted(chosen))
    write_text(target / "words.txt", words)


def page(found: Race) -> str:
    """The record in Markdown."""
    images = f"{found.data.train_images:,} images to learn from, {found.data.val_images:,} to be judged on"
    rows = [
        (
            f"`{entry.name}`",
            one.words,
            percent(one.before),
            percent(one.after),
            _share(one.share),
            DASH if one.published_before is None else percent(one.published_before, 2),
            DASH if one.published_after is None else percent(one.published_after, 2),
            DASH if one.published_share is None else _share(one.published_share),
        )
        for entry in found.entries
        for one in entry.gained
    ]
    looks = [
        (
            f"`{entry.name}`",
            look.who,
            look.protocol,
            percent(look.top5_error),
            percent(look.top1_error),
            DASH if look.published is None else f"{percent(look.published, 2)} ({look.source})",
        )
        for entry in found.entries
        for look in entry.looks
    ]
    cards = list(map(_card, found.entries))
    text = f"""# Whole entries as miniatures on a part of Tiny ImageNet

{verdict(found)}

{found.data.classes} classes of Tiny ImageNet, evenly spaced; {images}. Networks are miniatures of minutes: their
errors, on other images, are far from the papers'. What a protocol or an ensemble takes off an error can be compared as
the share of the error that goes.

## What was gained, here and in the papers

{_table(("entry", "what", "before", "after", "gone", "published before", "published after", "gone"), rows, 2)}

One network is the mean of the entry's networks that the paper's row is of; "the best of them" is the best here. Figures
of the papers and the rows they are of are in [entries.md](../entries.md).

## Every way of looking

{_table(("entry", "who", "protocol, as the paper has it", "top-5 error", "top-1 error", "published top-5"), looks, 3)}

## The networks alone, by their entry's protocol

{chr(10).join(cards)}

{certificate(found)}. PyTorch {found.machine.torch}; {duration(found.seconds)}. `{found.command}`
"""
    return text.replace(SPACE, " ")


def _card(entry: Submitted) -> str:
    alone = ", ".join(f"{seat.title} ({seat.seed}) {percent(seat.top5_error)}" for seat in entry.seats)
    stood = _stood(entry.seats)
    return f"- `{entry.name}`: {percent(entry.top5_error)} top-5 error of the submission; {alone}" + (
        f"; stand-ins for {stood}" if stood else ""
    )


def _stood(seats: Sequence[Seat]) -> str:
    return ", ".join(dict.fromkeys(seat.stands_for for seat in seats if seat.stands_for != seat.title))


def _share(share: float) -> str:
    return f"{'−' if share < 0 else ''}{plain(round(100 * abs(share), 1))} %"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    rule = ["---" if column < words else "---:" for column in range(len(titles))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (titles, rule, *rows))


def _changed(wish: Wish) -> str:
    """The words that differ from the record's."""
    plain_wish = Wish(data=wish.data)
    names = ("classes", "images", "entries", "epochs", "width", "seed")
    told = {name: getattr(wish, name) for name in names if getattr(wish, name) != getattr(plain_wish, name)}
    return "".join(f" --{n} {' '.join(v) if isinstance(v, tuple) else v}" for n, v in told.items())


def _wish(words: Sequence[str] | None) -> Wish:
    parser = argparse.ArgumentParser(prog="scripts/record_entries", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", required=True, help="Tiny ImageNet, as a directory, a zip or a tar")
    parser.add_argument("--out", type=Path, default=Wish.out, help="where entries.md and entries.json go")
    parser.add_argument("--work", type=Path, default=Wish.work, help="where the images, the runs and the report go")
    parser.add_argument("--classes", type=int, default=Wish.classes)
    parser.add_argument("--images", type=int, default=Wish.images, help="to learn from, of each class")
    parser.add_argument("--entries", nargs="+", default=list(ENTRIES), help="keys of entries or rows")
    parser.add_argument("--epochs", type=int, default=None, help="of every network; its miniature's by default")
    parser.add_argument("--width", type=float, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    given = vars(parser.parse_args(words))
    return Wish(**{**given, "entries": tuple(given["entries"])})


if __name__ == "__main__":
    main()
