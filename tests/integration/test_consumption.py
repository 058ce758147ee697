"""A worker is well while it takes work, not while it lives."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import func, text

from deploy import health
from deploy.consumption import ALIVE_SECONDS, NEW, QUIET, TABLES, UPKEEP, VERSION, Condition, condition_of
from shared import tasks
from shared.db import Session, get_session
from shared.domain import lifecycle
from shared.models import Conversation, Persona, SweepWatch, WorkerCheckin
from shared.queries import kinds
from shared.queries.dialogue import turns
from shared.queries.scope import Scope
from shared.queries.work import engine, workers

pytestmark = pytest.mark.capability("C19")
NODE = "worker-dialogue@host:"
LONG_AGO = 10 * NEW


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    """A session that commits: the checks ask over connections of their own."""
    with get_session() as session:
        yield session


def ago(seconds: float) -> object:
    return func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def check_in(
    session: Session, queue: str = "dialogue", *, node: str = NODE, begun: float = LONG_AGO, seen: float = 1.0,
    claimed: float | None = None, slots: int = 1, stuck: int = 0,
) -> None:  # fmt: skip
    session.add(
        WorkerCheckin(
            id=f"{node}7:8:abc",
            queues=[queue],
            slots=slots,
            stuck=stuck,
            first_checkin=ago(begun),
            last_checkin=ago(seen),
            last_claim=None if claimed is None else ago(claimed),
        )
    )
    session.flush()


def let_wait(session: Session, seconds: float) -> None:
    persona = Persona(name="Ada", template="You are Ada.")
    conversation = Conversation(title="Talk", persona=persona)
    session.add(conversation)
    session.flush()
    turns.add(session, Scope("default"), conversation.id, "Anyone?")
    session.execute(text("UPDATE turns SET ready_at = clock_timestamp() - make_interval(secs => :s)"), {"s": seconds})


def condition(session: Session, queues: list[str], node: str) -> Condition:
    """Ask as a container does: over a connection of its own."""
    session.commit()
    return condition_of(health.database_url(), queues, node)


def test_the_tables_that_are_told_are_those_of_the_models() -> None:
    assert tuple(model.__tablename__ for model in engine.models()) == TABLES
    assert (kinds.ALIVE_SECONDS, lifecycle.VERSION) == (ALIVE_SECONDS, VERSION)


def test_a_check_does_without_what_takes_long_to_import() -> None:
    asking = (
        "import sys; from deploy import health; [health.main(words) for words in (['worker', 'dialogue'], ['beat'])]; "
        "sys.exit(len({'sqlalchemy', 'pydantic', 'shared', 'celery', 'urllib.request'} & set(sys.modules)))"
    )
    unreachable = {**os.environ, "PERSONAE_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}
    done = subprocess.run([sys.executable, "-c", asking], env=unreachable, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_worker_with_nothing_to_do_is_well(session: Session) -> None:
    check_in(session)
    assert condition(session, ["dialogue"], NODE) is Condition.WELL


@pytest.mark.parametrize(
    ("node", "seen"),
    [
        pytest.param("worker-dialogue@other:", 1.0, id="only another host's lives"),
        pytest.param(NODE, 25.0, id="it was last seen long ago"),
    ],
)
def test_a_worker_that_does_not_check_in_is_not_well(session: Session, node: str, seen: float) -> None:
    check_in(session, node=node, seen=seen)
    assert condition(session, ["dialogue"], NODE) is Condition.SILENT


def test_a_worker_that_lives_while_its_rows_wait_is_deaf(session: Session) -> None:
    check_in(session, claimed=LONG_AGO)
    let_wait(session, 31)
    assert condition(session, ["dialogue"], NODE) is Condition.DEAF


def test_a_worker_whose_rows_wait_for_newer_code_is_well(session: Session) -> None:
    check_in(session, claimed=LONG_AGO)
    let_wait(session, 31)
    session.execute(text("UPDATE turns SET needs_version = :newer"), {"newer": VERSION + 1})
    assert condition(session, ["dialogue"], NODE) is Condition.WELL
    assert workers.deaf_queues(session) == set()


@pytest.mark.parametrize(
    ("begun", "claimed", "waiting"),
    [
        pytest.param(LONG_AGO, 5.0, 31, id="it is taking others"),
        pytest.param(LONG_AGO, None, 3, id="they have just come"),
        pytest.param(5.0, None, 600, id="it has just begun"),
    ],
)
def test_a_worker_whose_rows_wait_for_a_reason_is_well(
    session: Session, begun: float, claimed: float | None, waiting: float
) -> None:
    check_in(session, begun=begun, claimed=claimed)
    let_wait(session, waiting)
    assert condition(session, ["dialogue"], NODE) is Condition.WELL


@pytest.mark.parametrize(("stuck", "expected"), [(0, Condition.WELL), (15, Condition.WELL), (16, Condition.STUCK)])
def test_a_worker_half_of_whose_slots_are_stuck_is_not_well(session: Session, stuck: int, expected: Condition) -> None:
    check_in(session, begun=5.0, claimed=1.0, slots=32, stuck=stuck)
    assert condition(session, ["dialogue"], NODE) is expected
    assert workers.is_half_stuck(session, NODE) is (expected is Condition.STUCK)


def test_rows_of_other_queues_are_not_its_fault(session: Session) -> None:
    check_in(session, "memory", node="worker-memory@host:")
    let_wait(session, 600)
    assert condition(session, ["memory"], "worker-memory@host:") is Condition.WELL


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        pytest.param(5.0, Condition.WELL, id="a sweep lately"),
        pytest.param(QUIET + 5, Condition.UNSWEPT, id="a sweep long ago"),
        pytest.param(None, Condition.UNSWEPT, id="never a sweep"),
    ],
)
def test_upkeep_is_well_while_it_sweeps(session: Session, claimed: float | None, expected: Condition) -> None:
    assert tasks.UPKEEP.name == UPKEEP
    check_in(session, UPKEEP, claimed=claimed)
    assert condition(session, [UPKEEP], NODE) is expected


@pytest.mark.parametrize(("since", "expected"), [(5.0, Condition.WELL), (QUIET + 5, Condition.UNSWEPT)])
def test_upkeep_is_well_while_another_of_its_kind_sweeps(session: Session, since: float, expected: Condition) -> None:
    check_in(session, UPKEEP, claimed=QUIET + 5)
    session.add(SweepWatch(id=1, since=ago(LONG_AGO), last=ago(since)))
    assert condition(session, [UPKEEP], NODE) is expected


@pytest.mark.parametrize(("stuck", "waiting"), [(0, True), (1, False)], ids=["deaf", "stuck"])
def test_the_check_of_a_worker_that_takes_no_work_ends_its_container(
    database_url: str, monkeypatch: pytest.MonkeyPatch, stuck: int, waiting: bool
) -> None:
    with get_session() as session:
        check_in(session, node=f"worker-dialogue@{socket.gethostname()}:", stuck=stuck)
        if waiting:
            let_wait(session, 600)
    with subprocess.Popen(["sleep", "60"]) as container:
        monkeypatch.setenv(health.MAIN, str(container.pid))
        assert health.main(["worker", "dialogue"]) == 1
        assert container.wait(10) == -signal.SIGTERM


def test_a_check_without_its_database_says_so(monkeypatch: pytest.MonkeyPatch, database_url: str, capsys) -> None:
    monkeypatch.setenv("PERSONAE_DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x")
    assert health.main(["worker", "dialogue"]) == 1
    assert capsys.readouterr().out == "no answer from the database: OperationalError\n"
