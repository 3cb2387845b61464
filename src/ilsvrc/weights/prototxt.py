"""Protocol-buffer text (`.prototxt`) as nested messages of words, without protobuf.

The format as Caffe's files use it: `field: value`, `field { }`, `field: { }`, `< >` for `{ }`,
`[a, b]`, both quotes with C escapes, adjacent strings joined, `#` comments, commas and
semicolons between fields. What a word means is decided by who asks for it.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ilsvrc.errors import WeightsError

LARGEST = 4 << 20  # bytes; the largest of the published definitions has 236 KB
MOST_FIELDS = 100_000  # of a definition with all its messages; ResNet-269's has 12,000
LARGEST_VALUE = 1 << 16  # characters of a string
LONGEST = 64  # characters of a field's name; and of a value where an error repeats it
DEEPEST = 32  # messages inside messages; published files have 4
INT32 = 2**31 - 1

TOKEN = re.compile(
    r"""\s+ | \#[^\n]*
    | (?P<string> "(?:[^"\\\n]++|\\[^\n])*+" | '(?:[^'\\\n]++|\\[^\n])*+' )
    | (?P<word> [\w.+-]++ )
    | (?P<mark> [{}<>:;,\[\]] )""",
    re.VERBOSE,
)
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)")
ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass
class Message:
    """Fields by name, each with all its values in the order of the text; `where` names the message in errors."""

    where: str
    fields: dict[str, list["str | Message"]] = field(default_factory=dict)

    def add(self, name: str, value: "str | Message") -> None:
        """One more value of a field."""
        self.fields.setdefault(name, []).append(value)

    def words(self, name: str) -> list[str]:
        """Every value of a field of scalars. Raises WeightsError for a message."""
        values = self.fields.get(name, [])
        words = [value for value in values if isinstance(value, str)]
        if len(words) < len(values):
            raise WeightsError(f"{self.where}: {name} is a message where a value is wanted; is the definition whole?")
        return words

    def messages(self, name: str) -> list["Message"]:
        """Every value of a field of messages. Raises WeightsError for a scalar."""
        values = self.fields.get(name, [])
        messages = [value for value in values if isinstance(value, Message)]
        if len(messages) < len(values):
            raise WeightsError(
                f"{self.where}: {name} is a value where {name} {{ }} is wanted; is the definition whole?"
            )
        return messages

    def message(self, name: str) -> "Message":
        """The last value of a field of messages, or an empty message."""
        messages = self.messages(name)
        return messages[-1] if messages else Message(f"{self.where}, {name}")

    def word(self, name: str, default: str | None = None) -> str:
        """The last value of a scalar field: protobuf's rule where one is given twice."""
        words = self.words(name)
        if words:
            return words[-1]
        if default is None:
            raise WeightsError(f"{self.where} has no {name}, which it needs; is the definition whole?")
        return default

    def choice(self, name: str, default: str, choices: Iterable[str]) -> str:
        """One of a few words."""
        word = self.word(name, default)
        if word not in choices:
            raise WeightsError(f"{self.where}: {name} is {word[:LONGEST]}; what is known is {', '.join(choices)}")
        return word

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        word = self.word(name, str(default).lower())
        if word not in ("true", "false", "1", "0"):
            raise WeightsError(f"{self.where}: {name} is {word[:LONGEST]}; it must be true or false")
        return word in ("true", "1")

    def integer(self, name: str, default: int | None = None, low: int = 0, high: int = INT32) -> int:
        """A whole number in low..high."""
        return self._integer(name, self.word(name, None if default is None else str(default)), low, high)

    def integers(self, name: str, low: int = 0, high: int = INT32) -> list[int]:
        """Every value of a field of whole numbers in low..high."""
        return [self._integer(name, word, low, high) for word in self.words(name)]

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        return self._number(name, self.word(name, None if default is None else repr(default)))

    def numbers(self, name: str) -> list[float]:
        """Every value of a field of finite numbers."""
        return [self._number(name, word) for word in self.words(name)]

    def check_fields(self, known: Iterable[str]) -> None:
        """Raise WeightsError for a field nobody asks for: a fork's extension, left out, would give wrong numbers."""
        unknown = self.fields.keys() - set(known)
        if unknown:
            raise WeightsError(
                f"{self.where} has the field {min(unknown)}, whose meaning is not known; "
                "remove it from the definition if it changes nothing at test time"
            )

    def _integer(self, name: str, word: str, low: int, high: int) -> int:
        if re.fullmatch(r"-?\d{1,19}", word) and low <= int(word) <= high:
            return int(word)
        raise WeightsError(f"{self.where}: {name} is {word[:LONGEST]}; a whole number from {low} to {high} is wanted")

    def _number(self, name: str, word: str) -> float:
        try:
            value = float(word.removesuffix("f"))
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        raise WeightsError(f"{self.where}: {name} is {word[:LONGEST]}; a finite number is wanted")


