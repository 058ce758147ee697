"""Rows are locked in one order: who needs the same ones waits for another, and never in a ring."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import InstrumentedAttribute

from services import work as handling
from services.leases import Held
from services.outcomes import Outcome
from shared import db
from shared.db import Session, get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import RunStatus
from shared.domain.stages import ExecutionStage
from shared.domain.workflow import WorkflowStepType
from shared.models import (
    ApiKey,
    Conversation,
    ConversationState,
    Document,
    MemoryWindow,
    Message,
    Module,
    ModuleExecution,
    Persona,
    StepConfig,
    Turn,
    User,
)
from shared.models.base import Work
from shared.queries import kinds
from shared.queries.accounts import keys, users
from shared.queries.dialogue import conversations, memory, messages, turns
from shared.queries.kinds import KINDS
from shared.queries.personas import modules, personas
from shared.queries.scope import Scope
from shared.queries.work import endings, engine, locks
from shared.queries.workflows import starts
from shared.tasks import DIALOGUE
from tests.integration.test_executions import advanced, settle_reply, stages, take
from tests.integration.woken import woken
from tests.processes import until

MINE = Scope("default")
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
Delete = Callable[[Session, Conversation], object]
DELETES: dict[str, Delete] = {
    "conversation": lambda session, talk: conversations.delete_(session, MINE, talk.id),
    "user": lambda session, talk: users.delete_(session, MINE, talk.user_id),
    "persona": lambda session, talk: personas.delete_(session, MINE, talk.persona_id),
    "message": lambda session, talk: messages.delete_(session, MINE, talk.messages[0].id),
}


@pytest.fixture
def talk(database_url: str) -> Conversation:
    """A conversation with a turn under way and one that waits for it; what is done to it is committed."""
    with get_session() as session:
        conversation = Conversation(persona=Persona(name="Ada", template="@mood"), user=User(name="Ana"))
        session.add_all([conversation, advanced("mood", "mood = 1")])
        session.flush()
        for said in ("One?", "Two?"):
            turns.add(session, MINE, conversation.id, said)
        session.refresh(conversation, ["messages"])
    return conversation


@contextmanager
def beside(act: Callable[[Session], object]) -> Iterator[tuple[Session, Callable[[], Future[object]]]]:
    """Give a session, and what begins an act in another one and returns once it is done or waits for ours."""

    def other() -> object:
        with get_session() as session:
            return act(session)

    with ThreadPoolExecutor() as thread:
        with get_session() as ours:

            def begin() -> Future[object]:
                begun.append(thread.submit(other))
                until(lambda: begun[0].done() or ours.scalar(WAITING))
                return begun[0]

            begun: list[Future[object]] = []
            yield ours, begin
        begun[0].result(20)


def claim(model: type[Work], queue: str) -> engine.Claim:
    with get_session() as session:
        return take(session, model, queue)[0]


def is_free(session: Session, column: InstrumentedAttribute[Any], value: object) -> bool:
    """Say whether nobody holds a row: its key is not told when somebody does."""
    return session.scalar(select(column).where(column == value).with_for_update(skip_locked=True)) is not None


@pytest.mark.parametrize("what", ["conversation", "user", "persona"])
def test_a_turn_may_be_settled_while_what_it_belongs_to_is_deleted(talk: Conversation, what: str) -> None:
    held = claim(Turn, "dialogue")
    with beside(lambda session: DELETES[what](session, talk)) as (session, deletes):
        (turn,) = engine.settle(session, Turn, [(held.id, held.fence)], RunStatus.COMPLETED)
        deletes()
        said = Message(conversation_id=talk.id, role="assistant", content="Well")
        turns.save_reply(session, turn, said, {})
        endings.follow(session, [turn])
    with get_session() as session:
        assert session.scalars(select(Turn)).all() == session.scalars(select(Message)).all() == []


@pytest.mark.parametrize("what", ["conversation", "user", "persona", "message"])
def test_a_module_may_be_settled_while_what_it_belongs_to_is_deleted(talk: Conversation, what: str) -> None:
    first = claim(Turn, "dialogue")
    with get_session() as session:
        settle_reply(session, talk, first)
    held = claim(ModuleExecution, "modules")
    with beside(lambda session: DELETES[what](session, talk)) as (session, deletes):
        (run,) = engine.settle(session, ModuleExecution, [(held.id, held.fence)], RunStatus.FAILED)
        deletes()
        run.output = "written again, which locks what it refers to"
        endings.follow(session, [run])
    with get_session() as session:
        assert session.scalar(select(ModuleExecution)) is None


def test_a_turn_that_is_added_while_its_conversation_is_deleted_goes_too(talk: Conversation) -> None:
    with beside(lambda session: DELETES["conversation"](session, talk)) as (session, deletes):
        turns.add(session, MINE, talk.id, "Three?")
        deletes()
    with get_session() as session:
        assert session.scalars(select(Turn)).all() == []


def test_a_queued_turn_may_be_cancelled_while_the_one_before_it_ends(talk: Conversation) -> None:
    held = claim(Turn, "dialogue")
    with get_session() as session:
        queued = session.scalars(select(Turn.id).where(Turn.id != held.id)).one()
    with beside(lambda session: engine.cancel(session, Turn, [queued])) as (session, cancels):
        rows = engine.settle(session, Turn, [(held.id, held.fence)], RunStatus.COMPLETED)
        conversations.lock(session, talk.id)
        cancels()
        woken(session)
        endings.follow(session, rows)
        assert woken(session) == set()
    with get_session() as session:
        row = session.get_one(Turn, queued)
        assert (row.status, row.ready_at) == (RunStatus.CANCELLED, None)


def test_what_was_cancelled_since_it_was_read_is_not_made_ready(talk: Conversation) -> None:
    with get_session() as session:
        queued = session.scalars(select(Turn).order_by(Turn.id.desc())).first()
        with get_session() as other:
            other.execute(update(Turn).where(Turn.id == queued.id).values(status=RunStatus.CANCELLED))
        assert not locks.make_ready(session, [queued])
    with get_session() as session:
        assert session.get_one(Turn, queued.id).ready_at is None


def give_up(model: type[Work]) -> Callable[[Session], None]:
    """Hold the blocked rows of a table, as who is ending them does, and then not end them."""

    def hold(session: Session) -> None:
        session.execute(select(model.id).where(model.ready_at.is_(None)).with_for_update())
        session.execute(text("SELECT pg_advisory_xact_lock(1)"))
        session.rollback()

    return hold


@contextmanager
def held_by_another(model: type[Work]) -> Iterator[Session]:
    """Give a session while another one holds the blocked rows of a table."""
    with beside(give_up(model)) as (session, holds):
        session.execute(text("SELECT pg_advisory_xact_lock(1)"))
        holds()
        yield session


def test_the_sweep_makes_ready_what_nobody_ended_after_all(talk: Conversation) -> None:
    with get_session() as session:
        session.add(advanced("judge", "verdict = ctx.generate('?')"))
        said = [{"role": "user", "content": f"Message {number}"} for number in range(50)]
        messages.add_many(session, MINE, talk.id, said)
    first, window = claim(Turn, "dialogue"), claim(MemoryWindow, "memory")
    with get_session() as session:
        settle_reply(session, talk, first)
    run = claim(ModuleExecution, "modules")
    for held, model in ((window, MemoryWindow), (run, ModuleExecution)):
        with held_by_another(model) as session:
            endings.follow(session, engine.settle(session, model, [held[1:3]], RunStatus.FAILED))
    with get_session() as session:
        assert stages(session) == []
        turns.ready_stalled(session)
        assert woken(session) == {"memory", "modules"}
        assert stages(session) == [5]
        turns.ready_stalled(session)
        assert woken(session) == set()


def two_held(model: type[Work] = Turn) -> list[Held]:
    with get_session() as session:
        conversation = Conversation(persona=Persona(name="Ben", template="You are Ben."))
        session.add(conversation)
        session.flush()
        turns.add(session, MINE, conversation.id, "One?")
        return [Held(held, "dialogue", max_runtime=60.0) for held in take(session, model, "dialogue")]


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Declare work on turns that writes nothing; gives what was worked on."""
    worked_on: list[object] = []

    def nothing(*given: object) -> None:
        return None

    monkeypatch.setitem(handling.HANDLERS, "dialogue", {})
    handling.register_handler(DIALOGUE, Turn, load=nothing, work=worked_on.append, save=nothing)
    return worked_on


