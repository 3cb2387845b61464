"""State dicts that `torch.save` wrote (`.pth`), read without unpickling: no name in a file is ever looked up.

A pickle is a program for a stack machine. Here its opcodes are walked and only data comes out: text,
numbers, lists, dictionaries, and where in the file each tensor lies; whatever a pickle would import or
call is kept as the name it gives. Tensors are copied when they are asked for, from the bytes that are
there. Both forms are read: the zip archive of 2020, and the row of pickles before it.
"""

import mmap
import pickletools
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MOST_STEPS = 500_000  # of a pickle; ResNet-152's state dict takes 30,000
MOST_AXES = 32
MOST = 1 << 48  # of a size or a stride
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
KINDS = {  # storages by their class
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class UnreadableError(ValueError):
    """What is wrong with a file, without its name."""


@dataclass(frozen=True)
class Named:
    """Something a pickle would import, or what calling it would give: its name alone."""

    name: str


@dataclass(eq=False)
class Mapping:
    """A dictionary, or an OrderedDict with what was set on it; keys that are no text are left out."""

    items: list[tuple[str, Any]] = field(default_factory=list)
    odd: bool = False  # whether some key was no text

    def get(self, key: str) -> Any:
        """The last value of that key, or None."""
        return next((value for name, value in reversed(self.items) if name == key), None)


@dataclass(frozen=True)
class Storage:
    """A run of values in the file."""

    key: str
    kind: torch.dtype


@dataclass(frozen=True)
class Place:
    """A tensor as the pickle describes it."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class File:
    """What a file holds. Raises UnreadableError, or what zipfile raises, for a file that is damaged."""

    def __init__(self, path: Path):
        with path.open("rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.places: dict[str, tuple[int, int]] = {}  # of storages: first byte and past the last
        self.copied = 0
        self.content = self._zip(path) if self.data[:4] == b"PK\x03\x04" else self._legacy()

    def tensor(self, place: Place) -> Tensor:
        """The tensor at a place, in memory of its own. Raises UnreadableError where the file lacks its values."""
        numbers, width = (place.offset, *place.size, *place.stride), place.storage.kind.itemsize
        if (
            len(place.size) != len(place.stride)
            or len(place.size) > MOST_AXES
            or not all(0 <= n < MOST for n in numbers)
        ):
            raise UnreadableError("a tensor has a size or a stride that cannot be")
        if place.storage.key not in self.places:
            raise UnreadableError(f"the values {place.storage.key[:40]!r} of a tensor are missing")
        start, stop = self.places[place.storage.key]
        count = prod(place.size)
        span = 1 + sum((n - 1) * step for n, step in zip(place.size, place.stride, strict=True)) if count else 0
        first = start + place.offset * width
        if count > span or (count and first + span * width > stop):
            size = "×".join(map(str, place.size))
            raise UnreadableError(f"a tensor of {size} claims more than the {(stop - start) // width:,} values it has")
        self.copied += span * width
        if self.copied > len(self.data):
            raise UnreadableError("its tensors claim more values than the file has bytes for")
        values = bytearray(self.data[first : first + span * width])
        if not count:
            return torch.empty(place.size, dtype=place.storage.kind)
        return torch.as_strided(torch.frombuffer(values, dtype=place.storage.kind), place.size, place.stride)

    def _zip(self, path: Path) -> Any:
        """data.pkl beside data/KEY, stored as they are, in a folder of any name."""
        pickle = None
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                span = self._span(entry)
                _, _, inner = entry.filename.partition("/")
                if inner == "data.pkl":
                    pickle = span
                elif inner.startswith("data/"):
                    self.places[inner.removeprefix("data/")] = span
                elif inner == "byteorder" and self.data[slice(*span)] != b"little":
                    raise UnreadableError("its numbers are not little-endian")
        if pickle is None:
            raise UnreadableError("the archive holds no data.pkl")
        content, _ = run(BytesIO(self.data[slice(*pickle)]))
        return content

    def _span(self, entry: zipfile.ZipInfo) -> tuple[int, int]:
        """Where the bytes of an entry are: behind its local header of 30 bytes, its name and its extra field."""
        at = entry.header_offset
        head = self.data[at : at + 30]
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or head[:4] != b"PK\x03\x04":
            raise UnreadableError("it is a zip archive that PyTorch did not write")
        start = at + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        if start + entry.file_size > len(self.data):
            raise UnreadableError(f"{entry.filename[:40]!r} claims {entry.file_size:,} bytes, which are not there")
        return start, start + entry.file_size

    def _legacy(self) -> Any:
        """Magic, version, system, content, keys: five pickles; then each storage's count and values."""
        stream = self.data
        magic, _ = run(stream)
        if magic != LEGACY_MAGIC:
            raise UnreadableError("it is a pickle that PyTorch did not write, and is not read, for that runs code")
        run(stream)
        system, _ = run(stream)
        if isinstance(system, Mapping) and system.get("little_endian") is False:
            raise UnreadableError("its numbers are not little-endian")
        content, kinds = run(stream)
        keys, _ = run(stream)
        at = stream.tell()
        for key in keys if isinstance(keys, list) else ():
            if not isinstance(key, str) or key not in kinds:
                raise UnreadableError("it lists values that no tensor has")
            count = int.from_bytes(self.data[at : at + 8], "little")
            start, at = at + 8, at + 8 + count * kinds[key].itemsize
            if at > len(self.data):
                raise UnreadableError(f"the values {key[:40]!r} claim {at - start:,} bytes, which are not there")
            self.places[key] = (start, at)
        return content


def run(stream: Any) -> tuple[Any, dict[str, torch.dtype]]:
    """What a pickle leaves on its stack, and the kinds of the storages it names. Raises UnreadableError if damaged."""
    machine, steps = _Machine(), 0
    try:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if steps > MOST_STEPS:
                raise UnreadableError(f"its pickle has more than {MOST_STEPS:,} steps")
            machine.step(opcode.name, argument)
        if len(machine.stack) != 1 or machine.marks:
            raise UnreadableError("its pickle leaves more than one thing")
    except UnreadableError:
        raise
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"its pickle is damaged at step {steps:,}") from error
    return machine.stack[0], machine.kinds


