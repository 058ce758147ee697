"""Rows of text become tables: whatever parts their cells and stands above them, and nothing is lost."""

import time

import pytest

from shared.providers.formats.delimited import to_markdown, told
from shared.providers.parsing.chunker import chunk
from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import CSV, sniff

HEAD = "| Order | Article | Amount |\n| --- | --- | --- |\n"
ROWS = [(f"O-{number}", f"Thing {number}", f"{number},5") for number in range(200)]
EXPECTED = HEAD + "\n".join(f"| {' | '.join(row)} |" for row in ROWS)


def rows(delimiter: str, *, quoted: bool = False) -> str:
    cells = [("Order", "Article", "Amount"), *ROWS]
    return "\n".join(delimiter.join(f'"{cell}"' if quoted else cell for cell in row) for row in cells) + "\n"


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","], ids=["semicolon", "tab", "bar", "comma"])
@pytest.mark.parametrize(
    ("above", "notes"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("sep={}\n", "", id="the delimiter"),
        pytest.param('"SEP={}"{}{}\n', "", id="the delimiter, as a spreadsheet saves it again"),
        pytest.param("Orders of Fjellheim AS{}{}\n{}{}\n", "Orders of Fjellheim AS", id="a title"),
        pytest.param("Orders of Fjellheim AS\n\n\n", "Orders of Fjellheim AS", id="a title by itself"),
        pytest.param("# Orders; all, of them\n#\n", "# Orders; all, of them\n#", id="comments"),
        pytest.param("From{}Ann{}\nOn{}Monday{}\n\n", "From, Ann\nOn, Monday", id="names and values"),
    ],
)
def test_what_stands_above_the_headings_is_no_row(above: str, notes: str, delimiter: str) -> None:
    text = above.replace("{}", delimiter) + rows(delimiter, quoted=delimiter == ",")
    assert to_markdown(text) == (f"{notes}\n\n" if notes else "") + EXPECTED
    passages = [passage.text for passage in chunk(to_markdown(text), 120)]
    assert all(HEAD in passage for passage in passages)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "tab"])
def test_each_passage_of_a_file_of_rows_has_the_headings(suffix: str) -> None:
    data = rows("\t").encode()
    parsed = KreuzbergParser().parse(data, sniff(data, f"orders.{suffix}"))
    assert all(passage.text.startswith(HEAD) for passage in chunk(parsed.text, 120))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('a,b\n"x, ""y""\nz",1', ["| a | b |", "| --- | --- |", '| x, "y" z | 1 |'], id="line breaks"),
        pytest.param(
            "a,b\n1\nx,y\n1,2,3,\nx,y",
            ["| a | b |", "| --- | --- |", "| 1 |", "| x | y |", "| 1 | 2 | 3 |  |", "| x | y |"],
            id="ragged rows",
        ),
        pytest.param(
            "1,Ann,34\n2,Ben,28\n",
            ["|  |  |  |", "| --- | --- | --- |", "| 1 | Ann | 34 |", "| 2 | Ben | 28 |"],
            id="no headings",
        ),
        pytest.param("a;b\nx|y;z\n", ["| a | b |", "| --- | --- |", "| x\\|y | z |"], id="bars"),
        pytest.param("text\nOne, two\nThree\n", ["| text |", "| --- |", "| One, two |", "| Three |"], id="one column"),
        pytest.param("a\tb\nx\t1,5\n", ["| a | b |", "| --- | --- |", "| x | 1,5 |"], id="tabs and commas"),
        pytest.param("a,b\nx,y; z\n", ["| a | b |", "| --- | --- |", "| x | y; z |"], id="semicolons"),
        pytest.param("\tA\tB\nx\t1\t2\n", ["|  | A | B |", "| --- | --- | --- |", "| x | 1 | 2 |"], id="no first name"),
        pytest.param(
            "##v=4\n#POS\tID\n1\ta\n",
            ["##v=4", "", "| #POS | ID |", "| --- | --- |", "| 1 | a |"],
            id="marked headings",
        ),
        pytest.param(
            'a,b,c\nPipe,"5 inch,1\nRod,6,2\nBar,7,3',
            ["| a | b | c |", "| --- | --- | --- |", '| Pipe | "5 inch | 1 |', "| Rod | 6 | 2 |", "| Bar | 7 | 3 |"],
            id="a mark without another",
        ),
        pytest.param(
            'a\tb\nPipe\t"5 inch\nRod\t6\nBar\t"7 inch',
            ["| a | b |", "| --- | --- |", '| Pipe | "5 inch |', "| Rod | 6 |", '| Bar | "7 inch |'],
            id="marks of inches",
        ),
        pytest.param("# only\n# words\n", ["# only", "# words"], id="nothing but comments"),
        pytest.param("\n\n", [""], id="nothing"),
    ],
)
def test_all_cells_come_through(text: str, expected: list[str]) -> None:
    assert to_markdown(text).split("\n") == expected


