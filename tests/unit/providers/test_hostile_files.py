"""What a small file of parts makes of itself is bounded, and what a strange one breaks is its own reading."""

import io
import time
import tracemalloc
import zipfile
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest

from shared.errors import Refused
from shared.providers.files.archives import Archive, Unpackable
from shared.providers.office.drawings import text_of
from shared.providers.office.formulas import formula
from shared.providers.office.grid import Range, Row, as_markdown
from shared.providers.office.package import Package, Unread
from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import XLSX
from shared.providers.web import epub
from tests.architecture.sources import PRODUCT, sources
from tests.fakes.documents import EPUB_CONTAINER
from tests.fakes.office import book

OTHER_METHODS = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


def parse(data: bytes, kind: str = XLSX) -> str:
    return KreuzbergParser().read(data, kind).text


def packed(members: Mapping[str, str | bytes], method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_a_part_that_would_be_unpacked_whole_is_not_read_and_told(method: int) -> None:
    package = Package(packed({"word/document.xml": b"<a/>"}, method))
    with pytest.raises(Unread, match="packed in an unusual way"):
        package.tree("word/document.xml")


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_a_book_of_such_parts_is_refused_with_the_reason(method: int) -> None:
    with pytest.raises(Refused, match="packed in an unusual way"):
        epub.Book(packed({"META-INF/container.xml": EPUB_CONTAINER}, method))


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_no_way_to_a_member_opens_such_a_one(method: int) -> None:
    archive = Archive(io.BytesIO(packed({"a": b"a"}, method)))
    ways: list[Any] = [archive.open, archive.read]
    for way in ways:
        for name in ("a", archive.getinfo("a")):
            with pytest.raises(Unpackable):
                way(name)


def test_a_member_that_holds_more_than_it_says_is_not_unpacked_further() -> None:
    archive = Archive(io.BytesIO(packed({"a": b"a" * (32 << 20)}, zipfile.ZIP_DEFLATED)))
    archive.getinfo("a").file_size = 10
    tracemalloc.start()
    with pytest.raises(zipfile.BadZipFile):
        archive.read("a")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_one_place_opens_the_archives_of_others() -> None:
    opening = {source.path for source in sources(*PRODUCT) if any(source.calls("ZipFile"))}
    assert opening == set()
    assert {source.path for source in sources(*PRODUCT) if any(source.calls("Archive"))} == {
        "shared/providers/files/archives.py",
        "shared/providers/office/package.py",
        "shared/providers/web/epub.py",
    }


@pytest.mark.parametrize("kind", ["sub", "sup", "e", "lim", "num", "deg"])
@pytest.mark.parametrize("around", ["nary", "sSub", "sSup", "sSubSup", "limLow", "f", "rad", "d", "box"])
def test_a_formula_in_formulas_is_read_once(around: str, kind: str) -> None:
    inner = f"<{around}><{kind}>" * 40 + "<t>x</t>" + f"</{kind}></{around}>" * 40
    started = time.process_time()
    assert formula(ElementTree.fromstring(inner)).count("x") <= 1
    assert time.process_time() - started < 1


def test_a_sign_of_a_formula_is_short() -> None:
    long = f"<d><dPr><sepChr xmlns:m='m' m:val='{'-' * 1000}'/></dPr>{'<e><t>x</t></e>' * 3}</d>"
    assert formula(ElementTree.fromstring(long)) == "(x--x--x)"


@pytest.mark.parametrize(
    "area", [Range(1, 3, 5000, 1), Range(1, 1, 5000, 3), Range(1, 1, 5000, 1), Range(1, 5, 0, 5000), Range(1, 1, 1, 1)]
)
def test_merged_ranges_are_looked_at_no_more_than_they_may_be_repeated(area: Range) -> None:
    tall: dict[int, Row] = {number: {1: "a", 3: "b", 5: "c"} for number in range(1, 5001)}
    wide: dict[int, Row] = {1: dict.fromkeys(range(1, 5001), "c"), 2: {1: "a"}}
    started = time.process_time()
    for rows in (tall, wide):
        as_markdown(rows, [area] * 10_000)
    assert time.process_time() - started < 3


@pytest.mark.parametrize("area", ["A1:A2", "A2:A1", "A1:A1048576", "A1048576:A1"])
def test_a_merged_range_is_the_same_from_any_corner(area: str) -> None:
    cells = "<row><c t='str'><v>a</v></c><c t='str'><v>y</v></c></row><row><c/><c t='str'><v>x</v></c></row>"
    merged = f'<mergeCells><mergeCell ref="{area}"/></mergeCells>'
    assert "| a | y |\n| --- | --- |\n| a | x |" in parse(book({"A": cells + merged}))


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_document_type_in_two_bytes_a_letter_is_refused_and_a_part_without_is_read(codec: str) -> None:
    said = "<?xml version='1.0' encoding='UTF-16'?>{}<a>ț</a>"
    for kind in ("<!DOCTYPE a [<!ENTITY b 'c'>]>", ""):
        package = Package(packed({"a.xml": said.format(kind).encode(codec)}, zipfile.ZIP_DEFLATED))
        if not kind:
            assert package.tree("a.xml").text == "ț"
            assert [each.text for each in package.stream("a.xml", "a")] == ["ț"]
            continue
        with pytest.raises(Unread, match="document type"):
            package.tree("a.xml")


def test_what_is_said_to_be_hidden_and_cannot_be_is_read() -> None:
    cells = "<row><c t='str'><v>a</v></c></row><mergeCells><mergeCell hidden='1' ref='A1:A2'/></mergeCells>"
    assert "a" in parse(book({"A": cells}))


@pytest.mark.parametrize("level", ["inf", "nan", "1e9", "-1", "999999", "9" * 5000])
def test_a_level_that_is_none_is_bounded(level: str) -> None:
    look = f"<pPr lvl='{level}'><buAutoNum startAt='{level}'/></pPr>"
    assert len(text_of(ElementTree.fromstring(f"<b><p>{look}<t>x</t></p></b>"))) < 40
