"""What the library loses of a PDF is mended, and its end is looked for where it is."""

import io
import pickle

import pytest
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject

from services.ingestion import steps
from shared.errors import Invalid
from shared.providers.parsing import parser
from shared.providers.parsing.parser import KreuzbergParser, Parsed, join_pages
from shared.providers.parsing.sniff import PDF
from shared.providers.pdf import pdf
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
        pytest.param("RFC\x022119 IN\x02FORMATION", "RFC-2119 INFORMATION", id="capitals"),
        pytest.param("up-to\x02date mother\x02in-law", "up-to-date mother-in-law", id="short words between hyphens"),
        pytest.param("well-estab\x02lished", "well-established", id="the second word of a compound"),
        pytest.param("the rock \x02 and\x02", "the rock - and-", id="no word behind it"),
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
        pytest.param(".המגדלור ,ספר", "ספר, המגדלור.", id="points"),
        pytest.param("בנמל) 1890 (בשנת", "בשנת (1890) בנמל", id="brackets"),
        pytest.param("12/11/1890 תאריך", "תאריך 12/11/1890", id="a date"),
        pytest.param("25% של", "של 25%", id="a share"),
        pytest.param("the ידי ספר word", "the ספר ידי word", id="Hebrew words in a line of Latin"),
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


def form(*fields: dict[str, object], page: bytes = PAGE, encrypted: str = "") -> bytes:
    writer, out = PdfWriter(io.BytesIO(page)), io.BytesIO()
    kept = ArrayObject()
    for field in fields:
        widget = DictionaryObject({NameObject(f"/{name}"): made(value) for name, value in field.items()})
        widget[NameObject("/Subtype")] = NameObject("/Widget")
        kept.append(writer._add_object(widget))  # the library has no other way
    writer.pages[0][NameObject("/Annots")] = kept
    writer.root_object[NameObject("/AcroForm")] = DictionaryObject({NameObject("/Fields"): kept})
    if encrypted:
        writer.encrypt("", "of the owner", algorithm=encrypted)
    writer.write(out)
    return out.getvalue()


def made(value: object) -> object:
    if isinstance(value, list):
        return ArrayObject(map(made, value))
    if isinstance(value, dict):
        return DictionaryObject({NameObject(f"/{name}"): made(each) for name, each in value.items()})
    return NameObject(value) if str(value).startswith("/") else TextStringObject(value)


def read(data: bytes) -> list[str]:
    return KreuzbergParser().parse(data, PDF).text.split("\n")[1:]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        pytest.param({"FT": "/Tx", "T": "keeper", "V": "Marrow Tinbay"}, ["keeper: Marrow Tinbay"], id="text"),
        pytest.param({"FT": "/Tx", "T": "a", "V": "one\rtwo"}, ["a: one two"], id="two lines"),
        pytest.param({"FT": "/Tx", "T": "a", "V": "Off"}, ["a: Off"], id="a word that means nothing here"),
        pytest.param({"FT": "/Tx", "T": "a", "V": "sign"}, ["a: sign"], id="a short one, part of a word of the page"),
        pytest.param({"FT": "/Tx", "T": "a", "V": "The keeper"}, [], id="a long one that the page tells"),
        pytest.param({"FT": "/Btn", "T": "agree", "V": "/Yes"}, ["agree: Yes"], id="a box"),
        pytest.param({"FT": "/Btn", "T": "agree", "V": "/Off"}, [], id="an empty box"),
        pytest.param({"FT": "/Ch", "T": "a", "V": ["red", "blue"]}, ["a: red, blue"], id="a choice of two"),
        pytest.param({"FT": "/Ch", "T": "a", "V": "x1", "Opt": [["x1", "The light"]]}, ["a: The light"], id="as shown"),
        pytest.param({"FT": "/Sig", "T": "a", "V": {"Name": "Ann"}}, [], id="a signature"),
        pytest.param({"T": "kid", "Parent": {"FT": "/Tx", "V": "of both"}}, ["kid: of both"], id="inherited"),
    ],
)
def test_what_was_filled_into_a_form_is_read_with_its_name(field: dict[str, object], told: list[str]) -> None:
    assert read(form(field)) == told
    assert read(form(field) + b"\0" * 5000) == told


def test_a_form_that_cannot_be_read_is_told_and_costs_nothing_else() -> None:
    parsed = KreuzbergParser().parse(form({"FT": "/Tx", "T": "a", "Parent": "no field"}), PDF)
    assert parsed.text == "The keeper signs here."
    assert "form could not be read" in steps._unread(parsed)["warning"]


class PanicException(BaseException):
    """What the library raises where its own code fails."""


def test_a_panic_of_the_library_is_the_failure_of_the_file() -> None:
    with pytest.raises(Invalid, match="failed on this file: byte index 26") as caught, parser._PanicIsInvalid():
        raise PanicException("byte index 26 is not a char boundary")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    with pytest.raises(KeyboardInterrupt), parser._PanicIsInvalid():
        raise KeyboardInterrupt


def test_control_characters_end_lines_or_go() -> None:
    assert parser.clean("a\x0bb\x0cc\rd\r\ne\x02f\x9fg\th") == "a\nb\nc\nd\nef" + "g\th"


def test_pages_without_text_are_named() -> None:
    facts = steps._unread(join_pages(["First", "", "Third", " "]))
    assert facts == {"pages_without_text": [2, 4], "warning": "no text on page 2, 4"}
    assert steps._unread(Parsed("no pages")) == {}


@pytest.mark.capability("C199")
@pytest.mark.parametrize("text", ["a\x02" * 100_000, "א " * 100_000, "-" * 200_000, "\x02" * 200_000])
def test_mending_looks_at_a_page_once(text: str) -> None:
    assert mended(text) is not None
