"""What the library loses of a PDF is mended, and its end is looked for where it is."""

import io

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject

from services.ingestion import steps
from shared.providers import pdf
from shared.providers.parser import KreuzbergParser, Parsed, join_pages
from shared.providers.sniff import PDF
from tests.fakes import documents

PAGE = documents.pdf(["The keeper signs here."])


def mended(text: str, *others: str) -> str:
    return pdf.mend_page(text, pdf.words_of([text, *others]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("light\x02house", "lighthouse", id="parted at the end of a line"),
        pytest.param("light\x02\nhouse", "lighthouse", id="with the line's end"),
        pytest.param("ERR\x024711", "ERR-4711", id="a code"),
        pytest.param("well\x02known", "well-known", id="a compound"),
        pytest.param("co\x02operation of co-operation", "co-operation of co-operation", id="hyphenated elsewhere"),
        pytest.param("Jean\x02Paul", "Jean-Paul", id="names"),
        pytest.param("școa\x02lă", "școală", id="letters of any alphabet"),
    ],
)
def test_words_that_a_line_parted_are_whole(text: str, expected: str) -> None:
    assert mended(text) == expected


@pytest.mark.parametrize(
    ("given", "read"),
    [
        pytest.param("השומר ידי על נכתב המגדלור ספר", "ספר המגדלור נכתב על ידי השומר", id="Hebrew"),
        pytest.param("בנמל 1890 בשנת", "בשנת 1890 בנמל", id="a number inside"),
        pytest.param("של Tin Bay ספר", "ספר Tin Bay של", id="Latin words inside"),
        pytest.param("المنارة كتاب", "كتاب المنارة", id="Arabic"),
        pytest.param("the word ספר here", "the word ספר here", id="a Hebrew word in a line of Latin"),
        pytest.param("No such letters", "No such letters", id="none"),
    ],
)
def test_lines_are_read_in_their_direction(given: str, read: str) -> None:
    assert mended(given) == read


@pytest.mark.parametrize("behind", [b"\0" * 5000, b"\n" * 5000, b"<html>" + b"x" * 5000 + b"</html>"])
def test_what_stands_behind_the_end_is_no_fault(behind: bytes) -> None:
    assert KreuzbergParser().parse(PAGE + behind, PDF).text == "The keeper signs here."


@pytest.mark.parametrize("cut", [PAGE[:-8], PAGE[: len(PAGE) // 2], b"%PDF-1.5\n%%EOF\n4 0 obj\n<<>>\nendobj"])
def test_a_pdf_without_its_end_is_not_whole(cut: bytes) -> None:
    assert not pdf.is_whole(cut)


def test_what_was_filled_into_a_form_is_read_with_its_name() -> None:
    writer, out = PdfWriter(io.BytesIO(PAGE)), io.BytesIO()
    field = DictionaryObject({NameObject("/FT"): NameObject("/Tx"), NameObject("/T"): TextStringObject("keeper")})
    field[NameObject("/Subtype")] = NameObject("/Widget")
    field[NameObject("/V")] = TextStringObject("Marrow Tinbay")
    kept = ArrayObject([writer._add_object(field)])  # the library has no other way
    writer.pages[0][NameObject("/Annots")] = kept
    writer.root_object[NameObject("/AcroForm")] = DictionaryObject({NameObject("/Fields"): kept})
    writer.write(out)
    assert PdfReader(out).get_fields() is not None
    assert "keeper: Marrow Tinbay" in KreuzbergParser().parse(out.getvalue(), PDF).text


def test_pages_without_text_are_named() -> None:
    facts = steps._without_text(join_pages(["First", "", "Third", " "]))
    assert facts == {"pages_without_text": [2, 4], "warning": "no text on page 2, 4"}
    assert steps._without_text(Parsed("no pages")) == {}


@pytest.mark.capability("C199")
@pytest.mark.parametrize("text", ["a\x02" * 100_000, "א " * 100_000, "-" * 200_000, "\x02" * 200_000])
def test_mending_looks_at_a_page_once(text: str) -> None:
    assert mended(text) is not None
