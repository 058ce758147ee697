"""When a module is called for: its trigger pattern against what the user said (seed 001). Pure."""

import regex

LONGEST_SEARCHED = 2000  # characters, from each end of a message
TIMEOUT_SECONDS = 0.1
ALWAYS = frozenset({"", "*"})


def matches(pattern: str | None, message: str | None) -> bool:
    """Say whether a message calls for a module; no pattern and `*` do always, and nothing else without a message.

    A pattern is a regular expression, searched in any case; one that is none is a keyword, or several with `|`
    between. A search that takes too long found nothing.
    """
    if pattern is None or pattern.strip() in ALWAYS:
        return True
    if not message or not message.strip():
        return False
    try:
        return _found(pattern.strip(), _ends(message))
    except regex.error:
        keywords = [keyword.strip().casefold() for keyword in pattern.split("|")]
        return any(keyword in message.casefold() for keyword in keywords if keyword)


def is_conditional(pattern: str | None) -> bool:
    """Say whether a pattern asks for something."""
    return pattern is not None and pattern.strip() not in ALWAYS


def _found(pattern: str, message: str) -> bool:
    try:
        # Concurrent: the other threads of a worker go on while a search runs into its limit.
        search = regex.compile(pattern, regex.IGNORECASE).search  # type: ignore[no-untyped-call]
        return search(message, timeout=TIMEOUT_SECONDS, concurrent=True) is not None
    except TimeoutError:
        return False


def _ends(message: str) -> str:
    if len(message) <= 2 * LONGEST_SEARCHED:
        return message
    return f"{message[:LONGEST_SEARCHED]}\n{message[-LONGEST_SEARCHED:]}"
