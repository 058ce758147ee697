"""What of a page of HTML is not its text: scripts, what is hidden, menus and other lists of links."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.providers.web.markup import BLOCKS, Tag, Token, words

# Never shown where a browser runs scripts and knows the element.
UNSHOWN = frozenset(
    "script style iframe noembed noframes video audio canvas datalist rp annotation annotation-xml".split()
)
SHOWN = {"html", "body"}  # hidden only until a script has run
SHADOW = {"shadowrootmode", "shadowroot"}
INVISIBLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
DIALOGUES = {"dialog", "alertdialog"}
MENUS = {"navigation", "menu", "menubar"}
EDGES = {"banner", "contentinfo"}
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LISTS = ("ul", "ol", "menu")
MOSTLY = 0.8  # of the characters are those of links
SHORT_MENU = 200  # characters, of a menu that has no links
SHORT_LINK = 30  # characters, of a link in a menu on average
FEW_LINKS = 3
BEFORE_MENU = 40  # characters that are no links, before a page's first list
LONG_WORDS = 25  # characters without a mark between them: more than a label
SENTENCE = re.compile(r"\w\W{0,4}[.!?…。\uff01\uff1f।؟][\"'»”)\]]{0,3}\Z")
LABEL = 10  # characters: what is shorter is said while something is done
MAIN = 3  # sentences
PANEL = "tabpanel"
NEAR = 8  # tokens between a heading and what it stands above
NOTE = 50  # tokens of a note that a page needs scripts


class _Count(NamedTuple):
    """What is in front of a token: characters, those in links, links, headings, numbered lists, sentences."""

    characters: int = 0
    linked: int = 0
    links: int = 0
    headings: int = 0
    numbered: int = 0
    sentences: int = 0


class Furniture:
    """Tells which elements of a page are left out."""

    def __init__(self, tokens: Sequence[Token], menus: bool = False) -> None:
        self._menus = menus  # stay
        self._tokens = tokens
        self._counts = _counts(tokens)
        self._edge_ends = 0
        self._main_ends = max((tag.end for tag in tokens if isinstance(tag, Tag) and tag.name == "main"), default=0)

    def leaves_out(self, at: int, tag: Tag) -> bool:
        """Say whether the element that begins here is left out; to be asked in order."""
        if tag.end <= at:
            return False
        if _is_edge(tag):
            self._edge_ends = max(self._edge_ends, tag.end)
        if is_unseen(tag):
            return tag.name != "template" or not self._is_main(at, tag.end)
        hidden = is_hidden(tag) and not self._opens_later(at, tag)
        return hidden or (not self._menus and self._is_menu(at, tag))

    def share(self, at: int, end: int) -> float:
        """Return which share of the page's characters is in an element."""
        return self._within(at, end).characters / max(self._counts[-1].characters, 1)

    def prose(self, at: int, end: int) -> int:
        """Return how many characters in an element are no link, if there is a sentence among them."""
        inside = self._within(at, end)
        return inside.characters - inside.linked if inside.sentences else 0

    def _within(self, at: int, end: int) -> _Count:
        return _Count(*(last - first for first, last in zip(self._counts[at], self._counts[end], strict=True)))

    def _opens_later(self, at: int, tag: Tag) -> bool:
        """Say whether a hidden element is text all the same: an answer, a tab or a part to be opened."""
        inside = self._within(at, tag.end)
        if inside.linked * 2 >= inside.characters or tag.name == "dialog" or _role(tag) in DIALOGUES:
            return False
        if tag.name == "noscript":
            return bool(inside.sentences) and not self._asks_for_scripts(at, tag.end)
        if _role(tag) == PANEL or self._is_main(at, tag.end):
            return True
        is_main = at >= self._edge_ends and (at < self._main_ends or not self._main_ends)
        says = inside.characters - inside.linked >= LABEL or self._follows_heading(at)
        below = is_main and self._counts[at].headings > 0
        return below and (inside.sentences > 0 or (tag.name in BLOCKS and says))

    def _is_main(self, at: int, end: int) -> bool:
        """Say whether an element holds most of a page, and not only a line: a script shows it later."""
        inside = self._within(at, end)
        return inside.sentences >= MAIN and 2 * inside.characters > self._counts[-1].characters

    def _asks_for_scripts(self, at: int, end: int) -> bool:
        return end - at <= NOTE and "script" in words(self._tokens[at:end]).lower()

    def _follows_heading(self, at: int) -> bool:
        for token in self._tokens[at - 1 : max(at - NEAR, 0) : -1]:
            if isinstance(token, str) and token.strip():
                return False
            if isinstance(token, Tag) and token.name in HEADINGS:
                return token.closing
        return False

    def _is_menu(self, at: int, tag: Tag) -> bool:
        inside = self._within(at, tag.end)
        mostly_links = inside.linked >= MOSTLY * inside.characters and inside.links > 0
        if tag.name == "nav" or _role(tag) in MENUS:
            return inside.linked * 2 >= inside.characters or inside.characters <= SHORT_MENU
        if not mostly_links or inside.headings or inside.linked > SHORT_LINK * inside.links:
            return False
        if tag.name in LISTS and not self._begins_page(at, tag.end, inside):
            return at < self._edge_ends and tag.name != "ol"
        return tag.name in LISTS or (_is_edge(tag) and inside.links >= FEW_LINKS and not inside.numbered)

    def _begins_page(self, at: int, end: int, inside: _Count) -> bool:
        """Say whether a list of short links comes before all text, with text behind it."""
        before, behind = self._counts[at], self._within(end, len(self._tokens))
        first = not before.headings and before.characters - before.linked <= BEFORE_MENU
        return first and inside.links >= FEW_LINKS and behind.characters - behind.linked >= inside.characters