def read(path: Path) -> Message:
    """The message in a text file. Raises WeightsError naming file and line when it is not one."""
    try:
        if not path.is_file():  # a pipe would wait for its writer
            raise FileNotFoundError(2, "no such file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); give the .prototxt of a network") from error
    if len(data) > LARGEST:
        raise WeightsError(
            f"{path} is larger than {LARGEST >> 20} MiB; a definition is text of at most a few hundred KB"
        )
    return parse(data.decode("utf-8", errors="replace"), str(path))


def parse(text: str, source: str = "definition") -> Message:
    """The message written in `text`; `source` names it in errors. Raises WeightsError with the line number."""
    return _Parser(text, source).message(Message(source), closing="", depth=0)


class _Parser:
    """Recursive descent over the tokens, one ahead."""

    def __init__(self, text: str, source: str):
        self.text = text
        self.source = source
        self.place = 0
        self.tokens = self._tokens()
        self.kind, self.token = "", ""
        self.fields = 0
        self.advance()

    def _tokens(self) -> Iterator[tuple[str, str, int]]:
        place = 0
        while place < len(self.text):
            match = TOKEN.match(self.text, place)
            if match is None:
                self.place = place
                raise self.wrong(f"{self.text[place : place + 20]!r} is not part of a definition")
            if match.lastgroup:
                yield match.lastgroup, match.group(), place
            place = match.end()
        yield "end", "", place

    def advance(self) -> None:
        self.kind, self.token, self.place = next(self.tokens)

    def wrong(self, what: str) -> WeightsError:
        line = self.text.count("\n", 0, self.place) + 1
        return WeightsError(f"{self.source}, line {line}: {what}; is it the text of a Caffe network?")

    @property
    def shown(self) -> str:
        """The token, cut short, for an error."""
        return self.token[:LONGEST] or "the end of the text"

    def keep(self, into: Message, name: str, value: "str | Message") -> None:
        """One more field. A field takes a hundred times the memory of its shortest text, so they are counted."""
        self.fields += 1
        if self.fields > MOST_FIELDS:
            raise self.wrong(f"there are more than {MOST_FIELDS:,} fields")
        into.add(name, value)

    def message(self, into: Message, closing: str, depth: int) -> Message:
        if depth > DEEPEST:
            raise self.wrong(f"messages are nested more than {DEEPEST} deep")
        while self.token != closing or self.kind not in ("mark", "end"):
            if self.kind != "word" or len(self.token) > LONGEST:
                raise self.wrong(f"a field's name is wanted where {self.shown!r} stands")
            name = self.token
            self.advance()
            self.value(into, name, depth)
            while self.kind == "mark" and self.token in ",;":
                self.advance()
        if closing:
            self.advance()
        return into

    def value(self, into: Message, name: str, depth: int) -> None:
        colon = self.token == ":" and self.kind == "mark"
        if colon:
            self.advance()
        if self.kind == "mark" and self.token in "{<":
            closing = "}" if self.token == "{" else ">"
            self.advance()
            inner = Message(f"{into.where}, {name}")
            self.keep(into, name, inner)
            self.message(inner, closing, depth + 1)
        elif not colon:
            raise self.wrong(f"after {name} a colon or a brace is wanted, not {self.shown!r}")
        elif self.kind == "mark" and self.token == "[":
            self.list(into, name, depth)
        else:
            self.keep(into, name, self.scalar(name))

    def list(self, into: Message, name: str, depth: int) -> None:
        self.advance()
        while not (self.kind == "mark" and self.token == "]"):
            if self.kind == "mark" and self.token in "{<":
                self.value(into, name, depth)
            else:
                self.keep(into, name, self.scalar(name))
            if self.kind == "mark" and self.token == ",":
                self.advance()
        self.advance()

    def scalar(self, name: str) -> str:
        if self.kind == "word":
            word = self.token
            self.advance()
            return word
        if self.kind != "string":
            raise self.wrong(f"{name} wants a value where {self.shown!r} stands")
        parts, length = [], 0
        while self.kind == "string":
            length += len(self.token)
            if length > LARGEST_VALUE:
                raise self.wrong(f"the value of {name} has more than {LARGEST_VALUE:,} characters")
            parts.append(ESCAPE.sub(_unescaped, self.token[1:-1]))
            self.advance()
        return "".join(parts)


def _unescaped(match: re.Match[str]) -> str:
    code = match.group(1)
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else ESCAPED.get(code, code)
