"""The body of a Word document to Markdown, in the order of reading."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.providers.office.drawings import chart, diagram, link, said_of_picture, table
from shared.providers.office.embedded import TextOf, text_within
from shared.providers.office.formulas import formula
from shared.providers.office.package import (
    Element,
    Package,
    Unread,
    child,
    children,
    inside,
    is_on,
    local,
    reference,
    value,
)
from shared.providers.word import word_table
from shared.providers.word.numbering import MARK, Lists, Styles
from shared.providers.word.symbols import drawn

SILENT = frozenset(
    "pPr rPr tblPr trPr tcPr sdtPr sdtEndPr sectPr instrText del moveFrom delText softHyphen delInstrText rt".split()
)
NUMBERS_OF_PAGES = ("PAGE", "NUMPAGES", "SECTIONPAGES")
# What stands beside the number of a page in some languages.
LEADING = frozenset(
    " page pages p pg of seite seiten s von página páginas pág de pagina pagine pag di del van blz sur sida sidan av "
    "side af sivu strona str z din стр страница из".split(" ")
)
SIGNS = ".,:;/|()[]-\N{EN DASH}\N{EM DASH}"
OUTLINES = frozenset("012345")
STRUCK, NOT_STRUCK = "\x02", "\x03"  # around what is struck through; no text of XML holds them
BETWEEN_STRUCK = re.compile("\x03(\\s*+)\x02")
RAISED = frozenset("0123456789+-\N{MINUS SIGN}")


class Source(NamedTuple):
    """A part of a document and what its paragraphs refer to."""

    package: Package
    part: str
    styles: Styles
    lists: Lists
    text_of: TextOf


class Marks(dict[tuple[str, str], int]):
    """The marks of the notes of a document that all its parts refer to, in their order; `known` are all its notes."""

    def __init__(self, known: set[tuple[str, str]]) -> None:
        super().__init__()
        self.known = known

    def told(self, key: tuple[str, str]) -> str:
        """Return the mark of a note, as it is written; nothing where there is no such note."""
        return f"[{self.setdefault(key, len(self) + 1)}]" if key in self.known else ""


class Writer:
    """Writes a part; it puts the notes that it refers to into `marks`, and what was not read into `warnings`."""

    def __init__(self, source: Source, warnings: list[str], marks: Marks, *, margin: bool = False) -> None:
        self._source = source
        self._links = source.package.links(source.part)
        self._warnings = warnings
        self._marks = marks
        self._margin = margin  # of a page, where its number says nothing
        self._beside: list[str] = []  # what stands in boxes
        self._tables = 0  # that are open
        self._fields: list[str] = []  # the instructions of the fields that are open

    def text(self, container: Element) -> str:
        """Return the paragraphs and tables of a container; a list is one block."""
        out: list[str] = []
        was_item = False
        for block, is_item in self._blocks(container):
            if block.strip():
                out += [("\n" if is_item and was_item else "\n\n") if out else "", block.rstrip()]
                was_item = is_item
        return "".join(out)

    def _blocks(self, container: Element) -> Iterator[tuple[str, bool]]:
        for each in container:
            kind = local(each)
            if kind == "p":
                yield from self._paragraph(each)
            elif kind == "tbl":
                yield self._table(each), False
            elif kind in ("oMathPara", "oMath"):
                yield formula(each), False
            elif kind == "altChunk":
                yield self._file(each, "a file that was put into the text"), False
            elif kind not in SILENT:
                yield from self._blocks(each)

    def _file(self, element: Element, what: str) -> str:
        try:
            text, lost = text_within(self._source.package, self._source.part, element, self._source.text_of)
        except Unread as error:
            self._missing(what, error)
            return ""
        self._warnings += [f"{what}: {warning}" for warning in lost]
        return text

    def _missing(self, what: str, why: Unread) -> None:
        self._warnings.append(f"{what} was not read: {why}")

    def _paragraph(self, paragraph: Element) -> Iterator[tuple[str, bool]]:
        outer, self._beside = self._beside, []
        numbers = self._numbers_of_pages(paragraph)
        text = BETWEEN_STRUCK.sub(r"\1", self._inline(paragraph)).strip()
        text = text.replace(STRUCK, "~~").replace(NOT_STRUCK, "~~")
        beside, self._beside = self._beside, outer
        look = child(paragraph, "pPr")
        style = value(look, "pStyle")
        level = self._heading(look, style)
        label = self._source.lists.label(look, style) if text else None
        if numbers and only_leads_to_a_number(text):
            text = ""
        if level and text:
            number = label.text if label and label.text != MARK else ""
            yield " ".join(filter(None, ("#" * level, number, *text.split()))), False
        elif label:
            yield "  " * min(label.depth, 8) + " ".join(filter(None, (label.text, text))), True
        else:
            yield text, False
        yield from ((each, False) for each in beside)

    def _heading(self, look: Element | None, style: str) -> int:
        """Return the level of a heading, told by its outline or by the name of its style; 0 for other paragraphs."""
        chain = self._source.styles.chain(style)
        for each in (look, *(child(style, "pPr") for style in chain)):
            outline = value(each, "outlineLvl")
            if outline:
                return int(outline) + 1 if outline in OUTLINES else 0
        names = [style, *(value(each, "name") for each in chain)]
        return next((level for name in names if (level := _level_named(name))), 0)

    def _numbers_of_pages(self, paragraph: Element) -> bool:
        """Say whether a paragraph in the margin tells the number of a page."""
        if not self._margin:
            return False
        said = [each.text or "" for each in inside(paragraph, "instrText")]
        said += [reference(each, "instr") for each in inside(paragraph, "fldSimple")]
        return any(map(_counts_pages, said))

    def _inline(self, element: Element) -> str:
        out: list[str] = []
        for each in element:
            if said := self._said(each):
                raised = out and out[-1][-1].isalnum() and said[0] in RAISED and _is_raised(each)
                out.append(f"^{said}" if raised else said)
        return "".join(out)

    def _said(self, element: Element) -> str:
        kind = local(element)
        if kind == "instrText" and self._fields:
            self._fields[-1] += element.text or ""
        if kind in SILENT or (kind == "t" and self._margin and any(map(_counts_pages, self._fields))):
            return ""
        if kind in LETTERS:
            return LETTERS[kind](element)
        return WRITTEN[kind](self, element) if kind in WRITTEN else self._inline(element)

    def _run(self, run: Element) -> str:
        look = child(run, "rPr")
        if is_on(look, "vanish"):
            return ""
        text = self._inline(run)
        if is_on(look, "strike") or is_on(look, "dstrike"):
            inner = text.strip()
            return text.replace(inner, f"{STRUCK}{inner}{NOT_STRUCK}") if inner else text
        return text

    def _field(self, element: Element) -> str:
        """Follow a field; a box to tick and a choice stand in it alone."""
        match reference(element, "fldCharType"):
            case "begin":
                self._fields.append("")
            case "end" if self._fields:
                self._fields.pop()
        data = child(element, "ffData")
        box, choice = child(data, "checkBox"), child(data, "ddList")
        if box is not None:
            return "☒" if is_on(box, "checked" if child(box, "checked") is not None else "default") else "☐"
        entries = [reference(each, "val") for each in children(choice, "listEntry")]
        at = value(choice, "result") or value(choice, "default") or "0"
        return entries[int(at)] if at.isdecimal() and int(at) < len(entries) else ""

    def _simple_field(self, element: Element) -> str:
        return "" if self._margin and _counts_pages(reference(element, "instr")) else self._inline(element)

    def _link(self, element: Element) -> str:
        text, found = self._inline(element), self._links.get(reference(element))
        return link(text, found.target if found and found.is_outside else "")

    def _note(self, element: Element) -> str:
        return self._marks.told((local(element).removesuffix("Reference"), reference(element)))

    def _ruby(self, element: Element) -> str:
        above = "".join(self._inline(each) for each in children(element, "rt"))
        return "".join(self._inline(each) for each in children(element, "rubyBase")) + (f"({above})" if above else "")

    def _box(self, element: Element) -> str:
        if text := self.text(element):
            self._beside.append(text)
        return ""

    def _drawing(self, element: Element) -> str:
        self._beside.append(said_of_picture(next(inside(element, "docPr"), None)))
        return self._inline(element)

    def _art(self, element: Element) -> str:
        self._beside.append(element.get("string", ""))
        return ""

    def _drawn(self, element: Element) -> str:
        name, read = ("a diagram", diagram) if local(element) == "relIds" else ("a chart", chart)
        found = self._links.get(reference(element, "dm" if name == "a diagram" else "id"))
        try:
            if found is None:
                raise Unread("it is missing in the file")
            self._beside.append(read(self._source.package, found.target))
        except Unread as error:
            self._missing(name, error)
        return ""

    def _embedded(self, element: Element) -> str:
        self._beside.append(
            self._file(element, f"an embedded object ({element.get('ProgID') or 'of an unknown kind'})")
        )
        return ""

    def _table(self, element: Element) -> str:
        self._tables += 1
        filled = [line for line in word_table.rows(element, self.text) if any(line)]
        self._tables -= 1
        if self._tables:
            return "; ".join(", ".join(filter(None, line)) for line in filled)
        if max(map(len, filled), default=0) == 1:
            return "\n\n".join(line[0] for line in filled)  # a frame around text
        return table(filled)


def only_leads_to_a_number(text: str) -> bool:
    """Say whether what stands beside the number of a page says nothing without it."""
    return all(word.strip(SIGNS).casefold() in LEADING for word in text.split())


def _counts_pages(instruction: str) -> bool:
    return any(word in NUMBERS_OF_PAGES for word in instruction.upper().split()[:1])


def _is_raised(run: Element) -> bool:
    return value(child(run, "rPr"), "vertAlign") == "superscript"


def _level_named(name: str) -> int:
    plain = name.casefold().replace(" ", "")
    if plain in ("title", "titel", "titre"):
        return 1
    digit = plain.removeprefix("heading")
    return int(digit) if plain.startswith("heading") and digit in list("123456") else 0


def _symbol(element: Element) -> str:
    try:
        code = int(reference(element, "char"), 16)
    except ValueError:
        return ""
    return drawn(reference(element, "font"), code) if 0 <= code < 0x11_0000 else ""


LETTERS: dict[str, Callable[[Element], str]] = {
    "t": lambda each: each.text or "",
    "tab": lambda _: " ",
    "ptab": lambda _: " ",
    "br": lambda _: "\n",
    "cr": lambda _: "\n",
    "noBreakHyphen": lambda _: "-",
    "sym": _symbol,
    "oMath": formula,
    "oMathPara": formula,
}
WRITTEN: dict[str, Callable[[Writer, Element], str]] = {
    "r": Writer._run,
    "fldChar": Writer._field,
    "fldSimple": Writer._simple_field,
    "hyperlink": Writer._link,
    "footnoteReference": Writer._note,
    "endnoteReference": Writer._note,
    "commentReference": Writer._note,
    "ruby": Writer._ruby,
    "txbxContent": Writer._box,
    "drawing": Writer._drawing,
    "textpath": Writer._art,
    "chart": Writer._drawn,
    "relIds": Writer._drawn,
    "OLEObject": Writer._embedded,
}
