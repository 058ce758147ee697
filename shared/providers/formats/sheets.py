"""A workbook sheet by sheet, its cells as they are shown, with the words that are drawn over them and the comments."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from shared.errors import Invalid
from shared.providers.office.drawings import chart_titles, text_of
from shared.providers.office.grid import Range, Row, as_markdown
from shared.providers.office.number_format import BUILT_IN, GENERAL, general, shown, shown_text
from shared.providers.office.package import Element, Link, Package, Unread, child, children, inside, local, reference
from shared.providers.word.word import only_leads_to_a_number

PLACE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
CODE = re.compile(r'&(?:&|"[^"]*+"|K[0-9A-F]{6}|\d++|[A-Z])')
ESCAPED = re.compile(r"_x(00[0-9A-Fa-f]{2})_")
TRUE = ("1", "true")
TRUTHS = {"0": "FALSE", "1": "TRUE"}
LARGEST_NUMBER = 40  # characters


class Book(NamedTuple):
    """The sheets as Markdown; `warnings` names what could not be read."""

    text: str
    title: str
    author: str
    warnings: list[str]


class Shared(NamedTuple):
    """What the cells of all sheets refer to: texts, formats, the first day, and whether nobody has computed yet."""

    texts: list[str]
    formats: list[str]
    since_1904: bool
    uncomputed: bool


def read(data: bytes) -> Book:
    """Read a workbook; raises Invalid for one that is damaged."""
    package = Package(data)
    main = package.main("xl/workbook.xml")
    reader = _Reader(package, main)
    try:
        text = "\n\n".join(filter(None, reader.sheets()))
    except Unread as error:
        raise Invalid(f"the file is damaged or cut off: its sheets cannot be read ({error})") from error
    return Book(text, *package.core(), reader.warnings)


class _Reader:
    """Reads the sheets one after the other."""

    def __init__(self, package: Package, main: str) -> None:
        self.warnings: list[str] = []
        self._package = package
        self._main = main

    def sheets(self) -> Iterator[str]:
        """Yield each sheet under its name; what could not be read is told, and what is hidden; raises Unread."""
        book, links = self._package.tree(self._main), self._package.links(self._main)
        about, computing = child(book, "workbookPr"), child(book, "calcPr")
        since_1904 = about is not None and about.get("date1904", "") in TRUE
        uncomputed = computing is not None and computing.get("fullCalcOnLoad", "") in TRUE
        shared = Shared(self._texts(), self._formats(), since_1904, uncomputed)
        for sheet in inside(child(book, "sheets"), "sheet"):
            yield self._sheet(sheet, links.get(reference(sheet)), shared)

    def _sheet(self, element: Element, link: Link | None, shared: Shared) -> str:
        name = element.get("name", "")
        try:
            if link is None:
                raise Unread("it is missing in the file")
            blocks = self._read(link.target, name, shared)
        except Unread as error:
            self.warnings.append(f"the sheet {name} was not read: {error}")
            return ""
        text = "\n\n".join(filter(None, blocks))
        if text and element.get("state", "visible") != "visible":
            self.warnings.append(f"the sheet {name} is hidden, and was read too")
        return f"## {name}\n\n{text}" if text else ""

    def _read(self, part: str, name: str, shared: Shared) -> list[str]:
        sheet = Sheet(shared)
        for element in self._package.stream(part, "row", "mergeCell", "col", "oddHeader", "oddFooter"):
            sheet.take(element)
        self.warnings += sheet.told(name)
        head, foot = sheet.edges.get("oddHeader", ""), sheet.edges.get("oddFooter", "")
        return [
            head,
            as_markdown(sheet.rows, sheet.merged),
            *self._drawn(part, name),
            *self._comments(part, name),
            foot,
        ]

    def _texts(self) -> list[str]:
        parts = self._package.linked(self._main, "sharedStrings")
        return [_text(each) for part in parts for each in self._package.stream(part, "si")]

    def _formats(self) -> list[str]:
        """Return the format of each look that a cell may have; that of a damaged part is told."""
        codes: dict[str, str] = {str(id): code for id, code in BUILT_IN.items()}
        looks: list[str] = []
        for part in self._package.linked(self._main, "styles"):
            try:
                root = self._package.tree(part)
            except Unread as error:
                self.warnings.append(f"the formats of numbers were not read: {error}")
                continue
            codes |= {each.get("numFmtId", ""): each.get("formatCode", GENERAL) for each in inside(root, "numFmt")}
            looks = [each.get("numFmtId", "0") for each in children(child(root, "cellXfs"), "xf")]
        return [codes.get(id, GENERAL) for id in looks]

    def _drawn(self, part: str, name: str) -> Iterator[str]:
        """Yield the words of the shapes that lie over the cells, and the titles of charts."""
        for drawing in self._package.linked(part, "drawing"):
            try:
                links = self._package.links(drawing)
                for each in inside(self._package.tree(drawing), "txBody", "chart"):
                    link = links.get(reference(each))
                    yield text_of(each) if local(each) == "txBody" else self._titles(link)
            except Unread as error:
                self.warnings.append(f"what is drawn on the sheet {name} was not read: {error}")

    def _titles(self, link: Link | None) -> str:
        if link is None:
            raise Unread("a chart is missing in the file")
        return chart_titles(self._package, link.target)

    def _comments(self, part: str, name: str) -> Iterator[str]:
        """Yield the comments; the answers to one stand in a newer list that tells it too."""
        told: dict[str, list[str]] = {}
        try:
            for kind, tag in (("threadedComment", "threadedComment"), ("comments", "comment")):
                newer = set(told)
                for list_ in self._package.linked(part, kind):
                    for each in self._package.stream(list_, tag):
                        if each.get("ref", "") not in newer:
                            told.setdefault(each.get("ref", ""), []).append(_text(child(each, "text")))
        except Unread as error:
            self.warnings.append(f"the comments on the sheet {name} were not read: {error}")
        yield from (f"Comment on {place}: {text}" for place, texts in told.items() for text in texts if text.strip())


class Sheet:
    """The cells of a sheet, as they come."""

    def __init__(self, shared: Shared) -> None:
        """Begin with nothing."""
        self.rows: dict[int, Row] = {}
        self.merged: list[Range] = []
        self.edges: dict[str, str] = {}
        self._shared = shared
        self._row = 0
        self._formulas: dict[str, str] = {}
        self._without_value = self._computed = self._zeros = 0
        self._hidden = {"row": 0, "col": 0}

    def take(self, element: Element) -> None:
        """Take a row, a merged range, a hidden column or what is printed at the edges of the pages."""
        kind = local(element)
        if kind in self._hidden and element.get("hidden", "") in TRUE:
            self._hidden[kind] += 1
        if kind == "row":
            self._take_row(element)
        elif kind == "mergeCell":
            self.merged += _range(element.get("ref", ""))
        elif kind != "col":
            text = " ".join(CODE.sub(_printed, element.text or "").split())
            counts = "&P" in (element.text or "") and only_leads_to_a_number(text)
            self.edges[kind] = "" if counts else text

    def told(self, name: str) -> Iterator[str]:
        """Say what a reader would miss, or would not know."""
        if self._without_value:
            many = f"formulas without a stored value ({self._without_value:,})"
            yield f"the sheet {name}: {many} stand as they are written: save it once in a program"
        if self._shared.uncomputed and self._computed and self._zeros == self._computed:
            yield f"the sheet {name}: all formulas are stored as 0 by a program that does not compute: save it once"
        rows, columns = self._hidden["row"], self._hidden["col"]
        hidden = [f"{rows:,} hidden rows"] * bool(rows) + [f"{columns:,} ranges of hidden columns"] * bool(columns)
        if hidden:
            yield f"the sheet {name}: {' and '.join(hidden)} were read too"

    def _take_row(self, element: Element) -> None:
        said = element.get("r", "")
        self._row = int(said) if said.isascii() and said.isdecimal() else self._row + 1
        row, column = self.rows.setdefault(self._row, {}), 0
        for cell in element:
            found = PLACE.fullmatch(cell.get("r", ""))
            column = _column(found[1]) if found else column + 1
            if text := self._cell(cell):
                row[column] = text

    def _cell(self, cell: Element) -> str:
        value = formula = inline = None
        for each in cell:
            match local(each):
                case "v":
                    value = each.text
                case "f":
                    formula = each
                case "is":
                    inline = each
        kind = cell.get("t", "n")
        if formula is not None:
            written = self._formula(formula)
            if not value and kind != "str":
                self._without_value += 1
                return written
            self._computed += 1
            self._zeros += value == "0"
        return self._shown(kind, value or "", inline, cell.get("s", "0"))

    def _formula(self, element: Element) -> str:
        """Return a formula as it is written; one that is shared by several cells, as in the first of them."""
        id = element.get("si", "")
        if element.text:
            if id:
                self._formulas[id] = element.text
            return f"={element.text}"
        return f"(as {self._formulas[id]})" if id in self._formulas else "(a formula)"

    def _shown(self, kind: str, value: str, inline: Element | None, look: str) -> str:
        if kind == "inlineStr":
            return _text(inline)
        if kind == "b":
            return TRUTHS.get(value, value)
        code = (
            self._shared.formats[int(look)] if look.isdecimal() and int(look) < len(self._shared.formats) else GENERAL
        )
        if kind == "s":
            value = self._shared.texts[int(value)] if value.isdecimal() and int(value) < len(self._shared.texts) else ""
        if kind in ("s", "str"):
            return value if code == GENERAL or "@" not in code else shown_text(value, code)
        return value if kind in ("e", "d") else _number(value, code, since_1904=self._shared.since_1904)


def _number(value: str, code: str, *, since_1904: bool) -> str:
    try:
        number = float(value) if len(value) <= LARGEST_NUMBER else None
    except ValueError:
        number = None
    if number is None or number in (float("inf"), float("-inf")) or number != number:
        return value
    return general(number) if code == GENERAL else shown(number, code, since_1904=since_1904)


def _text(element: Element | None) -> str:
    """Return the runs of a text, without the readings that are shown above it."""
    if element is None:
        return ""
    own = (each.text or "" for each in children(element, "t"))
    runs = (each.text or "" for run in children(element, "r") for each in children(run, "t"))
    text = "".join([*own, *runs]) or (element.text or "").strip()
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _range(said: str) -> Iterator[Range]:
    first, _, last = said.partition(":")
    begins, ends = PLACE.fullmatch(first), PLACE.fullmatch(last)
    if begins and ends:
        (top, bottom), (left, right) = (
            sorted((int(begins[2]), int(ends[2]))),
            sorted(map(_column, (begins[1], ends[1]))),
        )
        yield Range(top, left, bottom, right)


def _printed(found: re.Match[str]) -> str:
    return "&" if found[0] == "&&" else " "
