"""Memories over REST: listed, rewritten, cleared."""

from uuid import uuid4

import pytest
from sqlalchemy import select

from shared.models import Message, Turn
from tests.integration.gateway.worker import compress_windows, reply, take


@pytest.fixture
def chatter(client_of):
    return client_of("chat")


@pytest.fixture
def conversation(admin):
    persona = admin.post("/api/v1/personas", json={"name": "Tesla"}).json["id"]
    body = {"persona_id": persona, "provider_type": "extractive"}
    return "/api/v1/conversations/" + admin.post("/api/v1/conversations", json=body).json["id"]


def say(client, conversation, count):
    body = {"messages": [{"role": "user", "content": f"Message {number}"} for number in range(count)]}
    return client.post(f"{conversation}/messages/import", json=body)


def ranges(client, conversation):
    return [item["original_message_range"] for item in client.get(f"{conversation}/memories").json["items"]]


@pytest.mark.capability("C80")
def test_memories_are_listed_oldest_first(chatter, conversation, session):
    assert say(chatter, conversation, 46).json == {"imported": 46}
    assert ranges(chatter, conversation) == []
    compress_windows(session, "We spoke.")
    assert ranges(chatter, conversation) == ["1-24", "25-35", "36-46"]


@pytest.mark.capability("C80")
def test_a_rewritten_memory_is_nobodys_but_the_writers(chatter, conversation, session):
    say(chatter, conversation, 35)
    compress_windows(session, "We spoke.")
    memory = chatter.get(f"{conversation}/memories").json["items"][1]
    assert (memory["model"], memory["is_stale"]) == ("fake-chat", False)
    path = f"{conversation}/memories/{memory['id']}"
    answer = chatter.put(path, json={"compressed_content": "We agreed."}).json
    assert (answer["compressed_content"], answer["model"]) == ("We agreed.", None)
    assert chatter.put(path, json={"compressed_content": ""}).status_code == 422
    assert chatter.put(f"{conversation}/memories/{uuid4()}", json={"compressed_content": "x"}).status_code == 404


@pytest.mark.capability("C80")
def test_cleared_memories_are_gone(chatter, conversation, session):
    say(chatter, conversation, 35)
    compress_windows(session, "We spoke.")
    assert chatter.delete(f"{conversation}/memories").status_code == 204
    assert ranges(chatter, conversation) == []


def test_an_edit_over_rest_makes_the_memory_stale(chatter, conversation, session):
    say(chatter, conversation, 35)
    compress_windows(session, "We spoke.")
    first = session.scalars(select(Message.id).order_by(Message.position)).first()
    chatter.put(f"/api/v1/messages/{first}", json={"content": "Rather not"})
    session.expire_all()
    items = chatter.get(f"{conversation}/memories").json["items"]
    assert [item["is_stale"] for item in items] == [True, False]


@pytest.mark.capability("C78")
def test_the_reply_that_is_the_thirty_fifth_message_makes_the_window_due(chatter, conversation, session):
    say(chatter, conversation, 33)
    chatter.post(f"{conversation}/messages", json={"content": "Hello?"})
    assert compress_windows(session, "We spoke.") == 0
    reply(session, take(session, Turn, "dialogue"), "Good day.")
    assert compress_windows(session, "We spoke.") == 2


def test_an_import_of_a_role_that_nobody_has_is_refused_whole(chatter, conversation):
    body = {"messages": [{"role": "user", "content": "a"}, {"role": "robot", "content": "b"}]}
    assert chatter.post(f"{conversation}/messages/import", json=body).status_code == 422
    assert chatter.get(f"{conversation}/messages").json["total"] == 0


def test_a_persona_may_ask_for_the_extractive_provider(admin):
    persona = admin.post("/api/v1/personas", json={"name": "Ana", "extra_data": {"provider_type": "extractive"}})
    made = admin.post("/api/v1/conversations", json={"persona_id": persona.json["id"]})
    assert made.json["provider_type"] == "extractive"
