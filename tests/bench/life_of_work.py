"""What it costs a worker to take a row and to settle it, beside the bare statements that do the same."""

import json
import statistics
import time
from typing import NamedTuple

from sqlalchemy import text

from services import leases
from services.work import _claim_and_perform
from shared.db import get_engine, get_session
from shared.queries.work import engine
from shared.tasks import DIALOGUE, EMBEDDING, Queue
from tests.fakes import probe
from tests.fakes.probe import Probe

ROWS = 1000
FLOOR = """
    WITH best AS (SELECT id FROM probe WHERE queue = 'dialogue' AND status = 'PENDING' AND ready_at IS NOT NULL
        ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE probe SET status = 'COMPLETED' FROM best WHERE probe.id = best.id"""


class Cost(NamedTuple):
    """CPU and wall-clock milliseconds of this process for each row."""

    cpu: float
    wall: float


def cost_per_row(queue: Queue) -> Cost:
    """Measure claim, load, a work that does nothing, and settlement."""
    with get_session() as session:
        probe.add(session, ROWS, queue=queue.name)
    leases.keeper()
    cpu, wall = time.process_time(), time.perf_counter()
    while _claim_and_perform(queue, rings=False):
        pass
    return Cost(1000 * (time.process_time() - cpu) / ROWS, 1000 * (time.perf_counter() - wall) / ROWS)


def floor_per_row() -> Cost:
    """Measure one statement for each row, which takes and ends it, with no fence, no lease and no effect."""
    with get_session() as session:
        probe.add(session, ROWS)
    with get_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(ROWS):
            connection.execute(text(FLOOR))
        return Cost(1000 * (time.process_time() - cpu) / ROWS, 1000 * (time.perf_counter() - wall) / ROWS)


def claim_milliseconds(waiting: int) -> float:
    """Return the median time of a claim with that many rows runnable."""
    with get_session() as session:
        session.execute(text("TRUNCATE probe"))
        fill = "INSERT INTO probe (queue, act, ready_at) SELECT 'dialogue', '', now() FROM generate_series(1, :count)"
        session.execute(text(fill), {"count": waiting})
    with get_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE probe"))
    return statistics.median(_one_claim() for _ in range(50))


def _one_claim() -> float:
    with get_session() as session:
        started = time.perf_counter()
        engine.claim(session, [Probe], "dialogue", worker="bench", lease=20, limit=1, suspects=False)
        return 1000 * (time.perf_counter() - started)


def measure() -> list[tuple[str, str]]:
    """Return the lines of the table."""
    with get_session() as session:
        probe.create_tables(session)
    floor, single, batch = floor_per_row(), cost_per_row(DIALOGUE), cost_per_row(EMBEDDING)
    few, many = claim_milliseconds(100), claim_milliseconds(1_000_000)
    return [
        ("one statement a row (floor)", f"{floor.cpu:.2f} ms CPU, {floor.wall:.2f} ms"),
        ("claim + work + settle, singly", f"{single.cpu:.2f} ms CPU, {single.wall:.2f} ms; budget 2 ms CPU"),
        ("claim + work + settle, in batches of 8", f"{batch.cpu:.2f} ms CPU, {batch.wall:.2f} ms; budget 0.5 ms CPU"),
        ("claim with 100 waiting", f"{few:.2f} ms"),
        ("claim with 1,000,000 waiting", f"{many:.2f} ms, {many / few:.2f} times; budget 2 times"),
    ]


if __name__ == "__main__":
    print(json.dumps(measure()))
