"""The shapes that drawings of networks are made of: boxes with their marks, lines, and where branches meet."""

from collections.abc import Sequence

from ilsvrc.reports.markup import Html, element
from ilsvrc.viz.outline import Box, Fork

LETTER = 6.0  # pixels of a letter, about
MARK = 3.0  # height of a mark
STYLE = """
.architecture { --ground: #fffefb; --ink: #1b1a17; --mute: #5a5751; --edge: #8a867d; --pale: #f3f0e7;
 --conv: #cfe0f5; --full: #ddd0ee; --pool: #f8dcb8; --norm: #d9dccf; --drop: #ece8de;
 --m-relu: #d2483a; --m-norm: #2f9c95; --m-sigmoid: #8e44ad; --m-scale: #b98a00;
 font: 11px -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
@media screen and (prefers-color-scheme: dark) { .architecture { --ground: #1c1e25; --ink: #eceae4; --mute: #aaa69c;
 --edge: #85817a; --pale: #23262e; --conv: #2b4769; --full: #4a3768; --pool: #6b4a1e; --norm: #41463a; --drop: #32353e;
 --m-relu: #ff8d7d; --m-norm: #5fd0c6; --m-sigmoid: #cf9be8; --m-scale: #e6bf45 } }
.architecture text { fill: var(--ink); stroke: none; font-variant-numeric: tabular-nums }
.architecture .title { font-size: 16px; font-weight: 700 }
.architecture .mute { fill: var(--mute); font-size: 10.5px }
.architecture .tiny { fill: var(--mute); font-size: 8.8px }
.architecture .name { font-weight: 650 }
.architecture .times { font-weight: 800 }
.architecture .ground { fill: var(--ground) }
.architecture .line { stroke: var(--edge); stroke-width: 1.3; fill: none; stroke-linecap: round }
.architecture .head { fill: var(--edge) }
.architecture .frame { fill: var(--pale); stroke: var(--edge); stroke-width: 1 }
.architecture .side { fill: var(--pale); stroke: var(--edge); stroke-dasharray: 4 3 }
.architecture .conv { fill: var(--conv) } .architecture .full { fill: var(--full) }
.architecture .pool { fill: var(--pool) } .architecture .norm-box { fill: var(--norm) }
.architecture :is(.drop, .images, .other) { fill: var(--drop) }
.architecture .relu { fill: var(--m-relu) } .architecture .norm { fill: var(--m-norm) }
.architecture .sigmoid { fill: var(--m-sigmoid) } .architecture .scale { fill: var(--m-scale) }
.architecture .meet { fill: var(--ground); stroke: var(--edge); stroke-width: 1.3 }
.architecture .bar { fill: var(--edge) }
.architecture .cut { stroke: var(--ground); stroke-width: 1; opacity: .8 }
"""


def text(x: float, y: float, words: str, kind: str | None = None, anchor: str | None = None) -> Html:
    """Words on a line."""
    return element("text", {"x": float(x), "y": float(y), "class": kind, "text-anchor": anchor}, words)


def line(x: float, y: float, to_x: float, to_y: float) -> Html:
    """A straight line."""
    return element("line", {"class": "line", "x1": float(x), "y1": float(y), "x2": float(to_x), "y2": float(to_y)})


def arrow(x: float, y: float, to_y: float) -> list[Html]:
    """A line down that ends in a head."""
    head = element("path", {"class": "head", "d": f"M{x - 3.5:g} {to_y - 5:g}h7l-3.5 5z"})
    return [line(x, y, x, to_y - 4), head]


def group(box: Box, *drawn: Html) -> Html:
    """What is drawn of one layer, countable by its kind and name; the whole of its text shows on hovering."""
    said = element("title", None, " ".join((box.name, *box.words, *box.before, *box.after)).strip())
    return element("g", {"class": f"layer-{box.kind}", "data-layer": box.name or None}, said, *drawn)


