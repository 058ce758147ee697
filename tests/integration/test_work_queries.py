"""Claims, settlements and cancels as statements, in one database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.leases import Held
from services.outcomes import Outcome
from services.work import _settled, _write
from shared import db
from shared.db import Session, get_session
from shared.domain.lifecycle import RunStatus
from shared.errors import Conflict
from shared.models import Conversation, Message, Persona, Turn
from shared.queries.dialogue import conversations, messages, turns
from shared.queries.kinds import KINDS
from shared.queries.scope import Scope
from shared.queries.work import endings, engine, why, workers
from tests.integration.woken import woken
from tests.processes import until

MINE = Scope("default")


@pytest.fixture
def conversation(session: Session) -> Conversation:
    persona = Persona(name="Ada", template="You are Ada.")
    conversation = Conversation(title="Talk", persona=persona)
    session.add(conversation)
    session.flush()
    return conversation


def take(session: Session, limit: int = 1, *, suspects: bool = True) -> list[engine.Claim]:
    return engine.claim(session, [Turn], "dialogue", worker="w:1:", lease=20, limit=limit, suspects=suspects)


def finish(session: Session, claim: engine.Claim, status: RunStatus, message: str | None = None) -> set[str]:
    """Settle as a worker does; return whom that wakes."""
    woken(session)
    endings.follow(session, engine.settle(session, Turn, [(claim.id, claim.fence)], status, message=message))
    return woken(session)


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
    assert engine.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED) == []


def test_an_older_fence_holds_nothing(session: Session, conversation: Conversation) -> None:
    turns.add(session, MINE, conversation.id, "One?")
    (claim,) = take(session)
    session.execute(text("UPDATE turns SET lease_until = clock_timestamp() - interval '1 s'"))
    engine.reopen(session, Turn)
    (again,) = take(session)
    assert again.fence == claim.fence + 2
    assert engine.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED) == []


def test_what_a_dead_worker_held_is_reopened_as_lost_and_nobody_elses(
    session: Session, conversation: Conversation
) -> None:
    held = turns.add(session, MINE, conversation.id, "One?")
    take(session)
    engine.end_leases(session, Turn, "w:12:")
    engine.reopen(session, Turn)
    session.refresh(held)
    assert (held.status, held.crashes) == (RunStatus.RUNNING, 0)
    engine.end_leases(session, Turn, "w:1:")
    engine.reopen(session, Turn)
    session.refresh(held)
    assert (held.status, held.crashes) == (RunStatus.PENDING, 1)


def test_a_suspect_is_not_taken_beside_others(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    turn.crashes = 1
    session.flush()
    assert take(session, suspects=False) == []
    assert [claim.id for claim in take(session, limit=8)] == [turn.id]


def test_a_batch_locks_what_follows_in_one_order(database_url: str) -> None:
    with get_session() as session:
        persona = Persona(name="Ada", template="You are Ada.")
        talks = [Conversation(persona=persona), Conversation(persona=persona)]
        session.add_all(talks)
        session.flush()
        talks.sort(key=lambda talk: talk.id)
        asked = [turns.add(session, MINE, talk.id, "One?") for talk in reversed(talks)]
        held = [Held(claim, "dialogue", max_runtime=60.0) for claim in take(session, limit=2)]
        session.execute(
            text("UPDATE turns SET priority = 9 WHERE id = :id"), {"id": asked[0].id}
        )  # now last on its page
    ends = [Outcome(item, status) for item, status in zip(held, (RunStatus.FAILED, RunStatus.CANCELLED), strict=True)]

    def settle() -> None:
        with get_session() as session:
            _write(session, [*reversed(ends)])

    with ThreadPoolExecutor() as beside:
        with get_session() as session:
            conversations.lock(session, talks[0].id)
            settling = beside.submit(settle)
            until(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
            free = select(Conversation.id).where(Conversation.id == talks[1].id).with_for_update(skip_locked=True)
            assert session.scalar(free) == talks[1].id
        settling.result(20)


REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE check_violation; END $$ LANGUAGE plpgsql;
    CREATE TRIGGER refuse BEFORE UPDATE ON turns FOR EACH ROW WHEN (OLD.id = {id}) EXECUTE FUNCTION refuse()"""


