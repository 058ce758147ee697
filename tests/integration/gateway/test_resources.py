"""Users, personas, conversations, messages and knowledge over REST."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from gateway import create_app
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import Conversation, KnowledgeChunk, Message, Turn
from shared.queries.accounts import keys
from shared.queries.dialogue import messages, turns
from shared.queries.scope import Scope
from tests.integration.gateway import worker
from tests.integration.gateway.conftest import client_with, settings_for_tests

USERS, PERSONAS, CONVERSATIONS = "/api/v1/users", "/api/v1/personas", "/api/v1/conversations"
CHUNKS = "/api/v1/knowledge/chunks"


@pytest.fixture
def client(client_of):
    return client_of("write", "chat")


def count(session, model):
    return session.scalar(select(func.count()).select_from(model))


@pytest.mark.capability("C7")
@pytest.mark.parametrize("field", ["email", "external_id"])
def test_a_second_user_with_the_same_identity_is_a_conflict(client, field):
    body = {field: "ana@example.org"}
    first, second = client.post(USERS, json=body), client.post(USERS, json=body)
    assert (first.status_code, second.status_code) == (201, 409)


@pytest.mark.capability("C7")
def test_a_known_user_is_made_once(client):
    first = client.put(f"{USERS}/by-external-id", json={"external_id": "auth|1", "name": "Ana"})
    second = client.put(f"{USERS}/by-external-id", json={"external_id": "auth|1", "name": "Dan"})
    assert (first.status_code, first.json["created"]) == (201, True)
    assert (second.status_code, second.json["created"]) == (200, False)
    assert second.json["user"]["name"] == "Ana"


@pytest.mark.capability("C7")
def test_a_user_is_changed_to_what_was_sent_and_null_empties(client):
    user = client.post(USERS, json={"name": "Ana", "email": "ana@example.org"}).json
    changed = client.patch(f"{USERS}/{user['id']}", json={"email": None}).json
    assert (changed["name"], changed["email"]) == ("Ana", None)
    assert changed["updated_at"] > user["updated_at"]


@pytest.mark.capability("C7")
def test_a_change_into_anothers_email_is_a_conflict(client):
    client.post(USERS, json={"email": "ana@example.org"})
    dan = client.post(USERS, json={"email": "dan@example.org"}).json
    assert client.patch(f"{USERS}/{dan['id']}", json={"email": "ana@example.org"}).status_code == 409
    assert client.get(f"{USERS}/{dan['id']}").json["email"] == "dan@example.org"


def test_an_email_is_checked(client):
    assert client.post(USERS, json={"email": "nobody"}).status_code == 422


@pytest.mark.capability("C8")
def test_deleting_a_user_deletes_what_the_user_said(client, session):
    user = client.post(USERS, json={"name": "Ana"}).json
    talk = client.post(CONVERSATIONS, json={"user_id": user["id"]}).json
    messages.add(session, Scope("default"), talk["id"], "user", "hello")
    assert client.delete(f"{USERS}/{user['id']}").status_code == 204
    assert (count(session, Conversation), count(session, Message)) == (0, 0)
    assert client.delete(f"{USERS}/{user['id']}").status_code == 404


@pytest.mark.capability("C85")
def test_a_persona_gets_what_it_leaves_out(client):
    made = client.post(PERSONAS, json={"name": "Mihai Eminescu", "voice_prompt": "You are a poet."}).json
    assert (made["slug"], made["status"], made["mode"]) == ("mihai-eminescu", "draft", "reactive")
    assert made["template"].startswith("You are a poet.")


@pytest.mark.capability("C85")
def test_the_names_of_the_persona_marketplace_are_understood(client):
    body = {"display_name": "Nikola Tesla", "persona_id": "tesla", "representative_quotes": ["The future is mine."]}
    made = client.post(PERSONAS, json=body).json
    assert (made["name"], made["slug"]) == ("Nikola Tesla", "tesla")
    assert made["representative_quotes"] == ["The future is mine."]


@pytest.mark.capability("C44")
@pytest.mark.capability("C85")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"name": "Ava"}, 409, id="the same name"),
        pytest.param({"name": "Other", "slug": "ava"}, 409, id="the same slug"),
        pytest.param({"name": "Ava", "slug": "ava-2"}, 201, id="the same name, told apart"),
        pytest.param({"name": "Odd", "slug": "not a slug"}, 422, id="no slug"),
        pytest.param({"name": ""}, 422, id="no name"),
        pytest.param({"name": "Loop", "mode": "autonomous", "loop_frequency": 5}, 201, id="autonomous"),
        pytest.param({"name": "Loop", "mode": "autonomous", "loop_frequency": "5.0"}, 201, id="frequency as text"),
        pytest.param({"name": "Loop", "mode": "autonomous", "loop_frequency": 0}, 422, id="never"),
        pytest.param({"name": "Loop", "mode": "autonomous", "loop_frequency": -1}, 422, id="backwards"),
        pytest.param({"name": "Loop", "mode": "reactive", "loop_frequency": 5}, 422, id="reactive with a frequency"),
        pytest.param({"name": "Loop", "loop_frequency": 5}, 422, id="reactive by default"),
        pytest.param({"name": "Loop", "mode": "dreaming"}, 422, id="no such mode"),
        pytest.param({"name": "Red", "color": "red"}, 422, id="no color"),
    ],
)
def test_the_rules_of_a_persona_hold(client, body, status):
    client.post(PERSONAS, json={"name": "Ava"})
    assert client.post(PERSONAS, json=body).status_code == status


@pytest.mark.capability("C44")
def test_a_change_keeps_the_loop_rule(client):
    persona = client.post(PERSONAS, json={"name": "Ava"}).json
    refused = client.patch(f"{PERSONAS}/{persona['id']}", json={"loop_frequency": 5})
    assert (refused.status_code, refused.json["error"]) == (422, "this breaks a rule: loop only when autonomous")
    accepted = client.patch(f"{PERSONAS}/{persona['id']}", json={"mode": "autonomous", "loop_frequency": 5})
    assert accepted.json["loop_frequency"] == 5


@pytest.mark.capability("C85")
def test_a_change_touches_only_what_was_sent(client):
    persona = client.post(PERSONAS, json={"name": "Ava", "description": "old", "speaking_style": "calm"}).json
    changed = client.patch(f"{PERSONAS}/{persona['id']}", json={"description": None}).json
    assert changed == persona | {"description": None, "updated_at": changed["updated_at"]}


@pytest.mark.capability("C85")
@pytest.mark.parametrize("field", ["name", "template", "color", "mode"])
def test_what_a_persona_needs_cannot_be_emptied(client, field):
    persona = client.post(PERSONAS, json={"name": "Ava"}).json
    assert client.patch(f"{PERSONAS}/{persona['id']}", json={field: None}).status_code == 422


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param("", ["Calm", "Loop"], id="active ones, newest first"),
        pytest.param("?active_only=false", ["Calm", "Away", "Loop"], id="all"),
        pytest.param("?mode=autonomous", ["Loop"], id="by mode"),
        pytest.param("?status=active", [], id="by status"),
        pytest.param("?listed_only=true", ["Calm", "Loop"], id="on offer"),
    ],
)
@pytest.mark.capability("C44")
def test_personas_are_filtered(client, query, names):
    client.post(PERSONAS, json={"name": "Loop", "mode": "autonomous", "loop_frequency": 1})
    client.post(PERSONAS, json={"name": "Away", "is_active": False})
    client.post(PERSONAS, json={"name": "Calm"})
    assert [persona["name"] for persona in client.get(PERSONAS + query).json["items"]] == names


@pytest.mark.capability("C45")
def test_deleting_a_persona_deletes_its_conversations(client, session):
    persona = client.post(PERSONAS, json={"name": "Ava", "first_message": "Hello!"}).json
    client.post(CONVERSATIONS, json={"persona_id": persona["id"]})
    assert client.delete(f"{PERSONAS}/{persona['id']}").status_code == 204
    assert (count(session, Conversation), count(session, Message)) == (0, 0)


@pytest.mark.capability("C36")
def test_a_conversation_is_renamed_archived_and_deleted(client):
    talk = client.post(CONVERSATIONS, json={"title": "One"}).json
    path = f"{CONVERSATIONS}/{talk['id']}"
    assert client.patch(path, json={"title": "Two"}).json["title"] == "Two"
    assert client.patch(path, json={"status": "archived"}).json["status"] == "archived"
    assert client.get(f"{CONVERSATIONS}?status=active").json["total"] == 0
    assert client.get(f"{CONVERSATIONS}?status=archived").json["total"] == 1
    assert client.patch(path, json={"status": "lost"}).status_code == 422
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


@pytest.mark.capability("C36")
def test_a_conversation_with_somebody_unknown_is_not_found(client):
    nobody = "00000000-0000-0000-0000-000000000000"
    assert client.post(CONVERSATIONS, json={"persona_id": nobody}).status_code == 404
    assert client.post(CONVERSATIONS, json={"user_id": nobody}).status_code == 404


@pytest.fixture
def talk(client, session):
    """A conversation of three messages, and its path."""
    talk = client.post(CONVERSATIONS, json={"title": "One"}).json
    for role, content in (("user", "a"), ("assistant", "b"), ("user", "c")):
        messages.add(session, Scope("default"), talk["id"], role, content)
    return f"{CONVERSATIONS}/{talk['id']}/messages"


@pytest.mark.capability("C40")
@pytest.mark.parametrize(
    ("query", "contents"),
    [("", "abc"), ("?role=user", "ac"), ("?sender_type=assistant", "b"), ("?limit=1&offset=1", "b")],
)
def test_messages_are_listed_in_order_and_filtered(client, talk, query, contents):
    answer = client.get(talk + query).json
    assert "".join(message["content"] for message in answer["items"]) == contents


@pytest.mark.capability("C40")
@pytest.mark.parametrize(("query", "count"), [("", 3), ("?sender_type=user", 2), ("?role=assistant", 1)])
def test_messages_are_counted_of_all_or_of_one_role(client, talk, query, count):
    assert client.get(f"{talk}/count{query}").json == {"count": count}


def test_a_count_knows_its_roles_and_its_owner(client, client_of, talk):
    assert client.get(f"{talk}/count?sender_type=cat").status_code == 422
    assert client_of("read", owner="other").get(f"{talk}/count").status_code == 404


@pytest.mark.capability("C40")
def test_questions_asked_at_once_are_listed_with_their_replies(client, session):
    persona = client.post(PERSONAS, json={"name": "Ada", "template": "You are Ada."}).json
    talk = client.post(CONVERSATIONS, json={"persona_id": persona["id"]}).json
    for question in "ac":
        turns.add(session, Scope("default"), talk["id"], question)
    for answer in "bd":
        worker.reply(session, worker.take(session, Turn, "dialogue"), answer)
    path = f"{CONVERSATIONS}/{talk['id']}/messages"
    listed = client.get(path).json["items"]
    assert "".join(message["content"] for message in listed) == "abcd"
    assert [message["content"] for message in client.get(f"{path}?after={listed[2]['position']}").json["items"]] == [
        "b",
        "d",
    ]


def test_messages_after_a_position_continue_a_list(client, talk):
    first = client.get(f"{talk}?limit=1").json["items"][0]
    rest = client.get(f"{talk}?after={first['position']}").json
    assert ("".join(message["content"] for message in rest["items"]), rest["total"]) == ("bc", 2)


@pytest.mark.capability("C39")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content": "better"}, 200),
        ({"input_tokens": 3}, 200),
        ({"input_tokens": -1}, 422),
        ({"role": "user"}, 422),
        ({"content": None}, 422),
    ],
)
def test_a_message_is_changed_within_its_rules(client, talk, body, status):
    message = client.get(talk).json["items"][0]
    assert client.put(f"/api/v1/messages/{message['id']}", json=body).status_code == status


@pytest.mark.capability("C39")
def test_a_message_is_deleted(client, talk):
    message = client.get(talk).json["items"][0]
    assert client.delete(f"/api/v1/messages/{message['id']}").status_code == 204
    assert client.get(talk).json["total"] == 2


@pytest.mark.capability("C105")
def test_a_chunk_written_again_is_changed(client, session):
    body = {"source": "docs", "external_id": "1", "title": "One", "content": "old"}
    first = client.post(CHUNKS, json={"chunks": [body]}).json["items"][0]
    second = client.post(CHUNKS, json={"chunks": [body | {"content": "new"}]}).json["items"][0]
    assert (second["id"], second["content"], second["title"]) == (first["id"], "new", "One")
    assert client.get(f"{CHUNKS}/{first['id']}").json["content"] == "new"
    assert count(session, KnowledgeChunk) == 1


@pytest.mark.capability("C105")
def test_ten_writers_of_one_chunk_leave_one_row(database_url):
    app = create_app(settings_for_tests())
    with get_session() as session:
        key = keys.add(session, Scope("default"), name="many", scopes=[Permission.WRITE]).key
    body = {"chunks": [{"source": "docs", "external_id": "1", "content": "text"}]}
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client_with(app, key).post(CHUNKS, json=body).status_code, range(10)))
    with get_session() as session:
        assert (set(answers), count(session, KnowledgeChunk)) == ({200}, 1)


@pytest.mark.capability("C105")
def test_chunks_are_listed_by_source_and_deleted(client):
    written = [{"source": source, "content": source} for source in ("docs", "wiki")]
    client.post(CHUNKS, json={"chunks": written})
    [chunk] = client.get(f"{CHUNKS}?source=wiki").json["items"]
    assert client.delete(f"{CHUNKS}/{chunk['id']}").status_code == 204
    assert client.get(CHUNKS).json["total"] == 1


@pytest.mark.parametrize("chunks", [[], [{"source": "docs"}], [{"source": "", "content": "x"}]])
def test_a_chunk_needs_a_source_and_a_text(client, chunks):
    assert client.post(CHUNKS, json={"chunks": chunks}).status_code == 422
