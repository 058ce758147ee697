"""Text as it is searched and as it is recognised again. Pure."""

import hashlib
import re
import unicodedata
from typing import Literal

_MARKS = re.compile("[\u0300-\u036f]")
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]")
MOST_MARKS = 32  # on one letter; the time to put them in order grows with their square
_MARK = "".join(
    chr(code)
    for span in (range(0x0300, 0xAC00), range(0xFB00, 0xFF00), range(0x1_0000, 0x1_F000))
    for code in span
    if unicodedata.combining(unicodedata.normalize("NFKD", chr(code))[0])
)
_PILED = re.compile(f"([{_MARK}]{{{MOST_MARKS}}})[{_MARK}]+")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2212", "-"))
_UNDECOMPOSED = str.maketrans(
    {"đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "ł": "l", "ø": "o", "œ": "oe", "æ": "ae", "þ": "th"}
)

_WORDS = re.compile(r"\w+")
GRAMMAR = frozenset(
    """
    a about after all also an and any are as at be because been before but by can could did do does for from
    had has have he her him his how i if in into is it its just me more my no not of on one or our out over
    she should so some than that the their them then there these they this those to too up us very was we were
    what when where which while who whom whose why will with would you your acea aceasta aceea acei acel acest
    acesta aceste acum ai aici al ale am ar are as asa asta atat au avea ca cand care cat ce cea cei cel cele
    cine cu cum da daca dar de deci din doar dupa e ea ei el ele era este eu fi fie fost iar il in inca intre
    isi la lui ma mai me mea mei mele mi mult ne nici nimic noi nostru nu o or ori pe pentru peste poate prin
    sa sai sale sau se si sunt spre sub sus ta te ti toate tot tu un una unde unei unor unui va vor
    """.split()
)


def is_storable(text: str) -> bool:
    """Say whether Postgres and UTF-8 take a text: it holds no NUL and no half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def make_storable(text: str) -> str:
    """Return text that can be stored and sent: no NUL, surrogate pairs joined, lone surrogates as U+FFFD."""
    return text.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def normalised(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """Return text in a form of Unicode, without the marks on a letter beyond the 32nd, which no language has."""
    return text if text.isascii() else unicodedata.normalize(form, _PILED.sub(r"\1", text))


def fold(text: str) -> str:
    """Return text without letter case and diacritics, so that `Poeţi`, `poeți` and `poeti` are found as one.

    Only the marks of European scripts go; in others a mark may be a vowel. What is not seen, such as soft hyphens and
    zero-width spaces, goes too, and hyphens and minus signs are one.
    """
    bare = _MARKS.sub("", normalised("NFKD", _UNSEEN.sub("", text)))
    return normalised("NFKC", bare).casefold().translate(_UNDECOMPOSED).translate(_DASHES)


def keywords(text: str) -> list[str]:
    """Return the folded words of a question that are worth looking for, each once; all of them where none is.

    The words of grammar are left out in English and Romanian.
    """
    words = list(dict.fromkeys(_WORDS.findall(fold(text))))
    return [word for word in words if word not in GRAMMAR] or words


def content_hash(text: str) -> str:
    """Return the sha256, in hex, of text but for its spacing, Unicode form and what is not seen: an embedding's key."""
    normal = " ".join(normalised("NFC", _UNSEEN.sub("", text)).split())
    return hashlib.sha256(normal.encode()).hexdigest()
