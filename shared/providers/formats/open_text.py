"""The text of an OpenDocument to Markdown, in the order of reading."""

from collections.abc import Callable, Iterable, Iterator

from shared.providers.formats.open_lists import Count, Styles, items, number
from shared.providers.office.drawings import WIDEST, link, table
from shared.providers.office.package import Element, Package, Unread, child, children, inside, local, reference
from shared.providers.word.word import only_leads_to_a_number

SILENT = frozenset(
    "tracked-changes forms sequence-decls variable-decls user-field-decls note-citation annotation-end "
    "event-listeners shape-index list-style ruby-text settings alphabetical-index-auto-mark-file".split()
)
NUMBERS_OF_PAGES = ("page-number", "page-count")
SHAPES = frozenset(
    "frame custom-shape rect ellipse line connector polygon polyline path circle caption g control".split()
)
# What a formula in a line has between its parts, and before them.
BETWEEN = {"mfrac": ("/",), "msup": ("^",), "msub": ("_",), "msubsup": ("_", "^"), "munder": ("_",), "mover": ("^",)}
BEFORE = {"msqrt": "\N{SQUARE ROOT}"}
MOST_SPACES = 50
LARGEST_HEADING = 6
Standing = dict[int, tuple[str, int]]  # by column, what a cell says in the cells that it covers, and in how many rows


class Writer:
    """Writes parts of a document; the notes that these refer to go into `notes`, what was not read into `warnings`."""

    def __init__(
        self, package: Package, styles: Styles, warnings: list[str], notes: list[str], *, margin: bool = False
    ) -> None:
        self.notes = notes
        self._package = package
        self._styles = styles
        self._warnings = warnings
        self._margin = margin  # of a page, where its number says nothing
        self._beside: list[str] = []  # what stands in boxes
        self._outline = Count(styles.outline)
        self._counts: dict[str, Count] = {}
        self._tables = 0  # that are open

    def text(self, container: Iterable[Element]) -> str:
        """Return the paragraphs and tables of a container; a list is one block."""
        out: list[str] = []
        was_item = False
        for block, is_item in self._blocks(container):
            if block.strip():
                out += [("\n" if is_item and was_item else "\n\n") if out else "", block.rstrip()]
                was_item = is_item
        return "".join(out)

    def told(self) -> list[str]:
        """Return the notes in the order in which they were referred to."""
        return [f"[{mark}] {note}" for mark, note in enumerate(self.notes, 1)]

    def _blocks(self, container: Iterable[Element]) -> Iterator[tuple[str, bool]]:
        for each in container:
            kind = local(each)
            if kind in ("p", "h"):
                yield from self._paragraph(each)
            elif kind == "list":
                yield from self._list(each, reference(each, "style-name"), 1)
            elif kind == "table":
                yield self._table(each), False
            elif kind == "math":
                yield " ".join(_formula(each).split()), False
            elif kind in SHAPES:
                yield from ((block, False) for block in self._shape(each))
            elif kind not in SILENT:
                yield from self._blocks(each)

    def _paragraph(self, paragraph: Element, label: str | None = None, depth: int = 0) -> Iterator[tuple[str, bool]]:
        outer, self._beside = self._beside, []
        text = self.inline(paragraph).strip()
        beside, self._beside = self._beside, outer
        if self._margin and _counts_pages(paragraph) and only_leads_to_a_number(text):
            text = ""
        if local(paragraph) == "h" and text:
            level = number(reference(paragraph, "outline-level"), 1)
            own = label if label is not None else self._heading_number(paragraph, level)
            sign = "#" * min(max(level, 1), LARGEST_HEADING)
            yield " ".join(filter(None, (sign, own.strip("- "), *text.split()))), False
        elif label is not None:
            yield "  " * min(depth - 1, 8) + " ".join(filter(None, (label, text))), True
        else:
            yield text, False
        yield from ((block, False) for block in beside)

    def _heading_number(self, heading: Element, level: int) -> str:
        is_counted = self._styles.outline and reference(heading, "is-list-header") != "true"
        return self._outline.label(level) if is_counted else ""

    def _list(self, element: Element, style: str, depth: int) -> Iterator[tuple[str, bool]]:
        goes_on = reference(element, "continue-numbering") == "true" or reference(element, "continue-list")
        if style not in self._counts or (depth == 1 and not goes_on):
            self._counts[style] = Count(self._styles.levels(style))
        elif depth > 1 and not goes_on:
            self._counts[style].restart(depth)
        for item in items(element):
            yield from self._item(item, style, depth)

    def _item(self, item: Element, style: str, depth: int) -> Iterator[tuple[str, bool]]:
        """Write an item, whose first paragraph has the number."""
        label = ""
        if any(local(each) != "list" for each in item) and local(item) == "list-item":
            label = self._counts[style].label(depth, reference(item, "start-value"))
        for each in item:
            if local(each) == "list":
                yield from self._list(each, reference(each, "style-name") or style, depth + 1)
            elif local(each) in ("p", "h"):
                yield from self._paragraph(each, label, depth)
                label = ""
            elif local(each) not in SILENT:
                yield from self._blocks([each])

    def inline(self, element: Element) -> str:
        """Return the words of a paragraph, without the line ends of the file."""
        out = [_collapsed(element.text)]
        for each in element:
            out += [self._said(each), _collapsed(each.tail)]
        return "".join(out)

    def _said(self, element: Element) -> str:
        kind = local(element)
        if kind in SILENT or (self._margin and kind in NUMBERS_OF_PAGES):
            return ""
        if kind in SHAPES:
            self._beside += self._shape(element)
            return ""
        return WRITTEN[kind](self, element) if kind in WRITTEN else self.inline(element)

    def _note(self, element: Element) -> str:
        body = child(element, "note-body")
        self.notes.append("")
        mark = len(self.notes)
        self.notes[mark - 1] = self.text(body) if body is not None else ""
        return f"[{mark}]"

    def _comment(self, element: Element) -> str:
        author = "".join("".join(each.itertext()) for each in children(element, "creator")).strip()
        said = self.text([each for each in element if local(each) in ("p", "list")])
        if not said:
            return ""
        self.notes.append(f"Comment ({author}): {said}" if author else f"Comment: {said}")
        return f"[{len(self.notes)}]"

    def _link(self, element: Element) -> str:
        return link(self.inline(element), reference(element, "href"))

    def _ruby(self, element: Element) -> str:
        above = "".join("".join(each.itertext()) for each in children(element, "ruby-text"))
        return self.inline(element) + (f"({above})" if above else "")

    def _shape(self, element: Element) -> list[str]:
        """Return the words of a shape: those in it, those of the object it shows, and what is said instead of it."""
        said = [" ".join("".join(each.itertext()).split()) for each in children(element, "title", "desc")]
        placed = [each for each in children(element, "object", "object-ole") if not len(each)]
        objects = map(self._object, placed)  # the others hold what they show
        body = self.text([each for each in element if local(each) not in ("title", "desc")])
        return [each for each in (*dict.fromkeys(said), *objects, body) if each]

    def _object(self, element: Element) -> str:
        folder = reference(element, "href").removeprefix("./").rstrip("/")
        try:
            if local(element) == "object-ole":
                raise Unread("it is a file apart")
            if not folder.strip("."):
                raise Unread("it is not in the file")
            return self._embedded(self._package.tree(f"{folder}/content.xml"))
        except Unread as error:
            self._warnings.append(f"an embedded object was not read: {error}")
            return ""

    def _embedded(self, root: Element) -> str:
        """Return the words of a chart and its values, or of a formula."""
        if local(root) == "math":
            return " ".join(_formula(root).split())
        titles = [" ".join("".join(each.itertext()).split()) for each in inside(root, "title", "subtitle")]
        return "\n\n".join(filter(None, [*titles, *map(self._table, inside(root, "table"))]))

    def _table(self, element: Element) -> str:
        self._tables += 1
        lines = list(self._rows(element))
        self._tables -= 1
        filled = [line for line in lines if any(line)]
        if self._tables:
            return "; ".join(", ".join(filter(None, line)) for line in filled)
        if max(map(len, filled), default=0) == 1:
            return "\n\n".join(line[0] for line in filled)  # a frame around text
        return table(filled)

    def _rows(self, element: Element) -> Iterator[list[str]]:
        """Yield the rows; what is merged is said in each of its cells."""
        standing: Standing = {}
        for row in rows_of(element):
            line = self._row(row, standing)
            for _ in range(min(number(reference(row, "number-rows-repeated"), 1), WIDEST) if any(line) else 1):
                yield line
                standing = {column: (text, down - 1) for column, (text, down) in standing.items() if down > 1}

    def _row(self, row: Element, standing: Standing) -> list[str]:
        line: list[str] = []
        for cell in children(row, "table-cell", "covered-table-cell"):
            times = min(number(reference(cell, "number-columns-repeated"), 1), WIDEST)
            if local(cell) == "covered-table-cell":
                said = [standing[at][0] if at in standing else "" for at in range(len(line), len(line) + times)]
                line += said if any(said) else [self.text(cell)] * times
                continue
            text = self.text(cell)
            down, across = (number(reference(cell, f"number-{each}-spanned"), 1) for each in ("rows", "columns"))
            standing.update((len(line) + at, (text, down)) for at in range(min(max(across, times), WIDEST)))
            line += [text] * times
        return line


