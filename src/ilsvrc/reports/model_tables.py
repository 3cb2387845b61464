"""The networks as tables for a terminal."""

from typing import Any

from rich.table import Table

from ilsvrc.reports.formats import short


def overview(rows: list[dict[str, Any]]) -> Table:
    """One line per network: name, year, team, paper, depth, parameters, multiply-adds, input."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, side in (
        ("network", "left"),
        ("year", "right"),
        ("team", "left"),
        ("layers", "right"),
        ("parameters", "right"),
        ("multiply-adds", "right"),
        ("input", "right"),
    ):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(
            row["name"],
            str(row["year"]),
            row["team"],
            str(row["depth"]),
            f"{row['parameters']:,}",
            short(row["macs"]),
            f"{row['image_size']} px",
        )
    return table


def layers(card: dict[str, Any]) -> tuple[str | Table, ...]:
    """One network: what was new, its layers, its sums, what differs from the paper."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("layer", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    for title in ("output", "parameters", "multiply-adds"):
        table.add_column(title, justify="right", no_wrap=True)
    for layer in card["layers"]:
        table.add_row(
            layer["name"],
            layer["kind"],
            "×".join(map(str, layer["shape"])),
            f"{layer['parameters']:,}" if layer["parameters"] else "",
            f"{layer['macs']:,}" if layer["macs"] else "",
        )
    size = card["image_size"]
    side = any(layer["name"].startswith("side_") for layer in card["layers"])
    sums = (
        f"{card['depth']} layers with weights, {card['parameters']:,} parameters, {card['macs']:,} multiply-adds "
        f"for an image of {size}×{size}"
        + (
            " (side heads work in training only: their parameters are counted, their multiply-adds are not)"
            if side
            else ""
        )
    )
    head = f"{card['name']}: {card['paper']} ({card['team']}, {card['year']})\n{card['new']}\n"
    differences = "".join(f"\n- {sentence}" for sentence in card["differences"])
    return (
        head,
        table,
        f"\n{sums}",
        f"\nWhat differs from the paper, or what it leaves open:{differences}" if differences else "",
    )
