"""Whether a worker takes work, as the database sees it: a process may live, and its consumer be gone."""

from collections.abc import Collection
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Extract, extract, func, select

from shared.db import Session
from shared.models import WorkerCheckin
from shared.queries import workers
from shared.queries.kinds import ALIVE_SECONDS

NEW = 60.0  # seconds in which a worker may still find its queues as others left them
UPKEEP = "upkeep"  # where nothing may wait, but a sweep comes every few seconds
QUIET = 30.0  # seconds without one


class Condition(StrEnum):
    """What can be said of a worker."""

    WELL = "takes work"
    SILENT = "has not checked in"
    DEAF = "does not take the rows that wait"
    UNSWEPT = "has taken no sweep"


class Look(NamedTuple):
    """A worker's living processes: how many, and the seconds since the youngest began and since any took work."""

    processes: int
    age: float
    since_claim: float | None


def condition_of(session: Session, queues: Collection[str], node: str) -> Condition:
    """Say how the worker does whose processes' ids begin with `node`, and which listens to these queues."""
    seen = _look(session, node)
    if not seen.processes:
        return Condition.SILENT
    if seen.age < NEW:
        return Condition.WELL
    if not workers.deaf_queues(session).isdisjoint(queues):
        return Condition.DEAF
    if UPKEEP in queues and (seen.since_claim is None or seen.since_claim > QUIET):
        return Condition.UNSWEPT
    return Condition.WELL


def _look(session: Session, node: str) -> Look:
    since_checkin = _seconds_since(WorkerCheckin.last_checkin)
    youngest = _seconds_since(func.max(WorkerCheckin.first_checkin))
    since_claim = _seconds_since(func.max(WorkerCheckin.last_claim))
    statement = select(func.count(), youngest, since_claim).where(
        func.starts_with(WorkerCheckin.id, node), since_checkin < ALIVE_SECONDS
    )
    return Look(*session.execute(statement).one())


def _seconds_since(moment: Any) -> Extract:
    return extract("epoch", func.clock_timestamp() - moment)
