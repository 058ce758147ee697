"""What people do through the gateway leaves who, what and when, in its own transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select, update

from shared.models import Audited, AuditEntry, Base, Message, User
from shared.queries.accounts import audit
from shared.queries.rows import refusing_duplicates
from tests.integration.gateway.test_files import persona, upload, writer
from tests.integration.gateway.worker import run_steps

__all__ = ["persona", "writer"]  # fixtures
AUDIT, USERS, CHUNKS = "/api/v1/audit", "/api/v1/users", "/api/v1/knowledge/chunks"
SOMEBODY = audit.Actor("somebody", "default")
PEOPLE_CHANGE = {
    "api_keys",
    "conversation_memories",
    "conversations",
    "data_sources",
    "documentbatch",
    "documenturi",
    "fetches",
    "knowledge_chunks",
    "messages",
    "module_executions",
    "modules",
    "personas",
    "provider_profiles",
    "users",
    "webhooks",
}


def entries(session):
    rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [(row.action, row.entity, row.entity_id) for row in rows]


def since(session, number):
    return entries(session)[number:]


@contextmanager
def writes(session) -> Iterator[list[str]]:
    """Collect the statements that write entries inside the block."""
    seen: list[str] = []

    def note(connection, cursor, statement, *rest):
        if "INSERT INTO audit_log" in statement:
            seen.append(statement)

    event.listen(session.connection(), "before_cursor_execute", note)
    yield seen
    event.remove(session.connection(), "before_cursor_execute", note)


@pytest.mark.capability("C21")
def test_each_write_leaves_a_row(client_of, session):
    client = client_of("write")
    user = client.post(USERS, json={"name": "Ana"}).json
    client.patch(f"{USERS}/{user['id']}", json={"name": "Dan"})
    client.delete(f"{USERS}/{user['id']}")
    assert entries(session) == [(action, "users", user["id"]) for action in ("create", "update", "delete")]


@pytest.mark.capability("C21")
def test_a_row_says_who_by_which_request_and_when(client_of, issue, session):
    client = client_of("write", owner="ana")
    user = client.post(USERS, json={"name": "Ana"}, headers={"X-Correlation-ID": "abc"}).json
    client.delete(f"{USERS}/{user['id']}")
    created, deleted = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    assert created.actor.startswith("key:")
    assert (created.owner_id, created.correlation_id, created.request) == ("ana", "abc", f"POST {USERS}")
    assert deleted.request == f"DELETE {USERS}/{user['id']}"
    assert created.created_at < deleted.created_at


@pytest.mark.capability("C21")
def test_reading_and_failing_leave_nothing(client_of, session):
    client = client_of("write")
    client.get(USERS)
    client.post(USERS, json={"email": "nobody"})
    client.delete(f"{USERS}/00000000-0000-0000-0000-000000000000")
    client.post("/api/v1/workflow/run-groups/1/cancel")
    assert entries(session) == []


@pytest.mark.capability("C21")
def test_an_ingestion_is_told_once_and_not_by_the_rows_that_workers_need(writer, persona, session):
    upload(writer, persona, "works", *[(f"{number}.txt", b"One %d." % number) for number in range(25)])
    before = len(entries(session))
    writer.post(f"{persona}/ingest")
    persona_id = persona.rpartition("/")[2]
    assert since(session, before) == [("ingest", "personas", persona_id), ("update", "personas", persona_id)]


@pytest.mark.capability("C21")
def test_what_people_do_to_runs_is_told(writer, persona, session):
    upload(writer, persona, "works", ("x.txt", b"One."))
    group_id = writer.post(f"{persona}/ingest").json["jobs"][1]["run_group_id"]
    group = f"/api/v1/workflow/run-groups/{group_id}"
    run = writer.get(group).json["runs"][0]["id"]
    before = len(entries(session))
    for act in ("pause", "resume", "cancel", "retry"):
        writer.post(f"{group}/{act}")
        writer.post(f"/api/v1/workflow/runs/{run}/{act}")
    run_steps(session, 20)
    told = [entry for entry in since(session, before) if entry[1] in ("rungroup", "workflowrun")]
    # The second cancel finds nothing more to cancel; the second resume and retry have nothing to do either.
    assert told == [
        ("pause", "rungroup", str(group_id)),
        ("pause", "workflowrun", str(run)),
        ("resume", "rungroup", str(group_id)),
        ("resume", "workflowrun", str(run)),
        ("cancel", "rungroup", str(group_id)),
        ("cancel", "workflowrun", str(run)),
        ("retry", "rungroup", str(group_id)),
    ]


@pytest.mark.capability("C21")
def test_a_message_is_told_once_and_so_are_the_cancel_and_the_retry_of_its_turn(client_of, session):
    client = client_of("write", "chat")
    ada = client.post("/api/v1/personas", json={"name": "Ada"}).json["id"]
    talk = client.post("/api/v1/conversations", json={"persona_id": ada}).json["id"]
    before = len(entries(session))
    turn = client.post(f"/api/v1/conversations/{talk}/messages", json={"content": "Hello?"}).json["id"]
    client.post(f"/api/v1/turns/{turn}/cancel")
    client.post(f"/api/v1/work/turns/{turn}/retry")
    client.post(f"/api/v1/work/turns/{turn}/cancel")
    message_id = str(session.scalar(select(Message.id)))
    assert since(session, before) == [
        ("create", "messages", message_id),
        ("cancel", "turns", str(turn)),
        ("retry", "turns", str(turn)),
        ("cancel", "turns", str(turn)),
    ]


@pytest.mark.capability("C21")
def test_passages_are_told_when_they_are_written_and_deleted(client_of, session):
    client = client_of("write")
    one = {"source": "notes", "content": "One.", "external_id": "1"}
    chunk = client.post(CHUNKS, json={"chunks": [one]}).json["items"][0]["id"]
    client.post(CHUNKS, json={"chunks": [one, {"source": "notes", "content": "Two."}]})
    client.delete(f"{CHUNKS}/{chunk}")
    assert entries(session) == [
        ("upsert", "knowledge_chunks", chunk),
        ("upsert", "knowledge_chunks", None),
        ("delete", "knowledge_chunks", chunk),
    ]


def test_without_somebody_acting_nothing_is_recorded(session):
    audit.watch()
    session.add(User(name="by a worker"))
    audit.record(session, "export", "conversations", 1)
    session.commit()
    assert entries(session) == []


def test_a_statement_is_recorded_too(session):
    audit.watch()
    with audit.acting(SOMEBODY):
        session.execute(update(User).values(name=func.upper(User.name)))
        session.commit()
    assert entries(session) == [("update", "users", None)]


def test_all_that_a_transaction_did_is_written_at_once(session):
    audit.watch()
    with audit.acting(SOMEBODY), writes(session) as seen:
        for number in range(10):
            session.add(User(name=str(number)))
            session.flush()
        with refusing_duplicates(session, "taken"):
            session.add(User(name="in a savepoint"))
        audit.record(session, "export", "conversations", 7)
        session.commit()
    assert len(seen) == 1
    assert len(entries(session)) == 12
    assert entries(session)[-1] == ("export", "conversations", "7")


def test_what_was_undone_is_not_told(session):
    audit.watch()
    with audit.acting(SOMEBODY):
        session.add(User(name="stays"))
        undone = session.begin_nested()
        session.add(User(name="goes"))
        with session.begin_nested():
            session.add(User(name="goes with it"))
        session.flush()
        undone.rollback()
        session.commit()
        assert len(entries(session)) == 1
        audit.record(session, "export", "conversations", 7)
        session.rollback()
        session.commit()
    assert len(entries(session)) == 1


def test_models_that_people_change_opt_in():
    audited = {m.class_.__tablename__ for m in Base.registry.mappers if issubclass(m.class_, Audited)}
    assert audited == PEOPLE_CHANGE


@pytest.mark.capability("C21")
def test_the_administrator_reads_it_newest_first(client_of):
    client = client_of("admin", owner="ana")
    client.post(USERS, json={"name": "one"})
    client.post(USERS, json={"name": "two"})
    answer = client.get(AUDIT).json
    assert answer["total"] == 2
    assert answer["items"][0]["id"] > answer["items"][1]["id"]


@pytest.mark.capability("C21")
def test_it_is_filtered_by_all_that_it_tells(client_of):
    client = client_of("admin", owner="ana")
    first = client.post(USERS, json={"name": "one"}, headers={"X-Correlation-ID": "abc"}).json["id"]
    client.post(USERS, json={"name": "two"})
    client.delete(f"{USERS}/{first}")
    actor, at = (client.get(AUDIT).json["items"][0][name] for name in ("actor", "created_at"))
    counts = {
        "action=create": 2,
        "entity=users": 3,
        "entity=personas": 0,
        f"entity=users&entity_id={first}": 2,
        "correlation_id=abc": 1,
        f"actor={actor}": 3,
        f"since={at.replace('+', '%2B')}": 1,
        f"until={at.replace('+', '%2B')}": 2,
    }
    assert {query: client.get(f"{AUDIT}?{query}").json["total"] for query in counts} == counts
    assert client_of("admin", owner="dan").get(AUDIT).json["total"] == 0


@pytest.mark.capability("C21")
def test_no_key_is_in_it(client_of):
    client = client_of("admin", owner="ana")
    key = client.post("/api/v1/keys", json={"name": "k", "scopes": ["read"]}).json["key"]
    told = client.get(AUDIT)
    assert told.json["items"][0]["entity"] == "api_keys"
    assert key.rpartition("_")[2] not in told.text


def test_it_is_kept_for_a_time(session):
    ago = func.clock_timestamp() - timedelta(days=10)
    for number in range(3):
        old = AuditEntry(actor="a", action="create", entity="users", entity_id=f"old {number}", created_at=ago)
        session.add(old)
    session.add(AuditEntry(actor="a", action="create", entity="users", entity_id="new"))
    session.flush()
    keep = timedelta(days=9)
    assert [audit.prune(session, keep=keep, batch=2) for _ in range(3)] == [2, 1, 0]
    assert entries(session) == [("create", "users", "new")]
