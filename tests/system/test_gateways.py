"""Several gateways, and one that is stopped: clients notice neither."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import DEADLINE, until
from tests.system.client import Client, text_of
from tests.system.conftest import RunningStack
from tests.system.gateways import Gateway
from tests.system.test_talking import ended
from tests.system.test_talking_under_faults import REPLY, SLOWLY, until_token


@pytest.fixture
def gateway(stack: RunningStack, tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(stack, tmp_path / "gateway.log")
    yield made
    if made.process.poll() is None:
        made.stop()


@pytest.mark.capability("C101")
def test_a_stream_open_across_a_restart_of_its_gateway_loses_nothing(
    gateway: Gateway, conversation: str, model: FakeOpenAI
) -> None:
    model.script(SLOWLY)
    with gateway.client() as client, client.streaming("POST", conversation, json={"content": "slowly"}) as events:
        heard = until_token(events, 3)
        gateway.process.terminate()
        *rest, last = events
    gateway.process.wait(DEADLINE)
    assert (last.kind, last.id) == ("reconnect", None)
    heard += rest
    gateway.start()
    turn = heard[0].data["turn_id"]
    with gateway.client() as client, client.streaming("GET", f"turns/{turn}/events", after=heard[-1].id) as events:
        heard += events
    assert [event.id for event in heard] == [f"1-{seq}" for seq in range(1, len(heard) + 1)]
    assert (text_of(heard), heard[-1].kind) == (REPLY, "done")


@pytest.mark.capability("C101")
def test_a_gateway_with_quiet_streams_ends_by_itself_before_its_grace_is_over(
    gateway: Gateway, client: Client, persona: dict[str, Any], model: FakeOpenAI
) -> None:
    model.script(Rule(match="silence", text="At last.", first_delay=8.0))
    talks = [client.post("conversations", {"persona_id": persona["id"]})["id"] for _ in range(5)]
    with ExitStack() as opened:
        other = opened.enter_context(gateway.client())
        streams = [
            opened.enter_context(other.streaming("POST", f"conversations/{talk}/messages", json={"content": "silence"}))
            for talk in talks
        ]
        heard = [next(events) for events in streams]
        gateway.process.terminate()
        last = [list(events)[-1] for events in streams]
        assert gateway.process.wait(DEADLINE) == 0
    assert "Worker exiting" in gateway.log()  # one that is killed for being late does not say so
    assert {event.kind for event in heard} == {"turn"}
    assert [event.kind for event in last] == ["reconnect"] * 5


def test_who_waits_at_a_gateway_that_is_stopped_is_told_the_turn_and_the_reply_is_saved(
    gateway: Gateway, conversation: str, client: Client, model: FakeOpenAI
) -> None:
    model.script(Rule(match="patience", text="Here it is.", first_delay=4.0))
    with gateway.client() as other, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(other.post, f"{conversation}?wait=true", {"content": "patience"}, 202)
        until(lambda: "patience" in str(model.requests))
        gateway.stop()
        turn = waiting.result()
    assert turn["status"] == "RUNNING"
    turn = ended(client, turn)
    assert client.get(f"messages/{turn['assistant_message_id']}")["content"] == "Here it is."


def test_a_stream_that_its_client_leaves_makes_room_for_the_next_request(
    stack: RunningStack, conversation: str, model: FakeOpenAI, tmp_path: Path
) -> None:
    model.script(SLOWLY)
    gateway = Gateway(stack, tmp_path / "gateway.log", PERSONAE_OWNER_REQUESTS="1")
    try:
        with gateway.client() as leaving, gateway.client() as other:
            with leaving.streaming("POST", conversation, json={"content": "slowly"}) as events:
                until_token(events, 1)
                refused = other.ask("GET", "personas")
            until(lambda: other.ask("GET", "personas").is_success)
    finally:
        gateway.stop()
    assert (refused.status_code, refused.json()["details"]["limit"]) == (429, "PERSONAE_OWNER_REQUESTS")


@pytest.mark.capability("C101")
def test_a_persona_that_one_gateway_makes_answers_at_once_at_every_other(
    client: Client, gateway: Gateway, model: FakeOpenAI
) -> None:
    name = f"Grace {uuid4().hex[:6]}"
    persona = client.post("personas", {"name": name, "template": "You are Grace Hopper."})
    with gateway.client() as other:
        talk = other.post("conversations", {"persona_id": persona["id"]})
        ask = f"conversations/{talk['id']}/messages?wait=true"
        assert other.post(ask, {"content": "Hello?"}, 200)["content"] == "You said: Hello?"
        client.ask("PATCH", f"personas/{persona['id']}", json={"template": "You are a compiler."})
        other.post(ask, {"content": "And now?"}, 200)
    prompts = [request["body"]["messages"][0]["content"] for request in model.requests if "messages" in request["body"]]
    assert [prompt.startswith(("You are Grace Hopper.", "You are a compiler.")) for prompt in prompts] == [True, True]
    assert "You are a compiler." in prompts[-1]
