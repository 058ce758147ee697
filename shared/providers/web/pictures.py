"""Takes pictures out of Markdown and plain text that hold them as letters; what remains is their alternative text."""

import re
from collections.abc import Iterator

from shared.providers.web import markup

URI = re.compile(r"data:([\w.+/-]{0,100}(?:;[\w.+=-]{1,100}){0,5}),", re.IGNORECASE)
MEDIA = re.compile(r"(?:image|audio|video|font|application)/|.*;base64", re.IGNORECASE)
# Their lines may be broken.
BASE64 = re.compile(r"[\w+/=%-]*+(?:[ \t]*+\n[ \t]*+(?:[A-Za-z0-9+/]{40,}+={0,2}|[A-Za-z0-9+/]{1,80}+={1,2}))*+")
ENCLOSED = re.compile(r"(?:[\w+/=%-]++|[ \t]*+\n[ \t]*+)*+")
UNBROKEN = re.compile(r"\S*+")
BRACKET = re.compile(r"[()]|\n[ \t]*\n")
CLOSED_BY = {'"': '"', "'": "'", "<": ">"}
PLACE = "\ufffc"  # stands for an object in a text
IMAGE = re.compile(rf"!?\[([^\[\]]{{0,1000}})\]\(\s{{0,9}}<?{PLACE}>?[^()\n]{{0,300}}\)")
TAG = re.compile(r"<[a-zA-Z][^<>]*+>")
NAME = r"^[ ]{0,3}\[([^\[\]\n]{1,200})\]:[ \t]*+(?:\n[ \t]*+)?+"
TITLE = r"[ \t]*+(?:[\"'(][^\n]{0,300}[\"')][ \t]*+)?(?:\n|\Z)"
DEFINITION = re.compile(rf"{NAME}<?{PLACE}>?{TITLE}", re.MULTILINE)
REFERENCE = re.compile(r"!\[([^\[\]]{0,1000})\]\[([^\[\]\n]{0,200})\]")
STYLE = re.compile(rf"url\(\s?[\"']?{PLACE}[\"']?\s?\)")
BLANK_LINE = re.compile(r"\n[ \t]*+\n")
CODE = r"(?P<code>^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*+\n(?s:.*?)(?:^[ ]{0,3}(?P=fence)|\Z)|`[^`\n]++`)"
# Tags with nothing but space between them, and the few elements of a drawing that hold words; prose is not crossed.
COMMENT = r"<!--(?:[^<-]++|-(?!->)|<(?!svg))*+-->"
WORDED = r"</?(?:title|desc|text|tspan|textpath|a|style)\b[^<>`]*+>[^<`]*+"
INSIDE = rf"(?:\s++|{COMMENT}|{WORDED}|<(?!/?svg\b)[^<>`]++>)*+"
DRAWING = re.compile(rf"{CODE}|(?:^[ \t]*+<svg\s*+>|<svg\s[^<>`]*+>){INSIDE}</svg\s*+>", re.IGNORECASE | re.MULTILINE)


def without_pictures(text: str) -> str:
    """Return Markdown or plain text with pictures' words only."""
    if "data:" not in text.lower():
        return text
    text = "".join(_marked(text))
    named = {found[1].casefold() for found in DEFINITION.finditer(text)}
    text = IMAGE.sub(r"\1", DEFINITION.sub("", text))
    text = REFERENCE.sub(lambda found: found[1] if (found[2] or found[1]).casefold() in named else found[0], text)
    text = STYLE.sub("", TAG.sub(_words_of_tag, text))
    return text.replace(PLACE, "")


def without_drawings(text: str) -> str:
    """Return Markdown with the titles of drawings (SVG) in place of their lines, but for those in blocks of code."""
    return DRAWING.sub(lambda found: found[0] if found["code"] else _title(found[0]), text)


def _marked(text: str) -> Iterator[str]:
    """Yield the text with a sign in place of each picture."""
    closing, signs = _brackets(text), _Signs(text)
    at = 0
    for found in URI.finditer(text):
        if found.start() >= at and MEDIA.match(found[1]):
            yield text[at : found.start()]
            yield PLACE
            at = _end(text, found, closing, signs)
    yield text[at:]


def _brackets(text: str) -> dict[int, int]:
    """Return where each bracket is closed within its paragraph."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for found in BRACKET.finditer(text):
        if found[0] == "(":
            opened.append(found.start())
        elif found[0] != ")":
            opened.clear()
        elif opened:
            closing[opened.pop()] = found.start()
    return closing


def _end(text: str, uri: re.Match[str], closing: dict[int, int], signs: "_Signs") -> int:
    """Return where a picture ends: at the sign that closes it, else where its letters do."""
    sign = CLOSED_BY.get(text[uri.start() - 1 : uri.start()])
    end = closing.get(uri.start() - 1, -1)
    if not uri[1].lower().endswith(";base64"):
        end = signs.find(sign, uri.end()) if sign else end
        return end if end >= 0 else _match_end(UNBROKEN, text, uri)
    enclosed = _match_end(ENCLOSED, text, uri)
    is_closed = enclosed == end or (sign and text.startswith(sign, enclosed))
    return enclosed if is_closed else _match_end(BASE64, text, uri)


class _Signs:
    """Finds signs within a paragraph; what was found once, or in vain, is not looked for again."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: dict[str, int] = {}

    def find(self, sign: str, start: int) -> int:
        """Return the next place of a sign, -1 where the paragraph ends before; to be asked in order."""
        end, found = self._after("\n\n", start), self._after(sign, start)
        return found if found < end else -1

    def _after(self, sign: str, start: int) -> int:
        if self._next.get(sign, -1) < start:
            found = self._text.find(sign, start)
            self._next[sign] = found if found >= 0 else len(self._text)
        return self._next[sign]


def _match_end(letters: re.Pattern[str], text: str, uri: re.Match[str]) -> int:
    found = letters.match(text, uri.end())
    return found.end() if found else uri.end()


def _words_of_tag(found: re.Match[str]) -> str:
    is_picture = PLACE in found[0] and not BLANK_LINE.search(found[0])
    tag = markup.read(found[0])[0] if is_picture else found[0]
    return tag if isinstance(tag, str) else tag.attributes.get("alt", "")


def _title(drawing: str) -> str:
    titles = (tag.text for tag in markup.read(drawing) if isinstance(tag, markup.Tag) and tag.name == "title")
    return " ".join(markup.unescape(next(titles, "")).split())