@pytest.mark.parametrize("together", [True, False])
def test_what_cannot_be_settled_does_not_keep_the_others_from_it(database_url: str, *, together: bool) -> None:
    with get_session() as session:
        persona = Persona(name="Ada", template="You are Ada.")
        talks = [Conversation(persona=persona) for _ in range(3)]
        session.add_all(talks)
        session.flush()
        asked = [turns.add(session, MINE, talk.id, "One?").id for talk in talks]
        held = [Held(claim, "dialogue", max_runtime=60.0) for claim in take(session, limit=3)]
        session.execute(text(REFUSE.format(id=asked[0])))
    ends = [Outcome(item, RunStatus.FAILED, message="no model") for item in held]
    with pytest.raises(IntegrityError):
        list(_settled([ends] if together else [[end] for end in ends]))
    with get_session() as session:
        statuses = [session.get_one(Turn, id).status for id in asked]
    assert statuses == [RunStatus.RUNNING, RunStatus.FAILED, RunStatus.FAILED]


@pytest.mark.capability("C133")
def test_a_waiting_row_is_cancelled_at_once_and_frees_the_next(session: Session, conversation: Conversation) -> None:
    first = turns.add(session, MINE, conversation.id, "One?")
    second = turns.add(session, MINE, conversation.id, "Two?")
    woken(session)
    running = engine.cancel(session, Turn, [first.id])
    session.refresh(second)
    assert (running, woken(session)) == ([], {"dialogue"})
    assert second.ready_at is not None


def test_a_retry_clears_the_counters_and_keeps_the_fence_growing(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    (claim,) = take(session)
    finish(session, claim, RunStatus.FAILED, "no model")
    assert engine.retry(session, Turn, [turn.id]) == 1
    session.refresh(turn)
    assert (turn.status, turn.retry, turn.crashes, turn.fence) == (RunStatus.PENDING, 0, 0, claim.fence + 1)


def test_what_is_completed_is_not_begun_again(session: Session, conversation: Conversation) -> None:
    turn = turns.add(session, MINE, conversation.id, "One?")
    finish(session, take(session)[0], RunStatus.COMPLETED)
    assert engine.retry(session, Turn, [turn.id]) == 0


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
        workers.check_in(session, "w:1:", queues='["dialogue"]', claimed=True)
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
    assert engine.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED) == []
    assert session.scalar(func.count(Message.id).select()) is not None


