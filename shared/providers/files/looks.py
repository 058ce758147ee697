"""Which encoding a text is in, told by how it would look in each: the letters and words of one language."""

import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from shared.domain.alphabets import KANA, LATIN, MANY, OTHERS, Alphabet, Characters

SAMPLE = 16_384  # bytes of lines that hold more than ASCII
BEFORE = 200  # bytes of a line before its first beyond ASCII
FEW = 3  # letters of an alphabet with none of ASCII's, which are rather faults in a text of another
ENOUGH, APART = 0.45, 0.08  # how well a text must look, and how much better than with any other letters
STRANGE, ALONE = 0.2, 2.0  # of a text in several languages, which looks like one in no other encoding
WELL_APART, SURE = 0.2, 1.5  # how much better, times how many letters tell it: what is below may be wrong
RARE = {"iso8859-5": 0.15, "cp866": 0.1, "cp1257": 0.03}  # what speaks against encodings that few files are in
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
WORD = re.compile(r"[^\W\d_]+")
SIGNS = frozenset("«»„“”‚‘’‹›–—…•·€£¥§©®™°±½¼¾×÷\xa0\xad№´¨¦¬¶†‡‰²³¹µªº¿¡")
QUOTES = frozenset("«»„“”‚‘’‹›–—…\xa0")
LAST_LATIN = "\u024f"
MONEY = frozenset("€£¥")
MEASURED = frozenset("mgslALVWFHJNPTC")
WITHIN_WORDS = frozenset("’‘·\xad–—")
BETWEEN = re.compile(r"[\t-\r !-/:-@\[-`{-~«»“”„’…–—]+")  # words; other signs are not found next to them
DRAWN = re.compile(r"[\u2320-\u2321\u2500-\u259f]")  # lines and blocks
WIDE_SIGNS = re.compile(r"[\u3000-\u303f\uff00-\uff5e]")


class Guess(NamedTuple):
    """How well a text looks as one encoding has it."""

    looks: float
    encoding: str
    text: str


class Told(NamedTuple):
    """The encodings in which a text looks like one of a language, best first; whether few letters tell it."""

    encodings: Sequence[str] = ()
    is_sure: bool = False


def told_by_looks(data: bytes) -> Told:
    """Return the encodings in which the text looks like one of a language; none where that is not to be told.

    It is not where another encoding, with other letters, looks nearly as well.
    """
    guesses = sorted(_guesses(_sample(data)), reverse=True)
    if not guesses:
        return Told()
    best = guesses[0]
    apart = best.looks - next((guess.looks for guess in guesses if guess.text != best.text), -2.0)
    evidence = apart * len({letter for letter in best.text if not letter.isascii()})
    enough = best.looks >= ENOUGH and apart >= APART
    if not enough and not (best.looks >= STRANGE and evidence >= ALONE and _is_latin(best.text)):
        return Told()
    same = dict.fromkeys(guess.encoding for guess in guesses if guess.text == best.text)
    is_sure = enough and apart >= WELL_APART and evidence >= SURE
    return Told(sorted(same, key=_rarity), is_sure)


def _rarity(encoding: str) -> int:
    """Put first what is found most: of Windows, which has signs where others have nothing, and of the West."""
    return 0 if encoding == "cp1252" else 1 if encoding.startswith("cp125") else 2


def _is_latin(text: str) -> bool:
    return all(letter <= LAST_LATIN for letter in text if letter.isalpha())


def _sample(data: bytes) -> bytes:
    sample = bytearray()
    for line in io.BytesIO(data):
        if first := BEYOND_ASCII.search(line):
            start = max(first.start() - BEFORE, 0)
            sample += line[start : start + SAMPLE]
        if len(sample) >= SAMPLE:
            break
    return bytes(sample)


def _guesses(sample: bytes) -> Iterator[Guess]:
    languages: list[Alphabet | Characters] = [*LATIN, *OTHERS, *MANY]
    texts = {
        encoding: decoded(sample, encoding, is_head=True) for language in languages for encoding in language.encodings
    }
    for language in languages:
        for encoding in language.encodings:
            text = texts[encoding]
            if text and not CONTROL.search(text):
                yield Guess(_looks(text, language) - RARE.get(encoding, 0), encoding, text)


