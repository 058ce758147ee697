"""The words by which a text is found: one reading of questions and of passages, so that both hold the same. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from shared.domain.text import GRAMMAR, fold

LONGEST = 255  # characters of a lexeme: the rest of a longer one does not count; Postgres takes 2046 bytes
SHORTEST_NUMBER = 3  # characters from which a word with a digit in it is looked for as such

# Signs of vowels and tones, which `\w` is not: without them, words of Indic scripts fall apart.
_SIGNS = "".join(chr(code) for code in range(0x0370, 0x3100) if unicodedata.category(chr(code)).startswith("M"))
_UNSPACED = (  # scripts without spaces, or with particles at their words: Thai to Khmer, Chinese, Japanese, Korean
    "\u0e01-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1780-\u17d3\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTERS = rf"[^\W{_UNSPACED}]+(?:[{_SIGNS}]+[^\W{_UNSPACED}]*)*"
_JOINT = r"(?:(?!--|\.\.)[-./@:\\?&=#%~+]){1,3}|(?<=\d),(?=\d)"
_TOKEN = re.compile(
    rf"(?P<run>[{_UNSPACED}]+)|(?P<word>(?:(?<![\w)\]])[-+](?=\d))?{_LETTERS}(?:(?:{_JOINT}){_LETTERS})*(?:[+#]+(?!\w))?)"
)
_PART = re.compile(rf"[^\W_]+(?:[{_SIGNS}]+[^\W_]*)*")
_PLACES = r"/@:\\?&=#%~+,"  # what parts the names in an address or a path
_PIECES = [re.compile(rf"[{_PLACES}{signs}]+") for signs in ("", ".", "-", ".-")]
_LOOSE = re.compile(r"([^\W\d_]{1,10})[-./](\d[^\W_]*)")  # `ERR-4711`, which many write `ERR4711`
_VERSION = re.compile(r"v(?=\d+\.)")
_CODE = re.compile(r"\d|[@\\:=#+_]|\w\w\.\w\w|/.*/")  # what no hyphenated word and no `and/or` has


class Sought(NamedTuple):
    """A lexeme of a question, and how surely a passage that holds it is meant."""

    lexeme: str
    surety: int  # 2 for a whole code, name or address, 1 for a number or a part with a digit, 0 for a word


def lexemes(text: str) -> list[str]:
    """Return what a passage is found by, each once: its words, codes and addresses whole and in parts.

    Scripts without spaces are cut into single characters and pairs of neighbours.
    """
    found: dict[str, None] = {}
    for run, word in _tokens(text):
        found |= dict.fromkeys([*run, *_pairs(run)] if run else _readings(word))
    return list(found)


def sought(question: str) -> list[Sought]:
    """Return what a question looks for, each once, the surest and longest first, which tend to be the rarest.

    Words of grammar are among it only where there is nothing else.
    """
    found: dict[str, int] = {}
    for run, word in _tokens(question):
        for lexeme in _pairs(run) if run else _readings(word):
            found[lexeme] = max(found.get(lexeme, 0), _surety(lexeme, word))
    telling = {lexeme: surety for lexeme, surety in found.items() if lexeme not in GRAMMAR}
    return sorted((Sought(*each) for each in (telling or found).items()), key=_by_promise)


def _by_promise(each: Sought) -> tuple[int, int]:
    return -each.surety, -len(each.lexeme)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield runs of an unspaced script, and words or what is joined from several."""
    for match in _TOKEN.finditer(fold(text)):
        yield match["run"] or "", match["word"] or ""


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _readings(word: str) -> list[str]:
    """Return a word whole, then what it is joined from: `a.b/c-d` is also `a.b`, `c-d`, `a`, `b`, `c`, `d`."""
    if word.isalnum():
        return [word[:LONGEST]]
    pieces = [piece for cut in _PIECES for piece in cut.split(word)]
    readings = dict.fromkeys(reading[:LONGEST] for reading in [word, *_spellings(word), *pieces, *_PART.findall(word)])
    return [reading for reading in readings if _PART.search(reading)]


def _spellings(word: str) -> Iterator[str]:
    """Yield how else a code or a version is written: `ERR-4711` without its joint, `v2.14.3` without its letter."""
    if code := _LOOSE.fullmatch(word):
        yield "".join(code.groups())
    if version := _VERSION.match(word):
        yield word[version.end() :]


def _surety(lexeme: str, word: str) -> int:
    if lexeme == word[:LONGEST] and not word.isalnum() and _CODE.search(word):
        return 2
    return int(len(lexeme) >= SHORTEST_NUMBER and any(sign.isdigit() for sign in lexeme))


def as_vector(title: str, content: str) -> str:
    """Write the lexemes of a title, with weight `A`, and of a text as a literal of Postgres' tsvector."""
    of_title = [f"{as_literal(lexeme)}:{place}A" for place, lexeme in enumerate(lexemes(title), 1)]
    return " ".join(of_title + [as_literal(lexeme) for lexeme in lexemes(content)])


def as_literal(lexeme: str) -> str:
    """Quote a lexeme as Postgres' tsvector and tsquery have it."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
