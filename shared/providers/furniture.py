"""What of a page of HTML is not its text: scripts, what is hidden, menus and other lists of links."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from shared.providers.markup import BLOCKS, Tag, Token

# Never shown where a browser runs scripts and knows the element.
UNSHOWN = frozenset(
    "script style noscript iframe noembed noframes video audio canvas datalist rp annotation annotation-xml".split()
)
SHOWN = {"html", "body"}  # hidden only until a script has run
INVISIBLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
MENUS = {"navigation", "menu", "menubar"}
EDGES = {"banner", "contentinfo"}
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LISTS = ("ul", "ol", "menu")
MOSTLY = 0.8  # of the characters are those of links
SHORT_MENU = 200  # characters, of a menu that has no links
SHORT_LINK = 30  # characters, of a link in a menu on average
FEW_LINKS = 3
BEFORE_MENU = 40  # characters that are no links, before a page's first list


class _Count(NamedTuple):
    """What is in front of a token: characters, those in links, links, headings."""

    characters: int = 0
    linked: int = 0
    links: int = 0
    headings: int = 0


class Furniture:
    """Tells which elements of a page are left out."""

    def __init__(self, tokens: Sequence[Token], menus: bool = False) -> None:
        self._menus = menus  # stay
        self._tokens = tokens
        self._counts = _counts(tokens)
        self._edge_ends = 0

    def leaves_out(self, at: int, tag: Tag) -> bool:
        """Say whether the element that begins here is left out; to be asked in order."""
        if tag.end <= at:
            return False
        if _is_edge(tag):
            self._edge_ends = max(self._edge_ends, tag.end)
        return is_unseen(tag) or (not self._menus and self._is_menu(at, tag))

    def share(self, at: int, end: int) -> float:
        """Return which share of the page's characters is in an element."""
        return self._within(at, end).characters / max(self._counts[-1].characters, 1)

    def _within(self, at: int, end: int) -> _Count:
        return _Count(*(last - first for first, last in zip(self._counts[at], self._counts[end], strict=True)))

    def _is_menu(self, at: int, tag: Tag) -> bool:
        inside = self._within(at, tag.end)
        mostly_links = inside.linked >= MOSTLY * inside.characters and inside.links > 0
        if tag.name == "nav" or tag.attributes.get("role", "").lower() in MENUS:
            return inside.linked * 2 >= inside.characters or inside.characters <= SHORT_MENU
        if not mostly_links or inside.headings:
            return False
        if tag.name in LISTS:
            return at < self._edge_ends or self._begins_page(at, tag.end, inside)
        return _is_edge(tag) and inside.links >= FEW_LINKS

    def _begins_page(self, at: int, end: int, inside: _Count) -> bool:
        """Say whether a list of short links comes before all text, with text behind it."""
        before, behind = self._counts[at], self._within(end, len(self._tokens))
        first = not before.headings and before.characters - before.linked <= BEFORE_MENU
        short = inside.links >= FEW_LINKS and inside.linked <= SHORT_LINK * inside.links
        return first and short and behind.characters - behind.linked >= inside.characters


def is_unseen(tag: Tag) -> bool:
    """Say whether an element is a script or the like, or hidden."""
    said = tag.attributes
    if tag.name in SHOWN:
        return False
    if tag.name in UNSHOWN or INVISIBLE.search(said.get("style", "")):
        return True
    if "hidden" in said and said["hidden"].lower() != "until-found":
        return True
    # A block may be hidden from screen readers only while a dialogue is open.
    unread = said.get("aria-hidden", "").lower() == "true" and tag.name not in BLOCKS
    closed = tag.name == "dialog" and "open" not in said
    return unread or closed or (tag.name == "template" and not said.keys() & {"shadowrootmode", "shadowroot"})


def _is_edge(tag: Tag) -> bool:
    return tag.name in ("header", "footer") or tag.attributes.get("role", "").lower() in EDGES


def _counts(tokens: Sequence[Token]) -> list[_Count]:
    """Count what is in front of each token, and of the page's end."""
    link_ends, count, counts = 0, _Count(), [_Count()]
    for at, token in enumerate(tokens):
        if isinstance(token, str):
            length = len(token.strip())
            linked = count.linked + (length if at < link_ends else 0)
            count = _Count(count.characters + length, linked, count.links, count.headings)
        elif not token.closing and _is_link(token):
            link_ends = max(link_ends, token.end)
            count = count._replace(links=count.links + 1)
        elif token.name in HEADINGS:
            count = count._replace(headings=count.headings + 1)
        counts.append(count)
    return counts


def _is_link(tag: Tag) -> bool:
    return (tag.name == "a" and "href" in tag.attributes) or tag.name == "button"
