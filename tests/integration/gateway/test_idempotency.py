"""A POST sent twice works once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from gateway import create_app
from gateway.http.auth import requires
from gateway.http.idempotency import idempotent, once, request_hash
from shared.db import get_session
from shared.domain.access import Permission
from shared.models import Conversation, IdempotencyKey
from shared.queries.accounts import idempotency, keys
from shared.queries.scope import Scope
from tests.integration.gateway.conftest import client_with, settings_for_tests

PATH = "/api/v1/conversations"
KEY = {"Idempotency-Key": "order-1"}


@pytest.fixture
def chatter(client_of):
    return client_of("chat")


def conversations_of(session):
    return session.scalar(select(func.count()).select_from(Conversation))


@pytest.mark.capability("C186")
def test_the_second_answer_is_the_first_one(chatter, session):
    first = chatter.post(PATH, json={"title": "a"}, headers=KEY)
    second = chatter.post(PATH, json={"title": "a"}, headers=KEY)
    assert conversations_of(session) == 1
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


@pytest.mark.capability("C186")
def test_another_body_under_the_same_key_is_refused(chatter, session):
    chatter.post(PATH, json={"title": "a"}, headers=KEY)
    assert chatter.post(PATH, json={"title": "b"}, headers=KEY).status_code == 422
    assert conversations_of(session) == 1


@pytest.mark.capability("C186")
def test_a_body_counts_by_value(chatter):
    chatter.post(PATH, data='{"title": "a"}', content_type="application/json", headers=KEY)
    again = chatter.post(PATH, data='{ "title":"a" }', content_type="application/json", headers=KEY)
    assert again.status_code == 201


@pytest.mark.capability("C186")
def test_without_a_key_each_request_works(chatter, session):
    chatter.post(PATH, json={"title": "a"})
    chatter.post(PATH, json={"title": "a"})
    assert conversations_of(session) == 2


@pytest.mark.capability("C186")
def test_a_key_belongs_to_its_holder(chatter, client_of, session):
    chatter.post(PATH, json={"title": "a"}, headers=KEY)
    other = client_of("chat").post(PATH, json={"title": "b"}, headers=KEY)
    assert (other.status_code, other.json["title"]) == (201, "b")


@pytest.mark.capability("C186")
def test_a_failure_leaves_the_key_free(chatter, session):
    missing = {"persona_id": "00000000-0000-0000-0000-000000000000"}
    assert chatter.post(PATH, json=missing, headers=KEY).status_code == 404
    assert chatter.post(PATH, json={"title": "a"}, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "é", "x" * 256])
def test_an_unfit_key_is_refused(chatter, key):
    assert chatter.post(PATH, json={}, headers={"Idempotency-Key": key}).status_code == 422


@pytest.mark.capability("C186")
def test_an_old_key_is_free_again(chatter, session):
    chatter.post(PATH, json={"title": "a"}, headers=KEY)
    session.execute(update(IdempotencyKey).values(created_at=func.now() - timedelta(hours=25)))
    assert chatter.post(PATH, json={"title": "b"}, headers=KEY).json["title"] == "b"
    assert chatter.post(PATH, json={"title": "b"}, headers=KEY).headers["Idempotent-Replayed"] == "true"


def test_old_answers_are_pruned_in_batches(chatter, session):
    for number in range(3):
        chatter.post(PATH, json={}, headers={"Idempotency-Key": f"k{number}"})
    session.execute(update(IdempotencyKey).values(created_at=func.now() - timedelta(hours=25)))
    chatter.post(PATH, json={}, headers={"Idempotency-Key": "new"})
    keep = timedelta(hours=24)
    assert [idempotency.prune(session, keep=keep, batch=2) for _ in range(3)] == [2, 1, 0]
    assert session.scalars(select(IdempotencyKey.key)).all() == ["new"]


@pytest.mark.capability("C186")
def test_twenty_at_once_make_one_row(database_url):
    app = create_app(settings_for_tests())
    with get_session() as session:
        key = keys.add(session, Scope("default"), name="many", scopes=[Permission.CHAT]).key

    def post(_):
        return client_with(app, key).post(PATH, json={"title": "one"}, headers=KEY)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(post, range(20)))
    with get_session() as session:
        assert conversations_of(session) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == 19


def test_a_route_that_forgets_to_keep_its_answer_fails_loudly(app, client_of):
    @app.post("/forgetful")
    @requires(Permission.CHAT)
    @idempotent
    def forget():
        with once():
            pass
        return {}

    assert client_of("chat").post("/forgetful").status_code == 500


def test_an_upload_counts_by_its_content_and_not_by_its_boundary(app):
    def asked(content, boundary):
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        with app.test_request_context("/upload", method="POST", data=body, content_type=kind):
            return request_hash()

    assert asked(b"one", "x1") == asked(b"one", "x2")
    assert asked(b"one", "x1") != asked(b"two", "x1")
