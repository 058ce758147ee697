"""The plain sentences of a Markdown text: no headings, menus, signs or links. Pure."""

import re

# What is repeated is bounded: a text may be made so that a search without an end takes minutes.
_IMAGE = re.compile(r"!\[[^\]\n]{0,500}\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,500}\])")
_LINK = re.compile(r"(?<!!)\[(?!\d{1,3}\]\[)([^\[\]\n]{0,500})\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,500}\])")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>|<!--.{0,200}?-->")
# A note of the text would read as a citation of ours; code and places in lists, as items[0], are none.
_NO_NOTE = r"`[^`\n]*+`|(?:[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[)\]}]|=[ \t]?)(?:\[\d{1,3}\])+"
_NOTE = re.compile(rf"({_NO_NOTE})|\[\^?\d{{1,3}}\]")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)|\s*<h[1-6]\b|\s*(\*\*|__)[^*_]{1,200}\1:?\s*$", re.IGNORECASE)
_UNDERLINE = re.compile(r" {0,3}(?:={2,}|-{2,})\s*$")
_RULER = re.compile(r"[\s|:*_=~`+-]*$")
_BULLET = re.compile(r"\s*+(?:>\s*+)*+(?:[-*+•▪◦]|\d{1,3}[.)])\s++|\s*+(?:>\s*+)++")
_EMPHASIS = re.compile(r"(?<![\w*_~`])(\*{1,3}|_{1,3}|~~|`{1,3})(?=\S)(.{1,300}?)(?<=\S)\1(?!\w)")
_STOP = re.compile(r"[.!?…:;。\uff01\uff1f][\"'»”)\]]*$")
_LETTER = re.compile(r"\w")
WRAPPED = 45  # characters from which a line without an end goes on in the next


def paragraphs(text: str) -> str:
    """Return the sentences of a text, a paragraph or an item a line; of one that is all headings and menus, these."""
    lines = text.splitlines()
    body = [_plain(line) if _is_body(lines, place) else "" for place, line in enumerate(lines)]
    if not any(body):
        body = [_without_signs(line.strip(" #")) for line in lines]
    starts = [bool(_BULLET.match(line) or line.lstrip().startswith("|")) for line in lines]
    return _joined(body, starts)


def _is_body(lines: list[str], place: int) -> bool:
    line, following = lines[place], "".join(lines[place + 1 : place + 2])
    return not (_HEADING.match(line) or _RULER.match(line) or _UNDERLINE.match(following))


def _plain(line: str) -> str:
    """Return a line without its signs; nothing of a line that is links alone, which is a menu."""
    linked = _LINK.sub("", _IMAGE.sub("", line))
    return _without_signs(line) if linked == line or _LETTER.search(_without_bullet(linked)) else ""


def _without_bullet(line: str) -> str:
    found = _BULLET.match(line)
    return line[found.end() :] if found else line


def _without_signs(line: str) -> str:
    plain = _NOTE.sub(r"\1", _TAG.sub("", _LINK.sub(r"\1", _IMAGE.sub("", line))))
    plain = _EMPHASIS.sub(r"\2", _without_bullet(plain))
    if plain.lstrip().startswith("|"):
        plain = ", ".join(cell.strip() for cell in plain.split("|") if cell.strip())
    return plain.strip()


def _joined(body: list[str], starts: list[bool]) -> str:
    """Join the lines of a paragraph that was broken to a width."""
    told: list[str] = []
    before = ""
    for line, begins in zip(body, starts, strict=True):
        if line and not begins and _goes_on(before, line):
            told[-1] += f" {line}"
        elif line:
            told.append(line)
        before = line
    return "\n".join(told)


def _goes_on(before: str, line: str) -> bool:
    return bool(before) and not _STOP.search(before) and (len(before) >= WRAPPED or line[0].islower())
