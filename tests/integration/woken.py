"""Whom a transaction would wake."""

from sqlalchemy.orm import Session

from shared.db import WAKES


def woken(session: Session) -> set[str]:
    """Return the queues whose workers would be woken by a commit, as noted since this was last asked."""
    return set(session.info.pop(WAKES, {}))
