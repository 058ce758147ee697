"""The cells of a sheet to Markdown: its first lines as text, and a table below headings."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.providers.drawings import table
from shared.providers.html_table import head_of

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
    columns = sorted({column for row in rows.values() for column in row})
    heads, spare = set(), MOST_REPEATED
    for area in merged:
        text = rows.get(area.top, {}).get(area.left)
        if text is None:
            continue
        alone = len(rows[area.top]) == 1
        across = [area.left] if alone else [column for column in columns if area.left <= column <= area.right]
        if any(column not in rows[area.top] for column in across):
            heads.add(id(rows[area.top]))
        for number in _within(rows, area):
            spare -= len(across)
            rows[number].update((each, text) for each in across if spare > 0 and each not in rows[number])
    return heads


def _within(rows: dict[int, Row], area: Range) -> list[int]:
    if area.bottom - area.top < len(rows):
        return [number for number in range(area.top, area.bottom + 1) if number in rows]
    return [number for number in rows if area.top <= number <= area.bottom]


def _table(rows: Sequence[Row], heads: set[int]) -> str:
    """Return rows as a table; headings over several columns belong to the row below them."""
    columns = sorted({column for row in rows for column in row})
    deep = next((at for at, row in enumerate(rows[:DEEPEST_HEAD]) if id(row) not in heads), 0) + 1
    lines = [[row.get(column, "") for column in columns] for row in rows]
    head = head_of(lines[:deep], len(columns)) if deep > 1 else lines[:1][0] if lines else []
    return table([head, *lines[deep:]]) if lines else ""
