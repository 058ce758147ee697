"""Leases expire after the sweep has watched for a while without a gap, however many workers take turns at it."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from services.upkeep.sweep import sweep
from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.models import Conversation, Persona, Turn
from shared.queries.dialogue import turns
from shared.queries.scope import Scope
from shared.queries.work import engine
from shared.settings import get_settings

SWEEPING = "import sys; from services.upkeep.sweep import sweep; [(sweep(), print(flush=True)) for line in sys.stdin]"
SHIFTED = {"sweepwatch": ("since", "last"), "turns": ("lease_until",)}
Sweep = Callable[[], object]


@pytest.fixture(autouse=True)
def without_a_broker(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PERSONAE_REDIS_URL", "redis://127.0.0.1:1/0")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def sweepers(without_a_broker: None) -> Iterator[Callable[[int], list[Sweep]]]:
    """Start upkeep workers, each a process that sweeps when it is told to."""
    started: list[subprocess.Popen[str]] = []

    def start(count: int) -> list[Sweep]:
        command = [sys.executable, "-c", SWEEPING]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.extend(subprocess.Popen(command, env=os.environ, **pipes) for _ in range(count))  # type: ignore[call-overload]
        return [lambda process=process: told(process) for process in started]  # type: ignore[misc]

    yield start
    for process in started:
        process.communicate()


def told(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline(), "it swept"


def pass_seconds(seconds: float) -> None:
    """Let time pass for the database, by making what it remembers as much older."""
    with get_session() as session:
        for table, columns in SHIFTED.items():
            older = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in columns)
            session.execute(text(f"UPDATE {table} SET {older}"), {"seconds": seconds})


def lost_turn() -> int:
    """A turn whose worker is gone, and whose lease is over."""
    with get_session() as session:
        conversation = Conversation(title="Talk", persona=Persona(name="Ada", template="You are Ada."))
        session.add(conversation)
        session.flush()
        id = turns.add(session, Scope("default"), conversation.id, "Anyone?").id
    with get_session() as session:
        engine.claim(session, [Turn], "dialogue", worker="gone", lease=-1, limit=1, suspects=False)
    return id


def status_of(turn_id: int) -> RunStatus:
    with get_session() as session:
        return session.get_one(Turn, turn_id).status


@pytest.mark.capability("C127")
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("order", ["in turn", "by chance"])
def test_a_lost_row_is_taken_back_however_many_upkeep_workers_sweep(
    sweepers: Callable[[int], list[Sweep]], count: int, order: str
) -> None:
    workers = sweepers(count)
    chance = random.Random(count)
    id = lost_turn()
    seen = []
    for number in range(4):
        one = workers[number % count] if order == "in turn" else chance.choice(workers)
        one()
        seen.append(status_of(id))
        pass_seconds(get_settings().sweep_seconds)
    assert seen == [RunStatus.RUNNING] * 2 + [RunStatus.PENDING] * 2, "after ten seconds of watching"


@pytest.mark.parametrize("count", [1, 2, 4])
def test_an_outage_expires_nothing_however_many_sweep_after_it(
    sweepers: Callable[[int], list[Sweep]], count: int
) -> None:
    workers = sweepers(count)
    for number in range(4):
        workers[number % count]()
        pass_seconds(get_settings().sweep_seconds)
    id = lost_turn()
    pass_seconds(60)
    for one in workers:  # all at once, when the database is back
        one()
    assert status_of(id) is RunStatus.RUNNING
    pass_seconds(get_settings().watch_seconds)
    sweep()
    assert status_of(id) is RunStatus.PENDING
