"""The worker processes: which live, and which listen to what."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

CHECK_IN = """
    INSERT INTO workercheckin (id, first_checkin, last_checkin, queues, last_claim)
    VALUES (:worker, clock_timestamp(), clock_timestamp(), CAST(:queues AS jsonb),
        CASE WHEN :claimed THEN clock_timestamp() END)
    ON CONFLICT (id) DO UPDATE SET last_checkin = clock_timestamp(),
        last_claim = coalesce(excluded.last_claim, workercheckin.last_claim)"""
FORGET = """
    DELETE FROM workercheckin WHERE id = ANY(ARRAY(SELECT id FROM workercheckin
        WHERE last_checkin < clock_timestamp() - make_interval(secs => :seconds)
        ORDER BY last_checkin LIMIT :limit FOR UPDATE SKIP LOCKED)) RETURNING id"""
LISTENERS = """
    SELECT id FROM workercheckin
    WHERE last_checkin > clock_timestamp() - interval '20 s' AND queues ? :queue ORDER BY id"""


def check_in(session: Session, worker: str, *, queues: str, claimed: bool) -> None:
    """Record that a worker process lives; `queues` is a JSON list, `claimed` says it took work since last time."""
    session.execute(text(CHECK_IN), {"worker": worker, "queues": queues, "claimed": claimed})


def prune_checkins(session: Session, *, keep: timedelta, batch: int = 1000) -> int:
    """Forget up to `batch` worker processes that were last heard of before `keep`, and say how many."""
    return len(session.execute(text(FORGET), {"seconds": keep.total_seconds(), "limit": batch}).all())


def listeners(session: Session, queue: str) -> list[str]:
    """Return the worker processes that listen to the queue now."""
    return list(session.scalars(text(LISTENERS), {"queue": queue}))
