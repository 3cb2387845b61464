"""Claims as tables for a terminal and as the page that keeps their results; both from the JSON values of a job."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from ilsvrc.reports.formats import duration, listed, plain, plural, short

DASH = "–"


def overview(rows: Sequence[dict[str, Any]]) -> Table:
    """One line per claim: name, paper, what is claimed."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("claim", no_wrap=True)
    table.add_column("paper", no_wrap=True)
    table.add_column("what is claimed")
    for row in rows:
        table.add_row(row["name"], f"{row['paper']}, {row['source']}", row["hypothesis"])
    return table


def result(found: dict[str, Any]) -> tuple[str | Table, ...]:
    """One claim's result: the paper's figures, ours with their spread, the comparisons, the verdict."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("network", no_wrap=True)
    for title in ("paper", f"ours, {found['measure']}", "lowest", "highest", "training error", "parameters", "time"):
        table.add_column(title, justify="right", no_wrap=True)
    for variant in found["variants"]:
        table.add_row(*_cells(found, variant), duration(variant["seconds"]))
    return (
        f"{found['hypothesis']} ({found['paper']}, {found['source']})",
        f"published: {found['published']}",
        table,
        *(comparison(found, pair) for pair in found["comparisons"]),
        f"verdict: {found['verdict']}",
        f"{setting(found)}; this cannot show: {found['cannot']}",
    )


def comparison(found: dict[str, Any], pair: dict[str, Any]) -> str:
    """One comparison in a sentence."""
    gain = _signed(found, pair["mean"])
    interval = (
        "one seed has no interval"
        if pair["low"] is None
        else f"90 % interval {_signed(found, pair['low'])} to {_signed(found, pair['high'])}"
    )
    wanted = (
        "should be lower" if pair["expected"] == "lower" else f"should not be lower by {_of(found, found['margin'])}"
    )
    return f"{pair['first']} {wanted} than {pair['second']}: lower by {gain}, {interval}: {pair['verdict']}"


def setting(found: dict[str, Any]) -> str:
    """On what, how long and how often."""
    size = found["budget"]["size"]
    return (
        f"{found['data']}, {found['classes']} classes, {found['images']:,} training and {found['val_images']:,} "
        f"validation images of {size} pixels, {plural(found['epochs'], 'epoch')}, "
        f"{'seed' if len(found['seeds']) == 1 else 'seeds'} {listed([str(seed) for seed in found['seeds']])}"
    )


def page(results: Sequence[dict[str, Any]], order: Sequence[str]) -> str:
    """docs/results/claims.md from claims.json: a table of all, then each claim with every figure."""
    known = {found["name"]: found for found in results}
    done = [known[name] for name in order if name in known]
    verdicts = [found["verdict"] for found in done]
    left = [name for name in order if name not in known]
    waiting = f" Not recorded yet: {listed(left)}." if left else ""
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in ("holds", "falls short", "undecided"))
    head = [
        "# What the papers claimed, tried again in miniature",
        "",
        "<!-- Written by scripts/record_claims from claims.json beside it. -->",
        "",
        f"{len(done)} claims, each with three seeds: {counts}. What a claim is and how it is run is in "
        f"[claims](../claims.md); every figure is in [claims.json](claims.json).{waiting}",
        "",
        f"**The rule.** {done[0]['rule'] if done else ''}",
        "",
        "These are tiny networks on a generated set of digits, trained for seconds. A verdict here is no verdict on a "
        "paper: it says whether the effect is large enough to be seen at this size.",
        "",
        "| claim | paper | paper's figures | ours: difference, 90 % interval | verdict |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = [
        f"| [{found['name']}](#{found['name']}) | {found['paper']}, {found['source']} | {found['published']} | "
        f"{'; '.join(_short(found, pair) for pair in found['comparisons'])} | **{found['verdict']}** |"
        for found in done
    ]
    return "\n".join([*head, *rows, "", *(line for found in done for line in _section(found))])


def _section(found: dict[str, Any]) -> list[str]:
    machine = found["machine"]
    published = f"paper, {found['unit']}" if found["unit"] else "paper"
    reach = f"epochs to {100 * found['reach']:.0f} % training error"
    measure = reach if found["measure"] == "epochs" else found["measure"]
    return [
        f"## {found['name']}",
        "",
        f"{found['hypothesis']} {found['paper']}, {found['source']}: {found['published']}.",
        "",
        f"| network | {published} | ours, {measure}: mean | lowest | highest "
        "| training error | parameters | multiply-adds | by seed |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *(
            f"| {' | '.join(_cells(found, variant))} | {short(variant['macs'])} | "
            f"{', '.join(_figure(found, *one) for one in zip(variant['figures'], variant['reached'], strict=True))} |"
            for variant in found["variants"]
        ),
        "",
        *(f"- {comparison(found, pair)}." for pair in found["comparisons"]),
        "",
        f"**{found['verdict'].capitalize()}.** {setting(found)}. It cannot show {found['cannot']}.",
        "",
        f"`{found['command']}`: {duration(found['seconds'])} of training, while the machine did other things too; "
        f"{machine['cpu']}, {plural(machine['cores'], 'core')}, {plural(machine['threads'], 'thread')}, "
        f"Python {machine['python']}, torch {machine['torch']}, ilsvrc {machine['ilsvrc']} ({machine['commit']}), "
        f"{found['started'][:10]}.",
        "",
    ]


def _cells(found: dict[str, Any], variant: dict[str, Any]) -> tuple[str, ...]:
    """Name, the paper's figure, mean, lowest, highest, training error, parameters."""
    every = all(variant["reached"])
    error = variant["training_error"]
    return (
        variant["name"],
        DASH if variant["published"] is None else f"{variant['published']:g}",
        _figure(found, variant["mean"], every),
        _figure(found, variant["low"], True),
        _figure(found, variant["high"], every),
        DASH if error is None else f"{100 * error:.1f} %",
        f"{variant['parameters']:,}",
    )


def _short(found: dict[str, Any], pair: dict[str, Any]) -> str:
    interval = "" if pair["low"] is None else f" ({_signed(found, pair['low'])} to {_signed(found, pair['high'])})"
    return f"{pair['first']} lower than {pair['second']} by {_signed(found, pair['mean'])}{interval}: {pair['verdict']}"


def _figure(found: dict[str, Any], value: float, reached: bool) -> str:
    return _of(found, value) if reached else f"over {_of(found, value)}"


def _of(found: dict[str, Any], value: float) -> str:
    return plain(round(value, 2)) if found["measure"] == "epochs" else f"{100 * value:.1f} %"


def _signed(found: dict[str, Any], value: float) -> str:
    if found["measure"] == "epochs":
        return f"{value:+.2f}".replace("-", "−")
    return f"{100 * value:+.1f} points".replace("-", "−")
