"""What may cross between a script and us: plain values, copied, within a size."""

from math import isfinite
from typing import Any

from shared.domain.text import make_storable

BUDGET = 256 * 1024
EACH = 16  # what a value costs besides its characters
DEEPEST = 16
WIDEST_INTEGER = 256  # bits


class ScriptError(Exception):
    """An error whose words a script may read; any other is ours and never reaches it."""


class TooLarge(ScriptError):
    """A value that passes a limit, which the words name."""


class Allowance:
    """How much may still cross; shared references are charged each time they occur."""

    def __init__(self, size: int = BUDGET) -> None:
        self._left = size

    def charge(self, size: int) -> None:
        """Take `size` off; raises ScriptError when nothing is left."""
        self._left -= size
        if self._left < 0:
            raise TooLarge(f"value too large: {BUDGET // 1024} KiB at most may cross")


def clean(value: Any, allowance: Allowance | None = None, depth: int = 0) -> Any:
    """Copy a value as JSON has it, by exact types: a subclass could run code of its own; raises ScriptError."""
    allowance = allowance or Allowance()
    kind = type(value)
    allowance.charge(EACH + (len(value) if kind is str else 0))
    if depth > DEEPEST:
        raise TooLarge(f"value nested too deeply: {DEEPEST} levels at most")
    if kind in (list, tuple, set, frozenset):
        return [clean(item, allowance, depth + 1) for item in value]
    if kind is dict:
        return {_key(key, allowance): clean(item, allowance, depth + 1) for key, item in value.items()}
    return _atom(value, kind)


def _key(key: Any, allowance: Allowance) -> str:
    return str(clean(key, allowance))


def _atom(value: Any, kind: type) -> Any:
    if kind is str:
        return make_storable(value)
    if kind is int and value.bit_length() > WIDEST_INTEGER:
        raise TooLarge(f"integer too large: {WIDEST_INTEGER} bits at most")
    if kind is float and not isfinite(value):
        raise TooLarge("not a finite number")
    if value is None or kind in (int, float, bool):
        return value
    raise ScriptError(f"unsupported value type {kind.__name__}")
