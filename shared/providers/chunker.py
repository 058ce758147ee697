"""A document's text to overlapping passages, in reading order."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from shared.domain.tokens import count_for_embedding
from shared.errors import Invalid


class Chunk(NamedTuple):
    """A passage; it is `text[start:end]` of the document."""

    text: str
    start: int
    end: int


def chunk(
    text: str, size: int, overlap: int | float = 0, count_tokens: Callable[[str], int] = count_for_embedding
) -> list[Chunk]:
    """Split into passages of at most `size` tokens, cut where the text pauses.

    `overlap` is in tokens, or below 1 a share of `size`. Raises Invalid for sizes that make no sense.
    """
    if size < 1 or not 0 <= overlap < size:
        raise Invalid(f"chunks of {size} tokens cannot overlap by {overlap}: size is at least 1, overlap below it")
    semchunk: Any = importlib.import_module("semchunk")
    passages, places = semchunk.chunk(text, size, count_tokens, memoize=False, offsets=True, overlap=overlap or None)
    return [Chunk(passage, start, end) for passage, (start, end) in zip(passages, places, strict=True)]
