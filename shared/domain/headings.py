"""Which rows of a table say what its columns are: titles may stand above them, and there may be several. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

LOOKED_AT = 200  # rows, that tell how wide a table is and of what its columns are
AFTER_BLANK = 12  # rows that tell whether another table begins
LONGEST_TITLE = 40  # rows that may stand above the headings
MOST_HEADINGS = 3  # rows
MOSTLY = 0.6  # of a column's cells
WIDEST = 100  # columns that are looked at
LONGEST_NUMBER = 9
AMOUNT = re.compile(r"[^\w]*+\d[\d\s.,:/%+-]*+[^\W\d_]{0,4}+[^\w\s]*+\Z")
YEAR = re.compile(r"(?:19|20|21)\d\d\Z")

Row = Sequence[str]


def find_headings(rows: Sequence[Row]) -> range:
    """Return which of a table's first rows are its headings, titles being above them; none where it begins with data.

    The headings end with the first row that is as full as most are, or with the one before it where that is data.
    """
    usual = _usual_width(rows[:LOOKED_AT])
    full = next((at for at, row in enumerate(rows[:LONGEST_TITLE]) if _width(row) >= usual), 0) if usual else 0
    if full and _is_data_below(rows, full, usual):
        return range(_first(rows, full - 1), full)
    return range(0) if not rows or _is_record(rows[full:]) else range(_first(rows, full), full + 1)


def begins_anew(rows: Sequence[Row]) -> bool:
    """Say whether rows below a blank one have headings of their own: words above columns of amounts."""
    if any(_is_amount(rows[0], column) for column in range(len(rows[0]))):
        return False
    headings = find_headings(rows)
    amounts = [*_columns_of_amounts(rows[headings.stop :])] if headings else []
    return bool(amounts) and not any(_is_amount(rows[headings.stop - 1], column) for column in amounts)


def is_row_of_several(row: Row) -> bool:
    """Say whether a row has words in more than one cell."""
    return _width(row) > 1


def _filled(row: Row) -> int:
    return sum(1 for cell in row if cell.strip())


def _width(row: Row) -> int:
    """Count the cells with words, those once that say the same next to each other: one cell over several columns."""
    return sum(1 for said, _ in groupby(cell.strip() for cell in row) if said)


def _usual_width(rows: Sequence[Row]) -> int:
    """Return how many cells are filled in most rows that have more than one; 0 where there is none."""
    counted = Counter(filled for row in rows if (filled := _filled(row)) > 1)
    return max(counted, key=lambda filled: (counted[filled], filled), default=0)


def _first(rows: Sequence[Row], last: int) -> int:
    """Return the first of the headings: groups of columns stand above their names, a title stands alone."""
    first = last
    while first > max(0, last - MOST_HEADINGS + 1) and _names_groups(rows[first - 1], rows[first]):
        first -= 1
    return first


def _names_groups(row: Row, below: Row) -> bool:
    """Say whether a row names groups of the columns below it, and is no title or a name with its value."""
    if _width(row) < 2:
        return bool(row) and not row[0].strip() and _width(row) == 1
    return any(cell.strip() for cell in row[2:]) or not row[0].strip() or not below[0].strip() or row[0] == below[0]


def _is_data_below(rows: Sequence[Row], at: int, usual: int) -> bool:
    """Say whether the first full row is data, so that the row above it must be the headings, though some are blank."""
    above = rows[at - 1]
    if _width(above) < 2 or _continues(above, rows[at]):
        return False
    amounts = [*_columns_of_amounts(rows[at + 1 : at + LOOKED_AT])]
    if amounts:
        return all(_is_amount(rows[at], column) for column in amounts)
    return _width(above) >= usual - 1 and not above[0].strip()


def _continues(above: Row, row: Row) -> bool:
    """Say whether a cell reaches down into the row below it."""
    return any(cell.strip() and cell == below for cell, below in zip(above, row, strict=False))


def _is_record(rows: Sequence[Row]) -> bool:
    """Say whether the first row is data as all below: it has amounts where they have, which are no years or numbers."""
    amounts = [*_columns_of_amounts(rows[1:LOOKED_AT])]
    if not amounts or not all(_is_amount(rows[0], column) for column in amounts):
        return False
    said = [rows[0][column].strip() for column in amounts]
    return not all(map(YEAR.match, said)) and not _counts_up(said)


def _counts_up(said: Sequence[str]) -> bool:
    """Say whether cells are numbers in steps, as those of columns are."""
    numbers = [int(each) for each in said if each.isdecimal() and len(each) <= LONGEST_NUMBER]
    steps = {later - before for before, later in pairwise(numbers)}
    return len(said) > 2 and len(numbers) == len(said) and len(steps) == 1


def _columns_of_amounts(rows: Sequence[Row]) -> Iterator[int]:
    """Yield the columns in which most cells are amounts."""
    for column in range(min(max(map(len, rows), default=0), WIDEST)):
        said = [row for row in rows if len(row) > column and row[column].strip()]
        if sum(_is_amount(row, column) for row in said) > MOSTLY * len(said):
            yield column


def _is_amount(row: Row, column: int) -> bool:
    return len(row) > column and AMOUNT.match(row[column].strip()) is not None
