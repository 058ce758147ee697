"""Text as it is searched and as it is recognised again. Pure."""

import hashlib
import re
import unicodedata

_MARKS = re.compile("[\u0300-\u036f]")
_UNDECOMPOSED = str.maketrans(
    {"đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "ł": "l", "ø": "o", "œ": "oe", "æ": "ae", "þ": "th"}
)


def fold(text: str) -> str:
    """Return text without letter case and diacritics, so that `Poeţi`, `poeți` and `poeti` are found as one.

    Only the marks of European scripts go; in others a mark may be a vowel.
    """
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", bare).casefold().translate(_UNDECOMPOSED)


def content_hash(text: str) -> str:
    """Return the sha256, in hex, of text whose spacing and Unicode form do not count: an embedding's key."""
    normal = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.sha256(normal.encode()).hexdigest()
