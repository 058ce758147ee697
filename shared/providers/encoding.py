"""Bytes to text in the encoding that they are in: as marked, as declared, or as the letters tell; never by a guess."""

import codecs
import re
import unicodedata
from collections import Counter
from itertools import pairwise

from shared.domain.alphabets import (
    COMMON_HAN,
    COMMON_HANGUL,
    HAN,
    HANGUL,
    KANA,
    LANGUAGES,
    SIGNS,
    TYPOGRAPHY,
    Language,
)
from shared.errors import Refused

UNKNOWN = "its encoding is not known: save it as UTF-8"
BINARY = "this is a binary file of an unknown kind"
LONG = 1 << 20  # bytes from which a text may be the beginning of another
LOOKED_AT = 200_000  # bytes, of which the letters tell the encoding
# The longer marks first: that of UTF-32 begins like that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
ESCAPES = re.compile(rb"\x1b\$[@AB]|\x1b\(J")  # of ISO-2022-JP
DECLARED = re.compile(
    rb"(?:<meta\s[^<>]{0,500}?charset|<\?xml\s[^<>]{0,100}?encoding)\s{0,9}=\s{0,9}[\"']?([\w:.-]{2,40})", re.I
)
DECLARED_WITHIN = 4096
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
# What browsers read under names that promise less (WHATWG).
READ_AS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
# What browsers know and Python does not.
LABELS = {
    "windows-31j": "cp932",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "windows-949": "cp949",
    "x-gbk": "gb18030",
    "cn-big5": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "windows-874": "cp874",
    "dos-874": "cp874",
    "iso-8859-8-i": "iso8859_8",
    "iso-8859-8-e": "iso8859_8",
    "logical": "iso8859_8",
    "visual": "iso8859_8",
    "koi": "koi8_r",
    "koi8": "koi8_r",
    "koi8-ru": "koi8_u",
    "mac": "mac_roman",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ukrainian": "mac_cyrillic",
    **{f"x-cp125{number}": f"cp125{number}" for number in range(9)},
}
# By encoding: the script besides Chinese characters.
SYLLABLES = {"gb18030": None, "big5hkscs": None, "cp932": KANA, "euc_jp": KANA, "cp949": HANGUL}
EAST_ASIAN = tuple(SYLLABLES)
SIGN = 0.97  # of a letter: where a byte may be either, it is the letter
SURE = 0.9  # share of the letters beyond ASCII that the language has


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode by the mark, as UTF-8, as declared, or by the letters; raises Refused where that is not sure."""
    for mark, codec in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    if b"\0" in data[:LOOKED_AT]:
        return _wide(data)
    text = _utf8(data)
    if text is not None and not ESCAPES.search(data):
        return text
    if declared and (text := _as_declared(data, declared)) is not None:
        return text
    if text := _read(data, _codec_of(data)):
        return text
    raise Refused(UNKNOWN)


def declared_in(page: bytes) -> str | None:
    """Return the encoding that a page of HTML or XML names at its beginning, if it can be in that one."""
    found = DECLARED.search(page[:DECLARED_WITHIN])
    named = found[1].decode("ascii").lower() if found else ""
    return named if named and not named.startswith(("utf-16", "utf-32", "unicode", "iso-10646-ucs")) else None


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        whole = data[: error.start]
        # Cut off inside its last character; a lone foreign byte at the end of plain ASCII is no such sign.
        if error.start >= len(data) - 3 and (not whole.isascii() or len(data) >= LONG):
            return whole.decode()
    return None


def _as_declared(data: bytes, declared: str) -> str | None:
    """Decode as declared; None where that is no encoding of text, or not that of these bytes."""
    try:
        label = declared.strip().strip("\"'").lower()
        name = codecs.lookup(LABELS.get(label, label)).name
        text = data.decode(READ_AS.get(name, name))
    except (LookupError, UnicodeError, ValueError, AssertionError):
        return None
    return text if isinstance(text, str) and not CONTROL.search(text) else None


def _wide(data: bytes) -> str:
    """Decode UTF-16 or UTF-32 without a mark: read wrongly, either holds what nobody writes."""
    for codec in WIDE:
        text = _read(data, codec)
        if text and " " in text and all(_is_written(letter) for letter in set(text)):
            return text
    raise Refused(BINARY)


def _is_written(letter: str) -> bool:
    return letter in "\t\n\r\f" or unicodedata.category(letter) not in ("Cc", "Cn", "Co", "Cs")


def _codec_of(data: bytes) -> str:
    sample = data[:LOOKED_AT]
    if ESCAPES.search(sample):
        return "iso2022_jp"
    likely = [(_likeness_of(sample, language), language.codec) for language in LANGUAGES]
    share, codec = max(likely + [(_eastern(sample, each), each) for each in EAST_ASIAN], key=lambda pair: pair[0])
    if share < SURE:
        raise Refused(BINARY if CONTROL.search(sample.decode("latin-1")) else UNKNOWN)
    return codec


def _read(sample: bytes, codec: str) -> str:
    """Decode the sample, its last character cut off maybe; nothing where the bytes are not of this encoding."""
    for cut in range(4):
        try:
            return sample[: len(sample) - cut].decode(codec)
        except UnicodeDecodeError:
            continue
    return ""


def _likeness_of(sample: bytes, language: Language) -> float:
    """Say how well a text fits a language: the share of its letters beyond ASCII, and a little for its common words."""
    text = _read(sample, language.codec)
    if not text or CONTROL.search(text):
        return 0.0
    beyond = Counter(letter for letter in text if letter > "\x7f")
    known = frozenset(language.letters + language.letters.upper()) | TYPOGRAPHY
    fits = sum(count * (SIGN if letter in TYPOGRAPHY else 1) for letter, count in beyond.items() if letter in known)
    words = re.findall(r"\w+", text)[:5000]
    common = frozenset(language.words.split())
    spoken = sum(word.casefold() in common for word in words) / max(len(words), 1)
    return fits / max(beyond.total(), 1) - _mixed(words) + 0.1 * spoken


def _mixed(words: list[str]) -> float:
    """Return the share of words that no one writes: capitals behind small letters, letters of two alphabets."""
    odd = sum(1 for word in words if not word.isascii() and _is_odd(word))
    return odd / max(sum(not word.isascii() for word in words), 1)


def _is_odd(word: str) -> bool:
    behind = any(first.islower() and second.isupper() for first, second in pairwise(word))
    latin = any(letter < "\u0250" and letter.isalpha() for letter in word)
    return behind or (latin and any("\u0370" <= letter <= "\u06ff" for letter in word))


def _eastern(sample: bytes, codec: str) -> float:
    """Say how well a text fits an encoding of Chinese, Japanese or Korean, by its commonest characters."""
    text = _read(sample, codec)
    beyond = sum(letter > "\x7f" for letter in text)
    if not text or CONTROL.search(text) or beyond == 0:
        return 0.0
    han, written = HAN.findall(text), SYLLABLES[codec]
    syllables = written.findall(text) if written else []
    common = sum(letter in COMMON_HAN for letter in han) + sum(letter in COMMON_HANGUL for letter in syllables)
    kana = len(syllables) if written is KANA else 0
    told = len(syllables) + len(han) + len(SIGNS.findall(text))
    return 0.9 * min(told / beyond, 1.0) + 0.15 * min((kana + 2 * common) / beyond, 1.0)
