"""Replies while something of the stack is cut, killed, frozen or away."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import pytest
import redis

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import allowed, eventually
from tests.system.client import Client, Event, text_of
from tests.system.conftest import RunningStack
from tests.system.gateways import Gateway
from tests.system.test_talking import ended, messages_of

WORDS = [f"word{number} " for number in range(30)]
SLOWLY = Rule(match="slowly", tokens=WORDS, token_delay=0.06)
REPLY = "".join(WORDS)


@pytest.fixture(scope="module")
def second_client(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same key at a second gateway process, on the same database and broker."""
    gateway = Gateway(stack, tmp_path_factory.mktemp("gateway") / "log")
    with gateway.client() as client:
        yield client
    gateway.stop()


def until_token(events: Iterator[Event], number: int) -> list[Event]:
    """Read up to and with the given number of tokens."""
    heard: list[Event] = []
    while sum(event.kind == "token" for event in heard) < number:
        heard += islice(events, 1)
    return heard


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.capability("C162")
def test_a_cut_stream_goes_on_at_another_gateway_with_every_event_once(
    client: Client, second_client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(SLOWLY)
    with client.streaming("POST", conversation, json={"content": "slowly"}) as events:
        heard = until_token(events, 5)
    turn = heard[0].data["turn_id"]
    with second_client.streaming("GET", f"turns/{turn}/events", after=heard[-1].id) as events:
        heard += events
    assert [event.id for event in heard] == [f"1-{seq}" for seq in range(1, len(heard) + 1)]
    assert heard[-1].kind == "done"
    assert text_of(heard) == REPLY


@pytest.mark.capability("C162")
def test_after_a_killed_worker_the_stream_restarts_and_the_reply_is_saved_once(
    client: Client, conversation: str, model: FakeOpenAI, stack: RunningStack
) -> None:
    model.script(SLOWLY)
    with client.streaming("POST", conversation, json={"content": "slowly"}) as events:
        until_token(events, 5)
        stack.commands.kill("worker-threads")
        heard = list(events)
    kinds = [event.kind for event in heard]
    second = heard[kinds.index("restart") :]
    assert kinds.count("restart") == 1
    fence = second[0].id.partition("-")[0]
    assert [event.id for event in second] == [f"{fence}-{seq}" for seq in range(1, len(second) + 1)]
    assert (text_of(second), second[-1].kind) == (REPLY, "done")
    assert [message["role"] for message in messages_of(client, conversation)] == ["user", "assistant"]


@pytest.mark.capability("C162")
def test_a_stream_whose_events_were_wiped_is_answered_from_the_rows(
    client: Client, conversation: str, stack: RunningStack
) -> None:
    turn = client.post(conversation, {"content": "Remember me"}, 202)
    ended(client, turn)
    wipe(stack)
    with client.streaming("GET", f"turns/{turn['id']}/events", after="1-3") as events:
        heard = list(events)
    assert [event.kind for event in heard] == ["restart", "message", "done"]
    assert heard[1].data["content"] == "You said: Remember me"


def wipe(stack: RunningStack) -> None:
    with redis.Redis.from_url(stack.status["broker"]["url"]) as broker:
        broker.flushall()


@pytest.mark.capability("C126")
def test_a_model_that_is_away_for_a_moment_only_delays_the_reply(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="hiccup", status=503, times=1))
    turn = ended(client, client.post(conversation, {"content": "hiccup"}, 202))
    assert (turn["status"], turn["retry"]) == ("COMPLETED", 1)
    assert messages_of(client, conversation)[1]["content"] == "You said: hiccup"


@pytest.mark.capability("C126")
def test_a_model_that_asks_for_time_is_given_it_and_the_listener_is_told(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(status=429, retry_after="4", error="quota of acct-17", times=1))
    with client.streaming("POST", conversation, json={"content": "Are you there?"}) as events:
        heard = list(events)
    (waiting,) = [event for event in heard if event.kind == "waiting"]
    assert waiting.data == {
        "reason": "the chat server is too busy (429); trying again in 4 s",
        "retry_after": 4,
    }
    assert [event.kind for event in heard][-2:] == ["message", "done"]


@pytest.mark.capability("C126")
def test_a_model_that_stays_away_fails_the_turn_with_its_reason_after_three_attempts(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="gone", status=503, error="overloaded"))
    refused = client.post(f"{conversation}?wait=true", {"content": "gone"}, 503)
    turn = client.get(f"turns/{refused['details']['turn_id']}")
    assert (turn["status"], turn["retry"], turn["retries"]) == ("FAILED", 3, 3)
    assert "503" in turn["status_message"]
    assert turn["status_message"] in refused["error"]
    with client.streaming("GET", f"turns/{turn['id']}/events") as events:
        assert list(events)[-1].kind == "error"
    model.script()
    assert client.post(f"{conversation}?wait=true", {"content": "Back?"}, 200)["content"] == "You said: gone\n\nBack?"


@pytest.mark.capability("C167")
def test_with_a_frozen_broker_a_message_is_accepted_within_a_second_and_answered_later(
    client: Client, conversation: str, stack: RunningStack
) -> None:
    with frozen(stack.commands.pid_of("broker")):
        turn, seconds = timed_message(client, conversation)
    assert seconds < allowed(1)
    assert ended(client, turn)["status"] == "COMPLETED"


@pytest.mark.capability("C2", "C167")
def test_without_a_broker_a_message_is_accepted_within_a_second_and_answered_later(
    client: Client, conversation: str, stack: RunningStack
) -> None:
    with stack.commands.without("broker"):
        turn, seconds = timed_message(client, conversation)
        unready = client.get("/ready", 503)
    assert seconds < allowed(1)
    assert list(unready["details"]["down"]) == ["broker"]
    assert ended(client, turn)["status"] == "COMPLETED"


def timed_message(client: Client, conversation: str) -> tuple[dict, float]:
    started = time.monotonic()
    turn = client.post(conversation, {"content": "Anyone there?"}, 202)
    return turn, time.monotonic() - started


@pytest.mark.capability("C2")
def test_without_a_database_every_request_is_answered_503_and_afterwards_all_is_well(
    client: Client, conversation: str, stack: RunningStack
) -> None:
    with stack.commands.without("postgres"):
        started = time.monotonic()
        unready = client.get("/ready", 503)
        assert time.monotonic() - started < allowed(2)
        refused = client.post(conversation, {"content": "Hello?"}, 503)
        client.get("personas", 503)
    assert list(unready["details"]["down"]) == ["postgres"]
    assert refused["error_type"] == "Unavailable"
    eventually(lambda: client.ask("GET", "/ready").status_code, lambda status: status == 200)
    assert client.post(f"{conversation}?wait=true", {"content": "Hello!"}, 200)["content"] == "You said: Hello!"
