"""Whether a worker takes work, as the database sees it: a process may live, and its consumer be gone."""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

import psycopg2

# Told here, because to learn them from the models costs more than all else that a health check does.
TABLES = (
    "fetches",
    "memory_windows",
    "module_executions",
    "passage_embeddings",
    "runstep",
    "turns",
    "webhook_deliveries",
)
ALIVE_SECONDS = 20  # as shared.queries.kinds has it
VERSION = 1  # as shared.domain.lifecycle has it
NEW = 60.0  # seconds in which a worker may still find its queues as others left them
UPKEEP = "upkeep"  # where nothing may wait, but a sweep comes every few seconds
QUIET = 30.0  # seconds without one
STALE = """
    SELECT queue FROM {t} WHERE status = 'PENDING' AND queue = ANY(%(queues)s)
        AND ready_at < clock_timestamp() - interval '30 s' AND needs_version <= %(version)s"""
RUNNING = "SELECT queue FROM {t} WHERE status = 'RUNNING' AND queue = ANY(%(queues)s)"
CLAIMING = """
    SELECT jsonb_array_elements_text(queues) FROM workercheckin
    WHERE last_claim > clock_timestamp() - interval '30 s'"""
LOOK = """
    SELECT count(*), extract(epoch FROM clock_timestamp() - max(first_checkin))::float,
        extract(epoch FROM clock_timestamp() - max(last_claim))::float,
        EXISTS (({stale}) EXCEPT ({running}) EXCEPT ({claiming})),
        coalesce(sum(stuck) > 0 AND 2 * sum(stuck) >= sum(slots), false),
        (SELECT extract(epoch FROM clock_timestamp() - max(last))::float FROM sweepwatch)
    FROM workercheckin WHERE starts_with(id, %(node)s)
        AND last_checkin > clock_timestamp() - make_interval(secs => %(alive)s)"""


class Condition(StrEnum):
    """What can be said of a worker."""

    WELL = "takes work"
    SILENT = "has not checked in"
    DEAF = "does not take the rows that wait"
    STUCK = "has work in half of its slots that does not come back"
    UNSWEPT = "has taken no sweep"


class Look(NamedTuple):
    """A worker's living processes: how many, the seconds since the youngest began and since any took work; its rows."""

    processes: int
    age: float
    since_claim: float | None
    rows_wait: bool
    is_half_stuck: bool
    since_sweep: float | None  # in any worker

    @property
    def is_unswept(self) -> bool:
        """Whether neither it nor another upkeep worker has swept lately: several take turns."""
        return all(since is None or since > QUIET for since in (self.since_claim, self.since_sweep))


def condition_of(url: str, queues: Collection[str], node: str) -> Condition:
    """Say how the worker does whose processes' ids begin with `node`, and which listens to these queues."""
    seen = _look(url, queues, node)
    if not seen.processes:
        return Condition.SILENT
    if seen.is_half_stuck:
        return Condition.STUCK
    if seen.age < NEW:
        return Condition.WELL
    if seen.rows_wait:
        return Condition.DEAF
    if UPKEEP in queues and seen.is_unswept:
        return Condition.UNSWEPT
    return Condition.WELL


def _look(url: str, queues: Collection[str], node: str) -> Look:
    statement = LOOK.format(stale=_of_all(STALE), running=_of_all(RUNNING), claiming=CLAIMING)
    given = {"queues": list(queues), "node": node, "alive": ALIVE_SECONDS, "version": VERSION}
    connection = psycopg2.connect(url, connect_timeout=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, given)
            (row,) = cursor.fetchall()
    finally:
        connection.close()
    return Look(*row)


def _of_all(statement: str) -> str:
    return " UNION ALL ".join(statement.format(t=table) for table in TABLES)
