"""A message in, a reply out: as a row, as a wait, or as a stream that resumes."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from sqlalchemy import select, text

from gateway import create_app
from gateway.streaming import cancelling, relay
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import RunStatus
from shared.models import Conversation, Message, Module, ModuleExecution, Persona, Turn
from shared.providers.stream.stream import Event
from shared.queries.accounts import keys
from shared.queries.dialogue import turns
from shared.queries.scope import DEFAULT_SCOPE
from shared.queries.work import endings, engine
from shared.settings import get_settings
from shared.tasks import BELL, celery_app
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.gateway.worker import reply, settle, take
from tests.processes import allowed, until

SSE = {"Accept": "text/event-stream"}


def forget_connections():
    if relay.turn_stream.cache_info().currsize:
        relay.turn_stream().close()
    for cached in (relay.turn_stream, cancelling.cancel_bell, celery_app, get_settings):
        cached.cache_clear()
    BELL.close()


@pytest.fixture
def broker(redis_url, stopped_broker, monkeypatch):
    """The run's own broker in place of none, without the streams of another database's turns of the same number."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    monkeypatch.setenv("PERSONAE_REDIS_URL", redis_url)
    forget_connections()
    yield
    forget_connections()


@pytest.fixture
def chatter(client_of):
    return client_of("chat")


@pytest.fixture
def messages(session):
    """Where messages to a persona are sent."""
    conversation = Conversation(persona=Persona(name="Ada"))
    session.add(conversation)
    session.flush()
    return f"/api/v1/conversations/{conversation.id}/messages"


def send(client, messages, content="What did you invent?", **arguments):
    return client.post(messages, json={"content": content}, **arguments)


def told(text):
    """The events of a text/event-stream: (id, kind)."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in text.strip().split("\n\n")]
    return [(block.get("id"), block["event"]) for block in blocks if "event" in block]


def work_on(session, turn_id=None, text="The coil."):
    """Take the turn, stream a reply in three words, and save it."""
    claim = take(session, Turn, "dialogue")
    assert turn_id in (None, claim.id)
    tokens = [Event(claim.fence, seq, "token", {"text": "w"}) for seq in (2, 3, 4)]
    stream = relay.turn_stream()
    assert stream.append(claim.id, claim.fence, [Event(claim.fence, 1, "turn", {}), *tokens])
    message = reply(session, claim, text)
    session.commit()
    assert stream.append(
        claim.id, claim.fence, [Event(claim.fence, 5, "message", message), Event(claim.fence, 6, "done", {})]
    )


WHOLE = [("1-1", "turn"), ("1-2", "token"), ("1-3", "token"), ("1-4", "token"), ("1-5", "message"), ("1-6", "done")]


@pytest.mark.capability("C12")
def test_a_message_is_accepted_with_no_broker_and_its_work_keeps_the_name(chatter, messages, session):
    answer = send(chatter, messages, headers={"X-Correlation-ID": "abc-9"})
    assert (answer.status_code, answer.json["status"]) == (202, "PENDING")
    turn = session.get_one(Turn, answer.json["id"])
    assert (turn.status_meta["correlation_id"], turn.ready_at is None) == ("abc-9", False)
    assert session.scalars(select(Message.content).where(Message.role == "user")).one() == "What did you invent?"


def test_an_answer_without_a_broker_comes_within_a_second(chatter, messages):
    begun = time.monotonic()
    assert send(chatter, messages).status_code == 202
    assert time.monotonic() - begun < allowed(1)


@pytest.mark.capability("C162")
def test_a_message_is_answered_with_a_stream_where_it_is_asked_for(chatter, messages, session, broker):
    answer = send(chatter, messages, headers=SSE)
    assert answer.content_type.startswith("text/event-stream")
    work_on(session)
    assert told(answer.text) == WHOLE


@pytest.mark.capability("C162")
def test_a_stream_resumes_behind_the_last_event(chatter, messages, session, broker):
    turn = send(chatter, messages).json["id"]
    work_on(session, turn)
    resumed = chatter.get(f"/api/v1/turns/{turn}/events", headers={"Last-Event-ID": "1-3"})
    assert told(resumed.text) == WHOLE[3:]


@pytest.mark.capability("C162")
def test_when_the_stream_is_lost_the_reply_comes_from_its_row(chatter, messages, session, broker, redis_url):
    turn = send(chatter, messages).json["id"]
    work_on(session, turn)
    with redis.Redis.from_url(redis_url) as client:
        client.delete(f"turn:{turn}:1")
    resumed = chatter.get(f"/api/v1/turns/{turn}/events", headers={"Last-Event-ID": "1-3"})
    assert told(resumed.text) == [(None, "restart"), (None, "message"), (None, "done")]
    assert "The coil." in resumed.text


def test_a_deleted_turn_ends_its_stream(session):
    assert relay.read_state(999_999_999).status is RunStatus.CANCELLED


@pytest.mark.capability("C186")
def test_a_message_sent_twice_is_one_turn(chatter, messages, session):
    key = {"Idempotency-Key": "m-1"}
    first, second = (send(chatter, messages, headers=key) for _ in range(2))
    assert (first.json["id"], second.headers["Idempotent-Replayed"]) == (second.json["id"], "true")
    assert len(session.scalars(select(Turn.id)).all()) == 1


def test_a_waiting_turn_is_cancelled_at_once(chatter, messages):
    turn = send(chatter, messages).json["id"]
    assert chatter.post(f"/api/v1/turns/{turn}/cancel").json["status"] == "CANCELLED"


@pytest.mark.capability("C32")
def test_a_running_turn_is_cancelled_by_an_announcement(chatter, messages, session, broker, redis_url):
    turn = send(chatter, messages).json["id"]
    claim = take(session, Turn, "dialogue")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client, client.pubsub() as heard:
        heard.subscribe("cancel")
        heard.get_message(timeout=2)
        chatter.post(f"/api/v1/turns/{turn}/cancel")
        assert heard.get_message(timeout=2)["data"] == f"turns:{turn}:{claim.fence}"


def test_a_cancel_during_the_settlement_reaches_the_modules_that_it_adds(committed):
    client, messages = committed
    with get_session() as session:
        module = Module(name="counter", script="x = 1")
        session.add(module)
    turn_id = send(client, messages).json["id"]
    with get_session() as session:
        claim = take(session, Turn, "dialogue")
    with ThreadPoolExecutor(1) as beside:
        with get_session() as session:
            (turn,) = engine.settle(session, Turn, [(claim.id, claim.fence)], RunStatus.COMPLETED)
            said = Message(conversation_id=turn.conversation_id, role="assistant", content="The coil.")
            turns.save_reply(session, turn, said, {}, then={module.id: 4})
            endings.follow(session, [turn])
            cancelled = beside.submit(client.post, f"/api/v1/turns/{turn_id}/cancel")
            until(lambda: session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
        assert cancelled.result(20).json["status"] == "COMPLETED"
    with get_session() as session:
        assert session.scalars(select(ModuleExecution.status)).all() == [RunStatus.CANCELLED]


def test_a_finished_turn_has_a_trace(chatter, messages, session, broker):
    turn = send(chatter, messages).json["id"]
    assert chatter.get(f"/api/v1/turns/{turn}/trace").status_code == 404
    work_on(session, turn)
    assert chatter.get(f"/api/v1/turns/{turn}/trace").json["trace"] == {"seconds": {}}


@pytest.fixture
def committed(database_url, broker, tmp_path):
    """A client and where it sends messages, on a database that commits."""
    with get_session() as session:
        key = keys.add(session, DEFAULT_SCOPE, name="chat", scopes=[Permission.CHAT]).key
        conversation = Conversation(persona=Persona(name="Ada"))
        session.add(conversation)
    client = client_with(create_app(settings_for_tests(data_dir=tmp_path)), key)
    return client, f"/api/v1/conversations/{conversation.id}/messages"


def once_there_is_a_turn(act):
    """Act in a session of its own as soon as a turn is to be had."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with get_session() as session:
            if session.scalar(select(Turn.id).where(Turn.status == RunStatus.PENDING)):
                act(session)
                return
    raise AssertionError("no turn came")


