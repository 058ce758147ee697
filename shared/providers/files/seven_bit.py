"""Texts whose letters beyond ASCII are written in ASCII's own: HZ and UTF-7, which else pass for what they are not."""

from functools import cache

from shared.domain.alphabets import MANY, OTHERS
from shared.providers.files.looks import LAST_LATIN, SIGNS, decoded

BEGINNINGS = {"hz": b"~{", "utf-7": b"+"}


def read(data: bytes) -> str | None:
    """Return a text of ASCII with what is written in its letters; None where they are only letters."""
    if not data.isascii():
        return None
    for codec, beginning in BEGINNINGS.items():
        text = decoded(data, codec, is_head=False) if beginning in data else None
        if text is not None and _is_of_one_language({each for each in text if not each.isascii()}):
            return text
    return None


def _is_of_one_language(letters: set[str]) -> bool:
    """Say whether letters are of one language, as those of ASCII that only look like others never are."""
    told = {letter.lower() for letter in letters if letter not in SIGNS and not "\u3000" <= letter <= "\u303f"}
    if all(letter.isalpha() and letter <= LAST_LATIN for letter in told):
        return bool(told | (letters & SIGNS))
    return any(told <= alphabet for alphabet in _alphabets()) or _is_mostly_frequent(told)


@cache
def _alphabets() -> list[frozenset[str]]:
    return [frozenset(language.letters) for language in OTHERS]


def _is_mostly_frequent(letters: set[str]) -> bool:
    return any(len(letters & language.frequent) * 2 > len(letters) for language in MANY)
