"""The cells of a workbook are read as they are shown, and what is not there is told."""

import struct
import time
from collections.abc import Sequence

import pytest

from shared.errors import Invalid, Refused
from shared.providers.parsing.parser import KreuzbergParser, Parsed
from shared.providers.parsing.sniff import XLSX, sniff
from tests.fakes.documents import zipped
from tests.fakes.office import CHART, DRAWING, LINK, SHEET, book, links

FORMATS = ("General", "0.0%", "yyyy-mm-dd", "h:mm", "[h]:mm", '#,##0.00 "€"', "00000", "DD/MM/YYYY", '@" kg"')
CODES = "".join(f'<numFmt numFmtId="{200 + n}" formatCode="{code}"/>' for n, code in enumerate(FORMATS)).replace(
    '"€"', "&quot;€&quot;"
)
LOOKS = "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(FORMATS)))
STYLES = (
    f'<styleSheet xmlns="{SHEET}"><numFmts>{CODES}</numFmts><cellXfs>{LOOKS}<xf numFmtId="14"/></cellXfs></styleSheet>'
).replace('@" kg"', "@&quot; kg&quot;")


def text(said: str) -> str:
    return f'<c t="inlineStr"><is><t>{said}</t></is></c>'


def number(value: float, look: int = 0) -> str:
    return f'<c s="{look}"><v>{value}</v></c>'


def rows(*lines: Sequence[str]) -> str:
    told = "".join("".join(["<row>", *line, "</row>"]) for line in lines)
    return f"<sheetData>{told}</sheetData>"


def parse(data: bytes) -> Parsed:
    assert sniff(data, "a.xlsx") == XLSX
    return KreuzbergParser().parse(data, XLSX)


def shown(cell: str, about: str = "") -> str:
    sheet = rows([text("Head"), text("x")], [cell, text("y")])
    parsed = parse(book({"A": sheet}, parts={"xl/styles.xml": STYLES}, about=about))
    return parsed.text.splitlines()[-1].split(" | ")[0].removeprefix("| ")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (number(0.19, 1), "19.0%"),
        (number(48274, 2), "2032-03-01"),
        (number(0.3541666667, 3), "8:30"),
        (number(1.25, 4), "30:00"),
        (number(1234.5, 5), "1,234.50 €"),
        (number(1067, 6), "01067"),
        (number(48274, 7), "01/03/2032"),
        (number(48274, 9), "2032-03-01"),
        (number(0.1 + 0.2), "0.3"),
        (number(4111222233334444), "4111222233334444"),
        ('<c t="b"><v>1</v></c>', "TRUE"),
        ('<c t="b"><v>0</v></c>', "FALSE"),
        ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c t="e"><f>1/0</f><v>#DIV/0!</v></c>', "#DIV/0!"),
        ('<c t="d"><v>2032-03-01T08:30:00</v></c>', "2032-03-01T08:30:00"),
        ('<c s="1"><f>A1</f><v>0.5</v></c>', "50.0%"),
        ('<c t="str"><f>A1</f><v>north</v></c>', "north"),
        ('<c t="str" s="8"><f>A1</f><v>5</v></c>', "5 kg"),
        ('<c t="inlineStr"><is><r><t>rich </t></r><r><t>text</t></r><rPh><t>no</t></rPh></is></c>', "rich text"),
        (text("one_x000D_\ntwo_x005F_x"), "one two_x"),
        ("<c><v>1e999</v></c>", "1e999"),
        ('<c s="77"><v>7</v></c>', "7"),
        ('<c t="s"><v>99</v></c>', ""),
    ],
)
def test_a_cell_is_read_as_it_is_shown(cell: str, said: str) -> None:
    assert shown(cell) == said


def test_days_may_be_counted_from_1904_on() -> None:
    assert shown(number(48274 - 1462, 2), '<workbookPr date1904="1"/>') == "2032-03-01"


def test_texts_that_cells_share_are_read() -> None:
    texts = f'<sst xmlns="{SHEET}"><si><t>lamp</t></si><si><r><t>o</t></r><r><t>il</t></r></si></sst>'
    cells = [f'<c t="s"><v>{at}</v></c>' for at in (0, 1)]
    assert parse(book({"A": rows(cells, cells)}, parts={"xl/texts.xml": texts})).text.endswith("| lamp | oil |")


@pytest.mark.parametrize("value", ["", "<v></v>", "<v/>"])
def test_a_formula_without_a_value_is_told(value: str) -> None:
    shared = f'<c><f t="shared" si="0" ref="A1:A2">B1*2</f>{value}</c>', f'<c><f t="shared" si="0"/>{value}</c>'
    sheet = rows(
        [text("a"), text("b")], [f"<c><f>SUM(C4:C9)</f>{value}</c>", number(2)], *([each, ""] for each in shared)
    )
    parsed = parse(book({"Sales": sheet}))
    assert "| =SUM(C4:C9) | 2 |\n| =B1*2 |  |\n| (as B1*2) |  |" in parsed.text
    assert parsed.warnings == [
        "the sheet Sales: formulas without a stored value (3) stand as they are written: save it once in a program"
    ]
    assert parse(book({"A": rows([text("a"), '<c t="str"><f>B1</f><v></v></c>'])})).warnings == []


def test_formulas_that_nobody_has_computed_are_told() -> None:
    sheet = rows([text("a"), "<c><f>B1*2</f><v>0</v></c>"])
    said = '<calcPr fullCalcOnLoad="1"/>'
    assert parse(book({"A": sheet}, about=said)).warnings == [
        "the sheet A: all formulas are stored as 0 by a program that does not compute: save it once"
    ]
    assert parse(book({"A": sheet})).warnings == []


