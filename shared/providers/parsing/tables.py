"""The tables of a Markdown text, where each begins, and which of its lines say what its columns are."""

import io
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from shared.domain.headings import AFTER_BLANK, LONGEST_TITLE, LOOKED_AT, begins_anew, find_headings, is_row_of_several

RULE = "|-: \t>"  # what the line below a table's headings is made of
BAR = re.compile(r"(?<!\\)\|")
LEADING = 4  # lines
TITLES = 4  # of these above one another, of which all but the last are one line
LONGEST_LINE = 120  # characters of such a line
TITLE = 3  # rows of more than one cell, which may still be names and values above the headings


class Table(NamedTuple):
    """Where a table is in the text, with the lines that lead to it, and what is said again in each passage."""

    lead: int
    head: int
    body: int
    end: int
    said: str


def tables_in(text: str) -> Iterator[Table]:
    """Yield the tables that have rows and headings."""
    lines = list(io.StringIO(text))
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    behind = 0
    for at, (head, rule) in enumerate(pairwise(lines)):
        if at >= behind and "|" in head and _is_rule(rule):
            behind = next((row for row in range(at + 2, len(lines)) if "|" not in lines[row]), len(lines))
            yield from _Lines(lines, starts, rule).tables(at, behind)


class _Lines:
    def __init__(self, lines: Sequence[str], starts: Sequence[int], rule: str) -> None:
        self._lines = lines
        self._starts = starts
        self._rule = rule

    def tables(self, at: int, behind: int) -> Iterator[Table]:
        """Yield a table, as several where rows below a blank one have headings of their own."""
        lead, rows = self._starts[_lead(self._lines, at)], [at, *range(at + 2, behind)]
        begin = 0
        for place in [*self._beginnings(rows), len(rows)]:
            found = self._table(rows[begin:place])
            if found and (place == len(rows) or self._has_data(rows[begin:place])):
                yield found._replace(lead=lead)
                lead = found.end
            begin = place

    def _beginnings(self, rows: Sequence[int]) -> Iterator[int]:
        for place, (before, row) in enumerate(pairwise(rows), 1):
            parted = _is_blank(self._lines[before]) and not _is_blank(self._lines[row])
            if parted and begins_anew(self._cells(rows[place : place + AFTER_BLANK])):
                yield place

    def _has_data(self, rows: Sequence[int]) -> bool:
        """Say whether rows are more than a title."""
        return sum(map(is_row_of_several, self._cells(rows[:LOOKED_AT]))) > TITLE

    def _table(self, rows: Sequence[int]) -> Table | None:
        """Return rows as a table; None where they are nothing but headings, or have none."""
        headings = find_headings(self._cells(rows[: LOOKED_AT + LONGEST_TITLE]))
        if not headings or headings.stop >= len(rows):
            return None
        first, *others = (self._lines[row] for row in rows[headings.start : headings.stop])
        head, body, end = (self._starts[row] for row in (rows[headings.start], rows[headings.stop], rows[-1] + 1))
        return Table(head, head, body, end, "".join((first, self._rule, *others)))

    def _cells(self, rows: Sequence[int]) -> list[list[str]]:
        return [_cells(self._lines[row]) for row in rows]


def _cells(line: str) -> list[str]:
    return BAR.split(line.strip(" \t\n>").removeprefix("|").removesuffix("|"))


def _is_blank(line: str) -> bool:
    return not line.strip("|> \t\n")


def _is_rule(line: str) -> bool:
    return "|" in line and "-" in line and not line.strip(RULE + "\n")


def _lead(lines: Sequence[str], table: int) -> int:
    """Return the first of the lines that lead to a table: a short paragraph in front of it, its titles, its heading."""
    first = table
    for _ in range(TITLES):
        above = _block_above(lines, first)
        if above is None or (first != table and (len(above) > 1 or len(lines[above[0]]) > LONGEST_LINE)):
            break
        first = above[0]
        if lines[first].startswith("#"):
            break
    return first


def _block_above(lines: Sequence[str], place: int) -> range | None:
    """Return the few lines of text above a place, that blank lines part from the rest; None where there are none."""
    last = place - 1
    while last >= 0 and not lines[last].strip():
        last -= 1
    first = last
    while first >= 0 and lines[first].strip() and "|" not in lines[first] and last - first < LEADING:
        first -= 1
    alone = first < last and (first < 0 or not lines[first].strip())
    return range(first + 1, last + 1) if alone else None
