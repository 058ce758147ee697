"""Claims, settlements and cancels as statements, in one database."""

import pytest
from sqlalchemy import func, text

from shared.db import Session
from shared.domain.lifecycle import RunStatus
from shared.models import Conversation, Message, Persona, Turn
from shared.queries import turns, why, work
from shared.queries.scope import Scope

MINE = Scope("default")


@pytest.fixture
def conversation(session: Session) -> Conversation:
    persona = Persona(name="Ada", template="You are Ada.")
    conversation = Conversation(title="Talk", persona=persona)
    session.add(conversation)
    session.flush()
    return conversation


def take(session: Session, limit: int = 1, *, suspects: bool = True) -> list[work.Claim]:
    return work.claim(session, [Turn], "dialogue", worker="w:1:", lease=20, limit=limit, suspects=suspects)


def finish(session: Session, claim: work.Claim, status: RunStatus, message: str | None = None) -> set[str]:
    return work.follow(session, work.settle(session, Turn, [(claim.id, claim.fence)], status, message=message))


@pytest.mark.capability("C125")
def test_turns_of_one_conversation_never_overlap(session: Session, conversation: Conversation) -> None:
    first = turns.add(session, MINE, conversation.id, "One?")
    second = turns.add(session, MINE, conversation.id, "Two?")
    (claim,) = take(session, limit=5)
    assert (claim.id, second.ready_at) == (first.id, None)
    assert finish(session, claim, RunStatus.FAILED, "no model") == {"dialogue"}
    assert [claim.id for claim in take(session, limit=5)] == [second.id]


def test_a_row_that_was_settled_is_not_held_any_more(session: Session, conversation: Conversation) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    (claim,) = take(session)
    finish(session, claim, RunStatus.COMPLETED)
    assert work.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED) == []


def test_an_older_fence_holds_nothing(session: Session, conversation: Conversation) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    (claim,) = take(session)
    session.execute(text("UPDATE turns SET lease_until = clock_timestamp() - interval '1 s'"))
    work.expire(session, Turn)
    (again,) = take(session)
    assert again.fence == claim.fence + 2
    assert work.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED) == []


def test_a_suspect_is_not_taken_beside_others(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    turn.crashes = 1
    session.flush()
    assert take(session, suspects=False) == []
    assert [claim.id for claim in take(session, limit=8)] == [turn.id]


@pytest.mark.capability("C133")
def test_a_waiting_row_is_cancelled_at_once_and_frees_the_next(session: Session, conversation: Conversation) -> None:
    first = turns.add(session, MINE, conversation.id, "One?")
    second = turns.add(session, MINE, conversation.id, "Two?")
    running, ready = work.cancel(session, Turn, [first.id])
    session.refresh(second)
    assert (running, ready) == ([], {"dialogue"})
    assert second.ready_at is not None


def test_a_retry_clears_the_counters_and_keeps_the_fence_growing(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    (claim,) = take(session)
    finish(session, claim, RunStatus.FAILED, "no model")
    assert work.retry(session, Turn, [turn.id]) == 1
    session.refresh(turn)
    assert (turn.status, turn.retry, turn.crashes, turn.fence) == (RunStatus.PENDING, 0, 0, claim.fence + 1)


@pytest.mark.capability("C168")
class TestWhy:
    def test_it_waits_behind_others_and_nobody_listens(self, session: Session, conversation: Conversation) -> None:
        other = Conversation(persona_id=conversation.persona_id)
        session.add(other)
        session.flush()
        turns.add(session, MINE, conversation.id, "One?")
        turn = turns.add(session, MINE, other.id, "Two?")
        found = why.explain(session, turn)
        assert (found.position, found.listeners) == (2, 0)
        assert "no worker listens to the queue dialogue" in found.reason

    def test_it_is_blocked(self, session: Session, conversation: Conversation) -> None:
        turns.add(session, MINE, conversation.id, "One?")
        blocked = turns.add(session, MINE, conversation.id, "Two?")
        assert why.explain(session, blocked).reason.startswith("waits until an earlier step or turn")

    def test_it_is_held(self, session: Session, conversation: Conversation) -> None:
        turn = turns.add(session, MINE, conversation.id, "One?")
        work.check_in(session, "w:1:", queues='["dialogue"]', claimed=True)
        take(session)
        session.refresh(turn)
        found = why.explain(session, turn)
        assert found.holder == "w:1:"
        assert found.last_heartbeat is not None

    def test_it_will_be_retried(self, session: Session, conversation: Conversation) -> None:
        turn = turns.add(session, MINE, conversation.id, "One?")
        (claim,) = take(session)
        finish(session, claim, RunStatus.ERROR, "the model is away")
        session.refresh(turn)
        found = why.explain(session, turn)
        assert found.reason == "attempt 1 of 3 failed: the model is away"
        assert found.next_retry is not None


def test_deleting_a_conversation_leaves_its_running_turn_nothing_to_settle(
    session: Session, conversation: Conversation
) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    (claim,) = take(session)
    session.delete(conversation)
    session.flush()
    assert work.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED) == []
    assert session.scalar(func.count(Message.id).select()) is not None
