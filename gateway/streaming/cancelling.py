"""Cancels, as every kind of work takes them: rows first, then the announcement."""

from collections.abc import Iterable, Sequence
from functools import cache

from shared.db import get_session
from shared.models import Work
from shared.providers.stream.stream import CancelBell
from shared.queries.accounts import audit
from shared.queries.work import engine
from shared.settings import get_settings


@cache
def cancel_bell() -> CancelBell:
    """Return the process's announcer of cancels."""
    return CancelBell(get_settings().require_redis_url())


def cancel(model: type[Work], ids: Sequence[int]) -> None:
    """Cancel rows that the caller may cancel; a worker that misses the announcement hears it at its next renewal."""
    with get_session() as session:
        running = engine.cancel(session, model, ids)
        for row_id in ids:
            audit.record(session, "cancel", model.__tablename__, row_id)
    announce(model, running)


def announce(model: type[Work], running: Iterable[tuple[int, int]]) -> None:
    """Announce a cancel that is committed to the workers of rows, given as (id, fence)."""
    for row_id, fence in running:
        cancel_bell().announce(model.__tablename__, row_id, fence)
