"""A page of HTML to Markdown: all its text in order, without its menus, scripts and pictures."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeGuard

from shared.providers.web import html_table, markup
from shared.providers.web.furniture import HEADINGS, Furniture
from shared.providers.web.markdown import LINE, LONGEST_ADDRESS, NOTHING, PARAGRAPH, SPACE, Markdown
from shared.providers.web.markup import BLOCKS, CELLS, ROWS, VOID, Tag, Token, unescape, words

GAPS = {
    **dict.fromkeys(("button", "select", "textarea", "input", "label", "img", "math"), SPACE),
    **dict.fromkeys((*BLOCKS, *ROWS, *CELLS, "caption", "option", "optgroup", "legend", "noscript"), LINE),
    **dict.fromkeys("p table figure fieldset form hr article section main body dl center details".split(), PARAGRAPH),
}
LISTS = frozenset("ul ol menu dir".split())
SCHEME = re.compile(r"(?!https?:|ftp:|mailto:|tel:)[a-z][a-z0-9+.-]*:|#", re.IGNORECASE)
UNSAFE = re.compile(r"[\s()<>]")
WITHOUT_VALUE = {"hidden", "password", "checkbox", "radio", "file", "image", "range", "color"}
NUMBER = re.compile(r"[1-9]\d{0,5}")
MOST = 0.5  # of a page, which nobody expects to be left out
HIDDEN = "more than half of the page is hidden or a menu: that part was left out"
UNTOLD = 80  # characters, a sentence, that may be left out without a word
UNSEEN = "%d characters of text that the page hides or has in its menus were left out"


class WebPage(NamedTuple):
    """A page as Markdown."""

    text: str
    title: str | None = None
    warnings: Sequence[str] = ()


def read(page: str) -> WebPage:
    """Return the text of a page, its title, and what a reader would miss."""
    tokens = markup.read(page)
    writer = _Writer(tokens, len(page))
    text = writer.write()
    if not text.strip():
        writer = _Writer(tokens, len(page), menus=True)
        text = writer.write()
    return WebPage(text, _title(tokens), list(_warnings(writer)))


def _warnings(writer: "_Writer") -> Iterator[str]:
    if writer.left_out > MOST:
        yield HIDDEN
    if writer.unsaid > UNTOLD:
        yield UNSEEN % writer.unsaid


class _Writer:
    """Writes the elements of a page; its `menus` only where there is nothing else."""

    def __init__(self, tokens: Sequence[Token], spare: int, menus: bool = False) -> None:
        self._tokens = tokens
        self._furniture = Furniture(tokens, menus)
        self._tables = [at for at, token in enumerate(tokens) if _opens(token, "table")]
        self._spare = spare  # characters that may be said twice
        self.left_out = 0.0  # a share of the page
        self.unsaid = 0  # characters of sentences

    def write(self) -> str:
        """Return the whole page."""
        out = Markdown()
        self._write(out, 0, len(self._tokens))
        return out.text()

    def _write(self, out: Markdown, at: int, end: int) -> None:
        while at < end:
            token = self._tokens[at]
            if isinstance(token, str):
                out.words(unescape(token))
            elif token.closing:
                _close(out, token.name)
            else:
                at = self._open(out, at, token) - 1
            at += 1

    def _open(self, out: Markdown, at: int, tag: Tag) -> int:
        """Write what begins here; return the place behind what was written."""
        out.gap(_gap(tag.name))
        if self._furniture.leaves_out(at, tag):
            self.left_out += self._furniture.share(at, tag.end)
            self.unsaid += self._furniture.prose(at, tag.end)
            return tag.end
        if tag.name == "table" and tag.end:
            return self._table(out, at, tag)
        if tag.name in WHOLE and (tag.end or tag.name in VOID):
            out.words(WHOLE[tag.name](tag, self._tokens[at + 1 : tag.end]))
            out.gap(_gap(tag.name))
            return max(tag.end, at + 1)
        _begin(out, tag)
        return at + 1

    def _holds_no_table(self, at: int, end: int) -> bool:
        behind = bisect_right(self._tables, at)
        return behind == len(self._tables) or self._tables[behind] >= end

    def _table(self, out: Markdown, at: int, tag: Tag) -> int:
        """Write a table of data; return the place behind it, or behind its tag if it only places blocks."""
        if tag.attributes.get("role", "") in ("presentation", "none") or not self._holds_no_table(at, tag.end):
            return at + 1
        table = html_table.read(self._tokens, at, tag.end)
        if not html_table.is_data(table, self._tokens):
            return at + 1
        for start, end in table.beside:
            self._write(out, start, end)
        grid = html_table.Grid(self._cell, self._spare)
        rows = list(grid.rows(table))
        self._spare = grid.spare
        out.table(html_table.head_of(rows[: table.heads], max(map(len, rows))), rows[table.heads :])
        return tag.end

    def _cell(self, cell: html_table.Cell) -> str:
        out = Markdown(flat=True)
        self._write(out, cell.start, cell.end)
        return out.text().replace("|", "\\|")


def _title(tokens: Sequence[Token]) -> str | None:
    """Return the page's title; drawings have titles too."""
    behind = 0
    for at, token in enumerate(tokens):
        if _opens(token, "svg"):
            behind = max(behind, token.end)
        if at >= behind and _opens(token, "title"):
            return " ".join(unescape(token.text).split()) or None
    return None


