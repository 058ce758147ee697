"""A database, a broker and workers of a test's own."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select

from shared import db
from shared.db import get_session
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.settings import get_settings
from shared.tasks import BELL, celery_app
from tests import processes
from tests.fakes import probe
from tests.fakes.probe import Effect, Probe
from tests.processes import DEADLINE, SHORT, Server, Workers, eventually

APP = "tests.fakes.probe_app"


class Site:
    """What a fault test works on; rows are `Probe`s."""

    def __init__(self, folder: Path, workers: Workers, ground: "Ground") -> None:
        self.folder = folder
        self.workers = workers
        self.broker = ground.broker
        self._keepers = ground.keepers

    def add(self, count: int = 1, *, ring: bool = True, **values: Any) -> list[int]:
        """Commit runnable probes, and ring for them as a route does; return their ids."""
        with get_session() as session:
            ids = probe.add(session, count, **values)
        if ring:
            self._ring(values.get("queue", "dialogue"), f"probe {ids[0]}")
        return ids

    def _ring(self, queue: str, label: str) -> None:
        """Ring once where a sweep makes good for a bell that a busy machine lost, else until one is heard."""
        is_swept = "upkeep" in self.workers.processes or "upkeep" in self._keepers.processes
        eventually(lambda: BELL.ring(queue, label), lambda rung: is_swept or rung == 1)

    def row(self, id: int) -> Probe:
        """Read one probe as it is now."""
        with get_session() as session:
            found = session.get(Probe, id)
            assert found is not None
            return found

    def statuses(self, ids: Sequence[int]) -> Counter[RunStatus]:
        """Count the probes by status."""
        with get_session() as session:
            query = select(Probe.status, func.count()).where(Probe.id.in_(ids)).group_by(Probe.status)
            return Counter(dict(session.execute(query).all()))

    def effects(self, ids: Sequence[int]) -> Counter[int]:
        """Count the committed effects of each probe."""
        with get_session() as session:
            query = select(Effect.probe_id, func.count()).where(Effect.probe_id.in_(ids)).group_by(Effect.probe_id)
            return Counter(dict(session.execute(query).all()))

    def until(self, id: int, wanted: Callable[[Probe], bool], seconds: float = DEADLINE) -> Probe:
        """Wait until the probe is as wanted."""
        return eventually(lambda: self.row(id), wanted, seconds)

    def until_running(self, id: int) -> Probe:
        """Wait until a worker holds the probe."""
        return self.until(id, lambda row: row.status is RunStatus.RUNNING)

    def until_ended(self, ids: Sequence[int], seconds: float = DEADLINE) -> Counter[RunStatus]:
        """Wait until all the probes ended."""
        wanted = len(ids)
        return eventually(
            lambda: self.statuses(ids), lambda found: sum(found[status] for status in TERMINAL) == wanted, seconds
        )

    def done_once(self, ids: Sequence[int]) -> bool:
        """Say whether each probe is COMPLETED with exactly one effect."""
        return self.statuses(ids) == {RunStatus.COMPLETED: len(ids)} and self.effects(ids) == dict.fromkeys(ids, 1)


class Ground(NamedTuple):
    """What a site stands on: a broker, the settings by which processes find it and the database, and who tends it."""

    broker: Server
    environment: dict[str, str]
    keepers: Workers


@contextmanager
def ground(folder: Path, database_url: str, life: Mapping[str, str] = SHORT) -> Iterator[Ground]:
    with processes.broker(folder / "broker") as (server, redis_url):
        environment = {"PERSONAE_DATABASE_URL": database_url, "PERSONAE_REDIS_URL": redis_url, **life}
        keepers = Workers(folder, environment, APP)
        yield Ground(server, environment, keepers)
        keepers.stop()


@contextmanager
def standing_on(ground: Ground, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose workers end with the test."""
    for name, value in ground.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    with get_session() as session:
        probe.create_tables(session)
    workers = Workers(folder, ground.environment, APP)
    yield Site(folder, workers, ground)
    workers.stop()
    forget()


def forget() -> None:
    """Let the next call connect to what the settings name then."""
    BELL.close()
    db.close_engine()
    celery_app.cache_clear()
    get_settings.cache_clear()
