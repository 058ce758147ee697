"""Tables as text, a row a line: CSV and its kin, with any usual delimiter, below titles and comments, to Markdown."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from shared.domain.headings import LOOKED_AT, begins_anew, find_headings

DELIMITERS = "\t;|,"  # of two that part all rows alike, the first: commas are in amounts and in words
NAMED = re.compile(r"\s{0,99}\"?sep=(\t|[^\w\s\"])\"?[,;|\t]{0,9999}\s*\Z", re.IGNORECASE)
NONE = "\x1f"  # which no text that is taken holds
END = "\x1e"
COMMENT = "#"
SAMPLE = 100  # rows
AFTER_BLANK = 12  # rows that tell whether another table begins
MOST_TRIES = 2000  # in files with a blank line below each row
EVEN = 0.8  # of the lines in a quoted cell, which a row each would be parted like
csv.field_size_limit(1 << 30)


class Record(NamedTuple):
    """A row, and the number of the line on which it ends."""

    line: int
    cells: list[str]


class Part(NamedTuple):
    """What stands above a table, and its rows; the first are its headings, if it has any."""

    notes: list[str]
    above: list[Record]
    rows: list[Record]
    has_headings: bool


def to_markdown(text: str) -> str:
    """Return a text of rows as Markdown tables."""
    return "\n\n".join(filter(None, map(_written, read(text))))


def read(text: str) -> list[Part]:
    """Return the tables of a text: one, but where rows below a blank line have headings of their own."""
    lines = text.split("\n")
    notes, start, delimiter = _comments(lines)
    body = "\n".join(lines[start:])
    records = _records(body, delimiter or delimiter_of(body), start)
    tables = [*_tables(records)]
    return [_part(rows, notes if at == 0 else []) for at, rows in enumerate(tables)] or [Part(notes, [], [], False)]


def row_of(cells: Iterable[str]) -> str:
    """Return a row as a line of Markdown."""
    return f"| {' | '.join(cell.strip().replace(chr(10), ' ').replace('|', chr(92) + '|') for cell in cells)} |"


def delimiter_of(text: str) -> str:
    """Return what parts the cells: that by which most rows have as many as others."""
    best = max(DELIMITERS, key=lambda delimiter: _evenness(text, delimiter))
    return best if _evenness(text, best) > 0 else NONE


def _evenness(text: str, delimiter: str) -> float:
    """Return how much of the rows a delimiter parts alike, 0 where it parts few."""
    widths = [len(row) for row in islice(filter(None, _reader(text, delimiter)), SAMPLE)]
    usual = Counter(widths).most_common(1)[0][0] if widths else 1
    return sum(min(width / usual, 1.0) for width in widths if width > 1) / len(widths) if usual > 1 else 0.0


def _reader(text: str, delimiter: str, *, quoted: bool = True) -> Any:
    marks: Any = {} if quoted else {"quoting": csv.QUOTE_NONE}
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, **marks)


def _comments(lines: Sequence[str]) -> tuple[list[str], int, str]:
    """Return the comments at a file's beginning, how many lines they and what names the delimiter take, and that."""
    notes: list[str] = []
    delimiter = ""
    for at, line in enumerate(lines):
        if not delimiter and (named := NAMED.match(line)):
            delimiter = named[1]
        elif line.startswith(COMMENT) and not _is_heading(lines[at : at + 2], delimiter):
            notes.append(line)
        elif line.strip():
            return notes, at, delimiter
    return notes, len(lines), delimiter


def _is_heading(lines: Sequence[str], delimiter: str) -> bool:
    """Say whether a comment is the headings: what follows is a row with as many cells."""
    head, below = lines[0], "".join(lines[1:])
    if below.startswith(COMMENT) or head[1:2].isspace():
        return False
    return any(1 < len(head.split(each)) == len(below.split(each)) for each in (delimiter or DELIMITERS))


def _records(text: str, delimiter: str, before: int) -> list[Record]:
    """Return the rows; where a quotation mark has no other, all of them are only marks."""
    records = [*_numbered(f"{text}\n{END}", delimiter, before, quoted=True)]
    if records[-1].cells != [END] or any(_holds_rows(record.cells, delimiter) for record in records):
        records = [*_numbered(f"{text}\n{END}", delimiter, before, quoted=False)]
    return records[:-1]


def _numbered(text: str, delimiter: str, before: int, *, quoted: bool) -> Iterator[Record]:
    reader = _reader(text, delimiter, quoted=quoted)
    for cells in reader:
        yield Record(before + reader.line_num, cells)


def _holds_rows(cells: Sequence[str], delimiter: str) -> bool:
    """Say whether a cell holds lines that are rows themselves: its quotation mark was none, and met another far on."""
    lines = next((cell.split("\n") for cell in cells if cell.count("\n") > 1), None)
    if lines is None:
        return False
    usual, times = Counter(line.count(delimiter) for line in lines[1:-1]).most_common(1)[0]
    return usual >= (1 if delimiter == "\t" else 2) and times >= EVEN * (len(lines) - 2)


def _tables(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Yield the rows of each table; without blank ones."""
    table: list[Record] = []
    parted, tries = False, MOST_TRIES
    for at, record in enumerate(records):
        if not any(map(str.strip, record.cells)):
            parted = tries > 0
            continue
        tries -= parted
        if parted and len(table) > 3 and begins_anew(_cells(records[at : at + AFTER_BLANK])):
            yield table
            table = []
        table.append(record)
        parted = False
    if table:
        yield table


def _cells(records: Iterable[Record]) -> list[list[str]]:
    return [record.cells for record in records]


def _part(records: list[Record], notes: list[str]) -> Part:
    headings = find_headings(_cells(records[: 2 * LOOKED_AT]))
    start = headings.start if headings else 0
    return Part(notes, records[:start], records[start:], bool(headings))


def _written(part: Part) -> str:
    above = [*part.notes, *(", ".join(filter(None, map(str.strip, record.cells))) for record in part.above)]
    return "\n\n".join(filter(None, ("\n".join(filter(None, above)), "\n".join(_lines(part)))))


def _lines(part: Part) -> Iterator[str]:
    """Yield the lines of a table; one without headings has blank ones, as Markdown has no other."""
    if not part.rows:
        return
    width = len(part.rows[0].cells)
    first, *others = part.rows if part.has_headings else [Record(0, [""] * width), *part.rows]
    yield from chain((row_of(first.cells), f"|{' --- |' * width}"), map(row_of, (row.cells for row in others)))
