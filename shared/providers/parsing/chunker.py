"""A document's text to overlapping passages, in reading order."""

import importlib
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from shared.domain.tokens import CountTokens, count_for_embedding
from shared.errors import Invalid
from shared.providers.parsing.tables import Table, tables_in

LEAST_ROOM = 0.25  # of a passage, which a table's headings leave to its rows


class Chunk(NamedTuple):
    """A passage: `text[start:end]` of the document, behind the headings of its table if it begins inside of one."""

    text: str
    start: int
    end: int


def chunk(
    text: str, size: int, overlap: int | float = 0, count_tokens: CountTokens = count_for_embedding
) -> list[Chunk]:
    """Split into passages of at most `size` tokens, cut where the text pauses; a cut table has its headings in each.

    `overlap` is in tokens, or below 1 a share of `size`. Raises Invalid for sizes that make no sense.
    """
    if size < 1 or not 0 <= overlap < size:
        raise Invalid(f"chunks of {size} tokens cannot overlap by {overlap}: size is at least 1, overlap below it")
    cutter = _Cutter(text, size, overlap, count_tokens)
    tables = list(filter(None, map(cutter.repeatable, tables_in(text))))
    passages = cutter.cut(0, len(text))
    if severed := _severed(tables, passages):
        passages = cutter.cut_around(severed)
    if len(_severed(tables, passages)) > len(_severed(severed, passages)):
        passages = cutter.cut_around(tables)  # what was in one passage at first need not be so now
    return passages


class _Cutter:
    def __init__(self, text: str, size: int, overlap: int | float, count: CountTokens) -> None:
        self._text = text
        self._size = size
        self._count = count
        semchunk: Any = importlib.import_module("semchunk")
        settings = {"memoize": False, "offsets": True, "overlap": overlap or None}
        self._split = partial(semchunk.chunk, token_counter=count, **settings)

    def cut(self, start: int, end: int, size: int = 0) -> list[Chunk]:
        """Cut a stretch of the text."""
        passages, places = self._split(self._text[start:end], size or self._size)
        return [Chunk(said, start + first, start + last) for said, (first, last) in zip(passages, places, strict=True)]

    def cut_around(self, tables: Sequence[Table]) -> list[Chunk]:
        """Cut the text and, each by itself, some tables in it."""
        ends = [0, *(table.end for table in tables)]
        starts = [*(table.lead for table in tables), len(self._text)]
        passages = self.cut(ends[0], starts[0])
        for table, (start, end) in zip(tables, zip(ends[1:], starts[1:], strict=True), strict=True):
            passages += [*self._cut_table(table), *self.cut(start, end)]
        return passages

    def repeatable(self, table: Table) -> Table | None:
        """Return a table that can be cut with its headings in each passage, without its lead if that is long."""
        if not any(map(str.isalnum, table.said)):
            return None
        return next((each for each in (table, table._replace(lead=table.head)) if self._room(each)), None)

    def _room(self, table: Table) -> int:
        """Return how many tokens of rows a passage can hold, 0 for too few."""
        longest = max(map(self._count, (self._text[table.lead : table.body], table.said)))
        room = self._size - longest - 1  # both counts are rounded
        return room if room >= max(LEAST_ROOM * self._size, 1) else 0

    def _cut_table(self, table: Table) -> Iterator[Chunk]:
        rows = self.cut(table.body, table.end, self._room(table))
        yield Chunk(self._text[table.lead : rows[0].end], table.lead, rows[0].end)
        yield from (row._replace(text=table.said + row.text) for row in rows[1:])


def _severed(tables: Sequence[Table], passages: Sequence[Chunk]) -> list[Table]:
    """Return the tables inside of which, or of whose headings, a passage begins."""
    starts = [*(passage.start for passage in passages), sys.maxsize]
    return [table for table in tables if starts[bisect_left(starts, table.head + 1)] < table.end]
