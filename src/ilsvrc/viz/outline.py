"""A network's graph as its paper's figure tells it: boxes below each other, branches side by side, what repeats once.

The graph is cut where every way goes through one vertex; what lies between two cuts goes side by side, and is cut in
the same way. ReLUs and batch norms become marks of the box they belong to. Neighbours that are alike are folded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from torch import nn

from ilsvrc.models.anatomy import window
from ilsvrc.viz.graph import Graph, Vertex, graph

Kind = Literal["images", "conv", "full", "pool", "norm", "drop", "other"]
Meeting = Literal["add", "stack", "gate", "add and stack"]
Mark = Literal["norm", "relu", "sigmoid", "scale"]
MEETINGS: dict[str, Meeting] = {"add": "add", "cat": "stack", "mul": "gate", "dual": "add and stack"}


@dataclass(frozen=True)
class Box:
    """One layer. words are its parts, the most telling first; before and after are what belongs to it."""

    kind: Kind
    name: str
    words: tuple[str, ...]  # '3×3', '64', '/2', '32 groups'; of other kinds 'max pool', '3×3', '/2'
    shape: tuple[int, ...]  # of the output, without the batch
    before: tuple[Mark, ...] = ()
    after: tuple[Mark, ...] = ()
    towers: int = 1  # 2 where the paper's figure splits it, 0 where it lies across both
    crossed: bool = False  # each tower takes from both


@dataclass(frozen=True)
class Fork:
    """Branches side by side and how they meet again; a branch without boxes passes its input on."""

    branches: tuple["Chain", ...]
    meeting: Meeting
    shape: tuple[int, ...]
    after: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Frame:
    """A block or module of the network's own: `times` of them one behind the other, of which one is drawn."""

    name: str  # 'conv2.1', of several 'conv2.1 to conv2.2'
    chain: "Chain"
    times: int = 1


@dataclass(frozen=True)
class Side:
    """A head in training alone, which takes what is above it."""

    name: str
    chain: "Chain"


Item = Box | Fork | Frame | Side
Chain = tuple[Item, ...]


@dataclass
class _Step:
    """A vertex while marks are gathered."""

    place: int
    vertex: Vertex
    op: str
    inputs: list[int]
    before: tuple[Mark, ...] = ()
    after: tuple[Mark, ...] = ()


def outline(network: nn.Module, image_size: int) -> Chain:
    """The network on images of that side, from the images to the logits, side heads included.

    Raises ValueError for a network whose branches cannot be laid side by side; none of `models.MODELS` is one.
    """
    found = graph(network, image_size, training=True)
    steps = _marked(_plain(found))
    ways = _above(steps, found.outputs[0])
    main = [place for place in steps if place in ways]
    chain = _chain(steps, main[1:-1], main[0], main[-1])
    items = _folded(_framed([_box(steps[main[0]]), *chain, _box(steps[main[-1]])]))
    towered = any(isinstance(item, Box) and item.towers == 2 for item in items)
    items = _towers(items) if towered else items
    return _with_sides(items, steps, found, ways)


def layers_in(chain: Chain) -> int:
    """How many convolutions and full layers it stands for, repeated ones as often as they are there."""
    return sum(_layers(item) for item in chain)


def _layers(item: Item) -> int:
    match item:
        case Box(kind=kind):
            return kind in ("conv", "full")
        case Fork(branches=branches):
            return sum(layers_in(branch) for branch in branches)
        case Frame(chain=chain, times=times):
            return times * layers_in(chain)
        case Side(chain=chain):
            return layers_in(chain)


def _plain(found: Graph) -> dict[int, _Step]:
    """Without what changes nothing in a figure: padding, slices, and additions that only feed a stack."""
    steps = {i: _Step(i, v, v.op, list(v.inputs)) for i, v in enumerate(found.vertices)}
    for step in list(steps.values()):
        if step.op in ("pad", "slice"):
            _drop(steps, step)
    for step in list(steps.values()):
        added = [steps[place] for place in step.inputs if steps[place].op == "add"]
        if step.op == "cat" and added and set(step.inputs) - {added[0].place} <= set(added[0].inputs):
            step.op, step.inputs = "dual", list(added[0].inputs)
            del steps[added[0].place]
    for step in steps.values():
        step.inputs = list(dict.fromkeys(step.inputs))
    return steps


def _drop(steps: dict[int, _Step], step: _Step) -> None:
    """Take a step of one input out; who took from it takes from that."""
    (above,) = step.inputs
    for other in steps.values():
        other.inputs = [above if place == step.place else place for place in other.inputs]
    del steps[step.place]


def _takers(steps: dict[int, _Step]) -> dict[int, list[int]]:
    takers: dict[int, list[int]] = {place: [] for place in steps}
    for step in steps.values():
        for place in step.inputs:
            takers[place].append(step.place)
    return takers


