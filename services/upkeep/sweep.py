"""The sweep: what faults left behind is mended here, within 30 s of their end."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from sqlalchemy.orm import Session

from services.upkeep import retention
from shared.background import tried
from shared.db import get_session
from shared.providers.storage.blobs import open_blobs
from shared.queries.dialogue import turns
from shared.queries.work import engine, watch
from shared.settings import Settings, get_settings
from shared.tasks import BELL, QUEUES

log = logging.getLogger(__name__)


BLOBS = retention.BlobRounds()
Mend = Callable[[Session], object]


def sweep() -> None:
    """Reopen, end, promote, and ring for what waits.

    Each repair is a transaction of its own: one that fails is tried again at the next sweep and holds up no other.
    Leases expire only where sweeps have come for a while without a gap, so an outage expires nothing.
    """
    settings = get_settings()
    with get_session() as session:
        now = engine.database_seconds(session)
        watched = watch.note(session, gap=3 * settings.sweep_seconds)
    repairs = _repairs(settings, expire=watched >= settings.watch_seconds)
    failures = [error for mend in repairs if (error := tried(partial(_mend, mend)))]
    _ring_for_what_waits(settings)
    _remove_some_blobs(settings, now)
    if failures:
        raise failures[0]


def _remove_some_blobs(settings: Settings, now: float) -> None:
    """Go on with the removal of unreferenced blobs; a disk that refuses leaves rubbish, and no row unmended."""
    keep = timedelta(hours=settings.keep_unreferenced_blobs_hours)
    if error := tried(lambda: BLOBS.remove_some(open_blobs(settings), now, older_than=keep)):
        log.warning("unreferenced bytes stay", extra={"reason": str(error).partition("\n")[0]})


def _repairs(settings: Settings, *, expire: bool) -> Iterator[Mend]:
    honour = settings.cancel_honour_seconds
    yield turns.ready_stalled
    for model in engine.models():
        with get_session() as session:
            lost = engine.lost_for_good(session, model) if expire else []
            unheard = engine.unheard(session, model, honour=honour)
        if expire:
            yield partial(engine.reopen, model=model)
        yield from (partial(engine.end_lost, model=model, row_id=row_id) for row_id in lost)
        yield from (partial(engine.end_unheard, model=model, row_id=row_id, honour=honour) for row_id in unheard)
        yield partial(engine.promote_due, model=model)
        yield partial(engine.end_waits, model=model, queues=[queue.name for queue in QUEUES])
    yield from retention.prunings(settings)
    yield partial(retention.PASSAGES.embed_some, model=settings.embedding_model)


def _mend(mend: Mend) -> None:
    with get_session() as session:
        if engine.only_sweeper(session):
            mend(session)


def _ring_for_what_waits(settings: Settings) -> None:
    cap = settings.bell_cap
    with get_session() as session:
        waiting = {
            queue.name: sum(engine.count_waiting(session, model, queue.name, limit=cap) for model in engine.models())
            for queue in QUEUES
        }
    for queue, count in waiting.items():
        if count:
            BELL.ring(queue, "sweep", count)
