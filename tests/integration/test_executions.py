"""What follows a reply: stage 4, then stage 5, then the next turn; and nobody waits for ever."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from services import leases
from services.modules import after
from shared.db import Session, get_session
from shared.domain.lifecycle import RunStatus
from shared.domain.stages import ExecutionContext, ModuleType
from shared.models import Conversation, ConversationState, MemoryWindow, Message, Module, ModuleExecution, Persona, Turn
from shared.queries.dialogue import executions, messages, post_response, turns
from shared.queries.personas import modules
from shared.queries.scope import Scope
from shared.queries.work import endings, engine
from tests.integration.woken import woken
from tests.processes import until

WAIT = 10.0  # seconds: the setting of these tests
MINE = Scope("default")
ORDER = (("counter", "count = 1"), ("judge", "verdict = ctx.generate('?')"))


def advanced(name: str, script: str) -> Module:
    return Module(
        name=name,
        script=script,
        type=ModuleType.ADVANCED,
        execution_context=ExecutionContext.POST_RESPONSE,
    )


def talk(session: Session) -> Conversation:
    persona = Persona(name="Ada", template="@counter @judge")
    conversation = Conversation(title="Talk", persona=persona)
    session.add_all([conversation, *(advanced(name, script) for name, script in ORDER)])
    session.flush()
    return conversation


@pytest.fixture
def conversation(session: Session) -> Conversation:
    return talk(session)


def take(session: Session, model: type[Any], queue: str) -> list[engine.Claim]:
    return engine.claim(session, [model], queue, worker="w:1:", lease=20, limit=5, suspects=True)


def settle(session: Session, claim: engine.Claim, status: RunStatus = RunStatus.COMPLETED) -> set[str]:
    """Settle as a worker does; return whom that wakes."""
    woken(session)
    rows = engine.settle(session, claim.model, [(claim.id, claim.fence)], status, message="why")
    for row in rows:
        if isinstance(row, ModuleExecution):
            executions.save(session, row, {"turn": row.turn_id}, "", {"seconds": 0.1})
    endings.follow(session, rows)
    return woken(session)


def reply(session: Session, conversation: Conversation, status: RunStatus = RunStatus.COMPLETED) -> Turn:
    """Play the worker that replies: settle the running turn, both modules to follow."""
    (claim,) = take(session, Turn, "dialogue")
    return settle_reply(session, conversation, claim, status)


def settle_reply(
    session: Session, conversation: Conversation, claim: engine.Claim, status: RunStatus = RunStatus.COMPLETED
) -> Turn:
    (turn,) = engine.settle(session, Turn, [(claim.id, claim.fence)], status)
    staged = {module.id: module.execution_stage_priority for module in session.scalars(select(Module))}
    message = Message(conversation_id=conversation.id, role="assistant", content="Well")
    turns.save_reply(session, turn, message, {}, then=staged)
    endings.follow(session, [turn])
    return turn


def stages(session: Session) -> list[int]:
    """Return the stages of the runs that could be claimed now."""
    ready = select(ModuleExecution.stage).where(
        ModuleExecution.status == RunStatus.PENDING, ModuleExecution.ready_at.is_not(None)
    )
    return list(session.scalars(ready))


def late(session: Session) -> None:
    session.execute(text("UPDATE turns SET completed_date = completed_date - interval '11 s'"))


@pytest.mark.capability("C125")
def test_stage_4_then_stage_5_then_the_next_turn(session: Session, conversation: Conversation) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    reply(session, conversation)
    following = turns.add(session, MINE, conversation.id, "Two?")
    assert (stages(session), following.ready_at) == ([4], None)
    settle(session, *take(session, ModuleExecution, "modules"))
    assert (stages(session), following.ready_at) == ([5], None)
    assert settle(session, *take(session, ModuleExecution, "modules")) == {"dialogue"}
    assert [claim.id for claim in take(session, Turn, "dialogue")] == [following.id]


def test_a_module_that_fails_holds_up_nobody_and_is_in_the_trace(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    reply(session, conversation)
    settle(session, *take(session, ModuleExecution, "modules"), RunStatus.FAILED)
    assert stages(session) == [5]
    trace = turns.find_trace(session, MINE, turn.id)
    session.refresh(trace)
    (run,) = trace.trace["executions"]
    assert (run["module"], run["stage"], run["status"], run["message"]) == ("counter", 4, "failed", "why")
    assert ConversationState.get_for_conversation(session, conversation.id).count() == 0


@pytest.mark.capability("C162")
def test_the_ends_of_modules_are_told_in_their_order_until_none_waits(
    session: Session, conversation: Conversation
) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    reply(session, conversation)
    assert post_response.after_reply(session, turn.id, WAIT) == ((), ("counter", "judge"), False)
    settle(session, *take(session, ModuleExecution, "modules"), RunStatus.FAILED)
    (failed,), waiting, _ = post_response.after_reply(session, turn.id, WAIT)
    assert ((failed["module"], failed["status"]), waiting) == (("counter", "failed"), ("judge",))
    late(session)
    assert post_response.after_reply(session, turn.id, WAIT).is_late
    settle(session, *take(session, ModuleExecution, "modules"))
    assert post_response.after_reply(session, turn.id, WAIT)._replace(ended=()) == ((), (), True)


def test_a_cancelled_turn_runs_no_modules(session: Session, conversation: Conversation) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    reply(session, conversation, RunStatus.CANCELLED)
    assert session.scalar(select(ModuleExecution)) is None


def test_a_module_deleted_during_the_reply_runs_no_more(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    gone, here = session.scalars(select(Module).order_by(Module.name)).all()
    session.delete(gone)
    session.flush()
    executions.add(session, turn, {gone.id: 4, here.id: 5})
    (row,) = session.scalars(select(ModuleExecution))
    assert (row.module_id, row.stage, row.owner_id) == (here.id, 5, here.owner_id)


@pytest.mark.parametrize("taken", [False, True])
def test_a_deleted_module_holds_up_neither_the_next_stage_nor_the_next_turn(
    session: Session, conversation: Conversation, taken: bool
) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    turn = reply(session, conversation)
    claims = take(session, ModuleExecution, "modules") if taken else []
    counter = session.scalars(select(Module).where(Module.name == "counter")).one()
    woken(session)
    running = modules.delete_(session, MINE, counter.id)
    session.expire_all()
    assert (running, woken(session)) == ([(claim.id, claim.fence) for claim in claims], {"modules"})
    assert stages(session) == [5]
    assert [run["status"] for run in turns.find_trace(session, MINE, turn.id).trace["executions"]] == ["cancelled"]
    assert not any(engine.settle(session, claim.model, [claim[1:3]], RunStatus.COMPLETED) for claim in claims)
    settle(session, *take(session, ModuleExecution, "modules"))
    assert not turns.load(session, turns.add(session, MINE, conversation.id, "Two?"), history=5).state_is_stale


def test_a_module_may_be_deleted_while_a_reply_adds_a_run_of_it(database_url: str) -> None:
    with get_session() as session:
        conversation = talk(session)
        turns.add(session, MINE, conversation.id, "One?")
        reply(session, conversation)
        late(session)
        turns.add(session, MINE, conversation.id, "Two?")
        (claim,) = take(session, Turn, "dialogue")
        counter, judge = session.scalars(select(Module).order_by(Module.name)).all()

    def delete() -> None:
        with get_session() as session:
            modules.delete_(session, MINE, counter.id)

    with ThreadPoolExecutor() as beside:
        with get_session() as session:
            (turn,) = engine.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED)
            said = Message(conversation_id=conversation.id, role="assistant", content="Well")
            turns.save_reply(session, turn, said, {}, then={counter.id: 4, judge.id: 5})
            deleting = beside.submit(delete)
            until(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
            endings.follow(session, [turn])
        deleting.result(20)
    with get_session() as session:
        assert stages(session) == [5, 5]


def test_a_module_whose_script_clears_and_a_window_that_is_settled_do_not_wait_for_each_other(
    database_url: str,
) -> None:
    with get_session() as session:
        conversation = talk(session)
        session.scalars(select(Module).where(Module.name == "counter")).one().script = "ctx.clear_memories()"
        turns.add(session, MINE, conversation.id, "One?")
        reply(session, conversation)
        (run,) = take(session, ModuleExecution, "modules")
        leases.working_on(leases.Held(run, "modules", max_runtime=60.0))
        done = after.work(after.load(session, session.get_one(ModuleExecution, run.id)))
        leases.working_on(None)
        said = [{"role": "user", "content": f"Message {number}"} for number in range(35)]
        messages.add_many(session, MINE, conversation.id, said)
        (window,) = take(session, MemoryWindow, "memory")

    def clear() -> None:
        with get_session() as session:
            (row,) = engine.settle(session, ModuleExecution, [(run.id, run.fence)], RunStatus.COMPLETED)
            after.save(session, row, done)
            endings.follow(session, [row])

    with ThreadPoolExecutor() as beside:
        with get_session() as session:
            rows = engine.settle(session, MemoryWindow, [(window.id, window.fence)], RunStatus.COMPLETED)
            clearing = beside.submit(clear)
            until(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
            endings.follow(session, rows)
        clearing.result(20)
    with get_session() as session:
        assert stages(session) == [5]
        assert session.scalars(select(MemoryWindow.status).order_by(MemoryWindow.id)).all() == [
            "COMPLETED",
            "CANCELLED",
        ]


def test_a_turn_that_was_told_to_stop_runs_no_modules(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    (claim,) = take(session, Turn, "dialogue")
    engine.cancel(session, Turn, [turn.id])
    settle_reply(session, conversation, claim)
    assert session.scalar(select(ModuleExecution)) is None


def test_two_modules_that_end_together_wait_for_each_other_in_one_order(database_url: str) -> None:
    with get_session() as session:
        conversation = talk(session)
        session.add(advanced("clock", "hour = 1"))
        turns.add(session, MINE, conversation.id, "One?")
        turn = reply(session, conversation)
        done, failed = take(session, ModuleExecution, "modules")

    def fail() -> None:
        with get_session() as session:
            settle(session, failed, RunStatus.FAILED)

    with ThreadPoolExecutor() as beside:
        with get_session() as session:
            rows = engine.settle(session, ModuleExecution, [(done.id, done.fence)], RunStatus.COMPLETED)
            executions.save(session, rows[0], {}, "", {"seconds": 0.1})
            failing = beside.submit(fail)
            until(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
            endings.follow(session, rows)
        failing.result(20)
    with get_session() as session:
        assert len(turns.find_trace(session, MINE, turn.id).trace["executions"]) == 2
        assert stages(session) == [5]


def test_the_next_turn_waits_only_so_long_and_knows_that_the_state_is_old(
    session: Session, conversation: Conversation
) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    reply(session, conversation)
    following = turns.add(session, MINE, conversation.id, "Two?")
    woken(session)
    turns.ready_stalled(session)
    assert woken(session) == set()
    late(session)
    turns.ready_stalled(session)
    assert woken(session) == {"dialogue"}
    assert turns.load(session, following, history=5).state_is_stale


def test_a_message_after_the_longest_wait_is_answered_at_once(session: Session, conversation: Conversation) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    reply(session, conversation)
    late(session)
    assert turns.add(session, MINE, conversation.id, "Two?").ready_at is not None


def test_a_late_run_does_not_overwrite_the_state_of_a_later_turn(session: Session, conversation: Conversation) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    reply(session, conversation)
    (stuck,) = take(session, ModuleExecution, "modules")
    late(session)
    turns.add(session, MINE, conversation.id, "Two?")
    second = reply(session, conversation)
    settle(session, *take(session, ModuleExecution, "modules"))
    settle(session, stuck)
    state = ConversationState.get_for_conversation(session, conversation.id).one()
    assert state.variables == {"turn": second.id}
