"""The words of OpenDocuments are read, or their loss is told."""

from collections.abc import Mapping

import pytest

from shared.domain.files import READABLE
from shared.errors import Invalid
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import ODP, ODS, ODT, sniff
from tests.fakes.documents import zipped

KINDS = "office text table draw style meta chart presentation".split()
OASIS = "urn:oasis:names:tc:opendocument:xmlns"
SPACES = " ".join(f'xmlns:{kind}="{OASIS}:{kind}:1.0"' for kind in KINDS)
SPACES += ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
SPACES += f' xmlns:svg="{OASIS}:svg-compatible:1.0"'


def part(inner: str, kind: str = "document-content") -> str:
    return f"<office:{kind} {SPACES}>{inner}</office:{kind}>"


def document(body: str, kind: str = "text", styles: str = "", parts: Mapping[str, str] | None = None) -> bytes:
    mime_type = {"text": ODT, "spreadsheet": ODS, "presentation": ODP}[kind]
    body = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    content = part(f"<office:automatic-styles>{styles}</office:automatic-styles>{body}")
    return zipped({"mimetype": mime_type, "content.xml": content, **(parts or {})})


def parse(data: bytes, kind: str = ODT) -> Parsed:
    assert sniff(data, "a") == kind
    assert kind in READABLE
    return KreuzbergParser().parse(data, kind)


def read(body: str, styles: str = "") -> str:
    return parse(document(body, styles=styles)).text


def p(text: str) -> str:
    return f"<text:p>{text}</text:p>"


NOTE = (
    '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
    "<text:note-body><text:p>{}</text:p></text:note-body></text:note>"
)


def test_a_note_is_marked_once_and_told_once() -> None:
    body = p(f"One{NOTE.format('At the foot.')} two{NOTE.format('At the end.')}.")
    assert read(body) == "One[1] two[2].\n\n[1] At the foot.\n\n[2] At the end."


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(p('a<text:s text:c="2"/>b<text:tab/>c<text:line-break/>d'), "a  b c\nd", id="spaces"),
        pytest.param(p("a\n   b <text:span> c</text:span>"), "a b  c", id="blanks of the file"),
        pytest.param(
            "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:p>here</text:p>",
            "here",
            id="deleted",
        ),
        pytest.param("<text:section><text:p>in</text:p></text:section>", "in", id="a section"),
        pytest.param('<text:h text:outline-level="2">Top</text:h>', "## Top", id="a heading"),
        pytest.param(
            p("x<office:annotation><dc:creator>Ana</dc:creator><text:p>Too dear?</text:p></office:annotation>"),
            "x[1]\n\n[1] Comment (Ana): Too dear?",
            id="a comment",
        ),
        pytest.param(
            p("x<draw:frame><draw:text-box><text:p>Boxed</text:p></draw:text-box></draw:frame> y"),
            "x y\n\nBoxed",
            id="a box",
        ),
        pytest.param(p("<draw:frame><draw:image/><svg:desc>A barn</svg:desc></draw:frame>"), "A barn", id="a picture"),
        pytest.param(
            p("<text:ruby><text:ruby-base>a</text:ruby-base><text:ruby-text>b</text:ruby-text></text:ruby>"),
            "a(b)",
            id="above",
        ),
        pytest.param(
            "<table:table><table:table-header-rows><table:table-row><table:table-cell table:number-columns-spanned='2'>"
            f"{p('Catch')}</table:table-cell><table:covered-table-cell/></table:table-row></table:table-header-rows>"
            f"<table:table-row><table:table-cell>{p('1')}{p('2')}</table:table-cell><table:table-cell>{p('a|b')}"
            "</table:table-cell></table:table-row></table:table>",
            "| Catch | Catch |\n| --- | --- |\n| 1 2 | a\\|b |",
            id="a table",
        ),
    ],
)
def test_what_a_text_holds_is_read(body: str, text: str) -> None:
    assert read(body) == text


LEVELS = (
    '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" '
    'style:num-suffix="."/><text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"/>'
    '<text:list-level-style-bullet text:level="3"/></text:list-style>'
    '<text:outline-style><text:outline-level-style text:level="1" style:num-format="1"/>'
    '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>'
)


def test_the_numbers_of_lists_and_headings_are_read() -> None:
    def item(inner: str) -> str:
        return f"<text:list-item>{inner}</text:list-item>"

    deepest = f"<text:list>{item(p('y'))}</text:list>"
    deep = f"<text:list>{item(p('x') + deepest)}{item(p('z'))}</text:list>"
    again = f'<text:list text:style-name="L" text:continue-numbering="true">{item(p("three"))}</text:list>'
    lists = f'<text:list text:style-name="L">{item(p("one") + deep)}{item(p("two") + deep)}</text:list>{p("-")}{again}'
    heads = "".join(f'<text:h text:outline-level="{level}">H</text:h>' for level in (1, 2, 2, 1))
    assert read(lists + heads, LEVELS).split("\n") == [
        *("1. one", "  a) x", "    - y", "  b) z", "2. two", "  a) x", "    - y", "  b) z", "", "-", "", "3. three"),
        *("", "# 1 H", "", "## 1.1 H", "", "## 1.2 H", "", "# 2 H"),
    ]


