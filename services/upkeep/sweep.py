"""The sweep: what faults left behind is mended here, within 30 s of their end."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.upkeep import retention
from shared.db import get_session
from shared.errors import PersonaeError
from shared.providers.blobs import open_blobs
from shared.queries import turns, work
from shared.settings import Settings, get_settings
from shared.tasks import BELL, QUEUES


class Watch:
    """How long the sweep has watched without a gap: leases expire only after that, so an outage expires nothing."""

    def __init__(self) -> None:
        self._last = self._since = 0.0

    def watched(self, now: float, *, gap: float) -> float:
        """Note a sweep at `now` (seconds); return for how long there was no pause longer than `gap`."""
        if now - self._last > gap:
            self._since = now
        self._last = now
        return now - self._since


WATCH = Watch()
BLOBS = retention.BlobRounds()
Mend = Callable[[Session], object]


def sweep() -> None:
    """Expire, promote, settle unheard cancels, and ring for what waits.

    Each repair is a transaction of its own: one that fails is tried again at the next sweep and holds up no other.
    """
    settings = get_settings()
    with get_session() as session:
        now = work.database_seconds(session)
    watched = WATCH.watched(now, gap=3 * settings.sweep_seconds)
    failures = [error for mend in _repairs(settings, expire=watched >= settings.watch_seconds) if (error := _try(mend))]
    _ring_for_what_waits(settings)
    BLOBS.remove_some(open_blobs(settings), now, older_than=timedelta(hours=settings.keep_unreferenced_blobs_hours))
    if failures:
        raise failures[0]


def _repairs(settings: Settings, *, expire: bool) -> Iterator[Mend]:
    yield turns.ready_overdue
    for model in work.models():
        if expire:
            yield partial(work.expire, model=model)
        yield partial(work.settle_unheard, model=model, honour=settings.cancel_honour_seconds)
        yield partial(work.promote_due, model=model)
    yield from retention.prunings(settings)


def _try(mend: Mend) -> SQLAlchemyError | PersonaeError | None:
    try:
        with get_session() as session:
            if work.only_sweeper(session):
                mend(session)
    except (SQLAlchemyError, PersonaeError) as error:
        return error
    return None


def _ring_for_what_waits(settings: Settings) -> None:
    cap = settings.bell_cap
    with get_session() as session:
        waiting = {
            queue.name: sum(work.count_waiting(session, model, queue.name, limit=cap) for model in work.models())
            for queue in QUEUES
        }
    for queue, count in waiting.items():
        if count:
            BELL.ring(queue, "sweep", count)
