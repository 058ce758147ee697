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
from shared.providers.office.formulas import formula
from shared.providers.office.package import Package, Unread
from shared.providers.web import epub
from tests.architecture.sources import PRODUCT, sources
from tests.fakes.documents import EPUB_CONTAINER

OTHER_METHODS = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


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
