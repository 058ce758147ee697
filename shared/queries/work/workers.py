"""Worker processes: that they live, what they listen to, and whether they still take work."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from shared.domain.lifecycle import VERSION
from shared.models.base import Work
from shared.queries.work import engine

STALE = """
    SELECT DISTINCT queue FROM {t} WHERE status = 'PENDING' AND ready_at < clock_timestamp() - interval '30 s'
        AND needs_version <= :version"""
RUNNING = "SELECT count(*) FROM {t} WHERE status = 'RUNNING' AND queue = :queue"
CLAIMING = """
    SELECT DISTINCT jsonb_array_elements_text(queues) FROM workercheckin
    WHERE last_claim > clock_timestamp() - interval '30 s'"""
HALF_STUCK = """
    SELECT sum(stuck) > 0 AND 2 * sum(stuck) >= sum(slots) FROM workercheckin
    WHERE last_checkin > clock_timestamp() - interval '20 s' AND starts_with(id, :node)"""
LISTENERS = """
    SELECT version FROM workercheckin
    WHERE last_checkin > clock_timestamp() - interval '20 s' AND queues ? :queue ORDER BY id"""
CHECK_IN = """
    INSERT INTO workercheckin (id, first_checkin, last_checkin, queues, version, slots, stuck, last_claim)
    VALUES (:worker, clock_timestamp(), clock_timestamp(), CAST(:queues AS jsonb), :version, :slots, :stuck,
        CASE WHEN :claimed THEN clock_timestamp() END)
    ON CONFLICT (id) DO UPDATE SET last_checkin = clock_timestamp(), slots = :slots, stuck = :stuck,
        last_claim = coalesce(excluded.last_claim, workercheckin.last_claim)"""

FORGET = """
    DELETE FROM workercheckin WHERE id = ANY(ARRAY(SELECT id FROM workercheckin
        WHERE last_checkin < clock_timestamp() - make_interval(secs => :seconds)
        ORDER BY last_checkin LIMIT :limit FOR UPDATE SKIP LOCKED)) RETURNING id"""


def check_in(
    session: Session,
    worker: str,
    *,
    queues: str,
    claimed: bool,
    slots: int = 1,
    stuck: int = 0,
    version: int = VERSION,
) -> None:
    """Record that a worker process lives; `queues` is a JSON list, `claimed` says it took work since last time.

    Of its `slots`, so many are `stuck`: their work ignores that it must stop. Its code has this `version`.
    """
    given = {"worker": worker, "queues": queues, "version": version, "slots": slots, "stuck": stuck}
    session.execute(text(CHECK_IN), given | {"claimed": claimed})


def is_half_stuck(session: Session, node: str) -> bool:
    """Say whether half of the slots of the worker whose processes' ids begin with `node` are stuck."""
    return bool(session.scalar(text(HALF_STUCK), {"node": node}))


def prune(session: Session, *, keep: timedelta, batch: int = 1000) -> int:
    """Forget up to `batch` worker processes that were last heard of before `keep`, and say how many."""
    return len(session.execute(text(FORGET), {"seconds": keep.total_seconds(), "limit": batch}).all())


def deaf_queues(session: Session, slots: Mapping[str, int] | None = None) -> set[str]:
    """Return the queues whose rows have waited for 30 s although a slot is free and nobody claimed anything.

    `slots` gives the rows that the workers of a queue can run at once; 1 where it is silent.
    """
    ours = {"version": VERSION}  # what needs newer code waits for other workers
    waiting = {row.queue for model in engine.models() for row in session.execute(_for(STALE, model), ours)}
    claiming = set(session.scalars(text(CLAIMING)))
    return {q for q in waiting - claiming if _count_running(session, q) < (slots or {}).get(q, 1)}


def _count_running(session: Session, queue: str) -> int:
    return sum(session.scalar(_for(RUNNING, model), {"queue": queue}) or 0 for model in engine.models())


def listeners(session: Session, queue: str) -> list[int]:
    """Return the worker processes that listen to the queue now, each as the version of its code."""
    return list(session.scalars(text(LISTENERS), {"queue": queue}))


def _for(statement: str, model: type[Work]) -> TextClause:
    return text(statement.format(t=model.__tablename__))
