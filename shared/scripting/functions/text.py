"""Words and JSON."""

import json
from typing import Any

from shared.scripting.context import Context


def to_json(context: Context, data: Any, indent: int | None = None) -> str:
    """Write a value as JSON."""
    return json.dumps(data, ensure_ascii=False, indent=None if indent is None else min(indent, 8))


def from_json(context: Context, text: str) -> Any:
    """Read JSON; None for text that is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def join_strings(context: Context, strings: list[Any], separator: str = ", ") -> str:
    """Join values with a separator."""
    return separator.join(str(each) for each in strings)


def split_string(context: Context, text: str, separator: str | None = None, max_splits: int = -1) -> list[str]:
    """Split a text at a separator, or at white space."""
    return text.split(separator, max_splits)


def count_words(context: Context, text: str) -> int:
    """Count the words of a text."""
    return len(text.split())
