"""Cancels while a module asks the model, before the reply and after it, over the real processes."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import eventually, until
from tests.system.client import Client
from tests.system.conftest import RunningStack
from tests.system.stacks import ask
from tests.system.test_stages import ENDED, Talk, send, told, trace_of

SLOW = Rule(match="Take your time", tokens=["word "] * 100, token_delay=0.1)
ASKING = "said = ctx.generate('Take your time')"
UNHEARD = 3.0  # seconds after which the sweep would end the row in the place of its worker


@pytest.fixture
def slow_model(model: FakeOpenAI) -> FakeOpenAI:
    model.script(SLOW)
    return model


def side_calls(model: FakeOpenAI) -> int:
    talks = [request["body"]["messages"] for request in model.requests if "messages" in request["body"]]
    return sum(said[-1]["content"] == SLOW.match for said in talks)


def until_asked(model: FakeOpenAI) -> int:
    """Wait for a side call that is under way; return how many clients have left a stream before."""
    until(lambda: side_calls(model) == 1 and model.open_streams)
    return model.left_streams


def was_left(model: FakeOpenAI, before: int) -> None:
    until(lambda: model.left_streams == before + 1 and not model.open_streams, UNHEARD)


def roles(client: Client, messages: str) -> list[str]:
    return [message["role"] for message in client.get(messages)["items"]]


@pytest.mark.capability("C32")
def test_a_cancel_during_a_side_call_before_the_reply_ends_the_turn(
    client: Client,
    slow_model: FakeOpenAI,
    module: Callable[..., str],
    talk: Talk,
) -> None:
    messages = talk(f"You are Ada. {module(ASKING, content='${said}')}")
    turn = client.post(messages, {"content": "One"}, 202)
    before = until_asked(slow_model)
    client.post(f"turns/{turn['id']}/cancel", status=202)
    turn = eventually(lambda: client.get(f"turns/{turn['id']}"), lambda turn: turn["status"] in ENDED, UNHEARD)
    assert (turn["status"], turn["status_message"]) == ("CANCELLED", "cancelled")
    was_left(slow_model, before)
    assert (len(told(slow_model)), roles(client, messages)) == (1, ["user"])
    slow_model.script()
    assert (
        client.post(f"{messages}?wait=true", {"content": "Two"}, 200)["content"] == "You said: One\n\nTwo"
    )  # neighbours of a role are told as one
    assert roles(client, messages) == ["user", "user", "assistant"]


def cancel_the_turn(client: Client, stack: RunningStack, turn: int) -> None:
    client.post(f"turns/{turn}/cancel", status=202)


def cancel_the_run(client: Client, stack: RunningStack, turn: int) -> None:
    ((run,),) = ask(stack.status["postgres"]["url"], "SELECT id FROM module_executions WHERE turn_id = %s", turn)
    client.post(f"work/module_executions/{run}/cancel", status=202)


@pytest.mark.capability("C32")
@pytest.mark.parametrize("cancel", [cancel_the_turn, cancel_the_run])
def test_a_cancel_during_a_side_call_after_the_reply_ends_the_module_and_keeps_the_reply(
    client: Client,
    stack: RunningStack,
    slow_model: FakeOpenAI,
    module: Callable[..., str],
    talk: Talk,
    cancel: Callable[[Client, RunningStack, int], None],
) -> None:
    messages = talk(f"You are Ada. {module(ASKING, context='POST_RESPONSE', content='${said}')}")
    with client.streaming("POST", messages, json={"content": "One"}) as events:
        turn = next(events).data["turn_id"]
        before = until_asked(slow_model)
        cancel(client, stack, turn)
        was_left(slow_model, before)
        *_, message, end, done = events
    assert [event.kind for event in (message, end, done)] == ["message", "post_response", "done"]
    assert (end.data["stage"], end.data["status"], end.data["message"]) == (5, "cancelled", "cancelled")
    assert side_calls(slow_model) == 1
    slow_model.script()
    following = send(client, messages, "Two")
    assert [run["status"] for run in runs_of(client, turn)] == ["cancelled"]
    assert [run["status"] for run in runs_of(client, following["id"])] == ["ok"]
    assert told(slow_model)[2] == "You are Ada. "
    assert roles(client, messages) == ["user", "assistant"] * 2


@pytest.mark.capability("C29")
def test_who_waits_for_a_reply_does_not_wait_for_what_runs_after_it(
    client: Client, stack: RunningStack, slow_model: FakeOpenAI, module: Callable[..., str], talk: Talk
) -> None:
    messages = talk(f"You are Ada. {module(ASKING, context='POST_RESPONSE')}")
    client.post(f"{messages}?wait=true", {"content": "One"}, 200)
    before = until_asked(slow_model)
    ((turn,),) = ask(stack.status["postgres"]["url"], "SELECT max(id) FROM turns")
    cancel_the_turn(client, stack, turn)
    was_left(slow_model, before)


def runs_of(client: Client, turn: int) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = trace_of(client, {"id": turn}, executions=1)["executions"]
    return runs
