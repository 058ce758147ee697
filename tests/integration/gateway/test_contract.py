"""What must hold for every route, those of tomorrow included: read from the OpenAPI document."""

import pytest
from openapi_spec_validator import validate
from sqlalchemy import event

from tests.integration.gateway.contract import DOCUMENT, MAKERS, OPERATIONS, Tenant

PUBLIC = {"get_health", "get_readiness"}
EVERY = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
WITH_AN_ID = [operation for operation in OPERATIONS.values() if operation.parameters]
WITHOUT_AN_ID = [operation for operation in OPERATIONS.values() if not operation.parameters and not operation.public]


def test_the_document_is_valid_openapi():
    validate(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"


def test_the_document_hangs_together():
    schemas = DOCUMENT["components"]["schemas"]
    assert not [name for name in schemas if "." in name]
    assert "Error" in schemas
    assert set(DOCUMENT["components"]["securitySchemes"]) == {"bearer", "header"}


@EVERY
def test_every_body_is_required_and_has_an_example(operation):
    operation.body()
    assert operation.spec.get("requestBody", {"required": True})["required"]


@EVERY
def test_every_route_says_what_its_errors_look_like(operation):
    schema = operation.spec["responses"]["default"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Error"}


def test_every_id_in_a_path_can_be_made():
    needed = {name for operation in OPERATIONS.values() for name in operation.parameters}
    assert needed <= set(MAKERS), "say in contract.MAKERS how a tenant comes by the new ones"


@pytest.mark.capability("C4")
@EVERY
def test_without_a_key_only_health_answers(operation, nobody):
    status = nobody.open(operation.url({}), method=operation.method.upper()).status_code
    if operation.public:
        assert operation.name in PUBLIC
        assert status in (200, 503)
    else:
        assert status == 401


@pytest.mark.capability("C6")
@EVERY
def test_a_reader_only_reads(operation, reader):
    status = reader.open(operation.url({}), method=operation.method.upper()).status_code
    may = operation.public or operation.needs == "read"
    assert (status != 403) is may
    assert operation.method == "get" or not may


@pytest.fixture
def tenants(client_of, session):
    """Two owners; the first has made one of everything."""
    ana = Tenant(client_of("admin", owner="ana"), mark="mark-of-ana")
    ben = Tenant(client_of("admin", owner="ben"), mark="mark-of-ben")
    ana.make_everything()
    return ana, ben


def holds_an_id_of(tenant, text):
    unmistakable = [value for value in tenant.ids.values() if not value.isdigit()]
    return any(value in text for value in unmistakable)


def holds_anything_of(tenant, text):
    return tenant.mark in text or holds_an_id_of(tenant, text)


@pytest.mark.capability("C9")
@pytest.mark.parametrize("operation", WITH_AN_ID, ids=lambda operation: operation.name)
def test_anothers_id_is_not_found(operation, tenants):
    ana, ben = tenants
    response = ben.send(operation.name, ids=ana.ids)
    assert response.status_code == 404
    assert ana.mark not in response.text


@pytest.mark.capability("C9")
@pytest.mark.parametrize("operation", WITHOUT_AN_ID, ids=lambda operation: operation.name)
def test_nothing_of_anothers_is_listed_or_used(operation, tenants):
    ana, ben = tenants
    response = ben.send(operation.name, ids=ana.ids)
    body = operation.body() or {}
    refers = ana.fill(body, ana.ids) != ana.fill(body, {})
    assert (response.status_code == 404) is refers
    assert refers or not holds_anything_of(ana, response.text)
    if operation.method == "get" and "total" in response.json and operation.name not in OWN_FROM_THE_START:
        assert response.json["total"] == 0


OWN_FROM_THE_START = {"list_keys"}


def seen(response):
    return response.status_code, response.status_code == 200 and response.json


@pytest.mark.capability("C9")
def test_no_attempt_of_another_changes_anything(tenants):
    ana, ben = tenants
    reading = [operation.name for operation in WITH_AN_ID if operation.method == "get" and not operation.streams]
    before = [seen(ana.send(name)) for name in reading]
    for operation in WITH_AN_ID:
        ben.send(operation.name, ids=ana.ids)
    assert [seen(ana.send(name)) for name in reading] == before


READS = [
    operation
    for operation in OPERATIONS.values()
    if operation.method == "get" and "/api/" in operation.path and not operation.streams
]
STATEMENTS_OF_A_READ = 5  # the key, its use, a parent, the rows, their count


@pytest.mark.parametrize("operation", READS, ids=lambda operation: operation.name)
def test_a_read_asks_the_database_a_few_times(operation, tenants, shared_engine):
    asked = []

    def note(connection, cursor, statement, *rest):
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            asked.append(statement)

    event.listen(shared_engine, "before_cursor_execute", note)
    tenants[0].send(operation.name)
    event.remove(shared_engine, "before_cursor_execute", note)
    assert len(asked) <= STATEMENTS_OF_A_READ, asked
