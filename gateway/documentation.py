"""The OpenAPI document made whole (security, errors, headers), and a page that shows it without the internet."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Response, redirect
from werkzeug.wrappers import Response as Answer

from gateway import auth, idempotency
from gateway.headers import NO_FRAMES
from gateway.limits import UPLOAD
from gateway.schemas.errors import ErrorOut

PAGE = Path(__file__).parent / "docs.html"
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

Document = dict[str, Any]


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
    document["components"]["schemas"]["Error"] = ErrorOut.model_json_schema()
    for view, operation in operations(app, document):
        operation["operationId"] = view.__name__
        _add_security(operation, getattr(view, auth.NEEDS))
        _add_errors(operation)
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
        if getattr(view, idempotency.MARK, False):
            operation["parameters"].append(IDEMPOTENCY_PARAMETER)
        if getattr(view, UPLOAD, False):
            operation["responses"]["413"] = error_response("The upload is over the limit")
    return document


def operations(app: APIFlask, document: Document) -> Iterator[tuple[Any, Document]]:
    """Pair each operation of the document with the view behind it."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            operation = document["paths"].get(path, {}).get(method.lower())
            if operation is not None:
                _name_uuids(rule.rule, operation)
                yield app.view_functions[rule.endpoint], operation


def error_response(description: str) -> Document:
    """Describe an error answer."""
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


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


def _name_uuids(rule: str, operation: Document) -> None:
    for name in re.findall(r"<uuid:([^<>]+)>", rule):
        for parameter in operation["parameters"]:
            if parameter["in"] == "path" and parameter["name"] == name:
                parameter["schema"] = {"type": "string", "format": "uuid"}


def _add_security(operation: Document, needed: str | None) -> None:
    if needed is None:
        operation["security"] = []
        return
    operation["security"] = [{scheme: [str(needed)]} for scheme in SECURITY_SCHEMES]
    operation["responses"] |= {
        "401": error_response("No key, or one that is unknown, expired or revoked"),
        "403": error_response(f"The key lacks the scope {needed}"),
    }


def _add_errors(operation: Document) -> None:
    if any(parameter["in"] == "path" for parameter in operation["parameters"]):
        operation["responses"]["404"] = error_response("There is no such thing, or it is somebody else's")
    if operation["parameters"] or "requestBody" in operation:
        operation["responses"]["422"] = error_response("The input is well-formed and wrong")
    operation["responses"]["default"] = error_response("Any other error has the same shape")
