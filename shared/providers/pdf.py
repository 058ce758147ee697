"""What the parser lacks of a PDF: hyphens at line ends, the order of right-to-left words, filled forms, its end."""

import io
import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby

from pypdf import PdfReader
from pypdf.errors import PyPdfError

END = b"%%EOF"
OBJECT = re.compile(rb"\d\s+obj\b|endobj|endstream")
BROKEN_WORD = re.compile(r"(\w+)\x02\s*(\w+)")
# Words that stay apart from what follows their hyphen; any other was parted at the end of a line.
COMPOUNDS = frozenset(
    "all cross ex half mid non well self quasi vice twenty thirty forty fifty sixty seventy eighty ninety".split()
)
RIGHT_TO_LEFT = frozenset({"R", "AL"})
LARGEST_FIELD = 10_000  # characters of one value of a form
BREAKS_THE_FORMAT = (PyPdfError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ArithmeticError)

log = logging.getLogger(__name__)


def is_whole(data: bytes) -> bool:
    """Say whether a PDF has its end: no object follows its last mark of an end, whatever else does."""
    end = data.rfind(END)
    return end >= 0 and OBJECT.search(data, end) is None


def mend_page(text: str, known: frozenset[str]) -> str:
    """Return a page's text with its broken words joined and its right-to-left lines in the order of reading."""
    joined = BROKEN_WORD.sub(lambda found: _joined(found[1], found[2], known), text)
    return "\n".join(map(_read_order, joined.split("\n")))


def words_of(texts: Sequence[str]) -> frozenset[str]:
    """Return the words that stand whole in a document, hyphenated ones among them."""
    return frozenset(
        word.casefold() for text in texts for word in re.findall(r"[\w-]+", text.replace("\x02", " \x02 "))
    )


def _joined(first: str, second: str, known: frozenset[str]) -> str:
    whole, hyphenated = first + second, f"{first}-{second}"
    if whole.casefold() in known:
        return whole
    if hyphenated.casefold() in known or _is_compound(first, second):
        return hyphenated
    return whole


def _is_compound(first: str, second: str) -> bool:
    code = not (first + second).isalpha() or second[0].isupper() or (len(first) > 1 and first.isupper())
    return code or first.casefold() in COMPOUNDS


def _read_order(line: str) -> str:
    """Turn a line round that the library gives from left to right although it is read from right to left."""
    words = line.split()
    right = sum(map(_is_right_to_left, words))
    if right == 0 or right < sum(map(_is_left_to_right, words)):
        return line
    runs = [list(run) for _, run in groupby(reversed(words), _is_left_to_right)]
    return " ".join(word for run in runs for word in (reversed(run) if _is_left_to_right(run[0]) else run))


def _is_right_to_left(word: str) -> bool:
    return any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in word)


def _is_left_to_right(word: str) -> bool:
    kinds = {unicodedata.bidirectional(letter) for letter in word}
    return "L" in kinds and not kinds & RIGHT_TO_LEFT


def form_values(data: bytes) -> dict[int, list[str]]:
    """Return what somebody filled into a form, `name: value`, by the number of the page, from 1."""
    try:
        return _form_values(data)
    except BREAKS_THE_FORMAT as error:
        log.warning("a form could not be read", extra={"kind": type(error).__name__})
        return {}


def _form_values(data: bytes) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    reader = PdfReader(io.BytesIO(data))
    if "/AcroForm" not in reader.root_object:
        return found
    for number, page in enumerate(reader.pages, 1):
        lines = list(dict.fromkeys(_fields(page)))
        if lines:
            found[number] = lines
    return found


def _fields(page: object) -> Iterator[str]:
    for reference in page.get("/Annots") or ():  # type: ignore[attr-defined]
        widget = reference.get_object()
        if widget.get("/Subtype") != "/Widget":
            continue
        name, value = _inherited(widget, "/T"), _inherited(widget, "/V")
        told = str(value or "").removeprefix("/").strip()[:LARGEST_FIELD]
        if told and told != "Off":
            yield f"{name}: {told}" if name else told


def _inherited(field: object, key: str, depth: int = 0) -> object:
    value = field.get(key)  # type: ignore[attr-defined]
    parent = field.get("/Parent")  # type: ignore[attr-defined]
    if value is not None or parent is None or depth > 8:
        return value.get_object() if hasattr(value, "get_object") else value
    return _inherited(parent.get_object(), key, depth + 1)
