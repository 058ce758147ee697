"""Keys, scopes and the trusted proxy."""

from datetime import UTC, datetime, timedelta

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from gateway import create_app
from gateway.http.auth import check_every_route
from shared.models import ApiKey
from shared.queries.accounts import keys
from shared.queries.scope import Scope
from tests.integration.gateway.conftest import client_with, settings_for_tests

LISTED = "/api/v1/personas"


@pytest.mark.capability("C4")
def test_a_key_is_shown_once_and_kept_as_a_hash(admin, session):
    made = admin.post("/api/v1/keys", json={"name": "new", "scopes": ["read"]}).json
    row = session.scalars(select(ApiKey).where(ApiKey.name == "new")).one()
    secret = made["key"].removeprefix(made["prefix"])
    assert row.key_hash == keys.hash_key(made["key"])
    assert secret not in " ".join(str(value) for value in vars(row).values())
    assert secret not in admin.get("/api/v1/keys").text
    assert secret not in admin.get(f"/api/v1/keys/{made['id']}").text


@pytest.mark.capability("C4")
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_key_opens_the_door_in_either_header(nobody, issue, header):
    key = issue("read").key
    value = f"Bearer {key}" if header == "Authorization" else key
    assert nobody.get(LISTED, headers={header: value}).status_code == 200


@pytest.mark.capability("C4")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": "Bearer psk_aaaaaaaa_bbbb"}, id="unknown"),
        pytest.param({"Authorization": "Bearer "}, id="empty"),
        pytest.param({"Authorization": "Basic YTpi"}, id="another scheme"),
        pytest.param({"X-API-Key": "ключ"}, id="not ascii"),
    ],
)
def test_without_a_valid_key_there_is_a_challenge(nobody, session, headers):
    response = nobody.get(LISTED, headers={name: value.encode().decode("latin-1") for name, value in headers.items()})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.capability("C4")
def test_a_right_prefix_with_a_wrong_secret_is_refused(app, issue):
    wrong = issue("read").key[:-1] + "?"
    assert client_with(app, wrong).get(LISTED).status_code == 401


@pytest.mark.capability("C4")
def test_an_expired_key_is_refused(app, issue):
    expired = issue("read", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert client_with(app, expired.key).get(LISTED).status_code == 401


@pytest.mark.capability("C4")
def test_a_revoked_key_is_refused_from_its_next_request_on(admin, app, issue):
    issued = issue("read")
    client = client_with(app, issued.key)
    before = client.get(LISTED).status_code
    assert admin.delete(f"/api/v1/keys/{issued.row.id}").json["revoked_at"]
    assert (before, client.get(LISTED).status_code) == (200, 401)


@pytest.mark.capability("C6")
def test_a_reader_reads_and_does_not_administer(reader):
    assert reader.get(LISTED).status_code == 200
    refused = reader.post("/api/v1/keys", json={"name": "more", "scopes": ["admin"]})
    assert (refused.status_code, refused.json["error_type"]) == (403, "Forbidden")


def test_a_tenants_administrator_makes_no_keys_for_others(client_of):
    tenant = client_of("admin", owner="tenant")
    body = {"name": "mine", "scopes": ["read"]}
    assert tenant.post("/api/v1/keys", json=body).json["owner_id"] == "tenant"
    assert tenant.post("/api/v1/keys", json=body | {"owner_id": "default"}).status_code == 403


def test_the_operator_makes_keys_for_other_owners(admin):
    made = admin.post("/api/v1/keys", json={"name": "theirs", "scopes": ["write"], "owner_id": "tenant"})
    assert (made.status_code, made.json["owner_id"]) == (201, "tenant")


@pytest.mark.capability("C5")
@pytest.mark.parametrize(("trusted", "status"), [(True, 200), (False, 401)])
def test_a_proxys_user_counts_only_when_proxies_are_trusted(session, trusted, status):
    client = create_app(settings_for_tests(trust_proxy_headers=trusted)).test_client()
    assert client.get(LISTED, headers={"X-Auth-Request-User": "ana@example.org"}).status_code == status


@pytest.mark.capability("C5")
def test_a_wrong_key_is_refused_even_beside_a_trusted_user(session):
    client = create_app(settings_for_tests(trust_proxy_headers=True)).test_client()
    headers = {"X-Auth-Request-User": "ana@example.org", "X-API-Key": "psk_wrong"}
    assert client.get(LISTED, headers=headers).status_code == 401


@pytest.mark.capability("C5")
def test_a_proxys_user_has_the_configured_owner_and_scopes(session):
    settings = settings_for_tests(trust_proxy_headers=True, proxy_owner="acme", proxy_scopes="read")
    client = create_app(settings).test_client()
    headers = {"X-Auth-Request-User": "ana@example.org"}
    assert client.post("/api/v1/keys", json={}, headers=headers).status_code == 403


def test_a_route_that_says_nothing_about_access_stops_the_start():
    app = APIFlask("silent")
    app.add_url_rule("/open", "open", lambda: "")
    with pytest.raises(RuntimeError, match="open"):
        check_every_route(app)


def test_use_is_noted(session, app, issue):
    issued = issue("read")
    client_with(app, issued.key).get(LISTED)
    session.refresh(issued.row)
    assert issued.row.last_used_at is not None


def test_revoking_twice_keeps_the_first_time(session, issue):
    key_id = issue("read").row.id
    first = keys.revoke(session, Scope("default"), key_id).revoked_at
    assert keys.revoke(session, Scope("default"), key_id).revoked_at == first