def _marked(steps: dict[int, _Step]) -> dict[int, _Step]:
    """ReLUs, sigmoids, factors and batch norms as marks of the step above them, or of the one below."""
    marks: dict[str, Mark] = {"relu": "relu", "sigmoid": "sigmoid", "mul": "scale"}
    for step in list(steps.values()):
        single = len(step.inputs) == 1
        above = steps[step.inputs[0]] if single else step
        mine = step.op in marks and single and above.op != "images" and len(_takers(steps)[above.place]) == 1
        if mine:
            above.after = (*above.after, marks[step.op])
            _drop(steps, step)
    for step in list(steps.values()):
        takers = _takers(steps)[step.place]
        if isinstance(step.vertex.module, nn.BatchNorm2d) and len(takers) == 1:
            below = steps[takers[0]]
            if _kind(below) == "conv":
                below.before = ("norm", *step.after, *below.before)
                _drop(steps, step)
    return steps


def _above(steps: dict[int, _Step], end: int) -> set[int]:
    """All that `end` depends on, itself included; end may have become a mark of what is above it."""
    while end not in steps:
        end -= 1
    seen, stack = set[int](), [end]
    while stack:
        place = stack.pop()
        if place not in seen:
            seen.add(place)
            stack += steps[place].inputs
    return seen


def _chain(steps: dict[int, _Step], inner: list[int], first: int, last: int, inside: bool = False) -> list[Item]:
    """What lies between two vertices, as boxes and forks; the vertex at the end of a fork is part of it.

    Raises ValueError where what is inside a fork hangs together and has no vertex that all of it goes through.
    """
    order = [first, *inner, last]
    where = {place: number for number, place in enumerate(order)}
    reach = [0] * len(order)
    for place in (*inner, last):
        for above in steps[place].inputs:
            if above in where and (above, place) != (first, last):  # that one is a branch by itself
                reach[where[above]] = max(reach[where[above]], where[place])
    cuts, furthest = [0], reach[0]
    for number in range(1, len(order)):
        if furthest <= number:
            cuts.append(number)
        furthest = max(furthest, reach[number])
    if inside and inner and len(cuts) == 2:
        names = [steps[place].vertex.name for place in inner if steps[place].vertex.name]
        raise ValueError(f"the ways through {', '.join(names[:3])} cannot be drawn side by side")
    items: list[Item] = []
    for start, end in pairwise(cuts):
        below = steps[order[end]]
        between = order[start + 1 : end]
        if between:
            items.append(_fork(steps, between, order[start], order[end]))
        if end < len(order) - 1 and not between:
            items.append(_box(below))
    return items


def _fork(steps: dict[int, _Step], between: list[int], first: int, last: int) -> Item:
    """The branches between two cuts; last is where they meet."""
    parts = _parts(steps, between)
    branches = [tuple(_chain(steps, part, first, last, inside=True)) for part in parts]
    if first in steps[last].inputs:
        branches.append(())
    end = steps[last]
    if end.op not in MEETINGS:
        raise ValueError(f"the way from {steps[first].vertex.name} to {end.vertex.name or end.op} cannot be drawn")
    if end.op == "mul":
        branches.sort(key=len)
    return Fork(tuple(branches), MEETINGS[end.op], end.vertex.shape, end.after)


def _parts(steps: dict[int, _Step], between: list[int]) -> list[list[int]]:
    """What hangs together, each in the order it ran."""
    inside = set(between)
    group: dict[int, int] = {place: place for place in between}
    for place in between:
        for above in steps[place].inputs:
            if above in inside and group[above] != group[place]:
                old, new = group[place], group[above]
                group = {key: new if value == old else value for key, value in group.items()}
    found: dict[int, list[int]] = {}
    for place in between:
        found.setdefault(group[place], []).append(place)
    return list(found.values())


def _kind(step: _Step) -> Kind:
    module = step.vertex.module[0] if isinstance(step.vertex.module, nn.Sequential) else step.vertex.module
    match module:
        case nn.Conv2d():
            return "conv"
        case nn.Linear():
            return "full"
        case nn.MaxPool2d() | nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
            return "pool"
        case nn.Dropout():
            return "drop"
    if step.op == "images":
        return "images"
    if step.op == "mean":
        return "pool"
    return "norm" if module is not None and "Norm" in type(module).__name__ else "other"


def _box(step: _Step) -> Box:
    pair = isinstance(step.vertex.module, nn.Sequential)
    after: tuple[Mark, ...] = ("norm", *step.after) if pair else step.after
    words, towers = _words(step)
    return Box(_kind(step), step.vertex.name, words, step.vertex.shape, step.before, after, towers)


