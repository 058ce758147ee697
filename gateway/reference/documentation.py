"""The OpenAPI document made whole (security, errors, headers), and a page that shows it without the internet."""

import re
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Response, redirect
from werkzeug.wrappers import Response as Answer

from gateway.http import auth, idempotency
from gateway.http.headers import NO_FRAMES
from gateway.http.limits import UPLOAD
from gateway.reference import examples
from gateway.schemas.errors import ErrorOut
from shared.domain.persona import CollectionType
from shared.queries.kinds import KINDS

PAGE = Path(__file__).parent / "docs.html"
Document = dict[str, Any]

CONTENT_POLICY = f"default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; {NO_FRAMES}"
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, psk_…"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
IDEMPOTENCY_PARAMETER = {
    "in": "header",
    "name": idempotency.HEADER,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.LONGEST_KEY},
    "description": (
        "Send again with the same key and body: the work is done once, the answer repeated for 24 hours; "
        "who waits for a reply or a result gets it."
    ),
}

LAST_EVENT_PARAMETER = {
    "in": "header",
    "name": "Last-Event-ID",
    "required": False,
    "schema": {"type": "string"},
    "description": "The id of the last event that was heard: the stream goes on behind it.",
}
CHOICES = {"collection": [*CollectionType], "kind": [*KINDS]}  # of parameters in a path that are words
KINDS_IN_WORDS = "; ".join(f"`{path}`: {kind.what}" for path, kind in KINDS.items())
FORMS: dict[str, Document] = {"uuid": {"type": "string", "format": "uuid"}, "int": {"type": "integer", "minimum": 0}}
JSON = "application/json"
RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds, where waiting may help"}}
RESUMING = {"get_turn_events"}
ANSWERS = {
    "200": "It is done, and this is the answer",
    "201": "It is there now",
    "202": "It was accepted: the work goes on behind this answer",
    "204": "It is gone; there is nothing to answer",
}
SUCCESS = "Successful response"  # what the framework says of every answer
ABOUT = """
Personas that read files, and answer out of what they have read. The job from its beginning to its end, by operation:

1. `create_persona`: a name, and a template that says who speaks.
2. `upload_files`: its works, quotes and profile, as files.
3. `ingest_persona`: have it read them. The answer is 202: work goes on behind it.
4. `get_ingestion_status`: ask until `all_completed` or `any_failed`.
5. `search_passages` finds what was read; `ask_persona` answers one question out of it, with sources.
6. `create_conversation`, then `send_message`: `?wait=true` for the reply, `Accept: text/event-stream` for a stream.

Every call but `/health`, `/ready` and this document needs a key: `Authorization: Bearer psk_…`. What waits says why at
`get_why`. Every error has one shape, `Error`; its correlation id finds it in the logs. Lists take `limit` and `offset`.
"""


def install(app: APIFlask) -> None:
    """Serve /openapi.json and /docs."""
    app.config |= {
        "OPENAPI_VERSION": "3.1.0",
        "SECURITY_SCHEMES": SECURITY_SCHEMES,
        "AUTO_SERVERS": False,
        "AUTO_VALIDATION_ERROR_RESPONSE": False,
        "AUTO_404_RESPONSE": False,
    }
    app.spec_processor(partial(complete, app))
    app.add_url_rule("/docs", "docs", app.doc(hide=True)(auth.public(show_page)))
    app.add_url_rule("/", "root", app.doc(hide=True)(auth.public(lead_to_page)))


def lead_to_page() -> Answer:
    """Lead whoever opens the bare address to the documentation."""
    return redirect("/docs")


def show_page() -> Response:
    """Serve the page."""
    response = Response(PAGE.read_text(), mimetype="text/html")
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    return response


def complete(app: APIFlask, document: Document) -> Document:
    """Add what the views declare to the operations that the framework wrote."""
    document = merge_nested(document)
    document["info"]["description"] = ABOUT.strip()
    schemas = document["components"]["schemas"]
    schemas["Error"] = ErrorOut.model_json_schema()
    schemas["Error"]["examples"] = [examples.of_error(HTTPStatus.UNPROCESSABLE_ENTITY)]
    for view, operation in operations(app, document):
        operation["operationId"] = view.__name__
        operation["summary"] = operation["summary"].rstrip(".")
        operation["description"] = " ".join(operation.get("description", "").split())
        _add_declared(view, operation)
        _add_examples(operation, schemas)
    return document


