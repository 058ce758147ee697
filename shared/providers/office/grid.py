"""The cells of a sheet to Markdown: its first lines as text, and a table below headings."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from shared.providers.office.drawings import table
from shared.providers.web.html_table import head_of

MOST_REPEATED = 200_000  # cells of merged ranges that are said more than once
DEEPEST_HEAD = 3  # rows

Row = dict[int, str]  # by column, only the cells that hold something


class Range(NamedTuple):
    """A range of merged cells, from its first row and column to its last."""

    top: int
    left: int
    bottom: int
    right: int


def as_markdown(rows: dict[int, Row], merged: Sequence[Range]) -> str:
    """Return a sheet: the lines that lead to its table, and the table; what is merged is said in each of its cells."""
    filled = {number: row for number in sorted(rows) if (row := _filled(rows[number]))}
    across = _repeat(filled, merged)
    numbers = list(filled)
    begins = next((at for at, number in enumerate(numbers) if len(filled[number]) > 1), 0)
    lead = [text for number in numbers[:begins] for text in filled[number].values()]
    return "\n\n".join(filter(None, [*lead, _table([filled[number] for number in numbers[begins:]], across)]))


def _filled(row: Row) -> Row:
    return {column: text for column, text in row.items() if text.strip()}


def _repeat(rows: dict[int, Row], merged: Sequence[Range]) -> set[int]:
    """Say what is merged in each of its cells, unless it is alone in its row; return the rows that go on below."""
    columns, numbers = sorted({column for row in rows.values() for column in row}), list(rows)
    heads, spare = set(), MOST_REPEATED
    for area in merged:
        text = rows.get(area.top, {}).get(area.left)
        if text is None or spare <= 0:
            continue
        alone = len(rows[area.top]) == 1
        across = [area.left] if alone else _between(columns, area.left, area.right)
        spare -= len(across)  # to look at them costs, too, where no row is in the range
        if any(column not in rows[area.top] for column in across):
            heads.add(id(rows[area.top]))
        for number in _between(numbers, area.top, area.bottom)[: max(spare, 0)]:
            rows[number].update((each, text) for each in across if each not in rows[number])
            spare -= max(len(across), 1)
    return heads


def _between(places: Sequence[int], first: int, last: int) -> Sequence[int]:
    """Return those of some sorted places that lie in a range."""
    return places[bisect_left(places, first) : bisect_right(places, last)]


def _table(rows: Sequence[Row], heads: set[int]) -> str:
    """Return rows as a table; headings over several columns belong to the row below them."""
    columns = sorted({column for row in rows for column in row})
    deep = next((at for at, row in enumerate(rows[:DEEPEST_HEAD]) if id(row) not in heads), 0) + 1
    lines = [[row.get(column, "") for column in columns] for row in rows]
    head = head_of(lines[:deep], len(columns)) if deep > 1 else lines[:1][0] if lines else []
    return table([head, *lines[deep:]]) if lines else ""
