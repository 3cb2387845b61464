"""Protocol-buffer text, as the published definitions write it and as nobody should."""

from pathlib import Path

import pytest

from ilsvrc.errors import WeightsError
from ilsvrc.weights import prototxt
from ilsvrc.weights.prototxt import Message, parse


def layer(text: str) -> Message:
    return parse(text).message("layer")


@pytest.mark.parametrize(
    "text",
    [
        'layer { name: "a" dim: 1 dim: 2 }',
        "layer: { name: 'a' dim: 1, dim: 2; }",
        'layer < name: "a" dim: [1, 2] >',
        'layer {\r\n\tname: "a"  # a comment "with" { marks\r\n\tdim: 1 dim:2 }',
        "layer{name:'\\x61'dim:1 dim:2}",
        "layer { name: '\\141' dim: 1 dim: 2 }",
        'layer { name: "" "a" dim: 1 dim: 2 }',
    ],
)
def test_every_way_to_write_a_message_gives_the_same_fields(text: str) -> None:
    found = layer(text)
    assert found.word("name") == "a"
    assert found.integers("dim") == [1, 2]


def test_a_field_given_twice_counts_as_the_last() -> None:
    assert parse("stride: 1 stride: 2").integer("stride") == 2


def test_numbers_need_not_be_written_as_floats() -> None:
    assert parse("alpha: 5e-05").number("alpha") == 5e-05
    assert parse("alpha: 1").number("alpha") == 1.0
    assert parse("alpha: .5f").number("alpha") == 0.5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a.prototxt\nname: 'net'", "line 2: after a.prototxt a colon or a brace is wanted, not 'name'"),
        ("layer {\n name: 'a'", "line 2: a field's name is wanted where 'the end of the text'"),
        ("layer { name: 'a' }\n}", "line 2: a field's name is wanted where '}'"),
        ("name: 'a\n'", "line 1: .* is not part of a definition"),
        ("name: }", "name wants a value where '}'"),
        ("dim: [1", "dim wants a value where 'the end of the text'"),
        ("\x00", "line 1: .* is not part of a definition"),
        ("a {" * 1000, "nested more than 32 deep"),
    ],
)
def test_what_is_no_definition_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        parse(text)


@pytest.mark.parametrize(
    ("text", "ask"),
    [
        ("n: 1.5", lambda m: m.integer("n")),
        ("n: 4294967296", lambda m: m.integer("n")),
        ("n: " + "9" * 9000, lambda m: m.integer("n")),
        ("n: -1", lambda m: m.integer("n")),
        ("n: nan", lambda m: m.number("n")),
        ("n: 1e999", lambda m: m.number("n")),
        ("n: 2", lambda m: m.flag("n", True)),
        ("n { }", lambda m: m.word("n")),
        ("n: 1", lambda m: m.message("n")),
        ("", lambda m: m.word("n")),
        ("n: AVERAGE", lambda m: m.choice("n", "MAX", ("MAX", "AVE"))),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(text: str, ask: object) -> None:
    with pytest.raises(WeightsError, match="n"):
        ask(parse(text))


def test_a_file_of_binary_or_too_large_or_missing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(b"\x0a\x04\xff\xfe\x00\x01")
    with pytest.raises(WeightsError, match=r"net\.prototxt, line"):
        prototxt.read(path)
    with path.open("wb") as file:
        file.truncate(prototxt.LARGEST + 1)
    with pytest.raises(WeightsError, match="larger than 4 MiB"):
        prototxt.read(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        prototxt.read(tmp_path / "absent")
