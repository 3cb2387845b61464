"""Box XML: the challenge's own files, whatever else is well-formed, and what is refused."""

import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilsvrc.data import annotations
from ilsvrc.data.annotations import parse_annotation, read_boxes
from ilsvrc.errors import DataError

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "devkit"


def xml(*objects: tuple[str, str, str, str, str], head: str = "", order: str = "xmin ymin xmax ymax") -> bytes:
    """A file as the challenge writes it; objects are a name and xmin, ymin, xmax, ymax."""
    parts = ["<annotation>\n\t<folder>val</folder>\n\t<filename>a</filename>\n", head]
    parts.append("\t<source>\n\t\t<database>ILSVRC_2012</database>\n\t</source>\n")
    parts.append("\t<size>\n\t\t<width>500</width>\n\t\t<height>375</height>\n\t</size>\n")
    for name, *numbers in objects:
        corners = dict(zip(("xmin", "ymin", "xmax", "ymax"), numbers, strict=True))
        box = "".join(f"\t\t\t<{tag}>{corners[tag]}</{tag}>\n" for tag in order.split())
        parts.append(f"\t<object>\n\t\t<name>{name}</name>\n\t\t<bndbox>\n{box}\t\t</bndbox>\n\t</object>\n")
    return ("".join(parts) + "</annotation>\n").encode()


TENCH, FOX = ("n01440764", "1", "2", "30", "40"), ("n02119789", "0", "0", "499.5", "374")


@pytest.mark.parametrize("order", ["xmin ymin xmax ymax", "xmin xmax ymin ymax", "ymax xmax ymin xmin"])
def test_coordinates_are_read_by_their_tags_in_either_order(order):
    found = parse_annotation(xml(TENCH, FOX, order=order), "a.xml")
    assert found.wnids == ("n01440764", "n02119789")
    assert found.boxes.tolist() == [[1, 2, 30, 40], [0, 0, 499.5, 374]]
    assert (found.width, found.height) == (500, 375)


def test_an_image_may_have_no_object():
    assert parse_annotation(xml(), "a.xml").boxes.shape == (0, 4)


@pytest.mark.parametrize(
    "head",
    ["\t<!-- a comment -->\n", "\t<owner><name>someone</name></owner>\n", "\t<segmented>0</segmented>\n", "\t<x/>"],
)
def test_unknown_tags_and_comments_change_nothing(head):
    assert parse_annotation(xml(TENCH, head=head), "a.xml") == parse_annotation(xml(TENCH), "a.xml")


def test_parts_of_an_object_are_not_objects():
    part = b"<part><name>head</name><bndbox><xmin>5</xmin></bndbox></part></object>"
    assert parse_annotation(xml(TENCH).replace(b"</object>", part), "a.xml").wnids == ("n01440764",)


def test_other_encodings_and_predefined_characters_are_read():
    text = xml(("a&amp;b", "1", "2", "30", "40")).decode()
    assert parse_annotation(f'<?xml version="1.0" encoding="UTF-16"?>{text}'.encode("utf-16"), "a.xml").wnids == (
        "a&b",
    )