def rows_of(element: Element) -> Iterator[Element]:
    """Return the rows of a table, within groups too."""
    for each in element:
        if local(each) == "table-row":
            yield each
        elif local(each) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from rows_of(each)


def _counts_pages(paragraph: Element) -> bool:
    return next(inside(paragraph, *NUMBERS_OF_PAGES), None) is not None


def _formula(element: Element) -> str:
    kind = local(element)
    if kind == "annotation":
        return ""
    parts = [(each.text or "") if not len(each) else _formula(each) for each in element if local(each) != "annotation"]
    between = BETWEEN.get(kind, ("",))
    told = [part + (between[min(at, len(between) - 1)] if at + 1 < len(parts) else "") for at, part in enumerate(parts)]
    return (element.text or "").strip() + BEFORE.get(kind, "") + "".join(told)


def _collapsed(text: str | None) -> str:
    """Return a piece of text with its blanks as single spaces, as those of the file are only for its looks."""
    if not text:
        return ""
    inner = " ".join(text.split())
    before, after = " " * text[0].isspace(), " " * (text[-1].isspace() and bool(inner))
    return f"{before}{inner}{after}"


def _spaces(element: Element) -> str:
    return " " * min(number(reference(element, "c"), 1), MOST_SPACES)


WRITTEN: dict[str, Callable[[Writer, Element], str]] = {
    "s": lambda _, element: _spaces(element),
    "tab": lambda _, element: " ",
    "line-break": lambda _, element: "\n",
    "note": Writer._note,
    "annotation": Writer._comment,
    "a": Writer._link,
    "ruby": Writer._ruby,
}
