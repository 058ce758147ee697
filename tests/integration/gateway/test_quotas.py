"""What one owner may take of the whole: rows of work waiting, bytes stored, requests in work."""

import io

import pytest
from flask import Response
from sqlalchemy import event, func, select, text, update
from sqlalchemy.exc import OperationalError

from gateway import create_app
from gateway.http.auth import requires
from gateway.http.quotas import ADDS_WORK
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import UNFINISHED
from shared.models import Document, RunGroup, Turn, WorkflowRun
from shared.providers.storage.blobs import open_blobs
from shared.queries import quotas
from shared.queries.kinds import KINDS
from shared.queries.scope import Scope
from shared.queries.work import engine
from tests.integration.gateway.conftest import client_with, settings_for_tests
from tests.integration.gateway.contract import OPERATIONS, Tenant

ROWS, BYTES, REQUESTS = "PERSONAE_OWNER_ROWS_WAITING", "PERSONAE_OWNER_BYTES_STORED", "PERSONAE_OWNER_REQUESTS"
FOLLOWS = {"change_message": "a summary of the message is made again: no new work, and none an owner can heap up"}


@pytest.fixture
def owner_with(issue, tmp_path):
    """Make a client of another gateway with these limits, on the same rows: `owner_with("a", owner_requests=2)`."""
    apps = {}

    def make(owner, **limits):
        key = tuple(limits.items())
        apps.setdefault(key, create_app(settings_for_tests(data_dir=tmp_path, **limits)))
        return client_with(apps[key], issue("read", "chat", "write", "admin", owner=owner).key)

    return make


def refused_by(answer):
    """The limit that an answer names, after looking at the rest of it."""
    assert answer.status_code == 429, answer.text
    assert answer.json["error_type"] == "TooMany"
    assert answer.json["details"]["limit"] in answer.json["error"]
    return answer.json["details"]["limit"], answer.json["details"]["value"], answer.headers.get("Retry-After")


def talk(client):
    """Begin a conversation, and return where messages are sent."""
    persona = client.post("/api/v1/personas", json={"name": "Nikola Tesla"}).json["id"]
    conversation = client.post("/api/v1/conversations", json={"persona_id": persona}).json["id"]
    return f"/api/v1/conversations/{conversation}/messages"


def say(client, path, **headers):
    return client.post(path, json={"content": "Hello"}, headers=headers)


def upload(client, persona_id, **files):
    sent = [(io.BytesIO(content.encode()), f"{name}.txt") for name, content in files.items()]
    return client.post(f"/api/v1/personas/{persona_id}/upload/works", data={"files": sent})


def make_persona(client):
    return client.post("/api/v1/personas", json={"name": "Ada"}).json["id"]


def unfinished(session):
    """How many rows of work have not ended, of every kind."""
    count = select(func.count())
    return sum(session.scalar(count.where(model.status.in_(UNFINISHED))) for model in engine.models())


# --- rows waiting


def test_an_owner_with_enough_rows_waiting_adds_no_more_and_another_does(session, owner_with):
    mine, yours = (owner_with(owner, owner_rows_waiting=2) for owner in ("a", "b"))
    here, there = talk(mine), talk(yours)
    assert [say(mine, here).status_code for _ in range(3)] == [202, 202, 429]  # the second waits for the first
    assert refused_by(say(mine, here)) == (ROWS, 2, "30")
    assert say(yours, there).status_code == 202
    session.execute(update(Turn).values(status="COMPLETED"))
    assert say(mine, here).status_code == 202