def decoded(data: bytes, encoding: str, *, is_head: bool) -> str | None:
    """Decode strictly, but for the last character of a head, which may be cut off; None for bytes not of this encoding.

    An unknown encoding raises LookupError.
    """
    for cut in range(4 if is_head else 1):
        try:
            return data[: len(data) - cut].decode(encoding)
        except UnicodeError:
            continue
    return None


def _looks(text: str, language: Alphabet | Characters) -> float:
    if isinstance(language, Characters):
        return _looks_as_characters(text, language)
    return _looks_as_letters(text, language)


def _looks_as_letters(text: str, alphabet: Alphabet) -> float:
    """Rate a text from about -2 to 2: the mean of its letters beyond ASCII, and the share of common words."""
    own = alphabet in OTHERS  # has no letters of ASCII
    lowest = 0.0 if own else 0.4
    step = (1 - lowest) / len(alphabet.letters)
    weights = {letter: 1 - place * step for place, letter in enumerate(alphabet.letters)}
    rated = [*_rated(text, weights)]
    words = WORD.findall(text)
    said = [*filter(None, BETWEEN.split(text.lower()))]
    common = sum(word in alphabet.words for word in said) / max(len(said), 1)
    mixed = sum(_mixed(word, own=own) for word in words) / max(len(rated), 1)
    looks = (sum(rated) / len(rated) if rated else 0.5) + 2 * min(common, 0.5) - 2 * mixed
    return min(looks, ENOUGH - 0.01) if own and len(rated) < FEW else looks  # no proof, but a doubt of others


def _rated(text: str, weights: dict[str, float]) -> Iterator[float]:
    """Yield what each character beyond ASCII is worth: a letter by its frequency, a sign nothing where it may stand."""
    for before, last, character, after in zip("  " + text, " " + text, text, text[1:] + " ", strict=False):
        if character.isascii():
            continue
        near = before if last == " " else last
        if character in SIGNS and character not in weights:
            yield from _rated_sign(near if character in MONEY else last, character, after)
        elif last.isdigit() or after.isdigit() or (near.isdigit() and not after.isalpha()):
            yield -1.0
        elif DRAWN.match(character) and (last.isalpha() or after.isalpha()):
            yield -4.0
        elif last.isascii() and unicodedata.category(character) == "Mn":
            yield -2.0  # a mark of Thai, above a letter of ours
        else:
            yield weights.get(character, weights.get(character.lower(), -2.0))


def _rated_sign(before: str, sign: str, after: str) -> Iterator[float]:
    if sign in "¿¡":
        yield -1.0
    elif before in SIGNS and not {before, sign} & QUOTES:
        yield -2.0
    elif (sign in MONEY and (before.isdigit() or after.isdigit())) or _is_unit(before, sign, after):
        yield 1.0
    elif sign not in WITHIN_WORDS and after.isalpha() and (before.isalpha() or sign in "ªº"):
        yield -4.0


def _is_unit(before: str, sign: str, after: str) -> bool:
    """Say whether a sign is the micro of a unit, or that of a tolerance."""
    if sign == "±":
        return not before.isalpha() and (after.isdigit() or after == " ")
    return sign == "µ" and not before.isalpha() and after != "" and after in MEASURED


def _mixed(word: str, *, own: bool) -> int:
    """Count the letters that speak against a word of two alphabets, or of cases that nobody writes."""
    if word.isascii():
        return 0
    beyond = sum(not letter.isascii() for letter in word)
    if word[1:] != word[1:].lower() and word != word.upper():
        return beyond if own else 1
    return beyond if own and beyond < len(word) else 0


def _looks_as_characters(text: str, language: Characters) -> float:
    """Rate a text from about -1 to 1 by how usual its characters are."""
    rated = [
        _usual(character, language) - (0.5 if _joins_letter(before, after) else 0)
        for before, character, after in zip(" " + text, text, text[1:] + " ", strict=False)
        if not character.isascii() and character not in SIGNS and not WIDE_SIGNS.match(character)
    ]
    return sum(rated) / len(rated) if rated else -1.0


def _joins_letter(before: str, after: str) -> bool:
    return any(letter.isascii() and letter.islower() for letter in (before, after))


@lru_cache(maxsize=1 << 16)
def _usual(character: str, language: Characters) -> float:
    if character in language.frequent:
        return 1.0
    try:
        row = character.encode(language.plain)[0]
    except UnicodeEncodeError:
        return -0.5
    if character in KANA:
        return -1.0
    first, last = language.usual
    return 0.4 if first <= row <= last else 0.0