def answered(committed, act):
    """The answer to a message that waits, while a worker acts."""
    client, messages = committed
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(send, client, f"{messages}?wait=true")
        once_there_is_a_turn(act)
        return answer.result(20)


def test_a_wait_ends_with_the_saved_reply(committed):
    answer = answered(committed, work_on)
    assert (answer.status_code, answer.json["role"], answer.json["content"]) == (200, "assistant", "The coil.")


@pytest.mark.capability("C186")
def test_a_message_sent_again_is_answered_with_its_stream(chatter, messages, session, broker):
    key = {"Idempotency-Key": "m-1"}
    turn = send(chatter, messages, headers=key).json["id"]
    work_on(session, turn)
    again = send(chatter, messages, headers=key | SSE)
    assert (told(again.text), again.headers["Idempotent-Replayed"]) == (WHOLE, "true")


@pytest.mark.capability("C186")
def test_a_wait_that_is_sent_again_ends_with_the_saved_reply(committed):
    client, messages = committed
    headers = {"Idempotency-Key": "m-1"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, client, f"{messages}?wait=true", headers=headers)
        once_there_is_a_turn(work_on)
    again = send(client, f"{messages}?wait=true", headers=headers)
    assert (again.status_code, again.json) == (200, first.result().json)
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(("failures", "code"), [(1, 502), (3, 503)])
def test_a_wait_for_a_failure_says_what_failed_and_whether_to_try_again(committed, failures, code):
    def fail(session):
        claim = take(session, Turn, "dialogue")
        session.get_one(Turn, claim.id).retry = failures - 1
        session.flush()
        settle(session, claim, RunStatus.FAILED, "no model")

    answer = answered(committed, fail)
    assert (answer.status_code, answer.json["error"]) == (code, "no reply: no model")
    assert ("Retry-After" in answer.headers) is (code == 503)