def _opens(token: Token, name: str) -> TypeGuard[Tag]:
    return isinstance(token, Tag) and token.name == name and not token.closing


def _gap(name: str) -> int:
    return GAPS.get(name, SPACE if "-" in name else NOTHING)


def _begin(out: Markdown, tag: Tag) -> None:
    if tag.name in LISTS:
        out.begin_list(_first(tag))
    elif tag.name in HEADINGS:
        out.heading(int(tag.name[1]))
    elif tag.name == "pre":
        out.fence(tag.end > 0)
    elif tag.name == "a":
        out.begin_link(_address(tag))
    elif tag.name in BEGINNINGS:
        BEGINNINGS[tag.name](out)


def _close(out: Markdown, name: str) -> None:
    if name in LISTS:
        out.end_list()
    elif name in HEADINGS:
        out.end(PARAGRAPH)
    elif name in ENDINGS:
        ENDINGS[name](out)
    out.gap(_gap(name))


BEGINNINGS: dict[str, Callable[[Markdown], None]] = {
    "blockquote": lambda out: out.quote(1),
    "li": Markdown.item,
    "br": Markdown.line_end,
    "sup": Markdown.raised,
    "q": lambda out: out.words('"'),
}
ENDINGS: dict[str, Callable[[Markdown], None]] = {
    "blockquote": lambda out: out.quote(-1),
    "li": lambda out: out.end(LINE),
    "br": Markdown.line_end,  # as browsers take it
    "a": Markdown.end_link,
    "pre": lambda out: out.fence(False),
    "q": lambda out: out.words('"'),
}


def _first(tag: Tag) -> int:
    """Return the first number of a list, 0 for one without numbers."""
    found = NUMBER.fullmatch(tag.attributes.get("start", "1"))
    return (int(found[0]) if found else 1) if tag.name == "ol" else 0


def _address(tag: Tag) -> str:
    """Return where a link leads, nothing where it is not of use to a reader."""
    address = tag.attributes.get("href", "").strip()
    useful = tag.end and len(address) <= LONGEST_ADDRESS and not SCHEME.match(address) and not UNSAFE.search(address)
    return address if useful else ""


def _value(tag: Tag) -> str:
    kind = tag.attributes.get("type", "text").lower()
    return "" if kind in WITHOUT_VALUE else tag.attributes.get("value", "")


def _picture(inside: Sequence[Token], tag: Tag) -> str:
    """Return what a drawing says of itself."""
    titles = [unescape(token.text) for token in inside if _opens(token, "title")]
    return tag.attributes.get("aria-label", "") or "".join(titles[:1])


# Elements that are written at once, by what they are and what is inside.
WHOLE: dict[str, Callable[[Tag, Sequence[Token]], str]] = {
    "title": lambda tag, inside: "",
    "textarea": lambda tag, inside: unescape(tag.text),
    "xmp": lambda tag, inside: tag.text,
    "img": lambda tag, inside: tag.attributes.get("alt", ""),
    "input": lambda tag, inside: _value(tag),
    "svg": lambda tag, inside: _picture(inside, tag),
    "math": lambda tag, inside: tag.attributes.get("alttext", "") or words(inside),
    "rt": lambda tag, inside: f"({words(inside)})",
}
