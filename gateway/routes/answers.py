"""What routes answer where a query only says whether."""

from shared.errors import NotFound


def existed(there_was_one: bool, what: str, key: object) -> None:
    """Pass when something was deleted; raises NotFound otherwise."""
    if not there_was_one:
        raise NotFound(f"{what} {key} not found")