def test_the_edges_of_pages_and_what_a_document_says_of_itself_are_read() -> None:
    foot = p("IBAN DE00") + p("Page <text:page-number>3</text:page-number>")
    edge = f"<style:header>{p('File 772')}</style:header><style:footer>{foot}</style:footer>"
    pages = f"<office:master-styles><style:master-page>{edge}</style:master-page></office:master-styles>"
    meta = "<office:meta><dc:title>Letter</dc:title><meta:initial-creator>Ana</meta:initial-creator></office:meta>"
    parts = {"styles.xml": part(pages, "document-styles"), "meta.xml": part(meta, "document-meta")}
    parsed = parse(document(p("Text."), parts=parts))
    assert (parsed.text, parsed.title, parsed.author) == ("File 772\n\nText.\n\nIBAN DE00", "Letter", "Ana")


def test_a_comment_on_the_edge_of_a_page_is_told() -> None:
    comment = "<office:annotation><text:p>Old name</text:p></office:annotation>"
    edge = f"<style:footer>{p('File 772' + comment)}</style:footer>"
    pages = f"<office:master-styles><style:master-page>{edge}</style:master-page></office:master-styles>"
    parsed = parse(document(p(f"One{NOTE.format('Two.')}"), parts={"styles.xml": part(pages, "document-styles")}))
    assert parsed.text == "One[1]\n\nFile 772[2]\n\n[1] Two.\n\n[2] Comment: Old name"


OBJECT = p('<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>')
CELL = "<table:table-cell>{}</table:table-cell>"


def test_charts_and_formulas_are_read_and_other_objects_told() -> None:
    rows = "".join(
        f"<table:table-row>{CELL.format(p(a))}{CELL.format(p(b))}</table:table-row>"
        for a, b in (("", "Ships"), ("May", "73"))
    )
    chart = part(
        f"<chart:chart><chart:title>{p('Traffic')}</chart:title><table:table>{rows}</table:table></chart:chart>"
    )
    parsed = parse(document(OBJECT, parts={"Object 1/content.xml": chart}))
    assert parsed.text == "Traffic\n\n|  | Ships |\n| --- | --- |\n| May | 73 |"
    power = "<msup><mi>c</mi><mn>2</mn></msup><mo>/</mo><mfrac><mi>a</mi><mi>b</mi></mfrac>"
    math = f"<math><semantics><mrow><mi>E</mi><mo>=</mo>{power}</mrow><annotation>x</annotation></semantics></math>"
    assert parse(document(OBJECT, parts={"Object 1/content.xml": math})).text == "E=c^2/a/b"
    lost = parse(document(p("Text.") + OBJECT))
    assert lost.warnings == ["an embedded object was not read: it is missing in the file"]


def cell(text: str = "", about: str = "") -> str:
    return f"<table:table-cell {about}>{p(text) if text else ''}</table:table-cell>"


def sheet(*rows: str, about: str = "") -> str:
    lines = "".join(
        row if row.startswith("<table:table-row") else f"<table:table-row>{row}</table:table-row>" for row in rows
    )
    return f'<table:table table:name="A" {about}>{lines}</table:table>'


def test_the_cells_of_a_sheet_are_read_as_they_are_shown() -> None:
    price = cell("12,50 €", 'office:value-type="currency" office:value="12.5"')
    merged = cell("B-19", 'table:number-rows-spanned="2"')
    covered = "<table:covered-table-cell/>"
    blank = '<table:table-cell table:number-columns-repeated="16384"/>'
    empty = f'<table:table-row table:number-rows-repeated="1048570">{blank}</table:table-row>'
    comment = cell("x").replace("<text:p>", "<office:annotation><text:p>Anselm</text:p></office:annotation><text:p>", 1)
    rows = [
        cell("Barrel") + cell("Price"),
        merged + price,
        covered + comment,
        empty,
        cell("", 'office:value="0.5"') + cell("y"),
    ]
    parsed = parse(document(sheet(*rows), "spreadsheet"), ODS)
    table = "| Barrel | Price |\n| --- | --- |\n| B-19 | 12,50 € |\n| B-19 | x |\n| 0.5 | y |"
    assert parsed.text == f"## A\n\n{table}\n\nComment on B3: Anselm"
    assert parsed.warnings == []