def _words(step: _Step) -> tuple[tuple[str, ...], int]:
    """The parts of a box's text, and its towers."""
    vertex = step.vertex
    module = vertex.module[0] if isinstance(vertex.module, nn.Sequential) else vertex.module
    match module:
        case nn.Conv2d(groups=groups):
            size, _, stride = window(module.kernel_size, module.stride).partition("/")
            more = (f"{groups} groups",) if groups > 2 else ()
            return (size, str(module.out_channels), *((f"/{stride}",) if stride else ()), *more), min(groups, 3)
        case nn.Linear():
            return (str(module.out_features),), 1
        case nn.MaxPool2d() | nn.AvgPool2d():
            size, _, stride = window(module.kernel_size, module.stride).partition("/")
            kind = "max pool" if isinstance(module, nn.MaxPool2d) else "average pool"
            return (kind, size, *((f"/{stride}",) if stride else ())), 1
        case nn.AdaptiveAvgPool2d():
            return ("global average",), 1
        case nn.Dropout(p=p):
            return ("dropout", f"{p:g}"), 1
        case nn.BatchNorm2d():
            return ("batch norm",), 1
    if module is not None and "Norm" in type(module).__name__:
        return ("response norm",), -int(getattr(module, "towers", 1))
    if vertex.op == "images":
        return ("images", "×".join(map(str, vertex.shape[1:]))), 1
    return ("global average" if vertex.op == "mean" else vertex.op,), 1


def _towers(items: list[Item]) -> list[Item]:
    """Of AlexNet: all from the first convolution to the first full layer are in two towers.

    A response norm that looks across them is one box.
    """
    found: list[Item] = []
    inside = False
    for item in items:
        if isinstance(item, Box):
            inside = item.kind == "conv" or (inside and item.kind != "full")
            split = inside and item.towers != -1
            last = found[-1] if found else item
            crossed = split and item.kind == "conv" and item.towers == 1 and isinstance(last, Box) and last.towers == 2
            across = inside and item.towers == -1
            item = replace(item, towers=2 if split else 0 if across else 1, crossed=crossed)
        found.append(item)
    return found


def _names(item: Item) -> list[str]:
    match item:
        case Box(name=name):
            return [name] if name else []
        case Fork(branches=branches):
            return [name for branch in branches for one in branch for name in _names(one)]
        case Frame(chain=chain) | Side(chain=chain):
            return [name for one in chain for name in _names(one)]


def _home(item: Item) -> str:
    """The module that holds all of an item, '' for the network itself."""
    paths = [name.split(".")[:-1] for name in _names(item)]
    shared: list[str] = []
    for level in zip(*paths, strict=False) if paths else ():
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    numbered = [place for place, part in enumerate(shared, start=1) if part.isdecimal()]
    return ".".join(shared[: numbered[-1]] if numbered else shared)


def _framed(items: Sequence[Item]) -> list[Item]:
    """Neighbours of one module in a frame with its name."""
    found: list[Item] = []
    for item in items:
        home = _home(item)
        last = found[-1] if found else None
        if home and isinstance(last, Frame) and f"{home}.".startswith(f"{last.name}."):
            found[-1] = replace(last, chain=(*last.chain, item))
        else:
            found.append(Frame(home, (item,)) if home else item)
    return found


def _folded(items: Sequence[Item]) -> list[Item]:
    """Neighbouring frames that are alike as one."""
    found: list[Item] = []
    for item in items:
        last = found[-1] if found else None
        if isinstance(item, Frame) and isinstance(last, Frame) and _bare(item) == _bare(last):
            first = last.name.split(" to ", maxsplit=1)[0]
            found[-1] = Frame(f"{first} to {item.name}", item.chain, last.times + 1)
        else:
            found.append(item)
    return found


def _bare(item: Item) -> Item:
    """Without names and counts, and without the size of a stack that grows from block to block."""
    match item:
        case Box():
            return replace(item, name="")
        case Fork(branches=branches, meeting=meeting, shape=shape):
            bare = tuple(tuple(map(_bare, branch)) for branch in branches)
            return replace(item, branches=bare, shape=() if meeting == "add and stack" else shape)
        case Frame(chain=chain):
            return Frame("", tuple(map(_bare, chain)))
        case Side(chain=chain):
            return Side("", tuple(map(_bare, chain)))


def _with_sides(items: list[Item], steps: dict[int, _Step], found: Graph, ways: set[int]) -> Chain:
    """Side heads behind what they take from."""
    names = {place: step.vertex.name for place, step in steps.items()}
    for end in found.outputs[1:]:
        head = sorted(_above(steps, end) - ways)
        tap = max(place for place in head for place in steps[place].inputs if place in ways)
        chain = tuple(_box(steps[place]) for place in head)
        name = _home(Side("", chain))
        inside = {name for place, name in names.items() if place <= tap and name and place in ways}
        last = max(number for number, item in enumerate(items) if set(_names(item)) & inside)
        items.insert(last + 1, Side(name, chain))
    return tuple(items)
