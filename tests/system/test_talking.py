"""A message and its reply, over the real processes: as a row, as a wait, as a stream."""

from itertools import pairwise
from uuid import uuid4

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import DEADLINE, eventually, until
from tests.system.client import Client, Event, text_of
from tests.system.conftest import RunningStack

ENDED = ("COMPLETED", "FAILED", "CANCELLED")


def ended(client: Client, turn: dict, seconds: float = DEADLINE) -> dict:
    return eventually(lambda: client.get(f"turns/{turn['id']}"), lambda turn: turn["status"] in ENDED, seconds)


def messages_of(client: Client, conversation: str) -> list[dict]:
    return client.get(conversation)["items"]


@pytest.mark.capability("C29")
def test_a_message_is_accepted_as_a_turn_and_answered(client: Client, conversation: str) -> None:
    turn = client.post(conversation, {"content": "Who are you?"}, 202)
    assert turn["status"] == "PENDING"
    turn = ended(client, turn)
    assert turn["status"] == "COMPLETED"
    said, reply = messages_of(client, conversation)
    assert (said["id"], reply["id"]) == (turn["user_message_id"], turn["assistant_message_id"])


@pytest.mark.capability("C29")
def test_waiting_returns_the_reply_as_it_is_saved(
    client: Client, conversation: str, stack: RunningStack, model: FakeOpenAI
) -> None:
    model.script(Rule(match="engine", text="It weaves algebraic patterns."))
    reply = client.post(f"{conversation}?wait=true", {"content": "What does the engine do?"}, 200)
    assert (reply["role"], reply["content"]) == ("assistant", "It weaves algebraic patterns.")
    assert reply["output_tokens"] == 4
    assert reply["input_tokens"] > 0
    assert messages_of(client, conversation)[1] == reply


@pytest.mark.capability("C30")
def test_events_come_in_order_and_name_the_saved_message(client: Client, conversation: str, model: FakeOpenAI) -> None:
    model.script(Rule(match="poetical", reasoning="Well", text="It is poetical science.", token_delay=0.05))
    # Again where the broker kept the worker waiting: that costs a reply its tokens on the way.
    heard = until(lambda: heard_live(client, conversation))
    kinds = [event.kind for event in heard]
    first = [kind for kind, before in zip(kinds, [None, *kinds], strict=False) if kind != before]
    assert first == ["turn", "stage", "thinking", "token", "message", "done"]
    *_, said, reply = messages_of(client, conversation)
    message = heard[-2].data
    assert {name: reply[name] for name in message} == message
    assert text_of(heard) == reply["content"]
    assert client.get(f"turns/{heard[0].data['turn_id']}")["user_message_id"] == said["id"]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_reply_that_is_not_whole_says_so_in_its_message_its_stream_and_its_trace(
    client: Client, conversation: str, model: FakeOpenAI, reason: str
) -> None:
    model.script(Rule(match="engine", text="It weaves alge", finish_reason=reason))
    with client.streaming("POST", conversation, json={"content": "What does the engine do?"}) as events:
        heard = list(events)
    reply = messages_of(client, conversation)[-1]
    assert (heard[-1].kind, heard[-1].data) == ("done", {"finish_reason": reason})
    assert (reply["extra_data"]["finish_reason"], heard[-2].data["extra_data"]) == (reason, reply["extra_data"])
    trace = client.get(f"turns/{heard[0].data['turn_id']}/trace")["trace"]
    assert [warning["warning_type"] for warning in trace["warnings"]] == [
        "reply_cut" if reason == "length" else "reply_filtered"
    ]


def test_an_option_that_the_model_does_not_take_is_left_out_with_a_warning(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(refuses='"temperature"', status=400, error="temperature is not supported", text="Without."))
    asked = {"content": "What does the engine do?", "temperature": 0.7, "model": "o9"}
    with client.streaming("POST", conversation, json=asked) as events:
        heard = list(events)
    assert heard[-2].data["content"] == "Without."
    (warning,) = client.get(f"turns/{heard[0].data['turn_id']}/trace")["trace"]["warnings"]
    assert (warning["warning_type"], "temperature" in warning["message"]) == ("options_left_out", True)


def heard_live(client: Client, conversation: str) -> list[Event]:
    """Ask, and return every event; none when no token came live."""
    with client.streaming("POST", conversation, json={"content": "Is it poetical?"}) as events:
        heard = list(events)
    return heard if any(event.kind == "token" for event in heard) else []