BOMB = """<!DOCTYPE annotation [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "start", [BOMB, "<!DOCTYPE annotation>", '<!DOCTYPE annotation SYSTEM "file:///etc/passwd">', "\n <!DOCTYPE a []>"]
)
def test_a_document_type_is_refused_before_anything_is_expanded(start, encoding):
    data = (start + xml(TENCH).decode().replace("val<", "&c;<")).encode(encoding)
    with pytest.raises(DataError, match=r"a\.xml declares a document type"):
        parse_annotation(data, "a.xml")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not well-formed"),
        (xml(TENCH)[:-20], "not well-formed"),
        (xml(TENCH) + b"<more/>", "not well-formed"),
        (b"<html></html>", "is a <html>, not an <annotation>"),
        (xml(TENCH).replace(b"<ymax>40</ymax>", b""), "has no <ymax> in object 1"),
        (xml(TENCH).replace(b"<name>n01440764</name>", b""), "has no <name> in object 1"),
        (xml(TENCH, TENCH).replace(b"<xmin>1<", b"<xmin>1</xmin><xmin>1<", 1), "has two <xmin> in object 1"),
        (xml(("n01440764", "one", "2", "3", "4")), "has 'one' where a coordinate"),
        (xml(("n01440764", "nan", "2", "3", "4")), "has 'nan' where a coordinate"),
        (xml(("n01440764", "1_0", "2", "3", "4")), "has '1_0' where a coordinate"),
        (xml(("n01440764", "&lol;", "2", "3", "4")), "not well-formed"),
        (b"\xff\xfe\x00", "not well-formed"),
        (b'<?xml version="1.0" encoding="none"?><annotation/>', "not well-formed"),
    ],
)
def test_what_is_no_annotation_is_refused_by_name(data, fault):
    with pytest.raises(DataError, match=re.escape(fault)) as caught:
        parse_annotation(data, "a.xml")
    assert "a.xml" in str(caught.value)


def test_tags_nested_a_hundred_thousand_deep_cost_no_more_than_they_should():
    deep = b"<annotation>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</annotation>"
    assert parse_annotation(deep, "a.xml").wnids == ()


@pytest.mark.slow
@given(st.binary(max_size=80) | st.text("<>/abondry&;! []\"'", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    for whole in (data, xml(TENCH)[:120] + data + xml(TENCH)[120:], xml(TENCH) + data):
        try:
            parse_annotation(whole, "a.xml")
        except DataError as error:
            message = str(error)
        else:
            message = "a.xml"
        assert "a.xml" in message


coordinate = st.integers(-5, 5000).map(str) | st.decimals(-9, 999, places=3).map(str)
things = st.lists(st.tuples(st.sampled_from(["n01440764", "n02119789"]), *[coordinate] * 4), max_size=4)


@given(things, st.sampled_from(["xmin ymin xmax ymax", "xmin xmax ymin ymax"]))
def test_the_pattern_and_the_parser_read_the_same(objects, order):
    data = xml(*objects, order=order)
    known = annotations._parse_known(data)
    assert known is not None
    assert known == annotations._parse_any(data, "a.xml")


def packed(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


FILES = {
    "val/b.xml": xml(FOX),
    "val/c.xml": xml(),
    "val/a.xml": xml(TENCH, FOX),
    "val/notes.txt": b"no",
    "val/._a.xml": b"no",
}


@pytest.fixture(params=["folder", "w", "w:gz", "w:xz"])
def place(request, tmp_path):
    """The same files in a folder and in tars."""
    if request.param != "folder":
        return packed(tmp_path / "boxes.tar", FILES, request.param)
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path / "val"


def test_images_come_sorted_by_file_name_from_folder_and_tar(place):
    found = read_boxes(place)
    assert found.names == ("a", "b", "c")
    assert found.image.tolist() == [0, 0, 1]
    assert found.wnids == ("n01440764", "n02119789", "n02119789")
    assert np.array_equal(found.box[0], [1, 2, 30, 40])


def test_named_images_come_in_the_order_of_their_names(place):
    found = read_boxes(place, ["c", "b"])
    assert (found.names, found.image.tolist()) == (("c", "b"), [1])


def test_a_missing_file_is_refused_by_name(place):
    with pytest.raises(DataError, match=r"has a fault: d\.xml is missing"):
        read_boxes(place, ["a", "d"])


def test_all_bad_files_are_counted_and_ten_named(tmp_path):
    files = {f"{i:02d}.xml": b"<a" for i in range(15)} | {"20.xml": xml(TENCH)}
    with pytest.raises(DataError, match=r"has 15 faults: 00\.xml is not well-formed .*; and 5 more"):
        read_boxes(packed(tmp_path / "boxes.tar.gz", files))


def test_a_file_that_occurs_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a\.xml occurs twice"):
        read_boxes(packed(tmp_path / "boxes.tar", {"x/a.xml": xml(TENCH), "y/a.xml": xml(FOX)}, "w"))


def test_folders_and_tars_without_xml_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no \.xml file is in it"):
        read_boxes(tmp_path)
    with pytest.raises(DataError, match=r"no \.xml file is in it"):
        read_boxes(packed(tmp_path / "boxes.tar", {"a.txt": b""}, "w"))
    with pytest.raises(DataError, match="does not exist"):
        read_boxes(tmp_path / "none.tar")
    (tmp_path / "no.tar").write_text("no tar at all")
    with pytest.raises(DataError, match="is no tar or a truncated one"):
        read_boxes(tmp_path / "no.tar")


def test_a_file_that_unfolds_to_more_than_any_annotation_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(annotations, "LARGEST", 1000)
    with pytest.raises(DataError, match=r"a\.xml in .*boxes\.tar has 5,000 bytes"):
        read_boxes(packed(tmp_path / "boxes.tar", {"val/a.xml": b" " * 5000}))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_truncated_tar_is_refused(tmp_path, mode):
    files = {f"{i:03d}.xml": xml(("n01440764", str(i), str(i * 7919 % 97), "300", "300")) for i in range(200)}
    whole = packed(tmp_path / "boxes.tar", files, mode).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError):
        read_boxes(tmp_path / "cut.tar", [name.removesuffix(".xml") for name in files])


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the official kits' files are not beside the project")
def test_the_official_detection_files_all_have_the_known_shape():
    found = read_boxes(SHARED / "ilsvrc13_det_val2_bbox.tar.gz")
    assert (len(found.names), len(found.wnids)) == (9917, 26_782)
    assert len(found.names) - len(np.unique(found.image)) == 677
    assert int((found.box == 0).any(axis=1).sum()) == 2785
