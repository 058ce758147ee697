"""Tables as text, a row a line: CSV and its kin, with any usual delimiter, below titles and comments, to Markdown."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from shared.domain.headings import AFTER_BLANK, LOOKED_AT, begins_anew, find_headings
from shared.providers.office.drawings import row_of

DELIMITERS = "\t;|,"  # of two that part all rows alike, the first: commas are in amounts and in words
NAMED = re.compile(r"\s{0,99}\"?sep=(\t|[^\w\s\"])\"?[,;|\t]{0,9999}\s*\Z", re.IGNORECASE)
NONE = "\x1f"  # which no text that is taken holds
COMMENT = "#"
SAMPLE = 100  # rows
MOST_TRIES = 2000  # in files with a blank line below each row
QUOTE = '"'
LETTER = "\x1d"  # stands for a quotation mark that quotes nothing; no text that is taken holds it
LINES_TOLD = 5
csv.field_size_limit(1 << 30)


class Record(NamedTuple):
    """A row, and the number of the line on which it ends; `unquoted` where a mark in it is no quotation."""

    line: int
    cells: list[str]
    unquoted: bool = False


class Part(NamedTuple):
    """What stands above a table, and its rows; the first are its headings, if it has any."""

    notes: list[str]
    above: list[Record]
    rows: list[Record]
    has_headings: bool


class Rows(NamedTuple):
    """Rows as Markdown tables; `warnings` names where quotation marks were taken for letters."""

    text: str
    warnings: list[str]


def to_markdown(text: str) -> str:
    """Return a text of rows as Markdown tables."""
    return told(text).text


def told(text: str) -> Rows:
    """Return a text of rows as Markdown tables, and what a reader should know of them."""
    parts = read(text)
    lines = [record.line for part in parts for record in (*part.above, *part.rows) if record.unquoted]
    return Rows("\n\n".join(filter(None, map(_written, parts))), _warnings(lines))


def _warnings(lines: Sequence[int]) -> list[str]:
    named = ", ".join(map(str, lines[:LINES_TOLD])) + (" and others" if len(lines) > LINES_TOLD else "")
    marks = "quotation marks that end nowhere, or within another row, were read as letters"
    return [f"{marks}: line{'s' * (len(lines) > 1)} {named}"] if lines else []


def read(text: str) -> list[Part]:
    """Return the tables of a text: one, but where rows below a blank line have headings of their own."""
    lines = text.split("\n")
    notes, start, delimiter = _comments(lines)
    body = "\n".join(lines[start:])
    records = _records(body, delimiter or delimiter_of(body), start)
    tables = [*_tables(records)]
    return [_part(rows, notes if at == 0 else []) for at, rows in enumerate(tables)] or [Part(notes, [], [], False)]


def delimiter_of(text: str) -> str:
    """Return what parts the cells: that by which most rows have as many as others."""
    best = max(DELIMITERS, key=lambda delimiter: _evenness(text, delimiter))
    return best if _evenness(text, best) > 0 else NONE


def _evenness(text: str, delimiter: str) -> float:
    """Return how much of the rows a delimiter parts alike, 0 where it parts few."""
    widths = [len(row) for row in islice(filter(None, _reader(_proven(text, delimiter), delimiter)), SAMPLE)]
    usual = Counter(widths).most_common(1)[0][0] if widths else 1
    return sum(min(width / usual, 1.0) for width in widths if width > 1) / len(widths) if usual > 1 else 0.0


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _proven(text: str, delimiter: str) -> str:
    """Return a text in which only those marks are left that begin a quotation: behind its last the cell ends.

    One that ends on its line with more behind it is left, too, unless its last mark begins a cell itself.
    """
    out: list[str] = []
    done = at = 0
    while (begin := text.find(QUOTE, at)) >= 0:
        at = begin + 1
        if not _begins_cell(text, begin, delimiter):
            continue
        end = _end_of(text, begin)
        if end < 0 or not (_ends_cell(text, end + 1, delimiter) or _is_within(text, begin, end, delimiter)):
            out += [text[done:begin], LETTER]
            done = at
        else:
            at = end + 1
    return "".join([*out, text[done:]])


def _end_of(text: str, begin: int) -> int:
    """Return where the mark is that ends a quotation, two of them being one in it; -1 without."""
    end = text.find(QUOTE, begin + 1)
    while end >= 0 and text.startswith(QUOTE, end + 1):
        end = text.find(QUOTE, end + 2)
    return end


def _is_within(text: str, begin: int, end: int, delimiter: str) -> bool:
    return text.find("\n", begin, end) < 0 and not _begins_cell(text, end, delimiter)


def _begins_cell(text: str, at: int, delimiter: str) -> bool:
    while at and text[at - 1] == " ":
        at -= 1
    return not at or text[at - 1] in ("\n", delimiter)


def _ends_cell(text: str, at: int, delimiter: str) -> bool:
    while text.startswith(" ", at):
        at += 1
    return at >= len(text) or text[at] in ("\n", "\r", delimiter)


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
    """Return the rows, with only those marks as quotations that are."""
    proven = _proven(text, delimiter)
    reader = _reader(proven, delimiter)
    records = [Record(reader.line_num, cells) for cells in reader]
    usual = _usual(records)
    lines = [*io.StringIO(proven, newline="")]
    starts = [0, *(record.line for record in records[:-1])]
    spans = zip(starts, records, strict=False)
    found = [_settled(record, lines[start : record.line], delimiter, usual) for start, record in spans]
    return [record._replace(line=before + record.line) for several in found for record in several]


def _usual(records: Sequence[Record]) -> int:
    widths = Counter(len(record.cells) for record in records if record.cells)
    return widths.most_common(1)[0][0] if widths else 0


def _settled(record: Record, lines: Sequence[str], delimiter: str, usual: int) -> list[Record]:
    """Return a row, or its lines as a row each where these alone are as wide as most: its quotation was none."""
    written = "".join(lines)
    if len(lines) > 1 and len(record.cells) != usual:
        letters = [*_reader(written.replace(QUOTE, LETTER), delimiter)]
        if all(len(cells) == usual for cells in letters):
            first = record.line - len(letters) + 1
            return [Record(first + at, _in_letters(cells), True) for at, cells in enumerate(letters)]
    return [Record(record.line, _in_letters(record.cells), LETTER in written)]


def _in_letters(cells: Sequence[str]) -> list[str]:
    return [cell.replace(LETTER, QUOTE) for cell in cells]


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
