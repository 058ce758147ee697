"""What a file is, whatever it is called."""

import io
import json
import struct
import tracemalloc
import zipfile

import pytest

from shared.errors import Invalid, Refused
from shared.providers.parsing import sniff
from tests.fakes.documents import EPUB_CONTAINER, docx, pdf, zipped

ABOUT_PDF = b"It looks so:\n%PDF-1.7\n1 0 obj\n<< >>\nendobj\nstartxref\n9\n%%EOF\nand so it ends."


def stored(members: dict[str, str]) -> bytes:
    """Return a zip file whose members can be read in its bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        pytest.param(pdf(["x"]), "a.txt", sniff.PDF, id="a PDF by another name"),
        pytest.param(docx(["x"]), "a", sniff.DOCX, id="Word"),
        pytest.param(zipped({"ppt/presentation.xml": ""}), "a.zip", sniff.PPTX, id="slides"),
        pytest.param(zipped({"xl/workbook.xml": ""}), "a.zip", sniff.XLSX, id="a sheet"),
        pytest.param(zipped({"mimetype": "application/epub+zip"}), "a", sniff.EPUB, id="a book"),
        pytest.param(b"<!DOCTYPE html><p>x", "a.txt", sniff.HTML, id="HTML by its doctype"),
        pytest.param(b"<!-- x -->\n<html>", "a", sniff.HTML, id="HTML after a comment"),
        pytest.param(b"<p>fragment</p>", "a.html", sniff.HTML, id="an HTML fragment"),
        pytest.param(b"a < b", "a.txt", sniff.PLAIN, id="text with a less-than"),
        pytest.param(b"# Title", "a.md", sniff.MARKDOWN, id="Markdown"),
        pytest.param(b"a,b\n1,2", "a.csv", sniff.CSV, id="CSV"),
        pytest.param(b'{"a": 1}\n\n{"a": 2}\n', "a.jsonl", sniff.JSONL, id="JSON lines"),
        pytest.param(b'{"a": 1}', "a.json", sniff.JSON, id="JSON"),
        pytest.param("țară".encode(), "a.pdf", sniff.PLAIN, id="text called a PDF"),
        pytest.param("ţară".encode("cp1250"), "a.txt", sniff.PLAIN, id="cp1250"),
        pytest.param("țară".encode("utf-16"), "a.txt", sniff.PLAIN, id="UTF-16"),
        pytest.param(b"A PDF begins with %PDF-1.7, it says.", "a.txt", sniff.PLAIN, id="a text about PDF"),
        pytest.param(b"GIF89a is a format.", "a.txt", sniff.PLAIN, id="a text about GIF"),
        pytest.param(b"Rar! she cried.", "a.txt", sniff.PLAIN, id="a text that cries"),
        pytest.param(b"MZ is where I live.", "a.txt", sniff.PLAIN, id="a text that begins like a program"),
        pytest.param(ABOUT_PDF, "a.txt", sniff.PLAIN, id="a text that shows a PDF"),
        pytest.param(b"%PDF-1.7 is how a PDF begins.", "a.md", sniff.MARKDOWN, id="a text that begins with PDF's mark"),
        pytest.param(b"#!important is CSS, #1 obj", "a.txt", sniff.PLAIN, id="a text that begins almost like a script"),
        pytest.param(b"%PDF-1.4\r", "a", sniff.PDF, id="a PDF that is cut off early"),
        pytest.param(b"junk of some server\n" + pdf(["x"]), "a", sniff.PDF, id="a PDF behind a line"),
        pytest.param(
            stored({"[Content_Types].xml": f"{sniff.DOCX}.main+xml", "a": "%PDF-"}), "a", sniff.DOCX, id="Word"
        ),
        pytest.param(zipped({"mimetype": sniff.ODT}), "a", sniff.ODT, id="OpenDocument"),
        pytest.param(b"<!--" + b"x" * 9000 + b"--><html>", "a", sniff.HTML, id="HTML after a long licence"),
        pytest.param(b"\n\x01junk" + pdf(["x"]), "a", sniff.PDF, id="a PDF behind other bytes"),
    ],
)
def test_the_content_decides(data: bytes, name: str, expected: str) -> None:
    assert sniff.sniff(data, name) == expected


@pytest.mark.parametrize("said", ["{}\r\n", "\ufeff{}", " \t{} ", "{}\0", "application/zip", "", None, "{}; version=3"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_book_is_one_although_its_type_is_written_badly_or_not_at_all(said: str | None, method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        if said is not None:
            archive.writestr("mimetype", said.format(sniff.EPUB))
        archive.writestr("META-INF/container.xml", EPUB_CONTAINER)
    assert sniff.sniff(out.getvalue(), "a.zip") == sniff.EPUB


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize(
    "member", ["mimetype", "META-INF/container.xml", "META-INF/manifest.xml", "[Content_Types].xml"]
)
def test_a_member_that_would_be_unpacked_whole_is_not_opened(method: int, member: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(member, b" " * (32 << 20))
    tracemalloc.start()
    with pytest.raises(Refused, match="packed in an unusual way"):
        sniff.sniff_file(io.BytesIO(out.getvalue()), "a.docx")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * sniff.HEAD


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        pytest.param(b"MZ\x90\0" + b"\0" * 60, "book.pdf", "Windows program", id="a program called a PDF"),
        pytest.param(b"\x7fELF\x02", "a.txt", "Linux program", id="an ELF"),
        pytest.param(b"\x7fELF", "a.txt", "Linux program", id="four bytes of an ELF"),
        pytest.param(b"\xcf\xfa\xed\xfe", "a", "macOS program", id="Mach-O"),
        pytest.param(b"#!/bin/sh\nrm -rf", "a.txt", "script", id="a script"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "a.pdf", "image", id="an image"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1", "a.docx", "encrypted Office", id="an encrypted or old Office file"),
        pytest.param(zipped({"a.txt": "x"}), "a.docx", "archive", id="a zip"),
        pytest.param(bytes(range(256)), "a.txt", "binary", id="noise"),
        pytest.param(b"text\0text", "a.txt", "binary", id="a NUL in text"),
    ],
)
def test_what_is_no_document_is_refused_with_a_reason(data: bytes, name: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        sniff.sniff(data, name)


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        pytest.param(b"", "a.pdf", "empty", id="empty"),
        pytest.param(b" \n\t", "a.txt", "no text", id="blank"),
        pytest.param(docx(["x"])[:200], "a.docx", "damaged", id="half a zip"),
        pytest.param(b'{"a": 1}\nnonsense', "a.jsonl", "line 2", id="a line that is no JSON"),
        pytest.param(b'{"a": "\xe9"}', "a.jsonl", "line 1 is not UTF-8", id="a line in another encoding"),
        pytest.param(b"\n \n", "a.jsonl", "no text", id="blank lines"),
        pytest.param(b"[" + b" " * (1 << 20), "a.jsonl", "line 1 is longer than 256 KiB: a line", id="an endless line"),
        pytest.param(b"{", "a.json", "not JSON", id="broken JSON"),
    ],
)
def test_a_broken_file_is_invalid_with_a_reason(data: bytes, name: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        sniff.sniff(data, name)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param("ș\r\nț\r".encode(), "ș\nț\n", id="line ends"),
        pytest.param("\ufeffx".encode(), "x", id="a byte order mark"),
        pytest.param("Ştefan".encode("cp1250"), "Ştefan", id="cp1250"),
    ],
)
def test_text_is_decoded(data: bytes, text: str) -> None:
    assert sniff.decode_text(data) == text


def test_a_large_file_is_not_held_in_memory() -> None:
    files = {"a.jsonl": b'{"text": "One."}\n' * 1_000_000, "a.json": b"[" + b"1," * 8_000_000, "a.docx": large_docx()}
    for name, data in files.items():
        file = io.BytesIO(data)
        tracemalloc.start()
        sniff.sniff_file(file, name)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10 * sniff.HEAD, name


@pytest.mark.parametrize("value", ["[]", "{}", "[[]]", '{"a":[0]}', "1e9"])
def test_a_line_of_json_of_any_length_costs_little_memory(value: str) -> None:
    line = ("[" + ",".join([value] * (8_000_000 // (len(value) + 1))) + "]").encode()
    tracemalloc.start()
    with pytest.raises(Invalid, match="line 1 is longer"):
        sniff.sniff_file(io.BytesIO(line), "a.jsonl")
    sniff.sniff_file(io.BytesIO(line[:200_000].rpartition(b",")[0] + b"]"), "a.jsonl")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * sniff.HEAD


def test_the_longest_quote_fits_a_line_however_it_is_written() -> None:
    quote = json.dumps({"text": "\U0001f600" * 20_000}).encode()
    assert sniff.sniff(quote + b"\n" + quote, "a.jsonl") == sniff.JSONL


@pytest.mark.parametrize("letter", ["ț", "€", "😀"])
@pytest.mark.parametrize("before", range(4))
def test_a_long_line_is_not_refused_for_where_its_head_ends(letter: str, before: int) -> None:
    text = "a" * before + letter * (sniff.HEAD // 2)
    assert sniff.sniff(text.encode(), "a.txt") == sniff.PLAIN


def large_docx() -> bytes:
    return stored({"word/document.xml": "x" * (16 << 20)})


@pytest.mark.parametrize("place", [12, 40])
def test_an_archive_whose_list_of_members_would_fill_the_memory_is_refused(place: int) -> None:
    mark, size = (b"PK\x05\x06", "<L") if place == 12 else (b"PK\x06\x06", "<Q")
    end = mark + bytes(place - 4) + struct.pack(size, 48 << 20) + bytes(40)
    with pytest.raises(Refused, match="too many files"):
        sniff.sniff(zipped({"word/document.xml": ""}) + end, "a.docx")