def test_a_message_sent_during_a_reply_is_answered_after_it_and_with_it(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="first", text="the first reply takes a while", token_delay=0.1))
    turns = [client.post(conversation, {"content": content}, 202) for content in ("first?", "second?", "third?")]
    first, second, third = [ended(client, turn) for turn in turns]
    assert {first["status"], second["status"], third["status"]} == {"COMPLETED"}
    assert all(before["completed_date"] <= after["start_date"] for before, after in pairwise((first, second, third)))
    asked = [request["body"] for request in model.requests if "messages" in request["body"]]
    talk = [(said["role"], said["content"]) for said in asked[-1]["messages"] if said["role"] != "system"]
    assert talk == [
        ("user", "first?"),
        ("assistant", "the first reply takes a while"),
        ("user", "second?"),
        ("assistant", "You said: second?"),
        ("user", "third?"),
    ]


def test_the_same_idempotency_key_makes_one_turn(client: Client, conversation: str) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    first, again = [client.post(conversation, {"content": "Once"}, 202, headers=headers) for _ in range(2)]
    assert first == again
    ended(client, first)
    assert [message["role"] for message in messages_of(client, conversation)] == ["user", "assistant"]


@pytest.mark.capability("C85")
def test_personas_are_added_changed_and_refused(client: Client) -> None:
    name = f"Grace Hopper {uuid4().hex[:6]}"
    added = client.post("personas", {"name": name})
    assert added["status"] == "draft"
    assert added["slug"] == name.lower().replace(" ", "-")
    assert client.ask("POST", "personas", json={"name": name}).status_code == 409
    path = f"personas/{added['id']}"
    assert client.ask("PATCH", path, json={"description": "Admiral"}).json()["description"] == "Admiral"
    assert client.ask("DELETE", path).status_code == 204
    client.get(path, 404)


@pytest.mark.capability("C44")
@pytest.mark.parametrize(("mode", "loop"), [("autonomous", 0), ("autonomous", -1), ("reactive", 1)])
def test_a_loop_that_cannot_be_is_refused(client: Client, mode: str, loop: float) -> None:
    client.post("personas", {"name": uuid4().hex, "mode": mode, "loop_frequency": loop}, 422)


@pytest.mark.capability("C36")
def test_conversations_are_begun_renamed_archived_and_deleted(client: Client, persona: dict) -> None:
    added = client.post("conversations", {"persona_id": persona["id"], "title": "On engines"})
    path = f"conversations/{added['id']}"
    changed = client.ask("PATCH", path, json={"title": "On notes", "status": "archived"}).json()
    assert (changed["title"], changed["status"]) == ("On notes", "archived")
    listed = {status: client.get("conversations", params={"status": status, "limit": 100})["items"]
              for status in ("active", "archived")}  # fmt: skip
    assert [added["id"] in {item["id"] for item in found} for found in listed.values()] == [False, True]
    assert client.ask("DELETE", path).status_code == 204
    client.get(path, 404)


@pytest.mark.capability("C12")
def test_a_correlation_id_comes_back_and_is_logged_by_gateway_and_worker(
    client: Client, conversation: str, stack: RunningStack
) -> None:
    name = f"trace-{uuid4().hex}"
    headers = {"X-Correlation-ID": name}
    answer = client.ask("POST", f"{conversation}?wait=true", json={"content": "Trace me"}, headers=headers)
    assert answer.headers["X-Correlation-ID"] == name
    line = f'"correlation_id": "{name}"'
    until(lambda: line in stack.commands.log("gateway") and line in stack.commands.log("worker-threads"))


@pytest.mark.capability("C2")
def test_a_whole_stack_is_healthy_and_ready(client: Client) -> None:
    assert client.get("/health")["status"] == "healthy"
    assert client.get("/ready") == {"status": "ready", "degraded": {}}


def test_a_thought_whose_end_alone_is_marked_is_taken_back(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="greet", tokens=["I should greet.\n", "</think>", "\n\nHello there."], token_delay=0.1))
    with client.streaming("POST", conversation, json={"content": "greet"}) as events:
        heard = list(events)
    kinds = [event.kind for event in heard]
    after = heard[len(kinds) - kinds[::-1].index("restart") :]
    assert text_of(after) == "Hello there."
    (message,) = [event.data for event in heard if event.kind == "message"]
    assert (message["content"], message["thinking"]) == ("Hello there.", "I should greet.")


def test_a_reply_that_says_nothing_fails_and_is_not_sent_back(
    client: Client, conversation: str, model: FakeOpenAI
) -> None:
    model.script(Rule(match="ponder", text="<think>all thought and no answer", finish_reason="length", times=1))
    failed = client.post(f"{conversation}?wait=true", {"content": "ponder"}, 502)
    assert "raise max_tokens" in failed["error"]
    model.requests.clear()
    client.post(f"{conversation}?wait=true", {"content": "and now?", "max_tokens": 90_000}, 200)
    (request,) = [request["body"] for request in model.requests if request["path"].endswith("completions")]
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert all(message["content"] for message in request["messages"])
    assert request["max_tokens"] < 90_000
