"""One shape for whatever goes wrong."""

import logging

import pytest
from apiflask import APIBlueprint
from gunicorn.http.errors import InvalidChunkSize
from sqlalchemy import insert, text

from gateway import create_app
from gateway.http.auth import public
from shared import errors
from shared.db import close_engine, get_session, limit_statements
from shared.models import ApiKey
from tests.integration.gateway.conftest import settings_for_tests

SHAPE = {"error", "error_type", "status_code", "timestamp", "correlation_id"}


@pytest.fixture
def faulty(app, session):
    """A client of a gateway whose route /fault raises what it is given."""
    fault = {}
    bp = APIBlueprint("fault", __name__)

    @bp.get("/fault")
    @public
    def raise_fault():
        fault["raise"]()

    app.register_blueprint(bp)
    client = app.test_client()

    def ask(cause):
        fault["raise"] = cause
        return client.get("/fault")

    return ask


def throwing(error):
    def cause():
        raise error

    return cause


@pytest.mark.capability("C13")
@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.NotFound("no such thing"), 404, "NotFound"),
        (errors.Conflict("twice"), 409, "Conflict"),
        (errors.Invalid("wrong"), 422, "Invalid"),
        (errors.Refused("forbidden address"), 400, "Refused"),
        (errors.Forbidden("no"), 403, "Forbidden"),
        (errors.TooLarge("much"), 413, "TooLarge"),
        (errors.TooMany("enough"), 429, "TooMany"),
        (errors.WorkFailed("for good"), 502, "WorkFailed"),
        (errors.Unavailable("later"), 503, "Unavailable"),
        (errors.Transient("later"), 503, "Transient"),
        (InvalidChunkSize(b"ZZ"), 400, "BadRequest"),
        (ZeroDivisionError("secret detail"), 500, "InternalError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_has_the_one_shape(faulty, error, status, kind):
    response = faulty(throwing(error))
    assert response.status_code == response.json["status_code"] == status
    assert set(response.json) == SHAPE
    assert response.json["error_type"] == kind


@pytest.mark.capability("C13")
def test_an_unexpected_error_says_nothing_of_the_inside(faulty, caplog):
    with caplog.at_level(logging.ERROR):
        response = faulty(throwing(ZeroDivisionError("secret detail")))
    assert "secret detail" not in response.text
    assert "Traceback" not in response.text
    assert caplog.records[-1].exc_info is not None


@pytest.mark.capability("C13")
def test_details_are_told(faulty):
    assert faulty(throwing(errors.Conflict("twice", slug="ava"))).json["details"] == {"slug": "ava"}


@pytest.mark.capability("C13")
def test_a_duplicate_is_a_conflict_without_the_databases_words(faulty, issue):
    issued = issue("read")

    def duplicate():
        with get_session() as session:
            values = {"name": "x", "prefix": issued.row.prefix, "key_hash": "x", "scopes": []}
            session.execute(insert(ApiKey).values(**values))

    response = faulty(duplicate)
    assert response.status_code == 409
    assert "uq_" not in response.text
    assert issued.row.prefix not in response.text


def test_a_value_out_of_range_is_the_callers_error(faulty):
    def overflow():
        with get_session() as session:
            session.execute(text("SELECT 99999999999::int"))

    assert faulty(overflow).status_code == 422


def test_a_value_too_long_for_the_database_is_the_callers_error(faulty):
    def exceed():
        with get_session() as session:
            words = "(SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 40000) n)"
            session.execute(text(f"SELECT to_tsvector('simple', {words})"))

    response = faulty(exceed)
    assert (response.status_code, response.json["error"]) == (422, "a value is longer than can be stored")


@pytest.mark.capability("C13")
@pytest.mark.parametrize(
    ("method", "path", "arguments", "status", "words"),
    [
        pytest.param("get", "/nowhere", {}, 404, "there is nothing at", id="no such path"),
        pytest.param("get", "/api/v1/keys/00000000-0000-0000-0000-000000000000", {}, 404, "not found", id="no row"),
        pytest.param("put", "/health", {}, 405, "not allowed", id="no such method"),
        pytest.param("post", "/api/v1/keys", {"data": "{", "content_type": "application/json"}, 400, "not valid JSON"),
        pytest.param("post", "/api/v1/keys", {"data": "", "content_type": "application/json"}, 400, "body is empty"),
        pytest.param("post", "/api/v1/keys", {"data": "a=b"}, 415, "", id="not JSON"),
        pytest.param(
            "post", "/api/v1/keys", {"data": '{"a": NaN}', "content_type": "application/json"}, 400, "NaN", id="NaN"
        ),
        pytest.param(
            "post", "/api/v1/keys", {"data": "[" * 200_000, "content_type": "application/json"}, 400, "deep", id="deep"
        ),
        pytest.param("post", "/api/v1/keys", {"json": []}, 422, "send an object", id="a list"),
        pytest.param("post", "/api/v1/keys", {"json": {"name": "a"}}, 422, "scopes: this field is", id="a field less"),
        pytest.param(
            "post",
            "/api/v1/keys",
            {"json": {"name": "a", "scopes": ["read"], "x": 1}},
            422,
            "x: there is no such",
        ),
        pytest.param("post", "/api/v1/keys", {"json": {"name": "a\0b", "scopes": ["read"]}}, 422, "NUL", id="NUL"),
        pytest.param(
            "post",
            "/api/v1/keys",
            {"data": b'{"name": "\\ud800", "scopes": ["read"]}', "content_type": "application/json"},
            422,
            "name",
            id="half a character",
        ),
    ],
)
def test_a_bad_request_is_explained(admin, method, path, arguments, status, words):
    response = getattr(admin, method)(path, **arguments)
    assert response.status_code == response.json["status_code"] == status
    assert set(response.json) - {"details"} == SHAPE
    assert words.lower() in response.json["error"].lower()


def test_a_wrong_method_says_which_are_right(admin):
    assert "GET" in admin.put("/health").headers["Allow"]


@pytest.mark.parametrize("path", ["/health", "/api/v1/personas", "/nowhere", "/docs"])
def test_no_answer_is_kept_guessed_or_framed(admin, path):
    headers = admin.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_the_bare_address_leads_to_the_documentation(admin):
    assert admin.get("/").location == "/docs"


def test_a_body_that_is_null_changes_nothing_in_silence(admin):
    response = admin.patch(
        "/api/v1/personas/00000000-0000-4000-8000-000000000000", json=None, data="null", content_type="application/json"
    )
    assert (response.status_code, "null" in response.json["error"]) == (400, True)


def test_the_document_names_the_fields_of_an_answer_as_they_are_answered(admin):
    schemas = admin.get("/openapi.json").json["components"]["schemas"]
    assert "docstring" in schemas["FunctionOut"]["required"]
    assert "document_hash" in schemas["FileOut"]["required"]


@pytest.mark.capability("C13")
@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0.2 s"), (1, "1 s")])
def test_a_query_that_takes_too_long_is_ended_and_said_so(database_url, tmp_path, seconds, words):
    def sleep():
        with get_session() as session:
            session.execute(text("SELECT pg_sleep(20)"))

    bp = APIBlueprint("slow", __name__)
    bp.get("/slow")(public(sleep))
    app = create_app(settings_for_tests(data_dir=tmp_path, gateway_statement_seconds=seconds))
    app.register_blueprint(bp)
    try:
        response = app.test_client().get("/slow")
        with get_session() as session:
            assert session.scalar(text("SELECT 1")) == 1, "the connection is good for the next"
    finally:
        limit_statements(0)
    assert (response.status_code, response.json["error_type"]) == (504, "GatewayTimeout")
    assert set(response.json) == SHAPE
    assert words in response.json["error"]
    assert "pg_sleep" not in response.text


def test_only_a_gateway_limits_its_queries(database_url):
    limit_statements(0)
    with get_session() as session:
        assert session.scalar(text("SHOW statement_timeout")) == "0"
    close_engine()
    limit_statements(30)
    try:
        with get_session() as session:
            assert session.scalar(text("SHOW statement_timeout")) == "30s"
    finally:
        limit_statements(0)
