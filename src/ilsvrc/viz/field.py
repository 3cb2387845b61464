"""Receptive fields: which pixels of an image a unit of a layer sees, counted from the network itself."""

from dataclasses import dataclass

from torch import nn

from ilsvrc.viz.graph import Graph, Vertex


@dataclass(frozen=True)
class Field:
    """Along one side: unit p sees the pixels from start + p · jump on, size of them. Some may lie outside the image."""

    size: int
    jump: int
    start: int

    def window(self, place: int, image_size: int) -> tuple[int, int]:
        """First and last pixel, both inside, of a window of `size` that holds all the unit at `place` sees.

        At a border the window is moved into the image; where it is larger than the image it is the image.
        """
        size = min(self.size, image_size)
        first = min(max(0, self.start + place * self.jump), image_size - size)
        return first, first + size - 1


@dataclass(frozen=True)
class Fields:
    """Of a layer's units, along the columns and along the rows."""

    across: Field
    down: Field

    @property
    def size(self) -> int:
        """The longer side, in pixels."""
        return max(self.across.size, self.down.size)

    def box(self, row: int, column: int, image_size: int) -> tuple[int, int, int, int]:
        """xmin, ymin, xmax, ymax in the image of what a unit sees, both edges inside; see `Field.window`."""
        (left, right), (top, bottom) = self.across.window(column, image_size), self.down.window(row, image_size)
        return left, top, right, bottom


def fields(graph: Graph) -> tuple[Fields | None, ...]:
    """Of every vertex; None for one whose units see the whole image, such as a full layer's.

    A gate of squeeze and excitation looks at the whole image too, and is left out: it scales what is there.
    """
    found: list[Fields | None] = []
    for vertex in graph.vertices:
        below = [found[place] for place in vertex.inputs]
        found.append(_seen(vertex, below))
    return tuple(found)


def _seen(vertex: Vertex, below: list[Fields | None]) -> Fields | None:
    if vertex.op == "images":
        return Fields(Field(1, 1, 0), Field(1, 1, 0))
    if vertex.op == "mul" and len(below) > 1:
        below = [one for one in below if one is not None] or below
    joined = _joined(below)
    if joined is None or vertex.op == "mean":
        return None
    module = vertex.module[0] if isinstance(vertex.module, nn.Sequential) else vertex.module
    if isinstance(module, nn.Linear | nn.AdaptiveAvgPool2d):
        return None
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel, stride, pad = _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)
        (down, across), (down_by, across_by), (top, left) = kernel, stride, pad
        return Fields(_windowed(joined.across, across, across_by, left), _windowed(joined.down, down, down_by, top))
    if vertex.op == "pad":
        left, _, top, _ = (*vertex.pad, 0, 0)[:4]
        return Fields(_windowed(joined.across, 1, 1, left), _windowed(joined.down, 1, 1, top))
    return joined


def _windowed(field: Field, kernel: int, stride: int, pad: int) -> Field:
    return Field(field.size + (kernel - 1) * field.jump, field.jump * stride, field.start - pad * field.jump)


def _pair(value: object) -> tuple[int, int]:
    height, width = value if isinstance(value, tuple) else (value, value)
    return int(height), int(width)


def _joined(below: list[Fields | None]) -> Fields | None:
    """What all of them see together; their steps are the same, for their maps are."""
    known = [one for one in below if one is not None]
    if len(known) < len(below):
        return None
    return Fields(_union([one.across for one in known]), _union([one.down for one in known]))


def _union(parts: list[Field]) -> Field:
    start = min(part.start for part in parts)
    end = max(part.start + part.size for part in parts)
    return Field(end - start, parts[0].jump, start)
