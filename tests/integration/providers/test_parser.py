"""kreuzberg on small real files."""

import pytest

from shared.errors import Invalid
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import CSV, DOCX, HTML, PDF, sniff
from tests.fakes.documents import docx, pdf

PAGES = ["Foxes live in woods.", "Hens live in yards.", "Whales live in seas."]


def parse(data: bytes, name: str = "") -> Parsed:
    return KreuzbergParser().parse(data, sniff(data, name))


def test_the_pages_of_a_pdf_have_their_places_in_the_text() -> None:
    parsed = parse(pdf(PAGES, title="Animals", author="Ann"))
    assert [parsed.text[page.start : page.end] for page in parsed.pages] == PAGES
    assert (parsed.title, parsed.author, parsed.page_count) == ("Animals", "Ann", 3)


def test_nul_characters_are_left_out_and_places_stay_exact() -> None:
    parsed = parse(pdf(["Foxes\\000 live.", *PAGES[1:]], title="Ani\\000mals", author="A\\000nn"))
    assert "\0" not in f"{parsed.text}{parsed.title}{parsed.author}"
    assert [parsed.text[page.start : page.end] for page in parsed.pages][1:] == PAGES[1:]


def test_a_place_in_the_text_leads_to_its_page() -> None:
    parsed = parse(pdf(PAGES))
    assert [parsed.page_at(parsed.text.index(word)) for word in ("Foxes", "yards", "Whales")] == [1, 2, 3]


def test_a_word_document_is_read_and_has_no_pages() -> None:
    parsed = parse(docx(["First paragraph", "A doua: țară"]))
    assert parsed.text.split("\n\n")[1].strip() == "A doua: țară"
    assert parsed.page_count is None


def test_a_web_page_becomes_markdown_without_its_head() -> None:
    page = "<html><head><title>Foxes &amp; hens</title></head><body><h1>Ținut</h1><script>x()</script><p>a</p></body>"
    parsed = parse(page.encode())
    assert parsed.text.strip() == "# Ținut\n\na"
    assert parsed.title == "Foxes & hens"


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        pytest.param("ţară".encode("cp1250"), "a.txt", "ţară", id="cp1250 text"),
        pytest.param(b"# H\r\n\r\ntext", "a.md", "# H\n\ntext", id="Markdown as it is"),
        pytest.param(b'{"a": 1}\n{"a": 2}', "a.jsonl", '{"a": 1}\n{"a": 2}', id="JSON lines as they are"),
    ],
)
def test_text_stays_as_it_is(data: bytes, name: str, text: str) -> None:
    assert parse(data, name).text == text


def test_a_table_is_read_in_its_own_encoding() -> None:
    assert "ţară" in KreuzbergParser().parse("nume,loc\nIon,ţară\n".encode("cp1250"), CSV).text


ENCRYPTED = pdf(PAGES).replace(
    b"/Root 1 0 R",
    b"/Root 1 0 R /ID [(a)(a)] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O ("
    + b"0" * 32
    + b") /U ("
    + b"0" * 32
    + b") >>",
)


@pytest.mark.parametrize(
    ("data", "mime_type", "said"),
    [
        pytest.param(pdf(PAGES)[:500], PDF, "cut off", id="a truncated PDF"),
        pytest.param(b"%PDF-1.4\nnoise\n%%EOF", PDF, "damaged", id="a garbled PDF"),
        pytest.param(ENCRYPTED, PDF, "encrypted", id="an encrypted PDF"),
        pytest.param(pdf([""]), PDF, "no text", id="a PDF without text"),
        pytest.param(b"PK\x03\x04 noise", DOCX, "damaged", id="a garbled Word file"),
        pytest.param(b"<html><body></body></html>", HTML, "no text", id="an empty web page"),
    ],
)
def test_what_cannot_be_read_is_invalid_with_a_reason(data: bytes, mime_type: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        KreuzbergParser().parse(data, mime_type)
