"""What kreuzberg reads of formats beside PDF, Word and web pages, on the smallest files of each."""

from collections.abc import Sequence

import pytest

from shared.domain.files import READABLE
from shared.providers.parsing.chunker import chunk
from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import sniff
from tests.fakes.documents import zipped

OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
FORMATS = "application/vnd.openxmlformats-officedocument."


def links(**targets: str) -> str:
    each = (
        f'<Relationship Id="r{n}" Target="{path}" Type="{LINK}/{kind[:-1]}"/>'
        for n, (kind, path) in enumerate(targets.items())
    )
    return f'<Relationships xmlns="{LINKS}">{"".join(each)}</Relationships>'


def package(main: str, kind: str, parts: dict[str, str]) -> bytes:
    types = f'<Types xmlns="{TYPES}"><Override PartName="/{main}" ContentType="{FORMATS}{kind}.main+xml"/></Types>'
    return zipped({"[Content_Types].xml": types, "_rels/.rels": links(officeDocument_=main), **parts})


def sheet(rows: Sequence[Sequence[str]] = (("lamp", "oil"), ("north", "340")), merged: str = "") -> bytes:
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )
    sheets = '<sheets><sheet name="Lamps" sheetId="1" r:id="r0"/></sheets>'
    book = f'<workbook xmlns="{SHEET}" xmlns:r="{LINK}">{sheets}</workbook>'
    parts = {
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": links(worksheet_="worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData>{merged}</worksheet>',
    }
    return package("xl/workbook.xml", "spreadsheetml.sheet", parts)


def slides() -> bytes:
    def slide(text: str) -> str:
        shape = f"<p:sp><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
        tree = f"<p:cSld><p:spTree>{shape}</p:spTree></p:cSld>"
        return f'<p:sld xmlns:p="{SLIDES}" xmlns:a="{DRAWING}">{tree}</p:sld>'

    ids = '<p:sldId id="256" r:id="r0"/><p:sldId id="257" r:id="r1"/>'
    deck = f'<p:presentation xmlns:p="{SLIDES}" xmlns:r="{LINK}"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>'
    parts = {
        "ppt/presentation.xml": deck,
        "ppt/_rels/presentation.xml.rels": links(slide_="slides/slide1.xml", slide2="slides/slide2.xml"),
        "ppt/slides/slide1.xml": slide("The bell"),
        "ppt/slides/slide2.xml": slide("cracked"),
    }
    return package("ppt/presentation.xml", "presentationml.presentation", parts)


def open_document() -> bytes:
    body = (
        "<text:h text:outline-level='1'>Lamps</text:h><text:p>The bell<text:tab/>cracked<text:line-break/>țară</text:p>"
    )
    spaces = f'xmlns:office="{OFFICE}:office:1.0" xmlns:text="{OFFICE}:text:1.0"'
    inner = f"<office:body><office:text>{body}</office:text></office:body>"
    content = f"<office:document-content {spaces}>{inner}</office:document-content>"
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


RTF = rb"{\rtf1\ansi\ansicpg1252{\info{\title Der Turm}}Der W\'e4rter\par \u537?ar\u259?\emdash\par}"
MAIL = "Subject: Țară\nFrom: ana@example.org\nContent-Type: text/html\n\n<p>One</p><p>Two</p>".encode()


@pytest.mark.parametrize(
    ("data", "name", "kind", "words"),
    [
        pytest.param(sheet(), "a", "xlsx", ["Lamps", "| lamp | oil |", "| north | 340 |"], id="a sheet"),
        pytest.param(slides(), "a", "pptx", ["The bell", "cracked"], id="slides"),
        pytest.param(open_document(), "a", "odt", ["# Lamps", "The bell cracked", "țară"], id="OpenDocument"),
        pytest.param(RTF, "a", "rtf", ["Der Wärter", "șară—"], id="rich text"),
        pytest.param(MAIL, "a.eml", "eml", ["# Țară", "ana@example.org", "One\n\nTwo"], id="a message"),
        pytest.param("nume;loc\nIon;țară".encode(), "a.csv", "csv", ["| Ion | țară |"], id="a table"),
    ],
)
def test_the_text_of_a_format_comes_through(data: bytes, name: str, kind: str, words: list[str]) -> None:
    mime_type = sniff(data, name)
    assert READABLE[mime_type] == kind
    text = KreuzbergParser().parse(data, mime_type).text
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("merged", ["", '<mergeCells count="1"><mergeCell ref="A1:C1"/></mergeCells>'])
def test_each_passage_of_a_sheet_has_its_headings_and_not_its_title(merged: str) -> None:
    above = [("Staff register", "", ""), ("as of 1 March", "", ""), ("", "", ""), ("Name", "Dept", "Phone")]
    data = sheet([*above, *((f"Employee {number}", "Lamps", f"{4000 + number}") for number in range(150))], merged)
    first, *others = chunk(KreuzbergParser().parse(data, sniff(data, "a.xlsx")).text, 120)
    assert "Staff register" in first.text
    assert "| Name | Dept | Phone |" in first.text
    assert len(others) > 10
    assert all(passage.text.startswith("| Name | Dept | Phone |\n| --- |") for passage in others)
