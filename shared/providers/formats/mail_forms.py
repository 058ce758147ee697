"""The forms in which a message says the same, and the bytes of a part as they were meant."""

import base64
import binascii
import email.message
import quopri
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

Message = email.message.Message

LARGEST_SHARE = 4  # times longer a page may be than a text beside it, which else only says that there is a page
MOST_FORMS = 8  # that are compared
LONGEST_HINT = 120  # characters in which a text may only say that there is a page
COVERED = 0.9  # of the words of another form: the rest are links, and the words of pictures
WORD = re.compile(r"[^\W_\u0e00-\u0eff\u1000-\u109f\u3040-\u9fff\uac00-\ud7af]+|\w")
ADDRESS = re.compile(r"https?://[^\s<>()\[\]]++")
SPEAKS_OF_THE_PAGE = re.compile(r"\bhtml\b|\bbrowser\b|\be-?mail (?:client|program)", re.IGNORECASE)
QUOTED = re.compile(rb"=(?:[89A-F][0-9A-F]|3D|\r?\n)")
NOT_QUOTED = re.compile(rb"=(?![0-9A-F]{2}|\r?\n)")
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{60,76}\r?\n){1,100000}[A-Za-z0-9+/]{1,76}={0,2}\s*+")
DECODED = ("quoted-printable", "base64")
QUOTES = re.compile(r">*+")


class Forms(NamedTuple):
    """What is told of a text that comes in several forms; `left_out` are those forms that say other words."""

    text: str
    left_out: list[str]


def best(texts: Sequence[str]) -> Forms:
    """Return the plainest of a text's forms that loses nothing; where each says something of its own, all of them."""
    kept: list[str] = []
    for text in texts[:MOST_FORMS]:
        if text.strip() and not any(_covers(other, text) for other in kept):
            kept = [*(other for other in kept if not _covers(text, other)), text]
    richest = max(kept, key=len, default="")
    told = [text for text in kept if text is richest or _says_more(text, richest)]
    return Forms("\n\n".join([*told, *texts[MOST_FORMS:]]), [text for text in kept if text not in told])


def _covers(text: str, other: str) -> bool:
    """Say whether one form holds the words and all the numbers of another."""
    held, needed = _words(text), _words(other)
    missing = needed - held
    many = sum(missing.values()) > (1 - COVERED) * sum(needed.values())
    return not many and not any(character.isdigit() for word in missing.keys() - held.keys() for character in word)


def _words(text: str) -> Counter[str]:
    return Counter(WORD.findall(ADDRESS.sub(" ", text).casefold()))


def _says_more(text: str, richest: str) -> bool:
    words = ADDRESS.sub(" ", text)
    if any(character.isdigit() for character in words):
        return True
    if len(words.strip()) <= LONGEST_HINT and SPEAKS_OF_THE_PAGE.search(words):
        return False
    return len(text) * LARGEST_SHARE >= len(richest)


def payload(part: Message) -> bytes:
    """Return the bytes of a part; the way in which they were sent is told by them where its name is wrong."""
    decoded = part.get_payload(decode=True)
    data = decoded if isinstance(decoded, bytes) else b""
    if part.get_content_maintype() != "text":
        return data
    if any(isinstance(defect, email.errors.InvalidBase64CharactersDefect) for defect in part.defects):
        return _raw(part)
    return data if str(part.get("Content-Transfer-Encoding", "")).strip().lower() in DECODED else _meant(data)


def _raw(part: Message) -> bytes:
    written = part.get_payload()
    return written.encode("utf-8", "surrogateescape") if isinstance(written, str) else b""


def _meant(data: bytes) -> bytes:
    if len(QUOTED.findall(data)) > 1 and not NOT_QUOTED.search(data) and data.isascii():
        return quopri.decodestring(data)
    if BASE64.fullmatch(data):
        try:
            read = base64.b64decode(data)
            return read if read.decode().isprintable() or b"\n" in read else data
        except (binascii.Error, UnicodeDecodeError):
            return data
    return data


def unflowed(text: str, part: Message) -> str:
    """Return a text with the lines joined that its sender broke only for sending."""
    if str(part.get_param("format", "")).lower() != "flowed":
        return text
    joins = str(part.get_param("delsp", "")).lower() == "yes"
    out: list[str] = []
    depth = -1
    for line in text.splitlines():
        quotes = QUOTES.match(line)[0]  # type: ignore[index]
        if depth == len(quotes):
            out[-1] += line[len(quotes) :].removeprefix(" ")
        else:
            out.append(line)
        flows = line.endswith(" ") and line[len(quotes) :].strip(" ") != "--"
        depth = len(quotes) if flows else -1
        out[-1] = out[-1][:-1] if flows and joins else out[-1]
    return "\n".join(out)