def test_an_answer_that_was_given_is_repeated_where_no_more_is_accepted(owner_with):
    client = owner_with("a", owner_rows_waiting=1)
    path = talk(client)
    first = say(client, path, **{"Idempotency-Key": "k"})
    again = say(client, path, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert refused_by(say(client, path, **{"Idempotency-Key": "other"}))[0] == ROWS


def test_none_is_no_limit(owner_with):
    client = owner_with("a", owner_rows_waiting=0, owner_bytes_stored=0, owner_requests=0)
    path = talk(client)
    assert {say(client, path).status_code for _ in range(3)} == {202}


@pytest.fixture
def full(owner_with):
    """An owner who has one of everything, and no room for more work."""
    generous = Tenant(owner_with("a"), "mark")
    generous.make_everything()
    return Tenant(owner_with("a", owner_rows_waiting=1), "mark", generous.ids)


def test_every_route_that_adds_work_is_refused_where_there_is_no_room(full):
    views = full.client.application.view_functions.values()
    marked = {view.__name__ for view in views if getattr(view, ADDS_WORK, False)}
    answered = {name: full.send(name) for name in sorted(marked)}
    assert {name: refused_by(answer)[:2] for name, answer in answered.items()} == dict.fromkeys(marked, (ROWS, 1))


def test_every_other_route_adds_no_work(session, full):
    views = full.client.application.view_functions.values()
    unmarked = {view.__name__ for view in views if not getattr(view, ADDS_WORK, False)} & set(OPERATIONS)
    adding = set()
    for name in sorted(unmarked - FOLLOWS.keys()):
        operation = OPERATIONS[name]
        if operation.method in ("post", "put", "patch") and not operation.public:
            before = unfinished(session)
            answer = full.send(name)
            assert answer.status_code != 429, name
            adding |= {name} if unfinished(session) > before else set()
    assert adding == set()


@pytest.mark.parametrize("status", sorted(UNFINISHED))
def test_rows_of_every_kind_count_until_they_end_and_only_their_owners(session, owner_with, status):
    for owner in ("a", "b"):
        Tenant(owner_with(owner), f"mark {owner}").make_everything()
    for kind in KINDS.values():
        session.execute(update(kind.model).where(kind.model.status != status).values(status=status))
    mine = [kind.owner.joined(select(kind.model.id)).where(kind.owner.id == "a") for kind in KINDS.values()]
    rows = sum(len(session.scalars(each).all()) for each in mine)
    session.execute(update(WorkflowRun).values(status="RUNNING"))
    session.execute(update(RunGroup).values(status="RUNNING"))
    assert rows > 10
    assert 1000 - quotas.require_room(session, Scope("a"), limit=1000) == rows


def test_the_rows_are_asked_once_in_a_while(shared_engine, owner_with):
    client = owner_with("a")
    path, sent = talk(client), []

    def note(connection, cursor, statement, *_):
        sent.append("memory_windows" in statement and "webhook_deliveries" in statement)

    event.listen(shared_engine, "before_cursor_execute", note)
    try:
        counts = []
        for _ in range(4):
            sent.clear()
            assert say(client, path).status_code == 202
            counts.append(sum(sent))
    finally:
        event.remove(shared_engine, "before_cursor_execute", note)
    assert counts == [1, 0, 0, 0]


# --- bytes stored


def test_an_owner_stores_so_many_bytes_and_what_was_refused_leaves_none(session, owner_with, tmp_path):
    mine, yours = (owner_with(owner, owner_bytes_stored=20) for owner in ("a", "b"))
    here, there = make_persona(mine), make_persona(yours)
    assert upload(mine, here, one="x" * 12).status_code == 201
    assert refused_by(upload(mine, here, two="y" * 12)) == (BYTES, 20, None)
    assert upload(yours, there, two="z" * 12).status_code == 201
    stored = {row.hash for row in session.scalars(select(Document))}
    blobs = open_blobs(settings_for_tests(data_dir=tmp_path))
    assert {key for key in blobs.keys_older_than(-60) if key} == stored


def test_the_same_bytes_count_once_earlier_versions_too_and_deleted_ones_no_more(owner_with):
    client = owner_with("a", owner_bytes_stored=20)
    persona = make_persona(client)
    file = upload(client, persona, one="x" * 12).json["uploaded"][0]["id"]
    assert upload(client, persona, other="x" * 12).status_code == 201
    assert refused_by(upload(client, persona, one="y" * 12))[0] == BYTES  # the version before stays stored
    assert upload(client, persona, one="y" * 8).status_code == 201
    other = client.get(f"/api/v1/personas/{persona}/files").json["items"][1]["id"]
    for each in (file, other):
        assert client.delete(f"/api/v1/personas/{persona}/files/{each}").status_code == 204
    assert upload(client, persona, one="y" * 20).status_code == 201


def test_a_document_that_arrives_counts_too(session, owner_with):
    client = owner_with("a", owner_bytes_stored=20)
    sent = [
        client.post(
            "/api/v1/document/ingest-document",
            data={"file": (io.BytesIO(letter * 12), "a.txt"), "source_uri": f"/{letter}", "source": "disk"},
        )
        for letter in (b"x", b"y")
    ]
    assert sent[0].status_code == 201
    assert refused_by(sent[1]) == (BYTES, 20, None)
    assert session.scalar(select(func.count()).select_from(Document)) == 1


def test_who_stores_beside_another_waits_for_what_that_one_stores(database_url):
    with get_session() as first, get_session() as second:
        quotas.require_space(first, Scope("a"), limit=20)
        second.execute(text("SET LOCAL lock_timeout = '50ms'"))
        quotas.require_space(second, Scope("b"), limit=20)
        with pytest.raises(OperationalError, match="lock timeout"):
            quotas.require_space(second, Scope("a"), limit=20)
        second.rollback()


# --- requests in work


@pytest.fixture
def streaming(issue, tmp_path):
    """Clients of a gateway that does two requests of an owner at once, with routes that stream, fail and ask."""
    app = create_app(settings_for_tests(data_dir=tmp_path, owner_requests=2))

    @app.get("/stream")
    @requires(Permission.READ)
    def stream():
        return Response(iter(["a", "b"]))

    @app.get("/fail")
    @requires(Permission.READ)
    def fail():
        raise ZeroDivisionError

    @app.get("/plain")
    @requires(Permission.READ)
    def plain():
        return "done"

    return lambda owner: client_with(app, issue("read", owner=owner).key)


def test_streams_count_until_they_are_closed_and_once(streaming):
    mine, yours = streaming("a"), streaming("b")
    first, second = mine.get("/stream"), mine.get("/stream")
    assert refused_by(mine.get("/plain")) == (REQUESTS, 2, "1")
    assert yours.get("/plain").status_code == 200
    first.close()
    first.close()
    third = mine.get("/stream")
    assert refused_by(mine.get("/stream")) == (REQUESTS, 2, "1")
    for stream in (second, third):
        stream.close()
    assert mine.get("/plain").status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/plain", 200), ("/fail", 500), ("/nowhere", 404)])
def test_what_has_ended_counts_no_more(streaming, path, status):
    client = streaming("a")
    assert {client.get(path).status_code for _ in range(5)} == {status}
    assert client.application.extensions["quotas"].in_work.of("a") == 0


def test_who_is_refused_is_not_counted(streaming):
    client = streaming("a")
    streams = [client.get("/stream") for _ in range(2)]
    for _ in range(5):
        assert client.get("/plain").status_code == 429
    for stream in streams:
        stream.close()
    assert client.application.extensions["quotas"].in_work.of("a") == 0


def test_every_operation_with_a_key_tells_of_its_limits():
    told = {name: "429" in operation.spec["responses"] for name, operation in OPERATIONS.items()}
    assert told == {name: not operation.public for name, operation in OPERATIONS.items()}