class TestWhatAReviewFound:
    """Faults that hid between two rules, each once real."""

    def test_what_is_to_be_cancelled_is_not_tried_again(self, session: Session, conversation: Conversation) -> None:
        turn = turns.add(session, MINE, conversation.id, "One?")
        (claim,) = take(session)
        engine.cancel(session, Turn, [turn.id])
        finish(session, claim, RunStatus.ERROR, "the model is away")
        session.refresh(turn)
        assert turn.status is RunStatus.CANCELLED
        assert turn.completed_date is not None

    def test_to_cancel_again_does_not_restart_the_patience(self, session: Session, conversation: Conversation) -> None:
        turn = turns.add(session, MINE, conversation.id, "One?")
        take(session)
        asked = []
        for _ in range(2):
            engine.cancel(session, Turn, [turn.id])
            session.refresh(turn)
            asked.append(turn.cancel_requested_at)
        assert asked[0] == asked[1]

    def test_an_older_suspect_does_not_wait_behind_a_batch(self, session: Session, conversation: Conversation) -> None:
        talks = [Conversation(persona_id=conversation.persona_id) for _ in range(3)]
        session.add_all(talks)
        session.flush()
        first, *others = [turns.add(session, MINE, talk.id, "One?") for talk in talks]
        first.crashes = 1
        session.flush()
        assert [claim.id for claim in take(session, limit=8)] == [first.id]
        assert {claim.id for claim in take(session, limit=8)} == {turn.id for turn in others}

    def test_a_row_lost_under_a_cancel_is_cancelled_and_not_called_poison(
        self, session: Session, conversation: Conversation
    ) -> None:
        turn = turns.add(session, MINE, conversation.id, "One?")
        turn.crashes = 2
        session.flush()
        take(session)
        engine.cancel(session, Turn, [turn.id])
        session.execute(text("UPDATE turns SET lease_until = clock_timestamp() - interval '1 s'"))
        assert engine.lost_for_good(session, Turn) == [turn.id]
        engine.end_lost(session, Turn, turn.id)
        session.refresh(turn)
        assert (turn.status, turn.status_message) == (RunStatus.CANCELLED, "cancelled")

    def test_what_postgres_will_never_take_is_not_tried_again(self, session: Session) -> None:
        words = " ".join(f"w{number:07d}{'x' * 8}" for number in range(80_000))
        statement = text("SELECT to_tsvector('simple', :words)")
        with pytest.raises(SQLAlchemyError) as raised, session.begin_nested():
            session.execute(statement, {"words": words})
        assert not db.will_pass(raised.value)

    def test_a_lock_that_was_not_free_is_tried_again(self, session: Session) -> None:
        with pytest.raises(SQLAlchemyError) as raised, session.begin_nested():
            session.execute(text("DO $$ BEGIN RAISE lock_not_available; END $$"))
        assert db.will_pass(raised.value)

    def test_a_pool_without_a_free_connection_is_tried_again(self) -> None:
        assert db.will_pass(PoolTimeout("no connection free"))

    def test_a_retry_of_what_waits_to_be_tried_again_blocks_nothing(
        self, session: Session, conversation: Conversation
    ) -> None:
        first = turns.add(session, MINE, conversation.id, "One?")
        turns.add(session, MINE, conversation.id, "Two?")
        (claim,) = take(session)
        finish(session, claim, RunStatus.ERROR, "the model is away")
        session.refresh(first)
        woken(session)
        KINDS["turns"].retry(session, first)
        assert woken(session) == {"dialogue"}
        assert [claim.id for claim in take(session)] == [first.id]

    def test_a_message_that_is_being_answered_cannot_be_deleted(
        self, session: Session, conversation: Conversation
    ) -> None:
        turn = turns.add(session, MINE, conversation.id, "One?")
        assert turn.user_message_id is not None
        with pytest.raises(Conflict, match=f"turn {turn.id} is answering"):
            messages.delete_(session, MINE, turn.user_message_id)

    def test_turns_that_wait_for_nothing_are_made_ready(self, session: Session, conversation: Conversation) -> None:
        first = turns.add(session, MINE, conversation.id, "One?")
        second = turns.add(session, MINE, conversation.id, "Two?")
        woken(session)
        turns.ready_stalled(session)
        assert woken(session) == set()
        session.delete(first)
        session.flush()
        turns.ready_stalled(session)
        assert woken(session) == {"dialogue"}
        assert [claim.id for claim in take(session)] == [second.id]

    def test_the_reply_of_a_second_attempt_takes_the_place_of_the_first(
        self, session: Session, conversation: Conversation
    ) -> None:
        turn = turns.add(session, MINE, conversation.id, "One?")
        for text_ in ("Part", "Whole"):
            reply = Message(conversation_id=conversation.id, role="assistant", content=text_)
            turns.save_reply(session, turn, reply, {})
            session.flush()
        said = session.scalars(select(Message.content).where(Message.conversation_id == conversation.id))
        assert set(said) == {"One?", "Whole"}