PROSE = "First, second, third,\nthen, as said, more,\nand, at last, this."


@pytest.mark.parametrize("prose", [PROSE, "a,b,c\nd,e,f\ng,h,i", 'She said ""no"",\nand, well, left, so, be it.\nEnd'])
def test_a_quoted_cell_of_several_lines_is_one_whatever_they_hold(prose: str) -> None:
    text = f'id,text,by\n1,short,Ann\n2,"{prose}",Ben\n3,"a, b",Cy\n'
    cell = " ".join(prose.replace('""', '"').split())
    rows = told(text)
    assert rows.text.split("\n")[2:] == ["| 1 | short | Ann |", f"| 2 | {cell} | Ben |", "| 3 | a, b | Cy |"]
    assert rows.warnings == []


def test_a_mark_that_ends_nowhere_tears_no_other_row_and_is_told() -> None:
    text = f'id,text,by\n1,"{PROSE}",Ann\n2,"5 inch,Ben\n3,"a, b",Cy\n4,"{PROSE}",Di\n5,"7 inch,Ed\n'
    rows = told(text)
    prose = " ".join(PROSE.split())
    assert rows.text.split("\n")[2:] == [
        f"| 1 | {prose} | Ann |",
        '| 2 | "5 inch | Ben |',
        "| 3 | a, b | Cy |",
        f"| 4 | {prose} | Di |",
        '| 5 | "7 inch | Ed |',
    ]
    assert rows.warnings == [
        "quotation marks that end nowhere, or within another row, were read as letters: lines 5, 10"
    ]
    assert KreuzbergParser().parse(text.encode(), CSV).warnings == rows.warnings


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param(
            'a,b,c,d\n1,"5 inch,x,2\n2,y,6 inch",3\n3,z,7,4\n4,z,7,4\n5,z,7,4',
            ['1 | "5 inch | x | 2', '2 | y | 6 inch" | 3'],
            id="marks that meet in another column",
        ),
        pytest.param('a\tb\tc\nx\t"5 inch\t"7 inch\ny\t1\t2', ['x | "5 inch | "7 inch'], id="on one line"),
        pytest.param('a,b\n"Big, fat" Joe,3\ny,1', ["Big, fat Joe | 3"], id="words behind a quotation"),
        pytest.param('"Orders, new, of May"\na,b,c\n1,2,3\n2,3,4', ["1 | 2 | 3"], id="a quoted title"),
    ],
)
def test_what_a_mark_quotes_is_told_by_the_rows(text: str, rows: list[str]) -> None:
    assert all(f"| {row} |" in to_markdown(text) for row in rows)
    assert "Orders, new, of May" in to_markdown(text) or not text.startswith('"')


def test_tables_below_each_other_are_several() -> None:
    first = "Order,Amount\n" + "".join(f"O-{number},{number}\n" for number in range(9))
    second = "Lamp,Hours\n" + "".join(f"L-{number},{number}\n" for number in range(9))
    assert to_markdown(f"{first}\n{second}").count("| --- | --- |") == 2


def test_a_wide_table_loses_no_cell() -> None:
    cells = [f"c{number}" for number in range(3000)]
    text = ";".join(cells) + "\n" + "".join(";".join(f"{row}x{cell}" for cell in cells) + "\n" for row in range(9))
    whole = KreuzbergParser().parse(text.encode(), CSV).text
    said = {word for passage in chunk(whole, 480) for word in passage.text.replace("|", " ").split()}
    assert {f"{row}x{cell}" for cell in cells for row in range(9)} | {*cells} <= said


@pytest.mark.parametrize("line", ['"', "#\n", "a,b\n\n", 'a,"b\n', "a;b,c\t|\n", "\n", '"",', "sep=;\n"])
def test_rows_of_any_kind_are_read_in_linear_time(line: str) -> None:
    started = time.process_time()
    to_markdown(line * (1_000_000 // len(line)))
    assert time.process_time() - started < 20
