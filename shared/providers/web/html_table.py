"""The rows and cells of a table of HTML, and whether it is one of data or only places blocks on the page."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile, zip_longest
from typing import NamedTuple

from shared.providers.web.furniture import HEADINGS, is_hidden, is_unseen
from shared.providers.web.markup import CELLS, ROWS, Tag, Token

SPAN = re.compile(r"\s*(\d{1,4})")
LARGEST_SPAN = 30  # cells; wider or deeper ones are made to waste memory
WIDEST = 100  # columns, up to which cells are put below each other
LONGEST_CELL = 2000  # characters, of data


class Cell(NamedTuple):
    """A cell, and where its content is."""

    start: int
    end: int
    is_heading: bool
    across: int
    down: int


class Table(NamedTuple):
    """A table: its rows, how many of them are its head, and what lies beside its cells or above them as a title."""

    rows: list[list[Cell]]
    heads: int
    beside: list[tuple[int, int]]


def read(tokens: Sequence[Token], at: int, end: int) -> Table:
    """Return the table that begins and ends at these places."""
    table = Table([[]], 0, [])
    heads = 0
    while (at := at + 1) < end:
        token = tokens[at]
        if isinstance(token, str):
            table.beside.append((at, at + 1))
        elif token.name in ROWS:
            table.rows.append([])
            heads = _head_ends(token, heads, len(table.rows))
        elif not token.closing:
            at = _element(table, token, at, end) - 1
    rows = list(filter(None, table.rows))
    in_head = sum(1 for row in table.rows[:heads] if row)
    titles = [row[0] for row in takewhile(_is_title, rows[:-1])] if max(map(len, rows), default=0) > 1 else []
    rows = rows[len(titles) :]
    beside = table.beside + [(cell.start - 1, cell.end) for cell in titles]
    return Table(rows, max(in_head - len(titles), 0) or _heads(rows), beside)


def is_data(table: Table, tokens: Sequence[Token]) -> bool:
    """Say whether a table holds data; else it places blocks on the page."""
    cells = [cell for row in table.rows for cell in row]
    columns = max(map(len, table.rows), default=0)
    if any(cell.is_heading for cell in cells):
        return columns > 1
    return columns > 1 and len(table.rows) > 1 and not any(_is_prose(tokens[cell.start : cell.end]) for cell in cells)


def head_of(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return one heading for each column, of all rows of the head."""
    columns = zip_longest(*rows, [""] * width, fillvalue="")
    return [" ".join(dict.fromkeys(filter(None, column))) for column in columns]


class Grid:
    """Puts cells into columns; one over several rows is said in each, while there is something to spare."""

    def __init__(self, write: Callable[[Cell], str], spare: int) -> None:
        self._write = write
        self.spare = spare
        self._below: dict[int, tuple[int, str]] = {}

    def rows(self, table: Table) -> Iterator[list[str]]:
        """Yield the rows of a table."""
        for number, cells in enumerate(table.rows):
            line: list[str] = []
            for cell in cells:
                self._carry(line, -1)
                self._add(line, cell, number < table.heads)
            self._carry(line, max(self._below, default=-1))
            yield line

    def _add(self, line: list[str], cell: Cell, in_head: bool) -> None:
        text = self._write(cell)
        for number in range(cell.across if len(line) < WIDEST else 1):
            if cell.down > 1 and len(line) < WIDEST:
                self._below[len(line)] = (cell.down - 1, text if number == 0 or in_head else "")
            line.append(text if number == 0 else self._again(text) if in_head else "")

    def _carry(self, line: list[str], until: int) -> None:
        """Continue the cells that reach down from above, those further right only where the row has ended."""
        while len(line) in self._below or len(line) <= until:
            left, text = self._below.pop(len(line), (0, ""))
            if left > 1:
                self._below[len(line)] = (left - 1, text)
            line.append(self._again(text))

    def _again(self, text: str) -> str:
        self.spare -= len(text)
        return text if self.spare >= 0 else ""


def _is_title(row: Sequence[Cell]) -> bool:
    return len(row) == 1 and row[0].down == 1


def _head_ends(tag: Tag, heads: int, rows: int) -> int:
    """Return how many rows belong to the head so far as a thead tells."""
    return rows if tag.name == "thead" and tag.closing else heads


def _element(table: Table, tag: Tag, at: int, end: int) -> int:
    """Take an element inside of a table; return the place behind it, or behind its tag."""
    behind = min(tag.end, end) if tag.end > at else at + 1
    if is_unseen(tag) or tag.name == "svg":
        return behind
    if tag.name == "caption" and tag.end:
        table.beside.append((at + 1, behind))
        return behind
    if tag.name not in CELLS and is_hidden(tag):
        table.beside.append((at, behind))
        return behind
    if tag.name not in CELLS:
        return at + 1
    across, down = _span(tag, "colspan"), _span(tag, "rowspan")
    table.rows[-1].append(Cell(at + 1, behind, tag.name == "th", across, down))
    return behind


def _span(tag: Tag, name: str) -> int:
    found = SPAN.match(tag.attributes.get(name, ""))
    return min(max(int(found[1]), 1), LARGEST_SPAN) if found else 1


def _heads(rows: Sequence[Sequence[Cell]]) -> int:
    """Count the first rows that hold nothing but headings; where there are none at all, the first row is the head."""
    heads = len(list(takewhile(lambda row: all(cell.is_heading for cell in row), rows)))
    if heads:
        return heads if heads < len(rows) else 1
    return 0 if any(row[0].is_heading for row in rows) else 1


def _is_prose(tokens: Sequence[Token]) -> bool:
    length = sum(len(token) for token in tokens if isinstance(token, str))
    return length > LONGEST_CELL or any(isinstance(token, Tag) and token.name in HEADINGS for token in tokens)
