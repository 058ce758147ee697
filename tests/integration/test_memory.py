"""Windows are added once by however many, compressed in order, and their memories can be read, changed and lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.domain.memory import Changes
from shared.models import Conversation, ConversationMemory, MemoryWindow, Message, Persona, Turn
from shared.queries.dialogue import conversations, memory, messages, turns
from shared.queries.scope import DEFAULT_SCOPE
from shared.queries.work import endings, engine
from tests.integration.gateway.worker import compress_windows, settle, take
from tests.integration.woken import woken
from tests.processes import until


@pytest.fixture
def conversation(session):
    conversation = Conversation()
    session.add(conversation)
    session.flush()
    return conversation


def say(session, conversation, count):
    given = [{"role": "user", "content": f"Message {number}"} for number in range(count)]
    messages.add_many(session, DEFAULT_SCOPE, conversation.id, given)
    return woken(session)


def windows(session):
    return session.scalars(select(MemoryWindow).order_by(MemoryWindow.sequence)).all()


def due(session, conversation):
    woken(session)
    memory.add_due_windows(session, conversation.id)
    return woken(session)


def memories(session):
    return session.scalars(select(ConversationMemory).order_by(ConversationMemory.memory_sequence)).all()


@pytest.mark.capability("C78")
def test_thirty_five_messages_become_memory_one(session, conversation):
    assert say(session, conversation, 34) == set()
    assert say(session, conversation, 1) == {"memory"}
    compress_windows(session, "We spoke.")
    head, first = memories(session)
    assert (first.memory_sequence, first.original_message_range, first.is_head) == (1, "25-35", False)
    assert (head.memory_sequence, head.original_message_range, head.is_head) == (0, "1-24", True)
    said = session.scalars(select(Message).order_by(Message.position)).all()
    assert first.message_ids == [str(message.id) for message in said[24:35]]
    assert (first.first_message_id, first.message_count_at_compression) == (str(said[24].id), 35)


@pytest.mark.capability("C78")
def test_eleven_more_become_memory_two_and_asking_again_adds_nothing(session, conversation):
    say(session, conversation, 46)
    assert due(session, conversation) == set()
    compress_windows(session, "We spoke.")
    assert due(session, conversation) == set()
    assert [row.original_message_range for row in memories(session)] == ["1-24", "25-35", "36-46"]


def test_windows_are_compressed_in_order_and_a_failed_one_holds_up_nobody(session, conversation):
    say(session, conversation, 46)
    assert [window.ready_at is not None for window in windows(session)] == [True, False, False]
    compress = take(session, MemoryWindow, "memory")
    assert take(session, MemoryWindow, "memory") is None
    settle(session, compress, RunStatus.FAILED, "the model is gone")
    assert compress_windows(session, "We spoke.") == 2
    assert [row.memory_sequence for row in memories(session)] == [1, 2]


def test_a_window_that_is_retried_late_stands_where_it_belongs(session, conversation):
    say(session, conversation, 46)
    compress_windows(session, "We spoke.")
    head, *_ = memories(session)
    session.delete(head)
    session.flush()
    window = windows(session)[0]
    memory.save(session, window, memory.load(session, window), "At last.", "fake-chat")
    assert [row.compressed_content for row in memories(session)] == ["At last.", "We spoke.", "We spoke."]


@pytest.mark.capability("C79")
def test_a_hundred_messages_make_all_due_windows_once_with_two_at_it(database_url):
    with get_session() as session:
        conversation = Conversation()
        session.add(conversation)
        session.flush()
        session.add_all(Message(conversation_id=conversation.id, role="user", content=f"{n}") for n in range(100))
    started = threading.Barrier(4)

    def add():
        with get_session() as session:
            started.wait(10)
            conversations.lock(session, conversation.id)
            memory.add_due_windows(session, conversation.id)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    with get_session() as session:
        found = windows(session)
    assert [window.sequence for window in found] == list(range(7))
    assert [window.ready_at is not None for window in found] == [True] + [False] * 6


def test_a_deleted_message_makes_its_memory_stale_and_shifts_no_window(session, conversation):
    say(session, conversation, 35)
    compress_windows(session, "We spoke.")
    third = session.scalars(select(Message).order_by(Message.position).offset(2)).first()
    messages.delete_(session, DEFAULT_SCOPE, third.id)
    session.expire_all()
    assert [row.is_stale for row in memories(session)] == [True, False]
    say(session, conversation, 11)
    compress_windows(session, "We spoke.")
    last = memories(session)[-1]
    assert (last.original_message_range, len(last.message_ids)) == ("36-46", 11)
    covered = [message for row in memories(session) for message in row.message_ids]
    assert len(covered) == len(set(covered))


def test_an_edited_message_makes_its_memory_stale_unless_only_its_thinking_changed(session, conversation):
    say(session, conversation, 35)
    compress_windows(session, "We spoke.")
    last = session.scalars(select(Message).order_by(Message.position.desc())).first()
    messages.update(session, DEFAULT_SCOPE, last.id, {"thinking": "Hm", "content": last.content})
    session.expire_all()
    assert [row.is_stale for row in memories(session)] == [False, False]
    messages.update(session, DEFAULT_SCOPE, last.id, {"content": "Something else"})
    session.expire_all()
    assert [row.is_stale for row in memories(session)] == [False, True]


def test_a_message_edited_during_the_compression_makes_the_memory_stale_from_the_start(session, conversation):
    say(session, conversation, 35)
    window = windows(session)[1]
    context = memory.load(session, window)
    first = session.scalars(select(Message).where(Message.position == window.first_position)).one()
    messages.update(session, DEFAULT_SCOPE, first.id, {"content": "Never mind"})
    memory.save(session, window, context, "We spoke.", "fake-chat")
    assert memories(session)[0].is_stale


@pytest.mark.capability("C171")
def test_what_was_edited_is_compressed_again_once_in_the_place_of_its_memory(session, conversation):
    say(session, conversation, 46)
    compress_windows(session, "We spoke.")
    before = [(row.id, row.memory_sequence) for row in memories(session)]
    for position in (24, 25):
        message = session.scalars(select(Message).order_by(Message.position).offset(position)).first()
        messages.update(session, DEFAULT_SCOPE, message.id, {"content": "Something else"})
    assert compress_windows(session, "We spoke of something else.") == 1
    assert [(row.id, row.memory_sequence) for row in memories(session)] == before
    told = [(row.compressed_content, row.is_stale) for row in memories(session)]
    assert told == [("We spoke.", False), ("We spoke of something else.", False), ("We spoke.", False)]


@pytest.mark.capability("C171")
def test_what_was_edited_during_the_compression_is_compressed_again_before_the_next_window(session, conversation):
    say(session, conversation, 46)
    claim = take(session, MemoryWindow, "memory")
    window = session.get_one(MemoryWindow, claim.id)
    context = memory.load(session, window)
    first = session.scalars(select(Message).order_by(Message.position)).first()
    messages.update(session, DEFAULT_SCOPE, first.id, {"content": "Never mind"})
    memory.save(session, window, context, "We spoke.", "fake-chat")
    settle(session, claim)
    assert [window.ready_at is not None for window in windows(session)] == [True, False, False]
    assert compress_windows(session, "We spoke of something else.") == 3
    assert [row.is_stale for row in memories(session)] == [False, False, False]


@pytest.mark.capability("C171")
def test_an_edit_while_its_memory_is_being_saved_is_not_lost(database_url):
    with get_session() as session:
        conversation = Conversation()
        session.add(conversation)
        session.flush()
        say(session, conversation, 35)
        first = session.scalars(select(Message.id).order_by(Message.position)).first()
        claim = take(session, MemoryWindow, "memory")

    def edit():
        with get_session() as session:
            messages.update(session, DEFAULT_SCOPE, first, {"content": "Never mind"})

    editing = threading.Thread(target=edit)
    with get_session() as session:
        (window,) = engine.settle(session, MemoryWindow, [(claim.id, claim.fence)], RunStatus.COMPLETED)
        memory.save(session, window, memory.load(session, window), "We spoke.", "fake-chat")
        editing.start()
        until(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
        endings.follow(session, [window])
    editing.join(20)
    with get_session() as session:
        assert [row.is_stale for row in memories(session)] == [True]
        assert windows(session)[0].ready_at is not None
        assert compress_windows(session, "We spoke of something else.") == 2


def test_what_a_person_wrote_is_not_written_anew(session, conversation):
    say(session, conversation, 35)
    compress_windows(session, "We spoke.")
    memory.rewrite(session, DEFAULT_SCOPE, conversation.id, memories(session)[0].id, "We agreed.")
    first = session.scalars(select(Message).order_by(Message.position)).first()
    messages.update(session, DEFAULT_SCOPE, first.id, {"content": "Never mind"})
    assert compress_windows(session, "We spoke.") == 0
    session.expire_all()
    assert (memories(session)[0].compressed_content, memories(session)[0].is_stale) == ("We agreed.", True)


def test_what_a_person_writes_during_the_compression_stays(session, conversation):
    say(session, conversation, 35)
    compress_windows(session, "We spoke.")
    window = windows(session)[0]
    memory.rewrite(session, DEFAULT_SCOPE, conversation.id, memories(session)[0].id, "We agreed.")
    memory.save(session, window, memory.load(session, window), "We spoke.", "fake-chat")
    assert memories(session)[0].compressed_content == "We agreed."


def test_when_all_its_messages_are_deleted_a_memory_goes_too(session, conversation):
    say(session, conversation, 35)
    compress_windows(session, "We spoke.")
    for message in session.scalars(select(Message).order_by(Message.position).offset(24)).all():
        messages.delete_(session, DEFAULT_SCOPE, message.id)
    assert compress_windows(session, "") == 1
    assert [row.is_head for row in memories(session)] == [True]


@pytest.mark.capability("C79")
def test_messages_added_one_by_one_make_windows_due_without_a_reply(session, conversation):
    for number in range(35):
        messages.add(session, DEFAULT_SCOPE, conversation.id, "user", f"Message {number}")
    assert [window.sequence for window in windows(session)] == [0, 1]
    assert compress_windows(session, "We spoke.") == 2


def test_a_window_of_deleted_messages_becomes_no_memory(session, conversation):
    say(session, conversation, 35)
    window = windows(session)[1]
    for message in session.scalars(select(Message).where(Message.position >= window.first_position)).all():
        messages.delete_(session, DEFAULT_SCOPE, message.id)
    memory.save(session, window, memory.load(session, window), "", "extractive")
    assert memories(session) == []


@pytest.mark.capability("C80")
def test_after_clearing_windows_may_be_compressed_again(session, conversation):
    say(session, conversation, 35)
    compress_windows(session, "We spoke.")
    assert memory.clear(session, DEFAULT_SCOPE, conversation.id) == 2
    assert memories(session) == windows(session) == []
    memory.add_due_windows(session, conversation.id)
    assert compress_windows(session, "We spoke again.") == 2


@pytest.mark.capability("C75")
class TestAScriptClears:
    def clear(self, session, conversation):
        """Settle what follows a turn whose script cleared the memories."""
        memory.change(session, conversation.id, Changes(cleared=True))
        session.expire_all()
        return due(session, conversation)

    def test_what_was_forgotten_is_not_due_again_and_what_follows_is(self, session, conversation):
        say(session, conversation, 46)
        compress_windows(session, "We spoke.")
        assert self.clear(session, conversation) == set()
        assert memories(session) == []
        say(session, conversation, 11)
        assert compress_windows(session, "We spoke again.") == 1
        assert [row.original_message_range for row in memories(session)] == ["47-57"]

    def test_what_was_not_compressed_yet_is_not_compressed_any_more(self, session, conversation):
        say(session, conversation, 46)
        claim = take(session, MemoryWindow, "memory")
        assert self.clear(session, conversation) == set()
        assert [window.status for window in windows(session)] == [RunStatus.CANCELLED] * 3
        assert engine.settle(session, MemoryWindow, [(claim.id, claim.fence)], RunStatus.COMPLETED) == []

    def test_an_edit_brings_nothing_back(self, session, conversation):
        say(session, conversation, 35)
        compress_windows(session, "We spoke.")
        self.clear(session, conversation)
        first = session.scalars(select(Message).order_by(Message.position)).first()
        messages.update(session, DEFAULT_SCOPE, first.id, {"content": "Never mind"})
        assert compress_windows(session, "We spoke again.") == 0

    def test_clearing_by_a_person_makes_all_due_again(self, session, conversation):
        say(session, conversation, 35)
        self.clear(session, conversation)
        memory.clear(session, DEFAULT_SCOPE, conversation.id)
        memory.add_due_windows(session, conversation.id)
        assert compress_windows(session, "We spoke.") == 2


@pytest.fixture
def talk(database_url):
    """The id of a conversation with three windows, on a database that commits."""
    with get_session() as session:
        conversation = Conversation(persona=Persona(name="Ada"))
        session.add(conversation)
        session.flush()
        say(session, conversation, 46)
        return conversation.id


def is_waiting(session):
    return session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) > 0


@pytest.mark.capability("C80")
def test_what_is_said_while_memories_are_cleared_leaves_no_window_out(talk):
    def add():
        with get_session() as session:
            say(session, conversations.get(session, DEFAULT_SCOPE, talk), 11)

    with ThreadPoolExecutor() as beside:
        with get_session() as session:
            memory.clear(session, DEFAULT_SCOPE, talk)
            adding = beside.submit(add)
            until(lambda: adding.done() or is_waiting(session))
        adding.result(20)
    with get_session() as session:
        assert [window.sequence for window in windows(session)] == [0, 1, 2, 3]


@pytest.mark.capability("C75")
def test_a_reply_that_clears_and_a_window_that_is_settled_do_not_wait_for_each_other(talk):
    with get_session() as session:
        turn = turns.add(session, DEFAULT_SCOPE, talk, "And?")
        partial = session.scalars(select(Message.id).order_by(Message.position)).first()
        turn.assistant_message_id = partial
        reply, window = take(session, Turn, "dialogue"), take(session, MemoryWindow, "memory")

    def settle_reply():
        with get_session() as session:
            (turn,) = engine.settle(session, Turn, [(reply.id, reply.fence)], RunStatus.COMPLETED)
            said = Message(conversation_id=talk, role="assistant", content="Well")
            turns.save_reply(session, turn, said, {}, changes=Changes(cleared=True))
            endings.follow(session, [turn])

    with ThreadPoolExecutor() as beside:
        with get_session() as session:
            (row,) = engine.settle(session, MemoryWindow, [(window.id, window.fence)], RunStatus.COMPLETED)
            replying = beside.submit(settle_reply)
            until(lambda: is_waiting(session))
            memory.save(session, row, memory.load(session, row), "We spoke.", "fake-chat")
            endings.follow(session, [row])
        replying.result(20)
    with get_session() as session:
        assert (memories(session), session.get(Message, partial)) == ([], None)


@pytest.mark.capability("C81")
def test_the_newest_memories_are_recalled_oldest_first(session, conversation):
    say(session, conversation, 57)
    compress_windows(session, "We spoke.")
    assert [found.message_range for found in memory.recent(session, conversation.id, 2)] == ["36-46", "47-57"]
