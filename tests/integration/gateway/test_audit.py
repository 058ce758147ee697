"""Every write through the gateway leaves who, what and when, in its own transaction."""

import pytest
from sqlalchemy import func, select, update

from shared.models import AuditEntry, User
from shared.queries import audit

USERS = "/api/v1/users"


def entries(session):
    rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [(row.action, row.entity, row.entity_id) for row in rows]


@pytest.mark.capability("C21")
def test_each_write_leaves_a_row(client_of, session):
    client = client_of("write")
    user = client.post(USERS, json={"name": "Ana"}).json
    client.patch(f"{USERS}/{user['id']}", json={"name": "Dan"})
    client.delete(f"{USERS}/{user['id']}")
    assert entries(session) == [
        ("create", "users", user["id"]),
        ("update", "users", user["id"]),
        ("delete", "users", None),
    ]


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
    assert entries(session) == []


def test_without_somebody_acting_nothing_is_recorded(session):
    audit.watch()
    session.add(User(name="by a worker"))
    session.flush()
    assert entries(session) == []


def test_a_statement_is_recorded_too(session):
    audit.watch()
    with audit.acting(audit.Actor("somebody", "default")):
        session.execute(update(User).values(name=func.upper(User.name)))
    assert entries(session) == [("update", "users", None)]


@pytest.mark.capability("C21")
def test_the_administrator_reads_it_newest_first(client_of):
    client = client_of("admin", owner="ana")
    client.post(USERS, json={"name": "one"})
    client.post(USERS, json={"name": "two"})
    answer = client.get("/api/v1/audit").json
    assert answer["total"] == 2
    assert answer["items"][0]["id"] > answer["items"][1]["id"]
