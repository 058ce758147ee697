"""A conversation that grows long, over the real processes: what it becomes, and that it becomes it once."""

from typing import Any

import pytest

from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.script import Rule
from tests.processes import allowed, eventually, until
from tests.system.client import Client
from tests.system.conftest import CHAT_MODEL, RunningStack

SUMMARY = "I spoke with a visitor about numbers."
SLOW = Rule(match="Message 25", text=SUMMARY, token_delay=0.5)  # of the window 25-35, counted from 1
RECOVERY = 30.0


def memories(client: Client, conversation: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"{conversation}/memories")["items"]
    return items


def begin(client: Client, **values: Any) -> str:
    return f"conversations/{client.post('conversations', values)['id']}"


def bring(client: Client, conversation: str, count: int) -> None:
    said = [{"role": "user", "content": f"Message {number} is about a number."} for number in range(1, count + 1)]
    client.post(f"{conversation}/messages/import", {"messages": said})


@pytest.mark.capability("C78")
def test_a_long_talk_becomes_memories_that_no_model_has_written_where_sentences_are_chosen(
    client: Client, persona: dict
) -> None:
    conversation = begin(client, persona_id=persona["id"], provider_type="extractive")
    bring(client, conversation, 34)
    client.post(f"{conversation}/messages?wait=true", {"content": "Shall we go on?"}, 200)
    head, first = eventually(lambda: memories(client, conversation), lambda found: len(found) == 2)
    assert (first["memory_sequence"], first["original_message_range"], first["model"]) == (1, "25-35", "extractive")
    assert (head["is_head"], head["original_message_range"]) == (True, "1-24")
    assert "is about a number" in first["compressed_content"]


@pytest.mark.capability("C80")
def test_memories_are_rewritten_and_cleared(client: Client) -> None:
    conversation = begin(client)
    bring(client, conversation, 35)
    _, first = eventually(lambda: memories(client, conversation), lambda found: len(found) == 2)
    changed = client.ask("PUT", f"{conversation}/memories/{first['id']}", json={"compressed_content": "Numbers."})
    assert changed.json()["compressed_content"] == "Numbers."
    assert client.ask("DELETE", f"{conversation}/memories").status_code == 204
    assert memories(client, conversation) == []


@pytest.mark.capability("C79")
def test_a_worker_killed_while_it_summarises_leaves_each_memory_once(
    client: Client, model: FakeOpenAI, stack: RunningStack
) -> None:
    model.script(SLOW, Rule(text=SUMMARY))
    conversation = begin(client)
    bring(client, conversation, 46)
    until(lambda: asked(model, "Message 25") and model.open_streams)
    stack.commands.kill("worker-threads")
    found = eventually(lambda: memories(client, conversation), lambda found: len(found) == 3, allowed(RECOVERY))
    assert [(memory["memory_sequence"], memory["original_message_range"]) for memory in found] == [
        (0, "1-24"),
        (1, "25-35"),
        (2, "36-46"),
    ]
    assert {(memory["model"], memory["compressed_content"]) for memory in found} == {(CHAT_MODEL, SUMMARY)}
    assert asked(model, "Message 25") == 2


def asked(model: FakeOpenAI, words: str) -> int:
    """Count the requests whose last message begins its talk with these words."""
    told = [request["body"]["messages"][-1]["content"] for request in model.requests if "messages" in request["body"]]
    return sum(content.startswith(f"User: {words} ") for content in told)