def is_unseen(tag: Tag) -> bool:
    """Say whether an element is never text: a script or the like, or a sign that is not to be read."""
    said = tag.attributes
    # A block may be hidden from screen readers only while a dialogue is open, or until somebody opens it.
    unread = said.get("aria-hidden", "").lower() == "true" and tag.name not in BLOCKS and tag.name not in SHOWN
    return unread or tag.name in UNSHOWN or (tag.name == "template" and not said.keys() & SHADOW)


def is_hidden(tag: Tag) -> bool:
    """Say whether an element is not shown when a page has just been opened."""
    said = tag.attributes
    if tag.name in SHOWN:
        return False
    if tag.name == "noscript" or INVISIBLE.search(said.get("style", "")):
        return True
    hidden = "hidden" in said and said["hidden"].lower() != "until-found"
    return hidden or (tag.name == "dialog" and "open" not in said)


def _role(tag: Tag) -> str:
    return tag.attributes.get("role", "").lower()


def _is_edge(tag: Tag) -> bool:
    return tag.name in ("header", "footer") or _role(tag) in EDGES


def _counts(tokens: Sequence[Token]) -> list[_Count]:
    """Count what is in front of each token, and of the page's end."""
    link_ends, count, counts = 0, _Count(), [_Count()]
    for at, token in enumerate(tokens):
        if isinstance(token, str):
            count = _with_words(count, token.strip(), at < link_ends)
        elif not token.closing and _is_link(token):
            link_ends = max(link_ends, token.end)
            count = count._replace(links=count.links + 1)
        elif token.name in HEADINGS:
            count = count._replace(headings=count.headings + 1)
        elif token.name == "ol":
            count = count._replace(numbered=count.numbered + 1)
        counts.append(count)
    return counts


def _with_words(count: _Count, said: str, is_linked: bool) -> _Count:
    length = len(said)
    linked = length if is_linked else 0
    is_sentence = not is_linked and (length >= LONG_WORDS or SENTENCE.search(said, max(length - 9, 0)) is not None)
    return count._replace(
        characters=count.characters + length,
        linked=count.linked + linked,
        sentences=count.sentences + is_sentence,
    )


def _is_link(tag: Tag) -> bool:
    return (tag.name == "a" and "href" in tag.attributes) or tag.name == "button"
