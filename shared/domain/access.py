"""What a key may do. `read` looks, `chat` also talks to personas, `write` also changes things, `admin` may do all."""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """The scopes of an API key."""

    READ = "read"
    CHAT = "chat"
    WRITE = "write"
    ADMIN = "admin"


IMPLIED: dict[Permission, frozenset[Permission]] = {
    Permission.READ: frozenset({Permission.READ}),
    Permission.CHAT: frozenset({Permission.READ, Permission.CHAT}),
    Permission.WRITE: frozenset({Permission.READ, Permission.WRITE}),
    Permission.ADMIN: frozenset(Permission),
}


def expand(granted: Iterable[str]) -> frozenset[Permission]:
    """Return all that the granted scopes allow; raises ValueError for a scope that does not exist."""
    return frozenset().union(*(IMPLIED[Permission(name)] for name in granted))
