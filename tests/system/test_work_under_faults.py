"""The life of work with real processes, a real broker and a real Postgres, under kills."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine, delete, select, text

from deploy.local.processes import table
from shared import db
from shared.db import get_session
from shared.domain.lifecycle import POISON, VERSION, RunStatus
from shared.models import Conversation, Persona, Turn, WorkerCheckin
from shared.queries.work import engine, workers
from shared.settings import get_settings
from shared.tasks import BELL
from tests import processes
from tests.conftest import url_of, wait_for_broker
from tests.fakes import probe
from tests.fakes.probe import Effect, Probe
from tests.processes import SHORT, allowed, eventually, migrate, until
from tests.system.site import Ground, Site, ground, standing_on

RECOVERY = 30.0  # seconds from the end of a fault until every row is claimable: the promise of C127 and C168


@pytest.fixture
def make_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Site]]:
    with ExitStack() as opened:

        def make(database_url: str, life: Mapping[str, str] = SHORT) -> Site:
            own = opened.enter_context(ground(tmp_path, database_url, life))
            return opened.enter_context(standing_on(own, tmp_path, monkeypatch))

        yield make


@pytest.fixture
def own_site(make_site: Callable[..., Site], database_url: str) -> Site:
    """A site whose broker a test may break, and which nobody tends."""
    return make_site(database_url)


@pytest.fixture(scope="module")
def tended(tmp_path_factory: pytest.TempPathFactory, module_database: str) -> Iterator[Ground]:
    """A ground for tests that break none of what tends it: an upkeep worker, a beat, and a worker for `memory`."""
    folder = tmp_path_factory.mktemp("tended")
    engine = create_engine(module_database)
    probe.apart.create_all(engine)
    engine.dispose()
    with ground(folder, module_database) as made:
        made.keepers.start_upkeep()
        made.keepers.start("common", "memory")
        yield made


@pytest.fixture
def site(tended: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A tended site without the rows of the tests before."""
    with standing_on(tended, tmp_path, monkeypatch) as site:
        with get_session() as session:
            session.execute(delete(Effect))
            session.execute(delete(Probe))
        yield site


@pytest.mark.capability("C123")
def test_four_workers_do_each_of_two_hundred_rows_once(site: Site) -> None:
    for name in "abcd":
        site.workers.start(name, "dialogue,embedding", pool="prefork" if name in "ab" else "threads", concurrency=2)
    ids = site.add(100, act="sleep 0.005") + site.add(100, queue="embedding", act="sleep 0.005")
    site.until_ended(ids)
    assert site.done_once(ids)


def test_a_short_row_does_not_wait_for_the_long_one_that_was_claimed_with_it(site: Site) -> None:
    long, *short = site.add(1, ring=False, queue="embedding", act="sleep 60") + site.add(3, queue="embedding")
    site.workers.start("one", "embedding", pool="threads", concurrency=1)
    site.until_ended(short, 30)
    assert site.row(long).status is RunStatus.RUNNING


@pytest.mark.capability("C124")
def test_the_most_urgent_row_is_next_whatever_the_order_of_bells(site: Site) -> None:
    bulk = site.add(30, act="sleep 0.01")
    urgent = site.add(1, priority=10)
    site.workers.start("one", "dialogue", concurrency=1)
    site.until_ended(bulk + urgent)
    with get_session() as session:
        first = session.query(Effect).order_by(Effect.id).first()
    assert first is not None
    assert first.probe_id == urgent[0]


@pytest.mark.capability("C124")
def test_a_burst_of_other_work_leaves_slots_for_replies_and_loses_no_bell(own_site: Site) -> None:
    site = own_site
    site.workers.start("one", "dialogue,memory", concurrency=4)
    slow = site.add(6, queue="memory", act="sleep 600")
    eventually(lambda: site.statuses(slow)[RunStatus.RUNNING], lambda running: running == 3)
    replies = site.add(2)
    site.until_ended(replies)
    assert site.statuses(slow) == {RunStatus.RUNNING: 3, RunStatus.PENDING: 3}
    with get_session() as session:
        engine.cancel(session, Probe, slow[:3])
    eventually(lambda: site.statuses(slow)[RunStatus.PENDING], lambda waiting: waiting == 0)
    assert site.done_once(replies)


@pytest.mark.capability("C126")
def test_three_attempts_with_growing_delay_then_failed(site: Site) -> None:
    (id,) = site.add(queue="memory", act="fail", retries=3)
    delays = []
    for attempt in (1, 2):
        row = site.until(id, lambda row, n=attempt: row.retry == n)
        assert row.ready_at is not None
        assert row.status_date is not None
        delays.append((row.ready_at - row.status_date).total_seconds())
    site.until_ended([id])
    row = site.row(id)
    assert (row.status, row.retry, row.crashes) == (RunStatus.FAILED, 3, 0)
    assert row.status_message == "the probe was told to fail"
    assert 1.0 <= delays[0] <= 3.0
    assert 2.0 <= delays[1] <= 6.0


