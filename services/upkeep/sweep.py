"""The sweep: what faults left behind is mended here, within 30 s of their end."""

from sqlalchemy.orm import Session

from shared.db import get_session
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


def sweep() -> None:
    """Expire, promote, settle unheard cancels, and ring for what waits."""
    settings = get_settings()
    with get_session() as session:
        if not work.only_sweeper(session):
            return
        now = work.database_seconds(session)
        watched = WATCH.watched(now, gap=3 * settings.sweep_seconds)
        _mend(session, settings, expire=watched >= settings.watch_seconds)
        waiting = _count_waiting(session, settings)
    for queue, count in waiting.items():
        if count:
            BELL.ring(queue, "sweep", count)


def _mend(session: Session, settings: Settings, *, expire: bool) -> None:
    turns.ready_overdue(session)
    for model in work.models():
        if expire:
            work.expire(session, model)
        work.settle_unheard(session, model, honour=settings.cancel_honour_seconds)
        work.promote_due(session, model)


def _count_waiting(session: Session, settings: Settings) -> dict[str, int]:
    cap = settings.bell_cap
    return {
        queue.name: sum(work.count_waiting(session, model, queue.name, limit=cap) for model in work.models())
        for queue in QUEUES
    }
