"""The rows of a table of Word, each cell at its place."""

from collections.abc import Callable, Iterator

from shared.providers.office.drawings import WIDEST
from shared.providers.office.package import Element, child, local, reference, value

Cell = tuple[str, bool, int]


def rows(element: Element, write: Callable[[Element], str]) -> Iterator[list[str]]:
    """Yield the rows of a table; what is merged is said in each of its cells, but not all along a row."""
    above: list[str] = []
    for row in _through(element, "tr"):
        line: list[str] = []
        cells = list(_cells(row, write))
        for text, goes_on, span in cells:
            said = above[len(line)] if goes_on and len(line) < len(above) else text
            line += [said] * span if len(cells) > 1 else [said, *[""] * (span - 1)]
        yield line
        above = line


def _cells(row: Element, write: Callable[[Element], str]) -> Iterator[Cell]:
    """Yield the cells of a row: their text, whether it is that of the cell above, and how many they stand for."""
    before = _count(value(child(row, "trPr"), "gridBefore"), 0)
    if before:
        yield "", False, before
    for cell in _through(row, "tc"):
        look = child(cell, "tcPr")
        merge = child(look, "vMerge")
        goes_on = merge is not None and reference(merge, "val") != "restart"
        yield write(cell), goes_on, _count(value(look, "gridSpan"), 1)


def _through(element: Element, kind: str) -> Iterator[Element]:
    """Return the elements of a kind, within content controls too."""
    for each in element:
        if local(each) == kind:
            yield each
        elif local(each) in ("sdt", "sdtContent", "customXml", "ins", "moveTo"):
            yield from _through(each, kind)


def _count(said: str, least: int) -> int:
    return min(int(said[:6]), WIDEST) if said.isascii() and said.isdecimal() else least
