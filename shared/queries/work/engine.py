"""The life of work in SQL. The only module that changes a row's `status`; the rules are in `domain/lifecycle.py`.

All times are the database's. Statements name their table through `{t}`, always a `__tablename__` of ours.
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import TextClause, select, text
from sqlalchemy.orm import Session

from shared.db import wake
from shared.domain.lifecycle import POISON, POISON_CRASHES, RETRIABLE, TERMINAL, VERSION, Meta, RunStatus, quoted
from shared.models.base import Base, Work
from shared.queries.work import endings

WorkRow = TypeVar("WorkRow", bound=Work)
SWEEP_LOCK = 0x5357_4545

PENDING, RUNNING, ERROR, FAILED, CANCELLED = map(
    quoted, (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.ERROR, RunStatus.FAILED, RunStatus.CANCELLED)
)
# A row that had its turn waits behind all others, and keeps in `made_room` the priority that it has again at its next.
AS_BEFORE = "priority = coalesce((status_meta ->> 'made_room')::int, priority), status_meta = status_meta - 'made_room'"
WAITED_ENOUGH = 60.0  # seconds: however many came meanwhile, it goes before them

READY = f"queue = :queue AND status = {PENDING} AND ready_at IS NOT NULL"
RUNNABLE = f"{READY} AND (crashes = 0 OR :suspects) AND needs_version <= :version"
# `more` is read as of the statement's start, when the claimed rows were still waiting.
CLAIM = f"""
    WITH best AS MATERIALIZED (SELECT id FROM {{t}} WHERE {RUNNABLE}
        ORDER BY priority DESC, id LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE {{t}} SET status = {RUNNING}, fence = fence + 1, worker_id = :worker, start_date = clock_timestamp(),
        status_date = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => :lease),
        {AS_BEFORE}
    WHERE id = ANY(ARRAY(SELECT id FROM best))
    RETURNING id, fence, retry, retries, crashes, status_meta,
        EXISTS (SELECT FROM {{t}} WHERE {RUNNABLE} AND id <> ALL(ARRAY(SELECT id FROM best))) AS more"""
BEST = f"(SELECT '{{t}}' AS name, priority, ready_at FROM {{t}} WHERE {RUNNABLE} ORDER BY priority DESC, id LIMIT 1)"
BEST_CRASHES = f"SELECT crashes FROM {{t}} WHERE {RUNNABLE} ORDER BY priority DESC, id LIMIT 1"
HELD = "unnest(CAST(:ids AS bigint[]), CAST(:fences AS int[])) AS held(id, fence)"
# SKIP LOCKED: our own settlement holds its row; waiting for it would let every other lease of this process run out.
RENEW = f"""
    UPDATE {{t}} SET lease_until = clock_timestamp() + make_interval(secs => :lease) WHERE id = ANY(ARRAY(
        SELECT work.id FROM {{t}} work JOIN {HELD} ON work.id = held.id AND work.fence = held.fence
        WHERE work.status = {RUNNING} FOR UPDATE OF work SKIP LOCKED))"""
NEWS = f"""
    SELECT held.id, held.fence, work.id IS NULL AS lost, work.cancel_requested_at IS NOT NULL AS cancelled
    FROM {HELD} LEFT JOIN {{t}} work ON work.id = held.id AND work.fence = held.fence AND work.status = {RUNNING}"""
# The fence is the lock: a row that changed hands is not among those returned. A cancelled one is not tried again.
END = f"""
    UPDATE {{t}} SET status = CASE WHEN :again AND cancel_requested_at IS NOT NULL THEN {CANCELLED} ELSE :status END,
        status_date = clock_timestamp(), status_message = :message, lease_until = NULL, retry = retry + :failures,
        status_meta = (status_meta - 'error_type')
            || jsonb_strip_nulls(jsonb_build_object('error_type', CAST(:error_type AS text),
                'made_room', CASE WHEN :behind THEN {{t}}.priority END)),
        completed_date = CASE WHEN :again AND cancel_requested_at IS NULL THEN NULL ELSE clock_timestamp() END,
        ready_at = CASE WHEN :again THEN clock_timestamp() + make_interval(secs => :delay) ELSE ready_at END,
        priority = CASE WHEN :behind THEN least({{t}}.priority, 0) - 1 ELSE {{t}}.priority END
    FROM {HELD} WHERE {{t}}.id = held.id AND {{t}}.fence = held.fence AND {{t}}.status = {RUNNING} RETURNING {{t}}.*"""
EXPIRED = f"status = {RUNNING} AND lease_until < clock_timestamp()"
ENDS = f"(cancel_requested_at IS NOT NULL OR crashes + 1 >= {POISON_CRASHES})"
LOSE = "fence = fence + 1, crashes = crashes + 1, lease_until = NULL, worker_id = NULL, status_date = clock_timestamp()"
REOPEN = f"""
    UPDATE {{t}} SET {LOSE}, status = {PENDING}, ready_at = clock_timestamp()
    WHERE id = ANY(ARRAY(SELECT id FROM {{t}} WHERE {EXPIRED} AND NOT {ENDS}
        ORDER BY lease_until LIMIT 500 FOR UPDATE SKIP LOCKED)) RETURNING id"""
LOST_FOR_GOOD = f"SELECT id FROM {{t}} WHERE {EXPIRED} AND {ENDS} ORDER BY lease_until LIMIT 100"
END_LOST = f"""
    UPDATE {{t}} SET {LOSE}, completed_date = clock_timestamp(),
        status = CASE WHEN cancel_requested_at IS NULL THEN {FAILED} ELSE {CANCELLED} END,
        status_message = CASE WHEN cancel_requested_at IS NULL THEN '{POISON}' ELSE 'cancelled' END
    WHERE id = ANY(ARRAY(SELECT id FROM {{t}} WHERE id = :id AND {EXPIRED} AND {ENDS} FOR UPDATE SKIP LOCKED))
    RETURNING id, status"""
IS_UNHEARD = f"""
    status = {RUNNING} AND cancel_requested_at <= clock_timestamp() - make_interval(secs => :honour)"""
UNHEARD = f"SELECT id FROM {{t}} WHERE {IS_UNHEARD} ORDER BY id LIMIT 100"
END_UNHEARD = f"""
    UPDATE {{t}} SET fence = fence + 1, status = {CANCELLED}, lease_until = NULL, status_date = clock_timestamp(),
        completed_date = clock_timestamp(), status_message = 'cancelled, without a word from its worker'
    WHERE id = ANY(ARRAY(SELECT id FROM {{t}} WHERE id = :id AND {IS_UNHEARD} FOR UPDATE SKIP LOCKED))
    RETURNING id, status"""
DUE = f"""
    UPDATE {{t}} SET status = {PENDING}, status_date = clock_timestamp()
    WHERE id = ANY(ARRAY(SELECT id FROM {{t}} WHERE status = {ERROR} AND ready_at <= clock_timestamp()
        ORDER BY ready_at LIMIT 1000 FOR UPDATE SKIP LOCKED))"""
WAITED = f"""
    UPDATE {{t}} SET {AS_BEFORE} WHERE id = ANY(ARRAY(SELECT id FROM {{t}}
        WHERE queue = ANY(:queues) AND priority < 0 AND status = {PENDING} AND status_meta ? 'made_room'
            AND ready_at <= clock_timestamp() - make_interval(secs => :seconds) FOR UPDATE SKIP LOCKED))"""
OF_WORKER = f"SELECT id FROM {{t}} WHERE status = {RUNNING} AND starts_with(worker_id, :worker)"
HAND_BACK = f"""
    UPDATE {{t}} SET fence = fence + 1, lease_until = NULL, worker_id = NULL, status_date = clock_timestamp(),
        status = CASE WHEN cancel_requested_at IS NULL THEN {PENDING} ELSE {CANCELLED} END,
        completed_date = CASE WHEN cancel_requested_at IS NOT NULL THEN clock_timestamp() END
    WHERE id = ANY(ARRAY({OF_WORKER} FOR UPDATE SKIP LOCKED)) RETURNING id, status"""
END_LEASES = f"""
    UPDATE {{t}} SET lease_until = clock_timestamp() WHERE id = ANY(ARRAY({OF_WORKER} FOR UPDATE SKIP LOCKED))"""
HELD_BY = f"SELECT count(*) FROM ({OF_WORKER}) AS held"
# A running row keeps its fence: its worker must still be able to settle CANCELLED with what it has. Locked by id: a
# settlement locks the running row and then the one after it.
CANCEL = f"""
    UPDATE {{t}} SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
        status_date = clock_timestamp(), fence = fence + (status <> {RUNNING})::int,
        status = CASE status WHEN {RUNNING} THEN status ELSE {CANCELLED} END,
        completed_date = CASE status WHEN {RUNNING} THEN NULL ELSE clock_timestamp() END
    WHERE id = ANY(ARRAY(SELECT id FROM {{t}} WHERE id = ANY(:ids) AND status IN ({PENDING}, {ERROR}, {RUNNING})
        ORDER BY id FOR UPDATE)) RETURNING id, status, fence"""
RETRY = f"""
    UPDATE {{t}} SET fence = fence + 1, status = {PENDING}, status_date = clock_timestamp(), status_message = NULL,
        retry = 0, crashes = 0, cancel_requested_at = NULL, completed_date = NULL,
        ready_at = CASE WHEN :ready THEN clock_timestamp() END, {AS_BEFORE}
    WHERE id = ANY(ARRAY(SELECT id FROM {{t}} WHERE id = ANY(:ids) AND status = ANY(:states)
        ORDER BY id FOR NO KEY UPDATE)) RETURNING id, queue"""
# Newer rows, too: an older worker may have answered their bell, and only another one reaches a newer worker.
WAITING = f"SELECT count(*) FROM (SELECT 1 FROM {{t}} WHERE {READY} LIMIT :limit) AS waiting"


class Claim(NamedTuple):
    """A row taken by a worker; (table, id, fence) is its key."""

    model: type[Work]
    id: int
    fence: int
    retry: int
    retries: int
    crashes: int
    status_meta: Meta
    more: bool  # whether other rows of the queue were runnable, too


class News(NamedTuple):
    """What the keeper must tell the worker of a held row."""

    id: int
    fence: int
    lost: bool
    cancelled: bool


def models() -> list[type[Work]]:
    """Return every table of work, in a fixed order."""
    ours = (mapper.class_ for mapper in Work.registry.mappers if mapper.class_.metadata is Base.metadata)
    found = (model for model in ours if issubclass(model, Work))
    return sorted(found, key=lambda model: model.__tablename__)


def claim(
    session: Session,
    kinds: Collection[type[Work]],
    queue: str,
    *,
    worker: str,
    lease: float,
    limit: int,
    suspects: bool,
    version: int = VERSION,
) -> list[Claim]:
    """Take up to `limit` of the best runnable rows of one table on the queue; none when nothing waits.

    They are `worker`'s for `lease` seconds. Rows that another transaction has locked are passed over: two claims never
    wait for each other. A row that has lost a worker before (`crashes > 0`) is taken only with `suspects`, when it is
    the best, and alone. Rows that need a newer `version` of the code than the worker's are left to others.
    """
    asked = {"queue": queue, "suspects": suspects, "version": version}
    given = asked | {"worker": worker, "lease": lease, "limit": limit}
    candidates = _best_first(session, kinds, asked)
    for model in candidates:
        if limit > 1:
            alone = suspects and bool(session.scalar(_for(BEST_CRASHES, model), given))
            given |= {"suspects": alone, "limit": 1 if alone else limit}
        if claims := [Claim(model, *row) for row in session.execute(_for(CLAIM, model), given)]:
            return claims if len(candidates) == 1 else [claim._replace(more=True) for claim in claims]
    return []


def _best_first(session: Session, kinds: Collection[type[Work]], asked: dict[str, Any]) -> Collection[type[Work]]:
    if len(kinds) < 2:
        return kinds
    by_name = {model.__tablename__: model for model in kinds}
    return [by_name[row.name] for row in _best(session, kinds, asked)]


def _best(session: Session, kinds: Collection[type[Work]], asked: dict[str, Any]) -> Sequence[Any]:
    each = " UNION ALL ".join(BEST.format(t=model.__tablename__) for model in kinds)
    return session.execute(text(f"{each} ORDER BY priority DESC, ready_at"), asked).all()


def is_waiting(session: Session, kinds: Collection[type[Work]], queue: str, *, above: int) -> bool:
    """Say whether a row of these tables, with a priority above the given one, waits on the queue to be claimed."""
    asked = {"queue": queue, "suspects": True, "version": VERSION}
    return any(row.priority > above for row in _best(session, kinds, asked))


def renew(session: Session, model: type[Work], keys: Sequence[tuple[int, int]], *, lease: float) -> list[News]:
    """Let the leases of held rows, given as (id, fence), end `lease` seconds from now; return the lost and cancelled.

    A row that another transaction has locked, as its settlement has, is not waited for: it keeps its lease as it is.
    """
    given = {"ids": [id for id, _ in keys], "fences": [fence for _, fence in keys]}
    session.execute(_for(RENEW, model), given | {"lease": lease})
    news = (News(*row) for row in session.execute(_for(NEWS, model), given))
    return [item for item in news if item.lost or item.cancelled]


def settle(
    session: Session,
    model: type[WorkRow],
    keys: Sequence[tuple[int, int]],
    status: RunStatus,
    *,
    message: str | None = None,
    error_type: str | None = None,
    wait: float = 2.0,
) -> list[WorkRow]:
    """Write the status of rows held under these (id, fence) keys, and return those that were still held.

    A row that a cancel, an expiry or a hand-back has locked is waited for (5 s, then a database error that may pass)
    and read again: where its fence or status has changed it is left out. What is returned is locked until the commit.
    `error_type` names the error that ended them, and stands in their `status_meta` while it is the last word. Where
    `status` is ERROR, the next attempt is due after `wait` seconds. PENDING sets them back behind those that wait,
    until their next claim, or for a minute: they had their turn.
    """
    given = {
        "ids": [id for id, _ in keys],
        "fences": [fence for _, fence in keys],
        "status": status.value,
        "message": message,
        "error_type": error_type,
        "failures": int(status in (RunStatus.ERROR, RunStatus.FAILED)),
        "again": status in (RunStatus.ERROR, RunStatus.PENDING),
        "delay": wait if status is RunStatus.ERROR else 0.0,
        "behind": status is RunStatus.PENDING,
    }
    statement = select(model).from_statement(_for(END, model))
    return list(session.scalars(statement, given, execution_options={"populate_existing": True}))


def cancel(
    session: Session, model: type[Work], ids: Sequence[int], *, together: endings.Together | None = None
) -> list[tuple[int, int]]:
    """Cancel rows: waiting ones at once, running ones by asking their worker; ended ones are left alone.

    Locks the rows in the order of their ids, waiting for settlements of theirs; what follows may lock more (`endings`).
    Returns (id, fence) of the running ones, whose workers are to be told after the commit. Where it is given,
    `together` does what follows for all that were cancelled at once, instead of row by row.
    """
    rows = session.execute(_for(CANCEL, model), {"ids": list(ids)}).all()
    ended = [row.id for row in rows if row.status == RunStatus.CANCELLED]
    if together and ended:
        together(session, ended)
    else:
        _follow_ended(session, model, rows)
    return [(row.id, row.fence) for row in rows if row.status == RunStatus.RUNNING]


def cancel_now(session: Session, model: type[Work], ids: Sequence[int]) -> list[tuple[int, int]]:
    """Cancel rows of which nothing is wanted any more: running ones end too, what their workers bring is refused."""
    running = cancel(session, model, ids)
    for row_id, _ in running:
        end_unheard(session, model, row_id, honour=0)
    return running


def retry(
    session: Session,
    model: type[Work],
    ids: Sequence[int],
    *,
    ready: bool = True,
    states: Collection[RunStatus] = RETRIABLE,
) -> int:
    """Put rows back to their start that are in one of the `states`; say how many. `ready` false leaves them blocked.

    By default those that failed, wait to be tried again or were cancelled: nobody begins what is completed again.
    """
    given = {"ids": list(ids), "ready": ready, "states": [state.value for state in states]}
    rows = session.execute(_for(RETRY, model), given).all()
    for row in rows if ready else ():
        wake(session, row.queue, f"{model.__tablename__} {row.id}")
    return len(rows)


def reopen(session: Session, model: type[Work]) -> None:
    """Make rows runnable again whose lease ran out; those that end with it are `lost_for_good`."""
    endings.hold_back(session, model, session.scalars(_for(REOPEN, model)).all())


def lost_for_good(session: Session, model: type[Work]) -> list[int]:
    """Return rows whose lease ran out for the third time, or under a cancel: each is to be ended by itself."""
    return list(session.scalars(_for(LOST_FOR_GOOD, model)))


def end_lost(session: Session, model: type[Work], row_id: int) -> None:
    """End a row that is lost for good."""
    _follow_ended(session, model, session.execute(_for(END_LOST, model), {"id": row_id}).all())


def unheard(session: Session, model: type[Work], *, honour: float) -> list[int]:
    """Return running rows that are still running `honour` seconds after their cancel was asked for."""
    return list(session.scalars(_for(UNHEARD, model), {"honour": honour}))


def end_unheard(session: Session, model: type[Work], row_id: int, *, honour: float) -> None:
    """End a running row `honour` seconds after its cancel was asked for; what its worker brings later is refused."""
    rows = session.execute(_for(END_UNHEARD, model), {"id": row_id, "honour": honour}).all()
    _follow_ended(session, model, rows)


def promote_due(session: Session, model: type[Work]) -> None:
    """Make rows runnable whose backoff is over."""
    session.execute(_for(DUE, model))


def end_waits(session: Session, model: type[Work], queues: Sequence[str]) -> None:
    """Give rows that made room a minute ago their priority back: others that come and come must not hold them up."""
    session.execute(_for(WAITED, model), {"queues": list(queues), "seconds": WAITED_ENOUGH})


def hand_back(session: Session, model: type[Work], worker: str) -> tuple[int, int]:
    """Give back the rows of every worker process whose id starts with `worker`; counts as no failure and no crash.

    Returns how many were given back, and how many not yet, because their settlement is being written.
    """
    rows = session.execute(_for(HAND_BACK, model), {"worker": worker}).all()
    endings.hold_back(session, model, [row.id for row in rows if row.status == RunStatus.PENDING])
    _follow_ended(session, model, rows)
    return len(rows), session.scalar(_for(HELD_BY, model), {"worker": worker}) or 0


def end_leases(session: Session, model: type[Work], worker: str) -> None:
    """Let the leases of dead processes, whose ids start with `worker`, run out now: the next sweep finds their rows."""
    session.execute(_for(END_LEASES, model), {"worker": worker})


def _follow_ended(session: Session, model: type[Work], rows: Sequence[Any]) -> None:
    endings.follow(session, reload(session, model, [row.id for row in rows if RunStatus(row.status) in TERMINAL]))


def reload(session: Session, model: type[WorkRow], ids: Sequence[int]) -> list[WorkRow]:
    """Read rows as they are in the database now, in the order of their ids."""
    if not ids:
        return []
    statement = select(model).where(model.id.in_(ids)).order_by(model.id)
    return list(session.scalars(statement, execution_options={"populate_existing": True}))


def count_waiting(session: Session, model: type[Work], queue: str, *, limit: int) -> int:
    """Count the table's ready rows on the queue, whatever version they need, up to `limit`."""
    return session.scalar(_for(WAITING, model), {"queue": queue, "limit": limit}) or 0


def only_sweeper(session: Session) -> bool:
    """Say whether this transaction is the one sweep of the moment."""
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SWEEP_LOCK}))


def database_seconds(session: Session) -> float:
    """Return the database's clock in seconds since the epoch."""
    return float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)


@cache
def _for(statement: str, model: type[Work]) -> TextClause:
    return text(statement.format(t=model.__tablename__))
