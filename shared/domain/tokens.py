"""How many tokens a text comes to, told without a tokenizer: one rule for two vocabularies. Pure."""

import re
from collections.abc import Callable
from typing import NamedTuple

CountTokens = Callable[[str], int]
LONG_WORD = 6  # letters; a tokenizer knows most shorter words of European languages in two pieces
_PIECE = re.compile(r"([A-Za-z]{0,20}\d[A-Za-z\d]*)| ?([A-Z]?[a-z]+)| ?([A-Z]+)|([^\x00-\x7f]+)|([^\w])\5*|_", re.ASCII)
# Letters of which the embedding model knows many in a piece, and those of which it knows one or two; of others none.
_USUAL = re.compile("[\x80-\u0e7f\u10a0-\u10ff\u1e00-\u1eff]")
_EAST_ASIAN = re.compile("[\u3000-\ud7ff\uf900-\ufaff\uff00-\uffef]")


class _Vocabulary(NamedTuple):
    """What a piece of a word costs, a sign or digit, and a run of characters beyond ASCII."""

    word: float
    sign: float
    foreign: Callable[[str], float]


def _by_bytes(text: str) -> float:
    return -(-3 * len(text.encode(errors="replace")) // 4)


def _by_characters(text: str) -> float:
    usual, east_asian = len(_USUAL.findall(text)), len(_EAST_ASIAN.findall(text))
    return 0.3 * usual + 0.85 * east_asian + 1.15 * (len(text) - usual - east_asian)


# Measured with the bundled chat model's vocabulary, which is small and English: others make fewer tokens of most texts.
_CHAT = _Vocabulary(1, 1, _by_bytes)
# Measured with multilingual-e5's, which is large and of a hundred languages.
_EMBEDDING = _Vocabulary(0.75, 0.85, _by_characters)


def count_roughly(text: str) -> int:
    """Overestimate the tokens that a chat model makes of a text: signs and digits one each, words by their letters."""
    return 1 + round(_cost_of(text, _CHAT))


def count_for_embedding(text: str) -> int:
    """Estimate the tokens that the embedding model makes of a text, from above: what it does not read is not found."""
    return round(_cost_of(text, _EMBEDDING))


def _cost_of(text: str, vocabulary: _Vocabulary) -> float:
    return sum(_cost(piece, vocabulary) for piece in _PIECE.finditer(text))


def _cost(piece: re.Match[str], vocabulary: _Vocabulary) -> float:
    _, word, capitals, foreign, sign = piece.groups()
    if word:
        return vocabulary.word * -(-len(word) // (3 if len(word) <= LONG_WORD else 2))
    if capitals:
        return vocabulary.word * -(-len(capitals) // 2)
    if foreign:
        return vocabulary.foreign(foreign)
    return vocabulary.sign * (1 + len(piece[0]) // 4 if sign else len(piece[0]))  # rulers and indentation are known
