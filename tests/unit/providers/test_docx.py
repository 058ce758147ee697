"""What a Word document says in elements is read as letters."""

import io
import zipfile

import pytest

from shared.errors import Invalid
from shared.providers.parsing.chunker import chunk
from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import DOCX, sniff
from shared.providers.word import docx
from tests.fakes.documents import DOCX_LINKS, DOCX_TYPES, zipped
from tests.fakes.word import OPEN, document, read


@pytest.mark.parametrize(
    ("run", "text"),
    [
        pytest.param("<w:t>Oil</w:t><w:tab/><w:t>340</w:t><w:ptab/><w:t>gallons</w:t>", "Oil 340 gallons", id="tabs"),
        pytest.param("<w:t>1</w:t><w:noBreakHyphen/><w:t>24 drops</w:t>", "1-24 drops", id="a hyphen"),
        pytest.param("<w:t>sea</w:t><w:softHyphen/><w:t>man</w:t>", "seaman", id="a soft hyphen"),
        pytest.param('<w:t>20 </w:t><w:sym w:font="Symbol" w:char="F0B0"/><w:t>C</w:t>', "20 °C", id="a symbol"),
        pytest.param('<w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Symbol" w:char="A3"/>', "α≤", id="Greek"),  # noqa: RUF001
        pytest.param('<w:sym w:font="Wingdings" w:char="F0FC"/><w:t> yes</w:t>', "✓ yes", id="a tick"),
        pytest.param('<w:sym w:font="Wingdings" w:char="F042"/><w:t> a</w:t>', "\uf042 a", id="an unknown sign"),
        pytest.param('<w:t>a </w:t><w:sym w:font="Arial" w:char="20AC"/>', "a €", id="a character"),
        pytest.param("<w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t>", "", id="hidden"),
        pytest.param('<w:rPr><w:vanish w:val="off"/></w:rPr><w:t>shown</w:t>', "shown", id="hidden is off"),
        pytest.param('<w:rPr><w:vanish w:val="0"/></w:rPr><w:t>shown</w:t>', "shown", id="not hidden"),
    ],
)
def test_elements_are_letters(run: str, text: str) -> None:
    assert (
        read(f"<w:p><w:r>{run}</w:r></w:p><w:p><w:r><w:t>End</w:t></w:r></w:p>").split("\n\n")[:-1]
        == [text][: bool(text)]
    )


@pytest.mark.parametrize("sign", ["<w:cr/>", "<w:br/>", '<w:br w:type="page"/>', '<w:br w:type="column"/>'])
def test_a_break_parts_words(sign: str) -> None:
    run = f"<w:p><w:r><w:t>Send the email</w:t>{sign}<w:t>today</w:t></w:r></w:p>"
    assert read(run).split() == "Send the email today".split()
    note = f'<w:footnote w:id="2">{run}</w:footnote>'
    referring = '<w:p><w:r><w:t>x</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    assert read(referring, footnotes=note).split() == "x[1] [1] Send the email today".split()


def test_moved_text_is_read_where_it_is_now() -> None:
    moved = "<w:moveFrom><w:r><w:t>the bell</w:t></w:r></w:moveFrom>"
    assert (
        read(f"<w:p>{moved}<w:r><w:t>Ring </w:t></w:r><w:moveTo><w:r><w:t>the bell</w:t></w:r></w:moveTo></w:p>")
        == "Ring the bell"
    )


def test_every_note_is_read_once_where_it_is_referred_to() -> None:
    body = (
        '<w:p><w:r><w:t>One</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
        '<w:r><w:t> two</w:t></w:r><w:r><w:endnoteReference w:id="2"/></w:r></w:p>'
    )
    note = (
        '<w:{0} w:type="separator" w:id="0"><w:p/></w:{0}><w:{0} w:id="2"><w:p><w:r><w:t>{1}</w:t></w:r></w:p></w:{0}>'
    )
    text = read(body, footnotes=note.format("footnote", "At the foot."), endnotes=note.format("endnote", "At the end."))
    assert text == "One[1] two[2]\n\n[1] At the foot.\n\n[2] At the end."


