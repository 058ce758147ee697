"""While an update is rolled out, older and newer workers take rows beside each other: each those that it can do."""

import json

import pytest
from sqlalchemy import Connection, insert, select, text

from shared.db import Session
from shared.domain.lifecycle import VERSION
from shared.models import Conversation, ModuleExecution, Persona, Turn
from shared.models.base import Base
from shared.queries.kinds import KINDS
from shared.queries.work import engine, why, workers

NEWER = VERSION + 1
FILL = """
    INSERT INTO fetches (url, owner_id, queue, priority, ready_at, status, needs_version)
    SELECT 'https://example.org/', 'ana', 'ingestion', number % 7, clock_timestamp(),
        CASE WHEN number % 20 < 2 THEN 'PENDING' ELSE 'COMPLETED' END, CAST(:version AS int) + (number % 20)
    FROM generate_series(1, 100000) AS number"""


@pytest.fixture
def conversation(session: Session) -> Conversation:
    conversation = Conversation(persona=Persona(name="Ada", template="You are Ada."))
    session.add(conversation)
    session.flush()
    return conversation


def ready(session: Session, conversation: Conversation, model: type = Turn, **values: object) -> int:
    row = model(conversation_id=conversation.id, queue="dialogue", **values)
    session.add(row)
    session.flush()
    session.execute(text(f"UPDATE {model.__tablename__} SET ready_at = clock_timestamp() WHERE id = {row.id}"))
    session.refresh(row)
    return row.id


def take(session: Session, *kinds: type, version: int = VERSION) -> list[int]:
    taken = engine.claim(session, kinds, "dialogue", worker="w:1:", lease=20, limit=8, suspects=False, version=version)
    return [claim.id for claim in taken]


def test_an_older_worker_leaves_newer_rows_alone_and_takes_the_others(
    session: Session, conversation: Conversation
) -> None:
    newer = ready(session, conversation, needs_version=NEWER, priority=9)
    older = [ready(session, conversation) for _ in range(2)]
    assert take(session, Turn) == older
    assert take(session, Turn) == []
    assert session.get_one(Turn, newer).fence == 0


def test_a_newer_worker_takes_both(session: Session, conversation: Conversation) -> None:
    both = [ready(session, conversation, needs_version=version) for version in (NEWER, VERSION)]
    assert take(session, Turn, version=NEWER) == both


def test_a_newer_row_hides_none_of_another_table(session: Session, conversation: Conversation) -> None:
    newer = ready(session, conversation, needs_version=NEWER, priority=9)
    run = ready(session, conversation, ModuleExecution, purpose="test")
    kinds = (Turn, ModuleExecution)
    assert not engine.is_waiting(session, kinds, "dialogue", above=0)
    assert take(session, *kinds) == [run]
    assert take(session, *kinds, version=NEWER) == [newer]


def test_a_suspect_of_newer_code_keeps_nobody_from_a_batch(session: Session, conversation: Conversation) -> None:
    ready(session, conversation, needs_version=NEWER, crashes=1, priority=9)
    older = [ready(session, conversation) for _ in range(2)]
    taken = engine.claim(session, [Turn], "dialogue", worker="w:1:", lease=20, limit=8, suspects=True)
    assert [(claim.id, claim.more) for claim in taken] == [(id, False) for id in older]


def test_the_sweep_rings_for_newer_rows_too_since_an_older_worker_may_have_answered_their_bell(
    session: Session, conversation: Conversation
) -> None:
    ready(session, conversation, needs_version=NEWER)
    assert engine.count_waiting(session, Turn, "dialogue", limit=10) == 1


@pytest.mark.parametrize("version", [1, 2])
def test_new_rows_need_the_version_that_their_kind_declares(
    session: Session, conversation: Conversation, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Turn, "version", version)
    table = Base.metadata.tables["turns"]
    by_core = insert(table).from_select(["conversation_id"], select(Conversation.id)).returning(table.c.needs_version)
    assert session.get_one(Turn, ready(session, conversation)).needs_version == version
    assert session.scalars(by_core).all() == [version]
    other = session.get_one(ModuleExecution, ready(session, conversation, ModuleExecution, purpose="test"))
    assert other.needs_version == 1


def test_a_kind_says_the_version_of_its_table() -> None:
    assert {kind.model: kind.version for kind in KINDS.values()} == {model: model.version for model in engine.models()}


class TestWhy:
    def told(self, session: Session, conversation: Conversation, *versions: int) -> why.Why:
        row = ready(session, conversation, needs_version=NEWER)
        for number, version in enumerate(versions):
            queues = json.dumps(["dialogue"])
            workers.check_in(session, f"w:{number}:", queues=queues, claimed=False, version=version)
        return why.explain(session, session.get_one(Turn, row))

    def test_it_waits_for_a_newer_worker(self, session: Session, conversation: Conversation) -> None:
        found = self.told(session, conversation, VERSION, VERSION)
        assert found.reason == (
            f"waits for a newer worker: it needs version {NEWER}, and those that listen to the queue dialogue"
            f" have {VERSION} at most: update them"
        )
        assert found.listeners == 2

    def test_it_waits_its_turn_where_one_is_new(self, session: Session, conversation: Conversation) -> None:
        ready(session, conversation)
        assert self.told(session, conversation, VERSION, NEWER).reason == "number 2 on the queue dialogue"

    def test_an_older_row_does_not_wait_behind_what_only_newer_workers_take(
        self, session: Session, conversation: Conversation
    ) -> None:
        self.told(session, conversation, VERSION)
        row = session.get_one(Turn, ready(session, conversation))
        assert why.explain(session, row).position == 1


def test_a_claim_finds_its_row_by_the_index_beside_many_that_it_leaves(session: Session) -> None:
    session.execute(text(FILL), {"version": VERSION})
    session.execute(text("ANALYZE fetches"))
    statement = engine.CLAIM.format(t="fetches")
    given = {"queue": "ingestion", "worker": "w:1:", "lease": 20, "suspects": False, "limit": 1, "version": VERSION}
    plan = explained(session.connection(), statement, given)
    assert plan.count("Index Scan using ix_fetches_runnable") == 2, plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan


def explained(connection: Connection, statement: str, given: dict[str, object]) -> str:
    return "\n".join(connection.execute(text(f"EXPLAIN (ANALYZE) {statement}"), given).scalars())