@pytest.mark.capability("C180")
def test_a_failure_is_one_red_line_naming_its_row_and_no_traceback(site: Site, tended: Ground) -> None:
    (id,) = site.add(queue="memory", act="fail", retries=1)
    site.until_ended([id])
    line = f"probe {id}: FAILED: the probe was told"
    log = eventually(lambda: tended.keepers.log("common"), lambda log: line in log)
    assert "Traceback" not in log


@pytest.mark.capability("C127")
@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_killed_worker_loses_its_row_to_another_within_thirty_seconds(site: Site, pool: str) -> None:
    site.workers.start("one", "dialogue", pool=pool, concurrency=1)
    (id,) = site.add(act="hold")
    site.until_running(id)
    site.workers.signal_group("one", signal.SIGKILL)
    site.workers.start("two", "dialogue", concurrency=1)
    site.until_ended([id], allowed(RECOVERY))
    assert site.done_once([id])
    assert site.row(id).crashes == 1


@pytest.mark.capability("C127")
@pytest.mark.capability("C168")
def test_with_the_default_settings_too_a_killed_workers_row_is_taken_within_thirty_seconds(
    make_site: Callable[..., Site], database_url: str
) -> None:
    site = make_site(database_url, life={})
    site.workers.start_upkeep()
    site.workers.start("one", "dialogue", concurrency=1)
    site.workers.start("two", "dialogue", concurrency=1)
    (id,) = site.add(act="hold")
    held = site.until_running(id)
    assert held.worker_id is not None
    site.workers.signal_group(held.worker_id.partition("@")[0], signal.SIGKILL)
    site.until(id, lambda row: row.fence > held.fence + 1, allowed(RECOVERY))
    site.until_ended([id])
    assert site.done_once([id])


@pytest.mark.capability("C127")
def test_a_frozen_worker_finds_its_late_settlement_refused(site: Site) -> None:
    site.workers.start("one", "dialogue", concurrency=1)
    (id,) = site.add(act="deaf 4")
    site.until_running(id)
    site.workers.signal_group("one", signal.SIGSTOP)
    site.workers.start("two", "dialogue", concurrency=1)
    site.until_ended([id], allowed(RECOVERY))
    site.workers.signal_group("one", signal.SIGCONT)
    eventually(lambda: site.workers.log("one"), lambda log: "late settlement refused" in log)
    assert site.done_once([id])


@pytest.mark.capability("C178")
def test_a_row_that_kills_three_workers_fails_as_poison_and_the_queue_moves_on(site: Site) -> None:
    site.workers.start("one", "ingestion", pool="prefork", concurrency=2)
    (poison,) = site.add(queue="ingestion", act="die")
    others = site.add(20, queue="ingestion", act="sleep 0.05")
    site.until_ended([poison, *others], allowed(3 * RECOVERY))
    row = site.row(poison)
    assert (row.status, row.status_message, row.crashes) == (RunStatus.FAILED, POISON, 3)
    assert site.done_once(others)


@pytest.mark.capability("C168")
def test_a_broker_stopped_between_commit_and_bell_delays_and_loses_nothing(own_site: Site) -> None:
    own_site.workers.start_upkeep()
    own_site.workers.start("one", "dialogue")
    warm = own_site.add()
    own_site.until_ended(warm)
    own_site.broker.kill()
    ids = own_site.add(5)
    own_site.broker.restart()
    own_site.until_ended(ids, allowed(RECOVERY))
    assert own_site.done_once(ids)


def test_a_wiped_broker_loses_nothing(own_site: Site) -> None:
    ids = own_site.add(20)
    with redis.Redis.from_url(get_settings().require_redis_url()) as client:
        client.flushall()
    own_site.workers.start_upkeep()
    own_site.workers.start("one", "dialogue")
    own_site.until_ended(ids, allowed(RECOVERY))
    assert own_site.done_once(ids)


