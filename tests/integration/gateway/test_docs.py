"""The documentation, which needs no internet."""

import re

import pytest
from jsonschema import Draft202012Validator

from gateway.schemas.dialogue.conversations import MessageOut
from gateway.schemas.dialogue.turns import TraceOut
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


def told(response):
    """The JSON of a described answer, with its example."""
    return response.get("content", {}).get("application/json", {})


def is_of(example, schema):
    """Say whether an example is what its schema describes."""
    whole = {"components": DOCUMENT["components"], **schema}
    return [error.message for error in Draft202012Validator(whole).iter_errors(example)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_what_it_is_for(name):
    operation = OPERATIONS[name].spec
    assert len(operation["description"]) > 10
    assert operation["summary"].lower().replace(" ", "_") != name


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_and_every_error_has_a_true_example(name):
    for status, response in OPERATIONS[name].spec["responses"].items():
        if content := told(response):
            assert is_of(content["example"], content["schema"]) == [], status
    ok = [status for status in OPERATIONS[name].spec["responses"] if status < "3"]
    assert ok


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if "requestBody" in each.spec])
def test_the_example_of_a_body_is_one(name):
    for content in OPERATIONS[name].spec["requestBody"]["content"].values():
        schema = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        for example in schema.get("examples", []):
            assert is_of(example, content["schema"]) == []


def test_the_job_is_told_in_its_order(nobody):
    said = nobody.get("/openapi.json").json["info"]["description"]
    steps = re.findall(r"^\d\. `(\w+)`", said, re.MULTILINE)
    assert steps == [
        "create_persona",
        "upload_files",
        "ingest_persona",
        "get_ingestion_status",
        "search_passages",
        "create_conversation",
    ]
    assert set(re.findall(r"`([a-z]+_[a-z_]+)`", said)) - {"all_completed", "any_failed"} <= OPERATIONS.keys()


def test_a_message_may_be_answered_with_the_turn_the_reply_or_the_stream():
    responses = OPERATIONS["send_message"].spec["responses"]
    assert told(responses["202"])["schema"] == {"$ref": "#/components/schemas/TurnOut"}
    assert told(responses["200"])["schema"] == {"$ref": "#/components/schemas/MessageOut"}
    assert "event: message" in responses["200"]["content"]["text/event-stream"]["example"]


@pytest.mark.parametrize("name", ["send_message", "get_turn_events"])
@pytest.mark.parametrize(
    "kind",
    "turn stage thinking token restart message post_response done cancelled error reconnect".split(),
)
def test_every_event_is_described(name, kind):
    assert f"`{kind}`" in OPERATIONS[name].spec["responses"]["200"]["description"]


def test_the_words_of_a_path_are_listed():
    (_, collection) = OPERATIONS["upload_files"].spec["parameters"]
    assert collection["schema"]["enum"] == ["works", "quotes", "profile"]
    (kind, _) = OPERATIONS["get_why"].spec["parameters"]
    assert "turns" in kind["schema"]["enum"]
    assert all(word in kind["description"] for word in kind["schema"]["enum"])


def test_the_page_lets_files_be_chosen(nobody):
    page = nobody.get("/docs").text
    assert "multipart/form-data" in page
    assert "FormData" in page


KEYS = {
    ("TraceOut", "trace"): {"stages", "messages", "passages", "executions", "warnings"},
    ("MessageOut", "extra_data"): {"model", "citations", "chunk_ids", "cancelled"},
    ("StepOut", "status_meta"): {"correlation_id", "error_type", "passages", "warning"},
    ("RunOut", "run_params"): {"uri_id", "persona_id", "collection"},
    ("FetchOut", "answer"): {"document_hash", "run_group_id"},
    ("ModuleOut", "script_analysis_metadata"): {"language_gaps", "detected_functions"},
}


@pytest.mark.parametrize(("name", "field"), KEYS)
def test_the_keys_of_what_is_kept_as_json_are_described(name, field):
    described = DOCUMENT["components"]["schemas"][name]["properties"][field]
    properties = described.get("anyOf", [described])[0]["properties"]
    assert KEYS[name, field] <= properties.keys()


def test_what_is_kept_as_json_is_answered_as_it_is_kept():
    kept = {"citations": "what an import brought", "of_another_version": [1]}
    values = dict.fromkeys(MessageOut.model_fields) | {"extra_data": kept}
    assert MessageOut.model_construct(**values).model_dump(mode="json")["extra_data"] == kept
    assert TraceOut(turn_id=1, trace=kept, created_at="2026-01-01T00:00:00Z").model_dump(mode="json")["trace"] == kept