def _add_declared(view: Any, operation: Document) -> None:
    """Add what marks on the view say: its key, its body, its headers."""
    _add_security(operation, getattr(view, auth.NEEDS))
    _add_errors(operation)
    if getattr(view, idempotency.MARK, False):
        operation["parameters"].append(IDEMPOTENCY_PARAMETER)
    if view.__name__ in RESUMING:
        operation["parameters"].append(LAST_EVENT_PARAMETER)
    if getattr(view, UPLOAD, False):
        operation["responses"]["413"] = error_response(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The upload is over the limit"
        )


def _add_examples(operation: Document, schemas: Document) -> None:
    for status, response in operation["responses"].items():
        if response["description"] == SUCCESS:
            response["description"] = ANSWERS[status]
        answered = response.get("content", {}).get(JSON)
        if answered and answered.get("schema") and "example" not in answered:
            answered["example"] = examples.of(answered["schema"], schemas)


def operations(app: APIFlask, document: Document) -> Iterator[tuple[Any, Document]]:
    """Pair each operation of the document with the view behind it."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = document["paths"].get(path, {}).get(method.lower())
            if operation is not None:
                _name_forms(rule.rule, operation)
                yield app.view_functions[rule.endpoint], operation


def error_response(status: int, description: str, **words: str) -> Document:
    """Describe an error answer, with an example."""
    schema = {"$ref": "#/components/schemas/Error"}
    return {
        "description": description,
        "content": {JSON: {"schema": schema, "example": examples.of_error(status, **words)}},
    }


def merge_nested(document: Document) -> Document:
    """Give a model one name: the framework writes a nested model once per parent, as Parent.Child."""
    schemas: Document = document["components"]["schemas"]
    for name in [name for name in schemas if "." in name]:
        schema = schemas.pop(name)
        schemas.setdefault(name.rpartition(".")[2], schema)
    merged: Document = _shorten_references(document)
    return merged


def _shorten_references(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(item) if key == "$ref" else _shorten_references(item) for key, item in value.items()}
    return [_shorten_references(item) for item in value] if isinstance(value, list) else value


def _short(reference: str) -> str:
    folder, _, name = reference.rpartition("/")
    return f"{folder}/{name.rpartition('.')[2]}"


def _name_forms(rule: str, operation: Document) -> None:
    """Say which form each id of a path has, and which words it takes in the place of one."""
    forms = {name: form for form, name in re.findall(r"<(\w+):([^<>]+)>", rule)}
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            name, form = parameter["name"], forms.get(parameter["name"], "")
            parameter["schema"] = dict(FORMS.get(form, {"type": "string"}))
            if name in CHOICES:
                parameter["schema"]["enum"] = CHOICES[name]
            if name == "kind":
                parameter["description"] = KINDS_IN_WORDS


def _add_security(operation: Document, needed: str | None) -> None:
    if needed is None:
        operation["security"] = []
        return
    operation["security"] = [{scheme: [str(needed)]} for scheme in SECURITY_SCHEMES]
    operation["responses"] |= {
        "401": error_response(401, "No key, or one that is unknown, expired or revoked"),
        "403": error_response(403, f"The key lacks the scope {needed}", scope=str(needed)),
        "429": error_response(429, "The owner has reached a limit; `details` names it") | {"headers": RETRY_AFTER},
    }


def _add_errors(operation: Document) -> None:
    responses = operation["responses"]
    if ids := [each["name"] for each in operation["parameters"] if each["in"] == "path"]:
        what = f"{ids[-1].removesuffix('_id').replace('_', ' ')} {examples.UUID}"
        responses["404"] = error_response(404, "There is no such thing, or it is somebody else's", what=what)
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
        responses["409"] = error_response(409, "This contradicts what is there, such as a name that is taken")
        responses["400"] = error_response(400, "The body cannot be read, or asks for what is not allowed")
        responses["415"] = error_response(415, "The body is of another content type")
    if operation["parameters"] or "requestBody" in operation:
        responses["422"] = error_response(422, "The input is well-formed and wrong")
    responses["default"] = error_response(503, "Any other error has the same shape")
