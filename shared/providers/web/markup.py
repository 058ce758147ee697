"""The tags and words of a page of HTML, in order: in linear time and at any depth, however broken the page is."""

import html
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

NAME = re.compile(r"</?+([a-zA-Z][^\s/>]*+)")
ATTRIBUTE = re.compile(r"[\s/]*+([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s>]*+))?+")
ENDING = re.compile(r"[\s/]*+>")
# Python refuses to read a number of thousands of digits.
LONG_NUMBER, ZEROS = re.compile(r"&#[1-9]\d{7,}+;?"), re.compile(r"&#0++(?=\d)")
REFERENCE = re.compile(r"&#?\w{1,32};")
# Those that are looked at: the others of a large page would fill the memory.
ATTRIBUTES = frozenset(
    "alt alttext aria-hidden aria-label colspan hidden href open role rowspan shadowroot shadowrootmode start style "
    "type value".split()
)
VOID = frozenset("area base br col embed frame hr img input link meta param source track wbr".split())
RAW = frozenset("script style xmp iframe noembed textarea title".split())  # inside is no markup
ROWS = ("thead", "tbody", "tfoot", "tr")
CELLS = ("td", "th")
BLOCKS = frozenset(
    "address article aside blockquote body center details dialog dir div dl dt dd fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre search section summary table ul".split()
)
# By start tag: which open elements it ends, unless one of the others was opened in between.
_ENDS = {
    **dict.fromkeys(BLOCKS, (("p",), ("table", "button"))),
    **dict.fromkeys(ROWS[:3], ((*ROWS, *CELLS, "p"), ("table",))),
    "tr": (("tr", *CELLS, "p"), ("table",)),
    **dict.fromkeys(CELLS, ((*CELLS, "p"), ("table",))),
    "li": (("li", "p"), ("ul", "ol", "menu", "dir", "table")),
    **dict.fromkeys(("dt", "dd"), (("dt", "dd", "p"), ("dl", "table"))),
    **dict.fromkeys(("option", "optgroup"), (("option",), ("select",))),
    **dict.fromkeys(("rt", "rp"), (("rt", "rp"), ("ruby",))),
}
NOTHING: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
_OPTIONAL = ("li", "dt", "dd", "option", "rt", "rp", "p", *CELLS, *ROWS)  # their end tags may be left out
_CLOSING = BLOCKS | {"table", "select", "ruby", "button", *CELLS, *ROWS}
_LAST = ("table", "ul", "ol", "dl", "select", "ruby", *_OPTIONAL)  # what the end of the page ends

NONE: Mapping[str, str] = MappingProxyType({})


class Tag:
    """A tag; `end` is the place behind its element, 0 where nothing ends it."""

    __slots__ = ("attributes", "closing", "end", "name", "text")

    def __init__(self, name: str, closing: bool) -> None:
        self.name = name
        self.closing = closing
        self.attributes = NONE
        self.text = ""
        self.end = 0


Token = Tag | str


def read(page: str) -> list[Token]:
    """Return the tags and the words between them, each start tag with the place behind its element."""
    tokens = list(_Scanner(page).tokens())
    _find_ends(tokens)
    return tokens


def unescape(text: str) -> str:
    """Return text with its character references read."""
    return html.unescape(ZEROS.sub("&#", LONG_NUMBER.sub("\ufffd", ZEROS.sub("&#", text)))) if "&" in text else text


def words(tokens: Sequence[Token]) -> str:
    """Return the words of some tokens, without their tags."""
    return " ".join("".join(unescape(token) for token in tokens if isinstance(token, str)).split())


