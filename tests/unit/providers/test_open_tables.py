"""The tables of OpenDocument texts: what is merged is said where it stands."""

import pytest

from tests.unit.providers.test_open_document import document, p, parse, read


def merged(text: str, down: int, across: int = 1) -> str:
    about = f'table:number-rows-spanned="{down}" table:number-columns-spanned="{across}"'
    return f"<table:table-cell {about}>{p(text)}</table:table-cell>"


def plain(*texts: str) -> str:
    return "".join(f"<table:table-cell>{p(text)}</table:table-cell>" for text in texts)


COVERED = "<table:covered-table-cell/>"


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        pytest.param(
            [plain("Name", "Town"), plain("Ada") + merged("Basel", 2), plain("Ben") + COVERED],
            ["Name | Town", "Ada | Basel", "Ben | Basel"],
            id="down at the right",
        ),
        pytest.param(
            [plain("Town", "Name"), merged("Basel", 3) + plain("Ada"), COVERED + plain("Ben"), COVERED + plain("Cy")],
            ["Town | Name", "Basel | Ada", "Basel | Ben", "Basel | Cy"],
            id="down at the left",
        ),
        pytest.param(
            [merged("Both", 2, 2) + COVERED + plain("x"), COVERED * 2 + plain("y"), plain("a", "b", "c")],
            ["Both | Both | x", "Both | Both | y", "a | b | c"],
            id="down and across",
        ),
        pytest.param(
            [
                merged("A", 2) + merged("B", 3) + plain("x"),
                '<table:covered-table-cell table:number-columns-repeated="2"/>' + plain("y"),
                plain("C") + COVERED + plain("z"),
                plain("D", "E", "F"),
            ],
            ["A | B | x", "A | B | y", "C | B | z", "D | E | F"],
            id="beside each other",
        ),
        pytest.param(
            [plain("Name", "Town"), plain("Ada") + merged("", 2), plain("Ben") + COVERED],
            ["Name | Town", "Ada | ", "Ben | "],
            id="an empty one",
        ),
    ],
)
def test_what_is_merged_downwards_is_said_in_its_own_column(rows: list[str], lines: list[str]) -> None:
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    told = [f"| {line} |" for line in lines]
    rule = "|" + " --- |" * (told[0].count("|") - 1)
    assert read(f"<table:table>{body}</table:table>").split("\n") == [told[0], rule, *told[1:]]


def test_a_row_that_stands_for_several_is_said_as_often() -> None:
    rows = f"<table:table-row>{plain('Name', 'Town')}</table:table-row>"
    rows += f'<table:table-row table:number-rows-repeated="2">{plain("Ada", "Bern")}</table:table-row>'
    assert read(f"<table:table>{rows}</table:table>").count("| Ada | Bern |") == 2


@pytest.mark.parametrize("href", ["", 'xlink:href=""', 'xlink:href="./"', 'xlink:href="/"', 'xlink:href="."'])
def test_an_object_without_a_place_is_told_and_no_table_twice(href: str) -> None:
    table = f"<table:table><table:table-row>{plain('a', 'b')}</table:table-row></table:table>"
    parsed = parse(document(table + p(f"<draw:frame><draw:object {href}/></draw:frame>")))
    assert parsed.text == "| a | b |\n| --- | --- |"
    assert parsed.warnings == ["an embedded object was not read: it is not in the file"]


def test_an_object_that_stands_in_the_text_itself_is_read() -> None:
    inner = "<math><semantics><mrow><mi>E</mi><mo>=</mo><mn>2</mn></mrow><annotation>x</annotation></semantics></math>"
    parsed = parse(document(p(f"Power <draw:frame><draw:object>{inner}</draw:object></draw:frame>")))
    assert (parsed.text, parsed.warnings) == ("Power\n\nE=2", [])