@pytest.mark.parametrize(
    ("about", "text"),
    [
        ('office:value-type="percentage" office:value="0.19"', "19%"),
        ('office:value-type="currency" office:currency="EUR" office:value="12.50"', "12.5 EUR"),
        ('office:value-type="time" office:time-value="PT08H30M00S"', "08:30:00"),
        ('office:value-type="time" office:time-value="PT30H5M0S"', "30:05:00"),
        ('office:value-type="date" office:date-value="2032-03-01"', "2032-03-01"),
        ('office:value-type="boolean" office:boolean-value="true"', "true"),
        ('office:value-type="float" office:value="nonsense"', "nonsense"),
    ],
)
def test_a_cell_that_does_not_say_how_it_is_shown_is_read(about: str, text: str) -> None:
    parsed = parse(document(sheet(cell("a") + cell("b"), cell("", about) + cell("y")), "spreadsheet"), ODS)
    assert parsed.text.endswith(f"| {text} | y |")


def test_what_a_sheet_does_not_show_is_told() -> None:
    style = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    formula = cell("", 'table:formula="of:=[.A1]*2"')
    hidden = f'<table:table-row table:visibility="collapse">{cell("c")}{cell("d")}</table:table-row>'
    body = sheet(cell("a") + formula, hidden, about='table:style-name="h"')
    parsed = parse(document(body, "spreadsheet", style), ODS)
    assert "| a | =[.A1]*2 |" in parsed.text
    assert "| c | d |" in parsed.text
    assert parsed.warnings == [
        "the sheet A is hidden, and was read too",
        "the sheet A: formulas without a stored value (1) stand as they are written: save it once in a program",
        "the sheet A: 1 hidden rows were read too",
    ]


def test_a_presentation_is_read_slide_by_slide() -> None:
    def box(text: str, kind: str = "") -> str:
        return f"<draw:frame {kind}><draw:text-box>{p(text)}</draw:text-box></draw:frame>"

    notes = f"<presentation:notes>{box('Ask Ludvig')}</presentation:notes>"
    first = box("Costs", 'presentation:class="title"') + f"<draw:g>{box('Quay 312')}</draw:g>" + notes
    parsed = parse(document(f"<draw:page>{first}</draw:page><draw:page>{box('End')}</draw:page>", "presentation"), ODP)
    assert [parsed.text[page.start : page.end] for page in parsed.pages] == [
        "## Costs\n\nQuay 312\n\nNotes: Ask Ludvig",
        "End",
    ]


def test_what_the_design_of_slides_shows_is_read_once() -> None:
    def box(text: str, about: str = "") -> str:
        return f"<draw:frame {about}><draw:text-box>{p(text)}</draw:text-box></draw:frame>"

    number = "Slide <text:page-number>&lt;number&gt;</text:page-number>"
    places = box("Click to edit", 'presentation:class="title"') + box(number, 'presentation:class="page-number"')
    notes = f"<presentation:notes>{box('Click to move')}</presentation:notes>"
    shown = f"<draw:g>{box('Strictly confidential')}</draw:g>" + box("Harbour office", 'presentation:class="footer"')
    master = f'<style:master-page style:name="M">{places}{shown}{notes}</style:master-page>'
    unused = f'<style:master-page style:name="N">{box("Unused")}</style:master-page>'
    styles = part(f"<office:master-styles>{master}{unused}</office:master-styles>", "document-styles")
    declared = '<presentation:footer-decl presentation:name="f">Board, 3 May</presentation:footer-decl>'
    uses = 'draw:master-page-name="M" presentation:use-footer-name="f"'
    body = declared + "".join(f"<draw:page {uses}>{box(text)}</draw:page>" for text in ("One", "Two"))
    parsed = parse(document(body, "presentation", parts={"styles.xml": styles}), ODP)
    assert parsed.text == "One\n\nStrictly confidential\n\nHarbour office\n\nBoard, 3 May\n\nTwo"


def test_an_encrypted_or_damaged_document_says_so() -> None:
    with pytest.raises(Invalid, match="encrypted"):
        parse(zipped({"mimetype": ODT, "content.xml": "\x01", "META-INF/manifest.xml": "<encryption-data/>"}))
    with pytest.raises(Invalid, match="damaged"):
        parse(zipped({"mimetype": ODT, "content.xml": "<a"}))
    with pytest.raises(Invalid, match="nested"):
        parse(document("<text:section>" * 5000 + "</text:section>" * 5000))


@pytest.mark.parametrize("kind", [ODT, ODS, ODP])
def test_a_document_without_its_type_is_told_by_its_list_of_contents(kind: str) -> None:
    manifest = f'<manifest:manifest><manifest:file-entry manifest:media-type="{kind}"/></manifest:manifest>'
    assert sniff(zipped({"content.xml": "", "META-INF/manifest.xml": manifest}), "a") == kind
    assert sniff(zipped({"mimetype": f"{kind}-template"}), "a") == kind