ENDS = (RunStatus.FAILED, RunStatus.COMPLETED)  # as they are written, the second before the first


@pytest.mark.parametrize("what", ["load", "settle"])
def test_a_batch_locks_its_rows_by_their_ids(talk: Conversation, kind: list[object], what: str) -> None:
    first, second = two_held()
    ends = [Outcome(item, status) for item, status in zip((first, second), ENDS, strict=True)]
    acts: dict[str, Callable[[Session], object]] = {
        "load": lambda session: list(handling._load_together([second, first])),
        "settle": lambda session: handling._write(session, ends),
    }
    with beside(acts[what]) as (session, begins):
        session.execute(select(Turn.id).where(Turn.id == first.id).with_for_update())
        assert not begins().done()
        assert is_free(session, Turn.id, second.id)


def test_a_row_is_put_back_before_its_conversation_is_locked(talk: Conversation) -> None:
    held = claim(Turn, "dialogue")
    with get_session() as session:
        engine.settle(session, Turn, [(held.id, held.fence)], RunStatus.ERROR)

    def retry(session: Session) -> None:
        KINDS["turns"].retry(session, kinds.get(session, MINE, "turns", held.id))

    with beside(retry) as (session, retries):
        session.execute(select(Turn.id).where(Turn.id == held.id).with_for_update())
        assert not retries().done()
        assert is_free(session, Conversation.id, talk.id)


