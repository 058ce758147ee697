"""Takes pictures out of Markdown and plain text that hold them as letters; what remains is their alternative text."""

import re
from collections.abc import Iterator

from shared.providers import markup

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
DEFINITION = re.compile(rf"^[ ]{{0,3}}\[([^\[\]\n]{{1,200}})\]:[ \t]*\n?[ \t]*<?{PLACE}[^\n]*\n?", re.MULTILINE)
REFERENCE = re.compile(r"!\[([^\[\]]{0,1000})\]\[([^\[\]\n]{0,200})\]")
STYLE = re.compile(rf"url\(\s?[\"']?{PLACE}[\"']?\s?\)")
SVG = re.compile("svg", re.IGNORECASE)
FENCED = re.compile(r"(^[ ]{0,3}```[^\n]*\n.*?^[ ]{0,3}```)", re.MULTILINE | re.DOTALL)


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
    if "<svg" not in text.lower():
        return text
    parts = FENCED.split(text)
    return "".join(part if number % 2 else _undrawn(part) for number, part in enumerate(parts))


def _marked(text: str) -> Iterator[str]:
    """Yield the text with a sign in place of each picture."""
    closing = _brackets(text)
    at = 0
    for found in URI.finditer(text):
        if found.start() >= at and MEDIA.match(found[1]):
            yield text[at : found.start()]
            yield PLACE
            at = _end(text, found, closing)
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


def _end(text: str, uri: re.Match[str], closing: dict[int, int]) -> int:
    """Return where a picture ends: at the sign that closes it, else where its letters do."""
    sign = CLOSED_BY.get(text[uri.start() - 1 : uri.start()])
    end = closing.get(uri.start() - 1, -1)
    if not uri[1].lower().endswith(";base64"):
        end = text.find(sign, uri.end()) if sign else end
        return end if end >= 0 else _match_end(UNBROKEN, text, uri)
    enclosed = _match_end(ENCLOSED, text, uri)
    is_closed = enclosed == end or (sign and text.startswith(sign, enclosed))
    return enclosed if is_closed else _match_end(BASE64, text, uri)


def _match_end(letters: re.Pattern[str], text: str, uri: re.Match[str]) -> int:
    found = letters.match(text, uri.end())
    return found.end() if found else uri.end()


def _words_of_tag(found: re.Match[str]) -> str:
    tag = markup.read(found[0])[0] if PLACE in found[0] else found[0]
    return tag if isinstance(tag, str) else tag.attributes.get("alt", "")


def _undrawn(text: str) -> str:
    out, at = [], 0
    lowered = text.lower() if text.isascii() else SVG.sub("svg", text)
    while (start := lowered.find("<svg", at)) >= 0 and (end := lowered.find("</svg>", start)) >= 0:
        out += [text[at:start], _title(text[start:end])]
        at = end + len("</svg>")
    return "".join([*out, text[at:]])


def _title(drawing: str) -> str:
    titles = (tag.text for tag in markup.read(drawing) if isinstance(tag, markup.Tag) and tag.name == "title")
    return " ".join(markup.unescape(next(titles, "")).split())
