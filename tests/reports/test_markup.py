"""Text stays text, whatever is in it."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.reports.markup import Html, element, join


def test_text_and_attributes_are_escaped_and_markup_is_not_escaped_twice():
    inner = element("b", None, "1 < 2 & 3")
    assert inner == "<b>1 &lt; 2 &amp; 3</b>"
    assert element("p", {"title": 'a "quote"'}, inner) == f'<p title="a &quot;quote&quot;">{inner}</p>'


def test_none_is_left_out_as_child_and_as_attribute():
    assert element("p", {"class": None}, None, "a", None) == "<p>a</p>"
    assert join(None, None) == ""


def test_empty_elements_close_themselves_and_coordinates_have_two_decimals():
    assert element("line", {"x1": 1.23456, "x2": 2.0, "y1": 3}) == '<line x1="1.23" x2="2" y1="3"/>'


@given(st.text())
def test_any_text_comes_back_from_a_parser_but_for_what_no_document_may_hold(text: str):
    allowed = "".join(
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff") else "\ufffd"
        for c in text
    )
    parsed = ElementTree.fromstring(
        element("p", {"title": text.replace("\t", " ").replace("\n", " ").replace("\r", " ")}, text)
    )
    assert (parsed.text or "") == allowed.replace("\r\n", "\n").replace("\r", "\n")
    assert isinstance(element("p", None, text), Html)


def test_the_bytes_of_a_name_that_is_no_text_do_not_stop_the_page():
    name = b"caf\xe9.JPEG".decode("utf-8", "surrogateescape")
    assert element("p", None, name).encode("utf-8") == "<p>caf\N{REPLACEMENT CHARACTER}.JPEG</p>".encode()