class _Machine:
    """The stack machine. An object stands for itself; a call stands for its name."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.kinds: dict[str, torch.dtype] = {}

    def step(self, name: str, argument: Any) -> None:
        """One opcode."""
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "NONE":
                self.stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                self.stack.append(name == "NEWTRUE")
            case "MARK":
                self.marks.append(self.stack)
                self.stack = []
            case "POP":
                self.stack.pop()
            case "POP_MARK":
                self.popped()
            case "DUP":
                self.stack.append(self.stack[-1])
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self.memo[int(argument)] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                self.stack.append(self.memo[int(argument)])
            case _ if argument is not None and name not in ("GLOBAL", "INST", "PERSID"):
                self.stack.append(argument)  # text, bytes and numbers
            case _:
                self.compound(name, argument)

    def compound(self, name: str, argument: Any) -> None:
        """Opcodes that make something of what is on the stack."""
        match name:
            case "EMPTY_TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1]) if name[-1].isdigit() else 0
                items = [self.stack.pop() for _ in range(count)]
                self.stack.append(tuple(reversed(items)))
            case "TUPLE":
                items = self.popped()  # first, for it changes the stack
                self.stack.append(tuple(items))
            case "EMPTY_LIST" | "LIST":
                items = self.popped() if name == "LIST" else []
                self.stack.append(items)
            case "APPEND" | "APPENDS":
                items = self.popped() if name == "APPENDS" else [self.stack.pop()]
                if isinstance(self.stack[-1], list):
                    self.stack[-1].extend(items)
            case "EMPTY_DICT" | "DICT":
                items = self.popped() if name == "DICT" else []
                self.stack.append(Mapping())
                self.set_items(items)
            case "SETITEM" | "SETITEMS":
                items = self.popped() if name == "SETITEMS" else [self.stack.pop(), self.stack.pop()][::-1]
                self.set_items(items)
            case "EMPTY_SET" | "FROZENSET":
                if name == "FROZENSET":
                    self.popped()
                self.stack.append(Named("a set"))
            case "ADDITEMS":
                self.popped()
            case _:
                self.call(name, argument)

    def call(self, name: str, argument: Any) -> None:
        """Opcodes that import or call."""
        match name:
            case "GLOBAL":
                self.stack.append(Named(str(argument).replace(" ", ".")))
            case "STACK_GLOBAL":
                last, first = self.stack.pop(), self.stack.pop()
                self.stack.append(Named(f"{first}.{last}" if isinstance(first, str) else "?"))
            case "BINPERSID":
                self.stack.append(self.storage(self.stack.pop()))
            case "REDUCE" | "NEWOBJ":
                arguments = self.stack.pop()
                self.stack.append(called(self.stack.pop(), arguments))
            case "NEWOBJ_EX":
                del self.stack[-2:]
                self.stack[-1] = Named(name_of(self.stack[-1]))
            case "BUILD":  # sets attributes: those of an OrderedDict are torch's remarks
                self.stack.pop()
                self.stack[-1]
            case "OBJ" | "INST":
                items = self.popped()
                self.stack.append(Named(str(argument).replace(" ", ".") if name == "INST" else name_of(items[0])))
            case _:
                raise ValueError(name)

    def popped(self) -> list[Any]:
        """What lies above the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def set_items(self, items: list[Any]) -> None:
        """Into the dictionary on top; into anything else nothing."""
        target = self.stack[-1]
        if isinstance(target, Mapping):
            for key, value in zip(items[::2], items[1::2], strict=True):
                if isinstance(key, str):
                    target.items.append((key, value))
                else:
                    target.odd = True

    def storage(self, said: Any) -> Storage | Named:
        """What ('storage', class, key, device, count, ...) says."""
        word, kind, key, *_ = said
        found = KINDS.get(name_of(kind).removeprefix("torch.").removeprefix("storage."))
        if word != "storage" or not isinstance(key, str) or found is None:
            return Named(f"values of a {name_of(kind)}")
        self.kinds[key] = found
        return Storage(key, found)


def called(what: Any, arguments: Any) -> Any:
    """What calling a name would give, for the few that make tensors and dictionaries; of others the name."""
    name = name_of(what)
    match name, arguments:
        case (
            ("torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor"),
            (Storage(), int(), tuple(), tuple(), *_),
        ):
            storage, offset, size, stride = arguments[:4]
            if all(type(n) is int for n in (*size, *stride)):
                return Place(storage, offset, size, stride)
        case "torch._utils._rebuild_parameter", (Place() as place, *_):
            return place
        case "torch.Size", (tuple() as size,):
            return size
        case (("collections.OrderedDict" | "builtins.dict" | "__builtin__.dict"), ()):
            return Mapping()
        case "collections.OrderedDict", (list() as pairs,):
            return Mapping([(key, value) for key, value in pairs if isinstance(key, str)])
        case _:
            pass
    return Named(name)


def name_of(what: Any) -> str:
    """The name a value has, cut short."""
    return what.name[:80] if isinstance(what, Named) else type(what).__name__
