"""Bytes to text in the encoding that they are in: as marked, as declared, or as the letters tell; never by a guess."""

import codecs
import re
import unicodedata

from shared.domain.alphabets import LATIN, MANY, OTHERS
from shared.errors import Refused
from shared.providers.files import seven_bit
from shared.providers.files.looks import CONTROL, decoded, told_by_looks

UNKNOWN = (
    "its encoding is not known, and too few letters tell it: save it as UTF-8, or name it in the first line, "
    "as in `# coding: windows-1252`"
)
DOUBTED = "too few letters tell its encoding for sure: it was read as %s; if any are wrong, save it as UTF-8"
BROKEN = "it is UTF-8 with faults in it, or cut off: save it as UTF-8 once more"
BINARY = "this is a binary file of an unknown kind"
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
NAMED = re.compile(rb"[^\w\r\n]{0,20}(?:file)?(?:en)?coding\s?[:=]\s?([\w.-]{2,40})", re.I)  # as editors have it
NAMES_OF_WIDE = ("utf-16", "utf-32", "utf16", "utf32", "u16", "u32", "unicode", "iso-10646-ucs")
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
BEYOND_ASCII = bytes(range(0x80, 0x100))
# A first byte alone may be a letter of another encoding.
CUT_OFF = re.compile(rb"(?:[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})\Z")
BETWEEN_WORDS = " \n\u3001\u3002"
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


def decode(data: bytes, declared: str | None = None, *, is_head: bool = False) -> str:
    """Decode by the mark, as UTF-8, as declared, or by the letters; raises Refused where that is not sure.

    Of the head of a longer text the last character may be cut off; of a whole text each byte must be read.
    """
    for mark, codec in MARKS:
        if data.startswith(mark) and (text := decoded(data[len(mark) :], codec, is_head=is_head)) is not None:
            return text
    if data.startswith(codecs.BOM_UTF8) and _is_broken_utf8(data):
        raise Refused(BROKEN)
    return _without_mark(data.removeprefix(codecs.BOM_UTF8), declared, is_head=is_head)


def _without_mark(data: bytes, declared: str | None, *, is_head: bool) -> str:
    if b"\0" in data[:LOOKED_AT]:
        return _wide(data, is_head=is_head)
    text = decoded(data, "utf-8", is_head=is_head)
    if text is not None and not ESCAPES.search(data):
        return seven_bit.read(data) or text
    if declared and (text := _as_declared(data, declared, is_head=is_head)) is not None:
        return text
    if _is_broken_utf8(data):
        raise Refused(BINARY if NO_TEXT.search(data[:LOOKED_AT]) else BROKEN)
    if text := _by_looks(data, is_head=is_head):
        return text
    raise Refused(BINARY if NO_TEXT.search(data[:LOOKED_AT]) else UNKNOWN)


def doubt(data: bytes, declared: str | None = None) -> str | None:
    """Return what is to be told of a whole text in an encoding that few letters tell; None of one that is sure."""
    marked = data.startswith(tuple(mark for mark, _ in MARKS)) or b"\0" in data[:LOOKED_AT]
    if marked or ESCAPES.search(data[:LOOKED_AT]) or decoded(data, "utf-8", is_head=False) is not None:
        return None
    if declared and _as_declared(data, declared, is_head=False) is not None:
        return None
    told = told_by_looks(data)
    named = next((codec for codec in told.encodings if decoded(data, codec, is_head=False) is not None), "")
    return None if told.is_sure or not named else DOUBTED % named.replace("cp125", "windows-125")


def _is_broken_utf8(data: bytes) -> bool:
    """Say whether most bytes beyond ASCII are of whole characters in UTF-8, so that others are faults in it."""
    ascii_only = len(data.translate(None, BEYOND_ASCII))
    end = CUT_OFF.search(data[-3:])
    whole = len(data.decode(errors="ignore").encode()) - ascii_only + (len(end[0]) if end else 0)
    return 2 * whole > len(data) - ascii_only


def declared_in(page: bytes) -> str | None:
    """Return the encoding that a page of HTML or XML, or a text's first line, names, if it can be in that one."""
    found = DECLARED.search(page[:DECLARED_WITHIN]) or NAMED.match(page)
    named = found[1].decode("ascii").lower() if found else ""
    return named if named and not named.replace("_", "-").startswith(NAMES_OF_WIDE) else None


def _as_declared(data: bytes, declared: str, *, is_head: bool) -> str | None:
    """Decode as declared; None where that is no encoding that pages are in, or not that of these bytes."""
    try:
        label = declared.strip().strip("\"'").lower()
        name = codecs.lookup(LABELS.get(label, label)).name
    except (LookupError, ValueError):  # a name with a NUL, or one that is not ASCII
        return None
    text = decoded(data, READ_AS.get(name, name), is_head=is_head) if name in BELIEVED else None
    return text if text is not None and not CONTROL.search(text) else None


def _wide(data: bytes, *, is_head: bool) -> str:
    """Decode UTF-16 or UTF-32 without a mark: read wrongly, either holds what nobody writes."""
    for codec in WIDE:
        text = decoded(data, codec, is_head=is_head)
        if text and any(sign in text for sign in BETWEEN_WORDS) and all(_is_written(letter) for letter in set(text)):
            return text
    raise Refused(BINARY)


def _is_written(letter: str) -> bool:
    return letter in "\t\n\r\f" or unicodedata.category(letter) not in ("Cc", "Cn", "Co", "Cs")


def _by_looks(data: bytes, *, is_head: bool) -> str | None:
    """Decode as the letters tell; None where they are not sure."""
    candidates = ["iso2022_jp"] if ESCAPES.search(data[:LOOKED_AT]) else told_by_looks(data).encodings
    return next(filter(None, (decoded(data, codec, is_head=is_head) for codec in candidates)), None)
