"""The quotes of a file: one to a JSON line, to a row of CSV, to a line or a paragraph of a text."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import Any, NamedTuple

from shared.domain.text import content_hash, is_storable
from shared.errors import Invalid
from shared.providers.formats import delimited
from shared.providers.parsing.chunker import Chunk
from shared.providers.parsing.parser import clean

LONGEST_QUOTE = 20_000  # characters
KEYS = ("text", "quote")  # both are found in seed 000's files
SHAPE = 'a line is {"text": "the quote"}'
HEADING = f"a CSV file of quotes names a column {' or '.join(KEYS)} in its first line, and each row holds a quote"
RULE = " --- |"  # below headings, once for each
SURPLUS = "has more cells than there are columns: a quote with a comma in it stands in quotation marks"
ENDS_SENTENCE = re.compile(r"""[.!?…。！？][)\]"'”’»“]*(?:\s+[–—-].*)?$""")  # noqa: RUF001
BLANK_LINE = re.compile(r"\S[^\S\n]*\n[^\S\n]*\n\s*\S")


class Quote(NamedTuple):
    """What was found, and on which line; `place` is where it is in the text."""

    words: str
    line: int
    place: tuple[int, int]


def from_lines(text: str) -> Iterator[Chunk]:
    """Yield the quotes of JSON lines; raises Invalid, with its number, for a line without one."""
    return _once(Quote(_of_json(line, number), number, place) for line, number, place in _lines(text))


def from_text(text: str) -> Iterator[Chunk]:
    """Yield a text's paragraphs; its lines where no blank line parts them or each ends a sentence."""
    lines = [*_lines(text)]
    each_ends = all(ENDS_SENTENCE.search(line) for line, _, _ in lines)
    if each_ends or not BLANK_LINE.search(text):
        return _once(Quote(line.strip(), number, place) for line, number, place in lines)
    return _once(_paragraphs(lines))


def from_table(table: str, text: str) -> Iterator[Chunk]:
    """Yield the quotes of CSV rows, each placed where the document's text has it; raises Invalid, with its number."""
    return _once(_rows(table, text))


def _once(quotes: Iterable[Quote]) -> Iterator[Chunk]:
    known = set()
    for words, line, (start, end) in quotes:
        key = content_hash(_storable(words, line).casefold())
        if key not in known:
            yield Chunk(words, start, end)
        known.add(key)


def _lines(text: str) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Yield the lines that are not blank, their numbers and places."""
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield line, number, (start, start + len(line))
        start += len(line) + 1


def _paragraphs(lines: Iterable[tuple[str, int, tuple[int, int]]]) -> Iterator[Quote]:
    found: list[tuple[str, int, tuple[int, int]]] = []
    for line in lines:
        if found and line[1] > found[-1][1] + 1:
            yield _paragraph(found)
            found = []
        found.append(line)
    if found:
        yield _paragraph(found)


def _paragraph(lines: list[tuple[str, int, tuple[int, int]]]) -> Quote:
    words = "\n".join(line.strip() for line, _, _ in lines)
    return Quote(words, lines[0][1], (lines[0][2][0], lines[-1][2][1]))


def _of_json(line: str, number: int) -> str:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"line {number} is not JSON: {SHAPE}") from error
    quote = _under_a_key(entry) if isinstance(entry, dict) else ""
    if not quote:
        raise Invalid(f'line {number} has neither "text" nor "quote", so no quote of the file is taken: {SHAPE}')
    return quote


def _under_a_key(entry: dict[str, Any]) -> str:
    given = (entry.get(key) for key in KEYS)
    said = (clean(value).strip() for value in given if isinstance(value, str))  # an escaped NUL is no NUL to the parser
    return next(filter(None, said), "")


def _rows(table: str, text: str) -> Iterator[Quote]:
    names: list[str] = []
    for line, cells, place in _placed(table, text):
        if not names:
            names = _columns(cells)
        elif any(cell.strip() for cell in cells):
            words = _cell(_named(names, cells, line), line)
            yield Quote(words, line, _within(words, text, place))
    if not names:
        raise Invalid(HEADING)


def _named(names: list[str], cells: list[str], line: int) -> dict[str, Any]:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise Invalid(f"line {line} {SURPLUS}")
    return dict(zip(names, cells, strict=False))


def _placed(table: str, text: str) -> Iterator[tuple[int, list[str], tuple[int, int]]]:
    """Yield the rows below titles and comments, each with its line and where a parsed table has it."""
    places = _row_places(text)
    for part in delimited.read(table):
        for line, cells, _ in part.rows:
            yield line, cells, next(places)


def _row_places(text: str) -> Iterator[tuple[int, int]]:
    """Yield without end where parsed tables have their rows, a line each: all with any character but their rules."""
    rows = ((line, place) for line, _, place in _lines(text) if line.startswith("|"))
    lines = (place for line, place in rows if line.strip("| ") and line.replace(RULE, "") != "|")
    return chain(lines, repeat((len(text), len(text))))


def _within(words: str, text: str, row: tuple[int, int]) -> tuple[int, int]:
    """Return where a row has a quote; the row's own place where the parser wrote it in another way."""
    start = text.find(words, *row)
    return row if start < 0 else (start, start + len(words))


def _columns(row: list[str]) -> list[str]:
    names = [name.strip().lower() for name in row]
    if not set(KEYS) & set(names):
        raise Invalid(HEADING)
    return names


def _cell(row: dict[str, Any], number: int) -> str:
    quote = _under_a_key(row)
    if not quote:
        raise Invalid(f"line {number} holds no quote, so no quote of the file is taken: {HEADING}")
    return quote


def _storable(quote: str, number: int) -> str:
    """Return a quote that can be stored and searched: Postgres indexes no text of more than a megabyte."""
    if len(quote) > LONGEST_QUOTE:
        raise Invalid(f"line {number} is too long a quote: {len(quote)} characters, and {LONGEST_QUOTE} are taken")
    if not is_storable(quote):
        raise Invalid(f"line {number} holds half a character: an unpaired surrogate")
    return quote
