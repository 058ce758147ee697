"""What an embedding server answered, as vectors that can be compared, or why it is none."""

import math
from typing import Any

Vector = list[float]
MOST_NUMBERS = 16_000  # that Postgres keeps of a vector
ROUNDING = 1e-3  # by which a unit vector may miss its length
FOREIGN = "does not answer in OpenAI's form: check PERSONAE_EMBEDDING_URL"


class Unusable(ValueError):
    """An answer that holds no vectors for the texts; says what the server did."""


def read_vectors(answer: Any, expected: int) -> list[Vector]:
    """Return unit vectors in the order of the texts; raises Unusable where one could not be compared."""
    items = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) and "embedding" in item for item in items):
        raise Unusable(FOREIGN)
    if len(items) != expected:
        raise Unusable(f"sent {len(items)} vectors for {expected} texts")
    vectors = [unit(item["embedding"]) for item in _in_order(items)]
    if len({len(vector) for vector in vectors}) > 1:
        raise Unusable("sent vectors of different lengths")
    return vectors


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort by `index`; without any, the order is that of the texts."""
    indexes = [item.get("index") for item in items]
    if len(items) == 1 or not any(index is not None for index in indexes):
        return items
    by_index = {str(index): item for index, item in zip(indexes, items, strict=True)}
    try:
        return [by_index[str(number)] for number in range(len(items))]
    except KeyError as error:
        raise Unusable("does not say which vector is of which text: `index` is wrong") from error


def unit(numbers: Any) -> Vector:
    """Return a vector at length 1: some servers do not, and half a float keeps no large numbers. Raises Unusable."""
    vector = _numbers(numbers)
    length = math.hypot(*vector)
    if not math.isfinite(length):
        raise Unusable("sent a vector that holds NaN or infinite numbers")
    if not length:
        raise Unusable("sent a vector of zeros")
    return vector if abs(length - 1) <= ROUNDING else [number / length for number in vector]


def _numbers(given: Any) -> Vector:
    if not isinstance(given, list):
        raise Unusable("sent a vector that is no list of numbers, though `encoding_format` asks for floats")
    if not 0 < len(given) <= MOST_NUMBERS:
        raise Unusable(f"sent a vector of {len(given)} numbers: there must be 1 to {MOST_NUMBERS}")
    if not {type(number) for number in given} <= {int, float}:
        raise Unusable("sent a vector that holds what is no number: null, text or a list")
    try:
        return [float(number) for number in given]
    except OverflowError as error:
        raise Unusable("sent a vector that holds NaN or infinite numbers") from error
