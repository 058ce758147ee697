"""Cancels, as every kind of work takes them: rows first, then the announcement, then the bells of what is free now."""

from collections.abc import Sequence
from functools import cache

from shared.db import get_session
from shared.models import Work
from shared.providers.stream import CancelBell
from shared.queries import audit, work
from shared.settings import get_settings
from shared.tasks import BELL


@cache
def cancel_bell() -> CancelBell:
    """Return the process's announcer of cancels."""
    return CancelBell(get_settings().require_redis_url())


def cancel(model: type[Work], ids: Sequence[int]) -> None:
    """Cancel rows that the caller may cancel; a worker that misses the announcement hears it at its next renewal."""
    with get_session() as session:
        cancelled = work.cancel(session, model, ids)
        for row_id in ids:
            audit.record(session, "cancel", model.__tablename__, row_id)
    tell(model, cancelled)


def tell(model: type[Work], cancelled: work.Cancelled) -> None:
    """Announce a cancel that is committed, and ring for what it made ready."""
    for row_id, fence in cancelled.running:
        cancel_bell().announce(model.__tablename__, row_id, fence)
    BELL.ring_all(cancelled.ready, "after a cancel")
