"""Why a row of work waits, in words a person can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import Select, func, or_, select, union_all
from sqlalchemy.orm import Session

from shared.domain.lifecycle import UNFINISHED, VERSION, RunStatus
from shared.models import Work, WorkerCheckin
from shared.queries.work import engine, workers

COUNTED = 10_000  # a position beyond this is not worth counting


@dataclass(frozen=True)
class Why:
    """The state of a row of work and its reason; what does not apply is None."""

    status: RunStatus
    reason: str
    queue: str
    position: int | None = None
    listeners: int | None = None
    holder: str | None = None
    last_heartbeat: datetime | None = None
    lease_until: datetime | None = None
    next_retry: datetime | None = None


class Waiting(NamedTuple):
    """What is on a queue: ready rows, rows at work, rows that are tried again later."""

    queue: str
    waiting: int
    running: int
    again: int


def on_queues(session: Session) -> list[Waiting]:
    """Count the work that has not ended, by queue; queues without any are left out."""
    tables = [
        select(model.queue, model.status).where(
            model.status.in_(UNFINISHED), or_(model.status != RunStatus.PENDING, model.ready_at.is_not(None))
        )
        for model in engine.models()
    ]
    rows = union_all(*tables).subquery()
    counts = [
        func.count().filter(rows.c.status == status)
        for status in (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.ERROR)
    ]
    found = session.execute(select(rows.c.queue, *counts).group_by(rows.c.queue).order_by(rows.c.queue))
    return [Waiting(*row) for row in found]


def explain(session: Session, row: Work) -> Why:
    """Say what a row waits for: its turn, its worker, its next attempt, an earlier row, or a worker that is missing."""
    match row.status:
        case RunStatus.PENDING if row.ready_at is None:
            return _told(row, "waits until an earlier step or turn has ended, or until it is resumed")
        case RunStatus.PENDING:
            return _waiting(session, row)
        case RunStatus.RUNNING:
            return _running(session, row)
        case RunStatus.ERROR:
            held = "" if row.ready_at else "; its run is paused"
            reason = f"attempt {row.retry} of {row.retries} failed: {row.status_message}{held}"
            return _told(row, reason, next_retry=row.ready_at)
        case _:
            return _told(row, row.status_message or row.status.value.lower())


def _waiting(session: Session, row: Work) -> Why:
    versions = workers.listeners(session, row.queue)
    position = 1 + _ahead(session, row, newest=max(versions, default=VERSION))
    return _told(row, _wanted(row, versions, position), position=position, listeners=len(versions))


def _wanted(row: Work, versions: Sequence[int], position: int) -> str:
    if not versions:
        return f"no worker listens to the queue {row.queue}: start one"
    if row.needs_version > max(versions):
        return (
            f"waits for a newer worker: it needs version {row.needs_version}, and those that listen to the queue"
            f" {row.queue} have {max(versions)} at most: update them"
        )
    return f"number {position} on the queue {row.queue}"


def _running(session: Session, row: Work) -> Why:
    seen = select(WorkerCheckin.last_checkin).where(WorkerCheckin.id == row.worker_id)
    reason = "is being cancelled" if row.cancel_requested_at else "is being worked on"
    heartbeat = session.scalar(seen)
    return _told(row, reason, holder=row.worker_id, last_heartbeat=heartbeat, lease_until=row.lease_until)


def _ahead(session: Session, row: Work, *, newest: int) -> int:
    better = [_better(model, row, newest).limit(COUNTED).subquery() for model in engine.models()]
    counts = [select(func.count()).select_from(rows).scalar_subquery() for rows in better]
    return session.scalar(select(reduce(add, counts))) or 0


def _better(model: type[Work], row: Work, newest: int) -> Select[int]:
    better = (model.priority > row.priority) | ((model.priority == row.priority) & (model.id < row.id))
    runnable = (model.queue == row.queue) & (model.status == RunStatus.PENDING) & model.ready_at.is_not(None)
    return select(model.id).where(runnable, better, model.needs_version <= newest)


def _told(row: Work, reason: str, **facts: Any) -> Why:
    return Why(row.status, reason, row.queue, **facts)
