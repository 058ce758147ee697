"""The documentation, which needs no internet."""

import re

import pytest

from tests.integration.gateway.contract import DOCUMENT, OPERATIONS


def test_the_page_loads_nothing_from_elsewhere(nobody):
    page = nobody.get("/docs")
    assert page.status_code == 200
    assert not re.search(r"https?://|src=", page.text)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_the_document_is_open(nobody):
    assert nobody.get("/openapi.json").json["paths"].keys() == DOCUMENT["paths"].keys()


RUNS = ("run_module", "test_script", "resolve_template")


def answers(operation):
    """What a route can answer that is no error: schemas by status."""
    found = {status: told.get("content", {}) for status, told in operation["responses"].items() if status < "3"}
    schemas = {status: content.get("application/json", {}).get("schema") for status, content in found.items()}
    return {status: schema for status, schema in schemas.items() if schema}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_route_answers_is_described(name):
    for schema in answers(OPERATIONS[name].spec).values():
        described = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        assert described.get("description")


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_not_finished_is_described_as_it_is_answered(name):
    not_yet = OPERATIONS[name].spec["responses"]["202"]
    assert answers(OPERATIONS[name].spec)["202"] == {"$ref": "#/components/schemas/ExecutionOut"}
    assert "Location" in not_yet["headers"]


@pytest.mark.parametrize("name", [*RUNS, "send_message"])
def test_waiting_is_described(name):
    (wait,) = [parameter for parameter in OPERATIONS[name].spec["parameters"] if parameter["name"] == "wait"]
    assert wait["schema"]["description"]
