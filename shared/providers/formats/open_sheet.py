"""A sheet of an OpenDocument: its cells as they are shown."""

import re
from collections.abc import Iterator, Sequence

from shared.providers.formats.open_lists import number
from shared.providers.formats.open_text import SHAPES, Writer, rows_of
from shared.providers.office.grid import Range, Row, as_markdown
from shared.providers.office.number_format import general, shown
from shared.providers.office.package import Element, children, inside, local, reference

MOST_REPEATED = 1000  # times that a row or a cell which holds something is said
VALUES = ("string-value", "date-value", "time-value", "boolean-value")
LETTERS = 26
NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?(?:[Ee][+-]?\d{1,2})?")
DURATION = re.compile(r"PT\d{1,6}H\d{1,2}M\d{1,2}(?:[.,]\d{1,9})?S")
DIGITS = re.compile(r"\d++")


class Sheet:
    """The cells of a sheet, with the comments on them."""

    def __init__(self, element: Element, writer: Writer, hidden: Sequence[str]) -> None:
        """Read the cells."""
        self.name = reference(element, "name")
        self._is_hidden = reference(element, "style-name") in hidden
        self._writer = writer
        self._rows: dict[int, Row] = {}
        self._merged: list[Range] = []
        self._comments: list[str] = []
        self._without_value = self._hidden_rows = 0
        self._shapes = [each for shapes in children(element, "shapes") for each in shapes]
        at = 1
        for row in rows_of(element):
            at += self._row(row, at)

    def text(self) -> str:
        """Return the sheet as Markdown, under its name."""
        drawn = self._writer.text(self._shapes)
        text = "\n\n".join(filter(None, [as_markdown(self._rows, self._merged), drawn, *self._comments]))
        return f"## {self.name}\n\n{text}" if text else ""

    def told(self) -> Iterator[str]:
        """Say what a reader would miss, or would not know."""
        if self._is_hidden and self._rows:
            yield f"the sheet {self.name} is hidden, and was read too"
        if self._without_value:
            many = f"formulas without a stored value ({self._without_value:,})"
            yield f"the sheet {self.name}: {many} stand as they are written: save it once in a program"
        if self._hidden_rows:
            yield f"the sheet {self.name}: {self._hidden_rows:,} hidden rows were read too"

    def _row(self, element: Element, at: int) -> int:
        """Take a row; return how many it stands for."""
        times = number(reference(element, "number-rows-repeated"), 1)
        row: Row = {}
        column = 1
        for cell in children(element, "table-cell", "covered-table-cell"):
            column += self._take(cell, row, at, column)
        if row and reference(element, "visibility") in ("collapse", "filter"):
            self._hidden_rows += 1
        for again in range(min(times, MOST_REPEATED) if row else 0):
            self._rows[at + again] = dict(row)
        return times

    def _take(self, cell: Element, row: Row, at: int, column: int) -> int:
        times = number(reference(cell, "number-columns-repeated"), 1)
        text = "" if local(cell) == "covered-table-cell" else self._cell(cell)
        if text:
            row.update((column + again, text) for again in range(min(times, MOST_REPEATED)))
            down, across = (number(reference(cell, f"number-{each}-spanned"), 1) for each in ("rows", "columns"))
            if down > 1 or across > 1:
                self._merged.append(Range(at, column, at + max(down, 1) - 1, column + max(across, 1) - 1))
        for comment in children(cell, "annotation"):
            said = self._writer.text([each for each in comment if local(each) in ("p", "list")])
            self._comments += [f"Comment on {_letters(column)}{at}: {said}"] if said else []
        return times

    def _cell(self, cell: Element) -> str:
        shown = self._writer.text([each for each in cell if local(each) in ("p", *SHAPES)])
        if shown:
            return shown
        value = _value(cell)
        formula = reference(cell, "formula").rpartition(":=")[2].lstrip("=")
        if not value and formula and reference(cell, "value-type") != "string":
            self._without_value += 1
            return f"={formula}"
        return value


def _value(cell: Element) -> str:
    """Return the value of a cell that does not say how it is shown."""
    said, kind = reference(cell, "value"), reference(cell, "value-type")
    if DURATION.fullmatch(time := reference(cell, "time-value")):
        return ":".join(part.rjust(2, "0") for part in DIGITS.findall(time)[:3])
    if not NUMBER.fullmatch(said):
        return said or next((other for each in VALUES if (other := reference(cell, each))), "")
    if kind == "percentage":
        return shown(float(said), "0.##%")
    return " ".join(filter(None, (general(float(said)), reference(cell, "currency"))))


def _letters(column: int) -> str:
    told = ""
    while column:
        column, rest = divmod(column - 1, LETTERS)
        told = chr(ord("A") + rest) + told
    return told


def hidden_styles(root: Element) -> list[str]:
    """Return the names of the styles whose sheets are not shown."""
    return [
        reference(style, "name")
        for style in inside(root, "style")
        if any(reference(each, "display") == "false" for each in children(style, "table-properties"))
    ]