def test_hidden_sheets_rows_and_columns_are_read_and_told() -> None:
    cells = rows([text("a"), text("b")]).replace("<row>", '<row hidden="1">')
    hidden = f'<cols><col min="2" max="2" hidden="1"/></cols>{cells}'
    parsed = parse(book({"Open": hidden, "-Secret": rows([text("margin"), text("61")])}))
    assert "| a | b |" in parsed.text
    assert "## Secret\n\n| margin | 61 |" in parsed.text
    assert parsed.warnings == [
        "the sheet Open: 1 hidden rows and 1 ranges of hidden columns were read too",
        "the sheet Secret is hidden, and was read too",
    ]


def test_what_is_merged_is_said_in_each_cell() -> None:
    merged = '<mergeCells><mergeCell ref="A3:A4"/><mergeCell ref="A1:C1"/></mergeCells>'
    lines = [[text("Ledger")], [text("Barrel"), text("Year"), text("Note")]]
    sheet = rows(*lines, [text("B-19"), number(2029), text("x")], ["<c/>", number(2030), text("y")]) + merged
    table = "| Barrel | Year | Note |\n| --- | --- | --- |\n| B-19 | 2029 | x |\n| B-19 | 2030 | y |"
    assert parse(book({"A": sheet})).text == f"## A\n\nLedger\n\n{table}"


def test_headings_over_several_columns_are_said_with_those_below() -> None:
    merged = '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/></mergeCells>'
    sheet = rows(
        [text("Year"), text("North"), "<c/>"], ["<c/>", text("In"), text("Out")], [number(1), number(2), number(3)]
    )
    assert (
        "| Year | North In | North Out |\n| --- | --- | --- |\n| 1 | 2 | 3 |" in parse(book({"A": sheet + merged})).text
    )


@pytest.mark.parametrize("area", ["A1:XFD1048576", "A1:A1048576", "nonsense", "A1"])
def test_a_merged_range_may_be_as_large_as_the_sheet(area: str) -> None:
    sheet = rows([text("a"), text("b")], [text("c"), text("d")])
    assert "| c | d |" in parse(book({"A": f'{sheet}<mergeCells><mergeCell ref="{area}"/></mergeCells>'})).text


def test_cells_far_apart_take_little_room() -> None:
    near, away = '<c r="A1"><v>1</v></c>', '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    far = f"<sheetData><row>{near}</row>{away}</sheetData>"
    assert parse(book({"A": far})).text == "## A\n\n| 1 |  |\n| --- | --- |\n|  | 2 |"


def test_comments_shapes_charts_and_the_edges_of_pages_are_read() -> None:
    sheet = (
        rows([text("a"), text("b")])
        + "<headerFooter><oddHeader>&amp;L&amp;&quot;Arial&quot;Secret &amp;P</oddHeader></headerFooter>"
    )
    comment = '<commentList><comment ref="A2"><text><r><t>Anselm Vogt</t></r></text></comment></commentList>'
    shapes = "<x:sp><x:txBody><a:p><a:r><a:t>Boxed</a:t></a:r></a:p></x:txBody></x:sp>"
    drawing = (
        f'<x:d xmlns:x="x" xmlns:a="{DRAWING}" xmlns:c="{CHART}" xmlns:r="{LINK}">{shapes}<c:chart r:id="c"/></x:d>'
    )
    title = "<c:title><c:tx><c:rich><a:p><a:r><a:t>Traffic</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    chart = f'<c:chartSpace xmlns:a="{DRAWING}" xmlns:c="{CHART}"><c:chart>{title}</c:chart></c:chartSpace>'
    parts = {
        "xl/_rels/s0.xml.rels": links({"d": ("drawing", "/xl/d.xml"), "n": ("comments", "/xl/n.xml")}),
        "xl/_rels/d.xml.rels": links({"c": ("chart", "/xl/c.xml")}),
        "xl/d.xml": drawing,
        "xl/c.xml": chart,
        "xl/n.xml": f'<comments xmlns="{SHEET}">{comment}</comments>',
    }
    told = parse(book({"A": sheet}, parts=parts)).text
    assert told == "## A\n\nSecret\n\n| a | b |\n| --- | --- |\n\nBoxed\n\nTraffic\n\nComment on A2: Anselm Vogt"


def test_a_damaged_sheet_is_told_and_the_others_are_read() -> None:
    parsed = parse(book({"A": "<sheetData><row>", "B": rows([text("a"), text("b")])}))
    assert parsed.text.startswith("## B")
    assert parsed.warnings == ["the sheet A was not read: it is damaged"]


def test_a_binary_workbook_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match=r"save it as \.xlsx"):
        sniff(zipped({"xl/workbook.bin": "x"}), "a.xlsb")


def test_a_part_that_unpacks_without_end_is_told() -> None:
    data = book({"A": rows([text("a"), text("b")])}, parts={"xl/s0.xml": " " * 123_457})
    said = data.replace(struct.pack("<L", 123_457), struct.pack("<L", 500 << 20))
    with pytest.raises(Invalid, match="the sheet A was not read: it is too large when unpacked"):
        parse(said)


def test_many_merged_ranges_are_looked_at_once() -> None:
    cells = rows(*([text("a"), text("b")] for _ in range(3000)))
    merged = "".join(f'<mergeCell ref="A{n}:XFD1048576"/>' for n in range(1, 3001))
    started = time.process_time()
    assert parse(book({"A": f"{cells}<mergeCells>{merged}</mergeCells>"})).text.endswith("| a | b |")
    assert time.process_time() - started < 5
