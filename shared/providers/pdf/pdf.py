"""What the parser lacks of a PDF: hyphens at line ends, the order of right-to-left words, filled forms, its end."""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError
from pypdf.generic import NameObject, StreamObject

from shared.providers.pdf.directions import in_reading_order, is_mostly_right_to_left

END = b"%%EOF"
OBJECT = re.compile(rb"\d\s+obj\b|endobj|endstream")
BROKEN = "\x02"  # what the library writes for a hyphen at the end of a line
BROKEN_WORD = re.compile(r"(-|(?<!\w))(\w+)\x02\s*(?=(\w+)(-?))")
LINE_END = re.compile(r"\r\n?|\n")
HYPHENATED = re.compile(r"[\w-]+")
# Words that stay apart from what follows their hyphen; any other was parted at the end of a line.
COMPOUNDS = frozenset(
    "all cross ex half mid non well self quasi vice twenty thirty forty fifty sixty seventy eighty ninety".split()
)
SHORT_WORD = 3  # letters, as those in the middle of mother-in-law
DEEPEST_FIELD = 8
SURE_VALUE = 200  # characters: a longer one is no part of a word, whatever stands beside it
PART_OF_WORD = re.compile(r"\w")
LONG_VALUE = 8  # characters: a shorter one stands in many a text by chance
BREAKS_THE_FORMAT = (PyPdfError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError)


class UnreadForm(Exception):
    """Nobody can say what was filled in; the reason is for people."""


def is_whole(data: bytes) -> bool:
    """Say whether a PDF has its end: no object follows its last mark of an end, whatever else does."""
    end = data.rfind(END)
    return end >= 0 and OBJECT.search(data, end) is None


def mend_page(text: str, known: frozenset[str]) -> str:
    """Return a page's text with its broken words joined and its right-to-left lines in the order of reading."""
    joined = BROKEN_WORD.sub(lambda found: _joined(found, known), text).replace(BROKEN, "-")
    is_right_to_left = is_mostly_right_to_left(joined)
    lines = LINE_END.split(joined)
    return "\n".join(in_reading_order(line, page_is_right_to_left=is_right_to_left) for line in lines)


def words_of(texts: Sequence[str]) -> frozenset[str]:
    """Return the words that stand whole in a document, hyphenated ones among them."""
    return frozenset(
        word.casefold() for text in texts for word in HYPHENATED.findall(text.replace(BROKEN, f" {BROKEN} "))
    )


def _joined(found: re.Match[str], known: frozenset[str]) -> str:
    """Return the first part of a broken word, with its hyphen where it has one in the middle of a line too."""
    before, first, second, after = found.groups()
    if (first + second).casefold() in known:
        return before + first
    links = (before and len(first) <= SHORT_WORD) or (after and len(second) <= SHORT_WORD)
    is_compound = links or f"{first}-{second}".casefold() in known or _is_compound(first, second)
    return f"{before}{first}-" if is_compound else before + first


def _is_compound(first: str, second: str) -> bool:
    code = not (first + second).isalpha() or second[0].isupper() != first[-1].isupper()
    return code or first.casefold() in COMPOUNDS


def form_values(data: bytes) -> dict[int, list[tuple[str, str]]]:
    """Return what somebody filled into a form, names and values, by the number of the page; raises UnreadForm."""
    if not any(mark in data for mark in (b"/AcroForm", b"/Widget", b"/ObjStm")):
        return {}
    try:
        return _form_values(data[: data.rfind(END) + len(END)])
    except DependencyError as error:
        raise UnreadForm("the file is encrypted: whether it holds a filled form is not known") from error
    except BREAKS_THE_FORMAT as error:
        raise UnreadForm("the file is damaged: what is filled into its form could not be read") from error


def _form_values(data: bytes) -> dict[int, list[tuple[str, str]]]:
    reader = PdfReader(io.BytesIO(data))
    if "/AcroForm" not in reader.root_object and b"/Widget" not in data:
        return {}
    found = {number: list(dict.fromkeys(_fields(page))) for number, page in enumerate(reader.pages, 1)}
    return {number: fields for number, fields in found.items() if fields}


def _fields(page: Any) -> Iterator[tuple[str, str]]:
    for reference in _resolved(page.get("/Annots")) or ():
        widget = _resolved(reference)
        value = _value(widget) if widget and widget.get("/Subtype") == "/Widget" else ""
        if value:
            yield _text(_inherited(widget, "/T")), value


def _value(widget: Any) -> str:
    kind, value = _inherited(widget, "/FT"), _inherited(widget, "/V")
    if kind == "/Sig" or (kind == "/Btn" and value == "/Off"):
        return ""
    values = value if isinstance(value, list) else [value]
    shown = dict(_choices(widget)) if kind == "/Ch" else {}
    told = [_text(_resolved(each)) for each in values]
    return ", ".join(shown.get(each, each) for each in told if each)


def _choices(widget: Any) -> Iterator[tuple[str, str]]:
    """Yield what stands in the file for a choice, with what people see instead."""
    for choice in _inherited(widget, "/Opt") or ():
        pair = _resolved(choice)
        if isinstance(pair, list) and len(pair) == 2:
            yield _text(_resolved(pair[0])), _text(_resolved(pair[1]))


def _text(value: Any) -> str:
    if isinstance(value, StreamObject):
        data = value.get_data()
        value = data.decode("utf-16" if data[:2] in (b"\xfe\xff", b"\xff\xfe") else "latin-1", "replace")
    told = str(value) if value is not None else ""
    return " ".join((told.removeprefix("/") if isinstance(value, NameObject) else told).split())


def _inherited(field: Any, key: str, depth: int = 0) -> Any:
    value, parent = _resolved(field.get(key)), _resolved(field.get("/Parent"))
    if value is not None or parent is None or depth > DEEPEST_FIELD:
        return value
    return _inherited(parent, key, depth + 1)


def _resolved(value: Any) -> Any:
    return value.get_object() if hasattr(value, "get_object") else value


def with_fields(page: str, fields: Sequence[tuple[str, str]]) -> str:
    """Return a page's text and the fields that it does not tell, as `name: value`."""
    words = " ".join(page.split())
    told = [f"{name}: {value}" if name else value for name, value in fields if not _tells(words, value)]
    return "\n".join([page, *told] if page.strip() else told)


def _tells(words: str, value: str) -> bool:
    """Say whether a page tells a value; a short one may stand there by chance, and is better told twice than lost."""
    if len(value) > SURE_VALUE:
        return value in words
    at = words.find(value) if len(value) >= LONG_VALUE else -1
    while at >= 0 and not _stands_alone(words, at, at + len(value)):
        at = words.find(value, at + 1)
    return at >= 0


def _stands_alone(words: str, start: int, end: int) -> bool:
    return not (PART_OF_WORD.match(words[max(start - 1, 0) : start]) or PART_OF_WORD.match(words, end))