def test_the_main_part_may_have_any_name() -> None:
    data = document("<w:p><w:r><w:t>The bell cracked</w:t></w:r></w:p>", main="word/document2.xml")
    assert sniff(data, "a.docx") == DOCX
    assert KreuzbergParser().read(data, DOCX).text.strip() == "The bell cracked"


@pytest.mark.parametrize("target", ["footnotes2.xml", "/word/footnotes2.xml", "../word/footnotes2.xml"])
def test_notes_may_have_any_name(target: str) -> None:
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    links = f'<Relationships><Relationship Id="r9" Type="{kind}" Target="{target}"/></Relationships>'
    body = '<w:p><w:r><w:t>x</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    note = '<w:footnote w:id="2"><w:p><w:r><w:t>At the foot.</w:t></w:r></w:p></w:footnote>'
    data = document(body, main="word/document2.xml", footnotes2=note)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    data = zipped(members | {"word/_rels/document2.xml.rels": links})
    assert KreuzbergParser().read(data, DOCX).text.strip() == "x[1]\n\n[1] At the foot."


def test_the_main_part_is_the_one_that_is_linked() -> None:
    data = document("<w:p><w:r><w:t>The bell cracked</w:t></w:r></w:p>", main="word/document2.xml", document="old")
    assert KreuzbergParser().read(data, DOCX).text.strip() == "The bell cracked"


@pytest.mark.capability("C199")
@pytest.mark.parametrize("start", ["<!DOCTYPE w [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", "<"])
def test_a_part_that_is_no_such_xml_is_damaged(start: str) -> None:
    data = zipped({"[Content_Types].xml": DOCX_TYPES, "_rels/.rels": DOCX_LINKS, "word/document.xml": f"{start}{OPEN}"})
    with pytest.raises(Invalid, match="damaged"):
        docx.read(data)


@pytest.mark.parametrize("at", [0, 5])
def test_a_document_whose_packing_is_broken_is_damaged(at: int) -> None:
    data = bytearray(document("<w:p><w:r><w:t>The bell cracked</w:t></w:r></w:p>" * 9))
    data[data.index(b"word/document.xml") + len("word/document.xml") + at] ^= 0xFF
    with pytest.raises(Invalid, match="damaged"):
        docx.read(bytes(data))


def cell(text: str, look: str = "") -> str:
    return f"<w:tc><w:tcPr>{look}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"


def table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def test_a_cell_over_several_rows_or_columns_is_said_in_each() -> None:
    down, below = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    wide = '<w:gridSpan w:val="2"/>'
    said = read(
        table(
            cell("Region") + cell("Catch", wide),
            cell("Lofoten", down) + cell("811") + cell("902"),
            cell("", below) + cell("7") + cell("9"),
        )
    )
    assert said.split("\n")[::2] == ["| Region | Catch | Catch |", "| Lofoten | 811 | 902 |"]
    assert said.endswith("| Lofoten | 7 | 9 |")


@pytest.mark.parametrize("across", ["2000000000", "99", "-1", "x", ""])
def test_a_cell_is_no_wider_than_any_of_word(across: str) -> None:
    assert read(table(cell("Eirik", f'<w:gridSpan w:val="{across}"/>'), cell("Oslo"))).count("Eirik") == 1


def test_each_passage_of_a_table_below_its_title_has_the_headings() -> None:
    title, head = cell("Staff", '<w:gridSpan w:val="3"/>'), cell("Name") + cell("Dept") + cell("Phone")
    rows = [cell(f"Employee {number}") + cell("Lamps") + cell(f"{number}") for number in range(99)]
    passages = chunk(read(table(title, head, *rows)), 60)
    assert len(passages) > 3
    assert all("| Name | Dept | Phone |" in passage.text for passage in passages)
