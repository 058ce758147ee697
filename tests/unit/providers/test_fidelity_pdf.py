"""The words of a PDF come out whole and in order, however its lines are painted."""

import random
from difflib import SequenceMatcher

import pytest
from fpdf import FPDF

from shared.providers.parsing.parser import KreuzbergParser
from shared.providers.parsing.sniff import PDF

SHARE = 0.99
VOCABULARY = """
    lamp oil keeper harbour gull ledger fog bell rope tide Marrow Pell stair lens wick storm barrel 1890 340 ERR-4711
    signal well-known schooner the a of and in on by (brass) "salt" noted; seen. left, twelve: mast's 12.5 25%
""".split()


def words(count: int) -> list[str]:
    return random.Random(7).choices(VOCABULARY, k=count)


def written(text: str, *, size: float = 11, columns: int = 1, align: str = "L") -> bytes:
    document = FPDF()
    document.set_font("Helvetica", size=size)
    document.add_page()
    with document.text_columns(ncols=columns, gutter=10, text_align=align) as column:
        column.write(text)
    return bytes(document.output())


def share_in_order(said: list[str], read: list[str]) -> float:
    blocks = SequenceMatcher(None, said, read, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / len(said)


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param({}, id="a column"),
        pytest.param({"align": "J"}, id="justified"),
        pytest.param({"columns": 2}, id="two columns"),
        pytest.param({"size": 7}, id="small letters"),
        pytest.param({"size": 24}, id="large letters on many pages"),
    ],
)
def test_words_come_out_in_order(layout: dict[str, object]) -> None:
    said = words(1500)
    parsed = KreuzbergParser().parse(written(" ".join(said), **layout), PDF)
    assert share_in_order(said, parsed.text.split()) >= SHARE
