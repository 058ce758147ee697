"""What stands in a Word document around its plain text is read: numbers of lists, edges of pages, boxes, formulas."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import DOCX, sniff
from tests.fakes import office
from tests.fakes.documents import WORD, zipped
from tests.fakes.office import Linked
from tests.fakes.word import document, read


def said(text: str, look: str = "") -> str:
    return f"<w:p><w:pPr>{look}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def in_list(text: str, depth: int = 0, number: int = 1) -> str:
    return said(text, f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr>')


def level(depth: int, kind: str, text: str, style: str = "", start: int = 1) -> str:
    of = f'<w:pStyle w:val="{style}"/>' if style else ""
    look = f'<w:start w:val="{start}"/><w:numFmt w:val="{kind}"/>{of}<w:lvlText w:val="{text}"/>'
    return f'<w:lvl w:ilvl="{depth}">{look}</w:lvl>'


LEVELS = level(0, "decimal", "%1.", "Heading2") + level(1, "lowerLetter", "%2)") + level(2, "upperRoman", "%1.%3")
SIGNS = level(0, "bullet", "\uf0b7")
NUMBERING = (
    f'<w:abstractNum w:abstractNumId="7">{LEVELS}</w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="8">{SIGNS}</w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/>'
    "</w:lvlOverride></w:num>"
)
STYLES = (
    '<w:style w:type="paragraph" w:styleId="ListNumber"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
    "</w:style>"
    '<w:style w:type="paragraph" w:styleId="Step"><w:basedOn w:val="ListNumber"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/><w:pPr><w:numPr>'
    '<w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
)


def test_the_numbers_of_lists_are_read() -> None:
    first = in_list("Close") + in_list("Drain", 1) + in_list("Log", 1) + in_list("Deep", 2) + in_list("Open")
    body = first + in_list("Again", 1) + said("Between") + in_list("Gloves", number=2) + in_list("Five", number=3)
    assert read(body + in_list("Goes on"), numbering=NUMBERING).split("\n") == [
        "1. Close",
        "  a) Drain",
        "  b) Log",
        "    1.I Deep",
        "2. Open",
        "  a) Again",
        "",
        "Between",
        "",
        "- Gloves",
        "5. Five",
        "3. Goes on",
    ]


def test_a_style_may_number_paragraphs_and_headings() -> None:
    steps = said("Close", '<w:pStyle w:val="Step"/>') + said("Drain", '<w:pStyle w:val="ListNumber"/>')
    none = said("Free", '<w:pStyle w:val="Step"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    heading = said("Procedure", '<w:pStyle w:val="berschrift2"/>')
    text = read(steps + none + heading, numbering=NUMBERING, styles=STYLES)
    assert text == "1. Close\n2. Drain\n\nFree\n\n## 3. Procedure"


def linking(data: bytes, parts: Mapping[str, str | bytes], links: Linked) -> Parsed:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    whole = zipped(members | {"word/_rels/document.xml.rels": office.links(links), **parts})
    assert sniff(whole, "a.docx") == DOCX
    return KreuzbergParser().read(whole, DOCX)


def edge(kind: str, text: str) -> str:
    number = '<w:r><w:t>Page </w:t></w:r><w:fldSimple w:instr=" PAGE "><w:r><w:t>1</w:t></w:r></w:fldSimple>'
    return f'<w:{kind} xmlns:w="{WORD}">{said(text)}<w:p>{number}</w:p></w:{kind}>'


def test_what_stands_at_the_edges_of_the_pages_is_read_once() -> None:
    kinds = (("header", "a"), ("header", "b"), ("footer", "c"))
    references = "".join(f'<w:{kind}Reference xmlns:r="{office.LINK}" r:id="{id}"/>' for kind, id in kinds)
    body = f"{said('The text.')}<w:sectPr>{references}</w:sectPr>"
    parts = {"word/a.xml": edge("hdr", "File 14 K 772/31"), "word/b.xml": edge("hdr", "File 14 K 772/31")}
    parts |= {"word/c.xml": edge("ftr", "IBAN DE00 1234")}
    links = {"a": ("header", "/word/a.xml"), "b": ("header", "/word/b.xml"), "c": ("footer", "/word/c.xml")}
    assert linking(document(body), parts, links).text == "File 14 K 772/31\n\nThe text.\n\nIBAN DE00 1234"
    lost = linking(document(body), {"word/a.xml": "<w"}, {"a": ("header", "/word/a.xml")})
    assert lost.text == "The text."
    assert lost.warnings == ["what stands at the edge of the pages was not read: it is damaged"]


def test_comments_are_read_where_they_are_made() -> None:
    comment = '<w:comment w:id="4" w:author="Ana"><w:p><w:r><w:t>Too dear?</w:t></w:r></w:p></w:comment>'
    body = '<w:p><w:r><w:t>Price</w:t></w:r><w:r><w:commentReference w:id="4"/></w:r></w:p>'
    assert read(body, comments=comment) == "Price[1]\n\n[1] Comment (Ana): Too dear?"
    assert read(said("Price"), comments=comment) == "Price\n\nComment (Ana): Too dear?"


MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
SHAPES = 'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:wps="x" xmlns:wp="y" xmlns:mc="z"'
BOX = f"<w:txbxContent>{said('Never run dry.')}</w:txbxContent>"


def math(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        (f"<m:f><m:num>{math('a+b')}</m:num><m:den>{math('c')}</m:den></m:f>", "E is (a+b)/c so"),
        (f"<m:sSup><m:e>{math('mc')}</m:e><m:sup>{math('2')}</m:sup></m:sSup>", "E is mc^2 so"),
        (f"<m:sSub><m:e>{math('x')}</m:e><m:sub>{math('i+1')}</m:sub></m:sSub>", "E is x_(i+1) so"),
        (f"<m:nary><m:naryPr/><m:sub/><m:sup/><m:e>{math('x')}</m:e></m:nary>", "E is ∫ x so"),
        (f"<m:rad><m:deg/><m:e>{math('x')}</m:e></m:rad>", "E is √(x) so"),
        (f"<m:d><m:dPr/><m:e>{math('x')}</m:e></m:d>", "E is (x) so"),
        (f"<m:box><m:e>{math('x=7')}</m:e></m:box>", "E is x=7 so"),
    ],
)
def test_a_formula_is_read_in_its_place(inner: str, text: str) -> None:
    around = '<w:r><w:t xml:space="preserve">E is </w:t></w:r><m:oMath {}>{}</m:oMath><w:r><w:t> so</w:t></w:r>'
    assert read(f"<w:p>{around.format(MATH, inner)}</w:p>") == text


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        pytest.param(
            f"<w:pict><v:shape><v:textbox>{BOX}</v:textbox></v:shape></w:pict>", "x\n\nNever run dry.", id="old"
        ),
        pytest.param(f"<w:drawing><wps:txbx>{BOX}</wps:txbx></w:drawing>", "x\n\nNever run dry.", id="new"),
        pytest.param(
            f"<mc:AlternateContent><mc:Choice><w:drawing>{BOX}</w:drawing></mc:Choice><mc:Fallback><w:pict>{BOX}"
            "</w:pict></mc:Fallback></mc:AlternateContent>",
            "x\n\nNever run dry.",
            id="both",
        ),
        pytest.param('<w:pict><v:textpath string="DRAFT"/></w:pict>', "x\n\nDRAFT", id="art"),
        pytest.param('<w:drawing><wp:docPr descr="A red barn"/></w:drawing>', "x\n\nA red barn", id="a picture"),
        pytest.param(
            '<w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:checked/></w:checkBox></w:ffData></w:fldChar>',
            "x☒",
            id="a ticked box",
        ),
        pytest.param(
            "<w:ruby><w:rt><w:t>b</w:t></w:rt><w:rubyBase><w:t>a</w:t></w:rubyBase></w:ruby>", "xa(b)", id="above"
        ),
    ],
)
def test_what_stands_beside_the_text_is_read_once(inner: str, text: str) -> None:
    assert read(f"<w:p><w:r><w:t>x</w:t></w:r><w:r {SHAPES}>{inner}</w:r></w:p>") == text


CELL = f"<w:tc>{said('x')}</w:tc>"


def control(inner: str) -> str:
    return f"<w:sdt><w:sdtPr/><w:sdtContent>{inner}</w:sdtContent></w:sdt>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(control(control(said("x"))), "x", id="within each other"),
        pytest.param(f"<w:p>{control('<w:r><w:t>x</w:t></w:r>')}</w:p>", "x", id="in a line"),
        pytest.param(
            f"<w:tbl>{control('<w:tr>' + control(CELL) + CELL + '</w:tr>')}</w:tbl>",
            "| x | x |\n| --- | --- |",
            id="around rows and cells",
        ),
    ],
)
def test_content_controls_are_read(body: str, text: str) -> None:
    assert read(body) == text


def test_what_is_struck_through_is_marked_once() -> None:
    struck = "".join(f"<w:r><w:rPr><w:strike/></w:rPr><w:t>{letter}</w:t></w:r>" for letter in "old")
    assert read(f"<w:p>{struck}<w:r><w:t>new</w:t></w:r></w:p>") == "~~old~~new"


def test_the_words_of_what_is_struck_through_stay_apart_and_signs_like_its_marks_stay() -> None:
    words = ("two ", "old", " words")
    struck = [f'<w:r><w:rPr><w:strike/></w:rPr><w:t xml:space="preserve">{word}</w:t></w:r>' for word in words]
    body = f"<w:p>{struck[0]}<w:ins>{struck[1]}</w:ins>{struck[2]}</w:p>{said('Cut here: ~~~~~~~~ and ~~~~')}"
    assert read(body) == "~~two old words~~\n\nCut here: ~~~~~~~~ and ~~~~"


def test_a_power_is_no_digit_and_a_cell_of_a_table_may_hold_one() -> None:
    power = '<w:r><w:t>10</w:t></w:r><w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>6</w:t></w:r>'
    inner = f"<w:tbl><w:tr><w:tc>{said('a')}</w:tc><w:tc>{said('b')}</w:tc></w:tr></w:tbl>"
    wide = '<w:tcPr><w:gridSpan w:val="2000000000"/></w:tcPr>'
    rows = (
        f"<w:tr><w:tc><w:p>{power}</w:p></w:tc><w:tc>{inner}</w:tc></w:tr><w:tr><w:tc>{wide}{said('c')}</w:tc></w:tr>"
    )
    assert read(f"<w:tbl>{rows}</w:tbl>").startswith("| 10^6 | a, b |  |")


def test_a_chart_is_read_and_what_is_not_is_told() -> None:
    body = f'<w:p><w:r><c:chart xmlns:c="x" xmlns:r="{office.LINK}" r:id="c"/></w:r></w:p><w:altChunk/>'
    parsed = linking(document(said("x") + body), {"word/c.xml": "<c"}, {"c": ("chart", "/word/c.xml")})
    assert parsed.text == "x"
    assert parsed.warnings == [
        "a chart was not read: it is damaged",
        "a file that was put into the text was not read: it is not in the file",
    ]


def embedding(data: str | bytes, name: str) -> Parsed:
    put = f'<w:altChunk xmlns:r="{office.LINK}" r:id="f"/>'
    return linking(document(said("x") + put), {f"word/{name}": data}, {"f": ("aFChunk", f"/word/{name}")})


def test_a_file_in_a_document_is_read_as_what_it_is() -> None:
    assert embedding("<html><body><p>From a page</p></body></html>", "a.htm").text == "x\n\nFrom a page"
    inner = embedding(document(said("Within")), "a.docx")
    assert (inner.text, inner.warnings) == ("x\n\nWithin", [])
    assert embedding(b"\x89PNG\r\n", "a.png").warnings == [
        "a file that was put into the text was not read: this is an image"
    ]


def test_a_file_within_a_file_within_a_document_is_told() -> None:
    put = f'<w:altChunk xmlns:r="{office.LINK}" r:id="f"/>'
    members = {
        "word/_rels/document.xml.rels": office.links({"f": ("aFChunk", "/word/a.htm")}),
        "word/a.htm": "<p>x</p>",
    }
    with zipfile.ZipFile(io.BytesIO(document(said("Within") + put))) as archive:
        whole = zipped({name: archive.read(name) for name in archive.namelist()} | members)
    what = "a file that was put into the text"
    assert embedding(whole, "a.docx").warnings == [f"{what}: {what} was not read: it is a file within a file"]


@pytest.mark.parametrize(
    "kind", ["application/vnd.ms-word.document.macroEnabled", f"{DOCX.rpartition('.')[0]}.template", f"{DOCX}"]
)
@pytest.mark.parametrize("main", ["word/document.xml", "word/document2.xml"])
def test_templates_and_documents_with_macros_are_read(kind: str, main: str) -> None:
    with zipfile.ZipFile(io.BytesIO(document(said("x"), main))) as archive:
        members = {name: archive.read(name).replace(DOCX.encode(), kind.encode()) for name in archive.namelist()}
    assert sniff(zipped(members), "a.docm") == DOCX
    assert KreuzbergParser().parse(zipped(members), DOCX).text == "x"
