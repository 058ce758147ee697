"""When a module is called for: its trigger pattern against what the user said (seed 001). Pure."""

import re
from collections.abc import Callable, Iterator
from math import prod

import regex

LONGEST_SEARCHED = 2000  # characters, from each end of a message
TIMEOUT_SECONDS = 0.1
ALWAYS = frozenset({"", "*"})
MOST_REPEATED = 10_000  # what a pattern may come to once its repeats are written out: compiling it takes no longer
STOPPED = f"its trigger_pattern was searched for {TIMEOUT_SECONDS:g} s, and no longer: make it simpler"
TOO_LARGE = f"its trigger_pattern is not searched for: its repeats multiply to more than {MOST_REPEATED:,}"
# Escapes, sets and comments hold no repeats; one without an end is no expression, and goes to the end.
_TOKEN = re.compile(r"\\.|\(\?#[^)]*+\)?|\[\^?\]?(?:\\.|[^\]\\])*+\\?+(?:\]|\Z)|\{(\d*+)(?:(,)(\d*+))?\}|.", re.DOTALL)
_VERBOSE = re.compile(r"\(\?[A-Za-z0-9-]{0,20}x")  # in which a comment goes from # to the end of a line
_NUMBER = re.compile(r"\d+")


Tell = Callable[[str], object]  # takes why a search came to no answer, in words


def matches(pattern: str | None, message: str | None, tell: Tell = lambda why: None) -> bool:
    """Say whether a message calls for a module; no pattern and `*` do always, and nothing else without a message.

    A pattern is a regular expression, searched in any case; one that is none is a keyword, or several with `|`
    between. A search that takes too long found nothing, and so does a pattern that is too large to compile; `tell`
    hears of either.
    """
    if pattern is None or pattern.strip() in ALWAYS:
        return True
    if not message or not message.strip():
        return False
    if _is_too_large(pattern):
        tell(TOO_LARGE)
        return False
    try:
        return _found(pattern.strip(), _ends(message))
    except TimeoutError:
        tell(STOPPED)
        return False
    except regex.error:
        keywords = [keyword.strip().casefold() for keyword in pattern.split("|")]
        return any(keyword in message.casefold() for keyword in keywords if keyword)


def fault_of(pattern: str | None) -> str | None:
    """Say why a pattern cannot be saved (no regular expression, or repeats that multiply beyond 10,000), or None."""
    if not is_conditional(pattern) or pattern is None:
        return None
    if _is_too_large(pattern):
        return f"its repeats multiply to more than {MOST_REPEATED:,}: use smaller ones, or * and +"
    try:
        regex.compile(pattern.strip(), regex.IGNORECASE)  # type: ignore[no-untyped-call]
    except regex.error as error:
        return f"it is no regular expression ({error}): to search for such a character, write \\ before it"
    return None


def is_conditional(pattern: str | None) -> bool:
    """Say whether a pattern asks for something."""
    return pattern is not None and pattern.strip() not in ALWAYS


def _found(pattern: str, message: str) -> bool:
    # Concurrent: the other threads of a worker go on while a search runs into its limit.
    search = regex.compile(pattern, regex.IGNORECASE).search  # type: ignore[no-untyped-call]
    return search(message, timeout=TIMEOUT_SECONDS, concurrent=True) is not None


def _ends(message: str) -> str:
    if len(message) <= 2 * LONGEST_SEARCHED:
        return message
    return f"{message[:LONGEST_SEARCHED]}\n{message[-LONGEST_SEARCHED:]}"


def _is_too_large(pattern: str) -> bool:
    """Say whether a pattern's size passes the limit, a repeat of up to n counted as n times what it repeats."""
    if "#" in pattern and _VERBOSE.search(pattern):  # a comment may hide a bracket: whatever it hides counts
        return len(pattern) * prod(int(number) or 1 for number in _NUMBER.findall(pattern)) > MOST_REPEATED
    total, before, groups = 0, 0, list[int]()
    for token, times in _tokens(pattern):
        if token == "(":
            groups.append(total)
            total = before = 0
        elif token == ")" and groups:
            before, total = total, groups.pop() + total
        elif times is not None:
            before, total = before * times, total + before * (times - 1)
        else:
            before, total = 1, total + 1
        if total > MOST_REPEATED:
            return True
    return total + sum(groups) > MOST_REPEATED


def _tokens(pattern: str) -> Iterator[tuple[str, int | None]]:
    """Yield each part of a pattern, with the number of times that a repeat asks for at most, or at least."""
    for found in _TOKEN.finditer(pattern):
        numbers = [int(number) for number in found.group(1, 3) if number]
        yield found[0], max(numbers, default=None) if numbers else None