def test_a_killed_postgres_loses_nothing_and_expires_nothing(
    make_site: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with processes.postgres(tmp_path / "postgres") as (server, port):
        url = url_of(port, "postgres")
        monkeypatch.setenv("PERSONAE_DATABASE_URL", url)
        get_settings.cache_clear()
        db.close_engine()
        migrate()
        site = make_site(url)
        site.workers.start_upkeep()
        site.workers.start("one", "dialogue", concurrency=4)
        ids = site.add(40, act="sleep 0.3")
        eventually(lambda: site.statuses(ids)[RunStatus.COMPLETED], lambda done: done > 4)
        server.kill()
        server.restart()
        db.close_engine()
        site.until_ended(ids, allowed(RECOVERY))
        assert site.done_once(ids)
        db.close_engine()
    get_settings.cache_clear()


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_graceful_stop_hands_its_work_back_without_a_mark(own_site: Site, pool: str) -> None:
    own_site.workers.start("one", "dialogue", pool=pool, concurrency=1)
    (id,) = own_site.add(act="deaf 600")
    own_site.until_running(id)
    group = own_site.workers.processes["one"].pid
    assert own_site.workers.terminate("one") == 0
    row = own_site.row(id)
    assert (row.status, row.retry, row.crashes, row.fence) == (RunStatus.PENDING, 0, 0, 2)
    until(lambda: group not in {process.group for process in table()})


def test_a_stop_with_nothing_running_is_clean(own_site: Site) -> None:
    own_site.workers.start("one", "dialogue", concurrency=1)
    ids = own_site.add()
    own_site.until_ended(ids)
    assert own_site.workers.terminate("one") == 0


@pytest.mark.capability("C133")
def test_an_announced_cancel_stops_running_work_within_a_second(own_site: Site) -> None:
    own_site.workers.start("one", "dialogue")
    (id,) = own_site.add(act="sleep 600")
    own_site.until_running(id)
    cancel(id, announce=True)
    row = own_site.until(id, lambda row: row.status is RunStatus.CANCELLED)
    assert row.completed_date is not None
    assert row.cancel_requested_at is not None
    assert (row.completed_date - row.cancel_requested_at).total_seconds() < allowed(1)
    assert own_site.effects([id]) == {id: 1}  # what it had


def test_a_cancel_whose_announcement_is_lost_is_heard_at_the_next_renewal(own_site: Site) -> None:
    own_site.workers.start("one", "dialogue")
    (id,) = own_site.add(act="sleep 600")
    own_site.until_running(id)
    cancel(id, announce=False)
    own_site.until(id, lambda row: row.status is RunStatus.CANCELLED)


def test_a_cancel_that_the_work_ignores_is_settled_by_the_sweep(site: Site) -> None:
    site.workers.start("one", "dialogue")
    (id,) = site.add(act="deaf 600")
    site.until_running(id)
    cancel(id, announce=True)
    site.until(id, lambda row: row.status is RunStatus.CANCELLED)
    assert site.effects([id]) == {}


def cancel(id: int, *, announce: bool) -> None:
    with get_session() as session:
        running = engine.cancel(session, Probe, [id])
    if announce:
        with redis.Redis.from_url(get_settings().require_redis_url()) as client:
            for row, fence in running:
                client.publish("cancel", f"probe:{row}:{fence}")


def test_work_that_outlasts_its_kind_is_stopped_and_retried(
    make_site: Callable[..., Site], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROBE_MAX_RUNTIME", "1")
    site = make_site(database_url)
    site.workers.start("one", "dialogue")
    (id,) = site.add(act="sleep 600")
    row = site.until(id, lambda row: row.status is RunStatus.ERROR)
    assert row.status_message == "took longer than 1 s"


@pytest.mark.capability("C144")
def test_every_worker_checks_in_with_its_queues(site: Site) -> None:
    ids = site.add(queue="memory")
    site.until_ended(ids)

    def listening() -> list[tuple[str, list[str], int]]:
        with get_session() as session:
            checked_in = select(WorkerCheckin.id, WorkerCheckin.queues, WorkerCheckin.version)
            return [tuple(row) for row in session.execute(checked_in.where(WorkerCheckin.queues.contains(["memory"])))]

    ((worker, queues, version),) = eventually(listening, bool)
    assert (worker.partition("@")[0], queues, version) == ("common", ["memory"], VERSION)


def test_rows_that_nobody_claims_make_their_queue_deaf(own_site: Site) -> None:
    with get_session() as session:
        talk = Conversation(persona=Persona(name="Ada", template="You are Ada."))
        session.add(talk)
        session.flush()
        session.add(Turn(conversation_id=talk.id, ready_at=text("clock_timestamp() - interval '31 s'")))
    with get_session() as session:
        assert workers.deaf_queues(session) == {"dialogue"}


def test_ringing_a_frozen_broker_returns_in_a_third_of_a_second(own_site: Site) -> None:
    own_site.broker.signal(signal.SIGSTOP)
    started = time.monotonic()
    rung = BELL.ring("dialogue", "probe 1")
    assert rung == 0
    assert time.monotonic() - started < allowed(0.5)
    own_site.broker.signal(signal.SIGCONT)


def test_bells_are_capped(own_site: Site) -> None:
    wait_for_broker(get_settings().require_redis_url())
    rung = [BELL.ring("dialogue", "probe", 10) for _ in range(4)]
    assert sum(rung) == get_settings().bell_cap