class _Scanner:
    """Cuts a page at its tags; what was looked for in vain once is not looked for again."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._last = page.rfind(">")
        self._missing: set[str] = set()

    def tokens(self) -> Iterator[Token]:
        at = begun = 0
        while (at := self._page.find("<", at)) >= 0 and at < self._last:
            tag, end = self._markup(at)
            if end > at:
                yield from filter(None, (self._page[begun:at], tag))
                begun = end
            at = max(end, at + 1)
        yield from filter(None, (self._page[begun:],))

    def _markup(self, at: int) -> tuple[Token | None, int]:
        """Return the tag that begins here, if any, and where it ends; `at` where no markup begins."""
        following = self._page[at + 1 : at + 2]
        if following in ("!", "?"):
            return self._declaration(at)
        name = NAME.match(self._page, at)
        if not name:
            return (None, self._page.index(">", at) + 1) if following == "/" else (None, at)
        tag = Tag(name[1].lower(), following == "/")
        end = self._attributes(tag, name.end())
        return (self._with_text(tag, end)) if end else (self._page[at:], len(self._page))

    def _declaration(self, at: int) -> tuple[Token | None, int]:
        """Pass over a comment or the like; an unended comment goes to its first `>`, so that no text is lost."""
        if self._page.startswith("<![CDATA[", at) and (end := self._find("]]>", at + 9)):
            return self._page[at + 9 : end - 3].replace("&", "&amp;"), end
        end = self._find("-->", at + 2) if self._page.startswith("<!--", at) else 0
        return (None, end) if end else (" ", self._page.index(">", at) + 1)

    def _find(self, sought: str, start: int) -> int:
        """Return the place behind, 0 where it does not come any more."""
        found = -1 if sought in self._missing else self._page.find(sought, start)
        if found < 0:
            self._missing.add(sought)
        return found + len(sought) if found >= 0 else 0

    def _attributes(self, tag: Tag, at: int) -> int:
        """Read the attributes; return the place behind the tag, 0 where it has no end."""
        read: dict[str, str] = {}
        while not (ending := ENDING.match(self._page, at)):
            found = ATTRIBUTE.match(self._page, at)
            if not found:
                return 0
            if (name := found[1].lower()) in ATTRIBUTES:
                read.setdefault(name, _value(found[2] or ""))
            at = found.end()
        tag.attributes = read or NONE
        return ending.end()

    def _with_text(self, tag: Tag, end: int) -> tuple[Tag, int]:
        """Take what an element holds that has no markup inside; one that nothing ends is passed over."""
        raw = tag.name in RAW and not tag.closing and tag.name not in self._missing
        if not raw or self._page[end - 2] == "/":
            return tag, end
        closing = re.compile(rf"</{tag.name}(?:\s[^<>]*+)?/?>", re.IGNORECASE).search(self._page, end)
        if not closing:
            self._missing.add(tag.name)
            return tag, end
        tag.text, tag.end = self._page[end : closing.start()], -1
        return tag, closing.end()


def _value(written: str) -> str:
    value = written[1:-1] if written[:1] in ('"', "'") and written[-1] == written[0] else written
    return REFERENCE.sub(lambda found: unescape(found[0]), value)


class _Open:
    """The elements that are open, by name, while the tokens pass."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._places: dict[str, list[int]] = defaultdict(list)

    def begin(self, tag: Tag, at: int) -> None:
        """Open an element; it may end others, unless one of their parents was opened in between."""
        names, shields = _ENDS.get(tag.name, NOTHING)
        if any(self._places[name] for name in names):
            self.end(names, max((self._places[name][-1] for name in shields if self._places[name]), default=-1), at)
        if tag.name not in VOID:
            self._places[tag.name].append(at)

    def close(self, tag: Tag, at: int) -> None:
        """Close the last element of this name, and what in it may go without an end tag."""
        if self._places[tag.name]:
            start = self._places[tag.name][-1]
            self.end(_OPTIONAL if tag.name in _CLOSING else (), start, at)
            self.end((tag.name,), start - 1, at + 1)

    def end(self, names: Sequence[str], behind: int, at: int) -> None:
        """Let the open elements of some names, as far as they began behind a place, end here."""
        for name in names:
            while self._places[name] and self._places[name][-1] > behind:
                tag = self._tokens[self._places[name].pop()]
                assert isinstance(tag, Tag)
                tag.end = at


def _find_ends(tokens: Sequence[Token]) -> None:
    """Find each element's end, written or implied."""
    opened = _Open(tokens)
    for at, tag in enumerate(tokens):
        if isinstance(tag, str):
            continue
        if tag.end < 0:
            tag.end = at + 1
        elif tag.closing:
            opened.close(tag, at)
        else:
            opened.begin(tag, at)
    opened.end(_LAST, -1, len(tokens))
