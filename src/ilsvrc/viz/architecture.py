"""A network as an SVG that reads like its paper's figure: light and dark, wide enough for a phone and no wider.

Layers go down the middle, their names left, the sizes of their maps right. A block or module is a frame, drawn once
with how often it stands there. Everything is from the built network, by `outline`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from ilsvrc.reports.markup import Html, element
from ilsvrc.viz import boxes
from ilsvrc.viz.boxes import STYLE, arrow, line, text
from ilsvrc.viz.outline import Box, Chain, Fork, Frame, Item, Side, outline

WIDTH, MIDDLE = 400.0, 200.0
BOX = 176.0  # of a layer in the middle
TOWERS, TOWER = (138.0, 262.0), 112.0
GAP = 13.0
SHOWN = 1.25  # pixels of a screen for one of the drawing, where the page does not say
LEGEND = (
    ("conv", "convolution: window, maps, /step"),
    ("full", "full layer: units"),
    ("pool", "pool"),
    ("norm-box", "norm"),
    ("drop", "dropout"),
    ("relu", "ReLU"),
    ("norm", "batch norm"),
    ("sigmoid", "sigmoid"),
    ("scale", "times a small constant"),
)
MEET = (
    ("add", "⊕ adds them"),
    ("gate", "⊗ scales the left one by the right"),
    ("stack", "a bar stacks their maps"),
    ("add and stack", "⊕ and bar add some maps and stack the rest"),
)


@dataclass(frozen=True)
class Area:
    """A column of the drawing: its edges and how far down it begins."""

    left: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        """Where the line runs."""
        return (self.left + self.right) / 2


@dataclass(frozen=True)
class Part:
    """What is drawn of something and where it ends."""

    drawn: tuple[Html, ...]
    bottom: float


def drawing(network: nn.Module, image_size: int, title: str, note: str = "") -> Html:
    """The network on images of that side as one SVG element with its own style, text for a file or a page.

    title and note stand above it. Raises ValueError where the network's ways cannot be drawn side by side.
    """
    chain = outline(network, image_size)
    body = _trunk(chain)
    legend = _legend(chain, body.bottom + 22)
    height = legend.bottom + 10
    head = [text(12, 24, title, "title"), text(12, 40, note, "mute") if note else None]
    return element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH:g} {height:.0f}",
            "width": f"{WIDTH * SHOWN:g}",
            "height": f"{height * SHOWN:.0f}",
            "class": "architecture",
            "role": "img",
            "aria-label": f"{title}, layer by layer",
        },
        element("style", None, Html(STYLE)),
        element("rect", {"class": "ground", "width": WIDTH, "height": height, "rx": 10}),
        *head,
        *body.drawn,
        *legend.drawn,
    )


def _trunk(chain: Chain) -> Part:
    """Down the middle, with names and sizes beside."""
    drawn: list[Html] = []
    top, shown = 56.0, ""
    before: Item | None = None
    for item in chain:
        if isinstance(item, Side):
            part = _side(item, top)
            drawn += [line(MIDDLE, top, MIDDLE, part.bottom + 4), *part.drawn]
            top = part.bottom + 4
            continue
        if before is not None:
            drawn += _lines_between(before, item, top)
            top += GAP
        size = _size(item)
        part = _item_in_trunk(item, top, size if size != shown else "")
        shown = size or shown
        drawn += part.drawn
        top, before = part.bottom, item
    return Part(tuple(drawn), top)


def _lines_between(above: Item, below: Item, top: float) -> list[Html]:
    """From one item in the middle to the next, in two towers where there are two."""
    split = isinstance(below, Box) and below.towers == 2
    came_split = isinstance(above, Box) and above.towers == 2
    if not split and not came_split:
        return arrow(MIDDLE, top, top + GAP)
    drawn = [part for x in TOWERS for part in arrow(x, top, top + GAP)]
    if isinstance(below, Box) and below.crossed:
        drawn += [line(TOWERS[0], top, TOWERS[1], top + GAP), line(TOWERS[1], top, TOWERS[0], top + GAP)]
    return drawn


def _item_in_trunk(item: Item, top: float, size: str) -> Part:
    if isinstance(item, Frame):
        return _frame(item, top, _size(item))
    if isinstance(item, Fork):
        return _fork(item, Area(8, WIDTH - 8, top))
    assert isinstance(item, Box)
    towers = item.towers == 2
    wide = TOWERS[1] - TOWERS[0] + TOWER
    places = TOWERS if towers else (MIDDLE,)
    width = TOWER if towers else wide if item.towers == 0 else BOX
    parts = [boxes.box(item, x, width, top, halves=len(places)) for x in places]
    bottom = parts[0][1]
    half = wide / 2 if towers else width / 2
    edge = MIDDLE + half
    beside = [
        text(MIDDLE - half - 8, top + 14, item.name, "mute", anchor="end") if item.name else None,
        text(edge + 8, top + 14, size, "mute") if size else None,
    ]
    layer = boxes.group(item, *(part for part, _ in parts))
    return Part((layer, *(one for one in beside if one is not None)), bottom)


def _size(item: Item) -> str:
    """Maps and their sides behind an item; '' behind a full layer and behind the images."""
    shape: tuple[int, ...] = ()
    match item:
        case Box(shape=found, kind=kind) if kind != "images":
            shape = found
        case Fork(shape=found):
            shape = found
        case Frame(chain=chain):
            return _size(chain[-1])
    return "×".join(map(str, shape)) if len(shape) == 3 and shape[1] > 1 else ""


def _frame(frame: Frame, top: float, size: str) -> Part:
    """A block: its name and how often it is there above, the size of its maps at the right."""
    inner = _chain(frame.chain, Area(14, WIDTH - 14, top + 24), named=frame.name if frame.times == 1 else "")
    bottom = inner.bottom + 10
    times = f" × {frame.times}" if frame.times > 1 else ""
    label = element("tspan", {"class": "times"}, times) if times else None
    return Part(
        (
            element(
                "g",
                {"class": "block", "data-times": frame.times},
                element(
                    "rect", {"class": "frame", "x": 6.0, "y": top, "width": WIDTH - 12, "height": bottom - top, "rx": 8}
                ),
                element("text", {"x": 15.0, "y": top + 15, "class": "name"}, frame.name, label),
                text(WIDTH - 15, top + 15, size, "mute", anchor="end") if size else None,
                line(MIDDLE, top, MIDDLE, top + 24),
                *inner.drawn,
                line(MIDDLE, inner.bottom, MIDDLE, bottom),
            ),
        ),
        bottom,
    )


def _chain(chain: Chain, area: Area, named: str = "") -> Part:
    """Items below each other in a column; the line comes in at the top and leaves at the bottom of the last."""
    drawn: list[Html] = []
    top = area.top
    for number, item in enumerate(chain):
        if number:
            drawn.append(line(area.middle, top, area.middle, top + GAP - 4))
            top += GAP - 4
        part = _item(item, Area(area.left, area.right, top))
        if isinstance(item, Box) and named and area.right - area.left > 300 and item.name:
            label = item.name.removeprefix(f"{named}.")
            drawn.append(text(area.middle - BOX / 2 - 8, top + 14, label, "mute", anchor="end"))
        drawn += part.drawn
        top = part.bottom
    return Part(tuple(drawn), top)


def _item(item: Item, area: Area) -> Part:
    if isinstance(item, Fork):
        return _fork(item, area)
    assert isinstance(item, Box)
    width = min(BOX, area.right - area.left - 6)
    drawn, bottom = boxes.box(item, area.middle, width, area.top)
    return Part((boxes.group(item, drawn),), bottom)


def _fork(fork: Fork, area: Area) -> Part:
    """Branches side by side between a line that spreads and what they meet in."""
    columns = list(_columns(fork, area))
    start = area.top + 12
    parts = [
        _chain(branch, Area(left, right, start)) for branch, (left, right) in zip(fork.branches, columns, strict=True)
    ]
    lowest = max(part.bottom for part in parts)
    middles = [(left + right) / 2 for left, right in columns]
    drawn: list[Html] = [line(area.middle, area.top, area.middle, area.top + 5)]
    spread = [area.middle, *middles]
    drawn.append(line(min(spread), area.top + 5, max(spread), area.top + 5))
    for middle, part in zip(middles, parts, strict=True):
        drawn += [line(middle, area.top + 5, middle, start), *part.drawn, line(middle, part.bottom, middle, lowest + 9)]
    met, bottom = boxes.meeting(fork, area.middle, middles, lowest + 9)
    return Part((*drawn, *met), bottom)


def _columns(fork: Fork, area: Area) -> Iterator[tuple[float, float]]:
    """Left and right of each branch. One that passes its input on bows around the others, or runs beside a gate."""
    weights = [_weight(branch) for branch in fork.branches]
    room = area.right - area.left
    if len(weights) == 2 and weights[1] == 0 and fork.meeting != "gate" and room > 200:
        side = min(44.0, room / 8)
        yield area.left + side, area.right - side
        yield area.right - side / 2 - 4, area.right - side / 2 + 4
        return
    shares = [weight or 0.35 for weight in weights]
    left = area.left
    for share in shares:
        right = left + room * share / sum(shares)
        yield left, right
        left = right


def _weight(chain: Chain) -> float:
    """How many boxes stand side by side at most."""
    return max((_breadth(item) for item in chain), default=0.0)


def _breadth(item: Item) -> float:
    match item:
        case Fork(branches=branches):
            return sum(_weight(branch) or 0.35 for branch in branches)
        case Frame(chain=chain) | Side(chain=chain):
            return _weight(chain)
    return 1.0


def _side(side: Side, top: float) -> Part:
    """A head in training alone, to the right of the line."""
    area = Area(MIDDLE + 24, WIDTH - 14, top + 30)
    inner = _chain(side.chain, area)
    bottom = inner.bottom + 8
    left, width = MIDDLE + 14, WIDTH - 20 - MIDDLE
    return Part(
        (
            element(
                "g",
                {"class": "block", "data-times": 1},
                line(MIDDLE, top + 5, area.middle, top + 5),
                line(area.middle, top + 5, area.middle, top + 30),
                element(
                    "rect",
                    {"class": "side", "x": left, "y": top + 10, "width": width, "height": bottom - top - 10, "rx": 8},
                ),
                text(left + 8, top + 23, side.name, "name"),
                text(WIDTH - 14, top + 23, "in training", "mute", anchor="end"),
                *inner.drawn,
            ),
        ),
        bottom,
    )


def _legend(chain: Chain, top: float) -> Part:
    """What the colours are, of those that occur."""
    used = set(_used(chain))
    drawn: list[Html] = []
    entries = [(kind, words) for kind, words in LEGEND if kind in used]
    for number, (kind, words) in enumerate(entries):
        x, y = 14 + number % 2 * 196.0, top + number // 2 * 17
        drawn.append(element("rect", {"class": kind, "x": x, "y": y - 8, "width": 14, "height": 9, "rx": 1.5}))
        drawn.append(text(x + 20, y, words, "mute"))
    bottom = top + (len(entries) + 1) // 2 * 17
    met = "; ".join(words for meeting, words in MEET if meeting in used)
    drawn.append(text(14, bottom, "Right: maps × height × width.", "tiny"))
    if met:
        bottom += 12
        drawn.append(text(14, bottom, f"Branches: {met}.", "tiny"))
    return Part(tuple(drawn), bottom)


def _used(chain: Chain) -> Iterator[str]:
    for item in chain:
        match item:
            case Box(kind=kind, before=before, after=after):
                yield "norm-box" if kind == "norm" else kind
                yield from (*before, *after)
            case Fork(branches=branches, after=after, meeting=meeting):
                yield from (*after, meeting)
                for branch in branches:
                    yield from _used(branch)
            case Frame(chain=inner) | Side(chain=inner):
                yield from _used(inner)
