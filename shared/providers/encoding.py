"""Bytes to text in the encoding that they are in: as marked, as declared, or as the letters tell; never by a guess."""

import codecs
import re
import unicodedata

from shared.domain.alphabets import LATIN, MANY, OTHERS
from shared.errors import Refused
from shared.providers.looks import codecs_by_looks

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
NAMES_OF_WIDE = ("utf-16", "utf-32", "utf16", "utf32", "u16", "u32", "unicode", "iso-10646-ucs")
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
BETWEEN_WORDS = " \n\u3001\u3002"
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
# Python knows many more: some are no encodings of text, some take time that grows with the square of a page.
BELIEVED = {
    codecs.lookup(name).name
    for name in (
        *(encoding for language in (*LATIN, *OTHERS, *MANY) for encoding in language.encodings),
        *("utf-8", "utf-8-sig", "utf-16", "utf-32", *WIDE, "iso2022_jp", "cp437", "cp850", "cp852"),
        *(f"iso8859-{number}" for number in range(1, 17) if number != 12),
        *READ_AS,
        *READ_AS.values(),
        *LABELS.values(),
    )
}


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
    if text := _by_looks(data):
        return text
    raise Refused(BINARY if NO_TEXT.search(data[:LOOKED_AT]) else UNKNOWN)


def declared_in(page: bytes) -> str | None:
    """Return the encoding that a page of HTML or XML names at its beginning, if it can be in that one."""
    found = DECLARED.search(page[:DECLARED_WITHIN])
    named = found[1].decode("ascii").lower() if found else ""
    return named if named and not named.replace("_", "-").startswith(NAMES_OF_WIDE) else None


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
    """Decode as declared; None where that is no encoding that pages are in, or not that of these bytes."""
    try:
        label = declared.strip().strip("\"'").lower()
        name = codecs.lookup(LABELS.get(label, label)).name
        text = data.decode(READ_AS.get(name, name)) if name in BELIEVED else None
    except (LookupError, UnicodeError, ValueError):
        return None
    return text if text is not None and not CONTROL.search(text) else None


def _wide(data: bytes) -> str:
    """Decode UTF-16 or UTF-32 without a mark: read wrongly, either holds what nobody writes."""
    for codec in WIDE:
        text = _read(data, codec)
        if text and any(sign in text for sign in BETWEEN_WORDS) and all(_is_written(letter) for letter in set(text)):
            return text
    raise Refused(BINARY)


def _is_written(letter: str) -> bool:
    return letter in "\t\n\r\f" or unicodedata.category(letter) not in ("Cc", "Cn", "Co", "Cs")


def _by_looks(data: bytes) -> str | None:
    """Decode as the letters tell; None where they are not sure."""
    candidates = ["iso2022_jp"] if ESCAPES.search(data[:LOOKED_AT]) else codecs_by_looks(data)
    return next(filter(None, (_read(data, codec) for codec in candidates)), None)


def _read(sample: bytes, codec: str) -> str:
    """Decode the sample, its last character cut off maybe; nothing where the bytes are not of this encoding."""
    for cut in range(4):
        try:
            return sample[: len(sample) - cut].decode(codec)
        except UnicodeDecodeError:
            continue
    return ""
