"""What reads a user's text looks at each part of it once, however the text is made."""

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Invalid, PersonaeError
from shared.providers.intake import open_uri
from shared.providers.network.outbound import Outbound
from shared.providers.parsing.sniff import EML, HTML, PLAIN, decode_text, sniff

MEGABYTE = 1_000_000
PREFIXES = [
    "<!---->",
    "<!--",
    "<?xml>",
    "<?xml",
    "<head>",
    "<head ",
    "</head",
    "<title>",
    "<title ",
    "</title ",
    " ",
    "-->",
    "<",
]


def within_a_second(work: Callable[[], object]) -> None:
    started = time.process_time()
    work()
    assert time.process_time() - started < 1


@pytest.mark.capability("C199")
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_megabyte_of_a_markup_is_looked_at_once(prefix: str) -> None:
    text = (prefix * MEGABYTE)[:MEGABYTE] + "x"
    within_a_second(lambda: sniff(text.encode(), "a.txt"))


@pytest.mark.capability("C199")
@pytest.mark.parametrize("unit", ["1234 ", "1234-", "1234", "a ", "1234 a\r"])
def test_the_first_line_of_a_mailbox_is_looked_at_once(unit: str) -> None:
    within_a_second(lambda: sniff(("From x " + unit * MEGABYTE)[:MEGABYTE].encode(), "a.txt"))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        pytest.param("From a@b.c Mon Jan  1 00:00:00 2030", EML, id="a mailbox"),
        pytest.param("From a@b.c 2030 +0100 remote", EML, id="words behind the year"),
        pytest.param("From a to b", PLAIN, id="a sentence"),
        pytest.param("From 2030 on", PLAIN, id="a year in the place of the sender"),
    ],
)
def test_a_mailbox_is_one_by_the_year_in_its_first_line(line: str, kind: str) -> None:
    assert sniff(f"{line}\nSubject: in 2030\n\nText.".encode(), "a.txt") == kind


@pytest.mark.capability("C199")
@pytest.mark.parametrize("declaration", ["<meta charset={}>", "<?xml encoding='{}'?>"])
@pytest.mark.parametrize("codec", ["punycode", "idna", "utf-7", "unicode_escape", "raw_unicode_escape", "hz", "zlib"])
def test_a_codec_that_no_page_is_in_is_not_run(codec: str, declaration: str) -> None:
    letters = b"a" * 100_000
    page = declaration.format(codec).encode() + b"\x1b(J" + letters + b"-" + letters
    within_a_second(lambda: sniff(page, "a.html"))


@pytest.mark.parametrize("codec", ["rot13", "cp037", "utf-7", "unicode_escape", "undefined", "hex", "U16", "utf_16_le"])
def test_a_page_is_not_read_in_a_codec_that_no_page_is_in(codec: str) -> None:
    page = f"<meta charset={codec}><p>Près de là, les élèves \\u0041 +AGE-".encode("cp1252")
    assert "Près de là, les élèves \\u0041 +AGE-" in decode_text(page)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("<!---->" * 24 + "x", PLAIN, id="comments before a text"),
        pytest.param(
            "<!-- a -->\n<?xml version='1.0'?>\n<!-- b --><!DOCTYPE html><p>x", HTML, id="comments before a page"
        ),
        pytest.param("<!-- never closed <html>", PLAIN, id="an open comment"),
        pytest.param("  <BODY class=a>x", HTML, id="a body"),
        pytest.param("<header>x", PLAIN, id="another element"),
    ],
)
def test_a_page_begins_behind_its_comments(text: str, kind: str) -> None:
    assert sniff(text.encode(), "a.txt") == kind


def broken_zip(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("mimetype", "application/epub+zip" * 40)
    data = bytearray(out.getvalue())
    start = data.index(b"mimetype") + len("mimetype")
    data[start : start + 16] = b"\xff" * 16
    return bytes(data)


@pytest.mark.capability("C199")
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_with_a_broken_member_is_damaged(method: int) -> None:
    with pytest.raises(Invalid, match="damaged"):
        sniff(broken_zip(method), "a.epub")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_json_that_is_too_deep_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="not JSON"):
        sniff(b"[" * 100_000, name)


@pytest.mark.parametrize("uri", ["http://[", "http://[::1", "http://a]b/", "https://[v1.x]/"])
def test_what_is_no_uri_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(PersonaeError):
        open_uri(uri, roots=[tmp_path])
    with pytest.raises(PersonaeError):
        Outbound().check_form(uri)