def test_a_reply_never_falls_between_two_windows(talk: Conversation) -> None:
    held = claim(Turn, "dialogue")
    many = [{"role": "user", "content": f"Message {number}"} for number in range(60)]
    with beside(lambda session: messages.add_many(session, MINE, talk.id, many)) as (session, imports):
        (turn,) = engine.settle(session, Turn, [(held.id, held.fence)], RunStatus.COMPLETED)
        turns.save_reply(session, turn, Message(conversation_id=talk.id, role="assistant", content="Well"), {})
        imports()
        endings.follow(session, [turn])
    with get_session() as session:
        last = session.scalar(select(func.max(MemoryWindow.last_position)))
        counted = [len(memory.load(session, window).lines) for window in session.scalars(select(MemoryWindow))]
        until_there = select(func.count()).select_from(Message).where(Message.position <= last)
        assert (sum(counted), set(counted)) == (session.scalar(until_there), {24, 11})


def test_a_row_that_was_cancelled_while_it_waited_for_its_batch_is_not_worked_on(kind: list[object]) -> None:
    made = engine.Claim(Turn, 1, 1, 0, 3, 0, {}, False)
    held = Held(made, "dialogue", max_runtime=60.0)
    held.stop("cancel")
    outcome = handling._attempt(held, lambda: "loaded")
    assert (outcome and outcome.status, kind) == (RunStatus.CANCELLED, [])


def test_a_process_has_one_engine_however_many_threads_ask_first(database_url: str) -> None:
    together = Barrier(8)

    def ask() -> int:
        together.wait(20)
        return id(db.get_engine())

    with ThreadPoolExecutor(8) as threads:
        assert len({future.result() for future in [threads.submit(ask) for _ in range(8)]}) == 1


def test_a_request_does_not_wait_for_another_to_note_that_their_key_is_used(database_url: str) -> None:
    with get_session() as session:
        key_id: UUID = keys.add(session, MINE, name="busy", scopes=[Permission.READ]).row.id
    with get_session() as other, get_session() as session:
        other.execute(select(ApiKey.id).where(ApiKey.id == key_id).with_for_update())
        keys.note_use(session, session.get_one(ApiKey, key_id))
    with get_session() as session:
        keys.note_use(session, session.get_one(ApiKey, key_id))
        session.expire_all()
        assert session.get_one(ApiKey, key_id).last_used_at is not None


def test_two_who_begin_runs_of_new_kinds_in_other_orders_do_not_wait_in_a_ring(database_url: str) -> None:
    with get_session() as session:
        session.add(Document(hash="sha256-1", mime_type="text/plain"))

    def start(session: Session, mime_type: str) -> None:
        configs = {WorkflowStepType.VALIDATE: {"mime_type": mime_type}}
        group = starts.add_group(session, MINE, mime_type)
        starts.add_runs(session, group, [starts.Start("sha256-1", configs, {})])

    def others(session: Session) -> None:
        start(session, "text/html")
        start(session, "text/plain")

    with beside(others) as (session, begins):
        start(session, "text/plain")
        begins()
        start(session, "text/html")
    with get_session() as session:
        assert session.scalar(select(func.count()).select_from(StepConfig)) == 2 * len(starts.DOCUMENT_STEPS)


def test_a_module_is_deleted_behind_the_conversations_in_which_it_left_a_state(talk: Conversation) -> None:
    with get_session() as session:
        module_id = session.scalars(select(Module.id)).one()
        ConversationState.store_execution_result(session, talk.id, module_id, ExecutionStage.STAGE4, {}, {})
    with beside(lambda session: modules.delete_(session, MINE, module_id)) as (session, deletes):
        session.execute(select(Conversation.id).where(Conversation.id == talk.id).with_for_update())
        assert not deletes().done()
        assert is_free(session, Module.id, module_id)