def box(layer: Box, middle: float, width: float, top: float, halves: int = 1) -> tuple[Html, float]:
    """A box with the layer's words, the marks of what goes before above it and of what follows below; and its end.

    Of halves it shows the maps of one tower.
    """
    lines = lettering(layer, width - 8, halves)
    tall = (22.0 if layer.kind in ("conv", "full") else 18.0) + 12 * (len(lines) - 1)
    left, start = middle - width / 2, top + MARK * len(layer.before)
    drawn = [_mark(mark, left, top + MARK * number, width) for number, mark in enumerate(layer.before)]
    kind = "norm-box" if layer.kind == "norm" else layer.kind
    drawn.append(element("rect", {"class": kind, "x": left, "y": start, "width": width, "height": tall, "rx": 3}))
    if layer.kind == "conv" and layer.words[-1].endswith("groups"):
        drawn += _cuts(left, start, width, tall)
    first = start + tall / 2 + 4 - 6 * (len(lines) - 1)
    drawn += [text(middle, first + 12 * number, words, None, "middle") for number, words in enumerate(lines)]
    bottom = start + tall
    drawn += [_mark(mark, left, bottom + MARK * number, width) for number, mark in enumerate(layer.after)]
    return element("g", None, *drawn), bottom + MARK * len(layer.after)


def _mark(mark: str, left: float, top: float, width: float) -> Html:
    return element("rect", {"class": mark, "x": left + 1, "y": top, "width": width - 2, "height": MARK - 0.5})


def _cuts(left: float, top: float, width: float, tall: float) -> list[Html]:
    """A grouped convolution is cut into strips at its edges: a hint, not their number."""
    xs = [left + width * part / 16 for part in range(1, 16)]
    return [
        element("line", {"class": "cut", "x1": x, "y1": y, "x2": x, "y2": y + 4})
        for x in xs
        for y in (top, top + tall - 4)
    ]


def lettering(layer: Box, room: float, halves: int = 1) -> list[str]:
    """The layer's words in as few lines as fit."""
    words = list(layer.words)
    match layer.kind:
        case "conv":
            window, maps, *rest = words
            maps = str(int(maps) // halves)
            tries = [
                [f"{window} conv, {', '.join((maps, *rest))}"],
                [f"{window}, {', '.join((maps, *rest))}"],
                [f"{window} conv, {maps}", ", ".join(rest)],
                [f"{window}, {maps}", ", ".join(rest)],
                [window, ", ".join((maps, *rest))],
                [window, maps, *rest],
            ]
        case "full":
            tries = [[f"full, {words[0]}"], words]
        case "pool" if len(words) > 1:
            short = words[0].replace("average", "avg")
            tries = [[" ".join(words)], [words[0], " ".join(words[1:])], [short, " ".join(words[1:])]]
        case _:
            tries = [[" ".join(words)], words if len(words) > 1 else words[0].split()]
    fitting = (lines for lines in tries if max(map(len, lines)) * LETTER <= room and all(lines))
    return next(fitting, tries[-1])


def meeting(fork: Fork, middle: float, ends: Sequence[float], top: float) -> tuple[list[Html], float]:
    """Where branches that end at those places meet, from `top` on, and where the line goes on from."""
    drawn: list[Html] = []
    left, right = min((*ends, middle)), max((*ends, middle))
    if fork.meeting == "stack":
        drawn.append(
            element(
                "rect", {"class": "bar", "x": left - 10, "y": top, "width": right - left + 20, "height": 5, "rx": 2}
            )
        )
        bottom = top + 5
        return drawn + _marks(fork, middle, right - left + 20, bottom), bottom + MARK * len(fork.after)
    drawn.append(line(left, top, right, top))
    drawn.append(line(middle, top, middle, top + 4))
    drawn.append(element("circle", {"class": "meet", "cx": middle, "cy": top + 12, "r": 8}))
    sign = "M-4 0h8M0 -4v8" if fork.meeting != "gate" else "M-3 -3l6 6M-3 3l6 -6"
    drawn.append(element("path", {"class": "line", "d": sign, "transform": f"translate({middle:g} {top + 12:g})"}))
    bottom = top + 20
    if fork.meeting == "add and stack":
        drawn.append(
            element("rect", {"class": "bar", "x": middle - 40, "y": bottom + 3, "width": 80, "height": 5, "rx": 2})
        )
        drawn.append(line(middle, bottom, middle, bottom + 3))
        bottom += 8
    return drawn + _marks(fork, middle, 44, bottom + (1 if fork.after else 0)), bottom + (MARK + 1) * len(fork.after)


def _marks(fork: Fork, middle: float, width: float, top: float) -> list[Html]:
    return [_mark(mark, middle - width / 2, top + MARK * number, width) for number, mark in enumerate(fork.after)]
