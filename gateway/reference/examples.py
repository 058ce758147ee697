"""An example of every answer and of every error, made from its schema, so that none goes out of date."""

from typing import Any

from gateway.http.errors import type_of

Document = dict[str, Any]

UUID = "0b6f6f0e-5f3e-4c64-9f43-2f6f0c1d7a11"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
LABEL = "The Log of Gull Rock, page 3"
PASSAGE = "In 1890 the bell was replaced by a horn driven by compressed air."
BY_FORM: dict[str, Any] = {
    "uuid": UUID,
    "date-time": "2026-01-01T12:00:00Z",
    "string": "…",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "null": None,
}
# What a field of this name holds, where its schema takes it.
BY_NAME: dict[str, Any] = {
    "actor": "key:" + UUID,
    "action": "insert",
    "all_completed": True,
    "answer": f"{PASSAGE} [1]",
    "any_failed": False,
    "cancel_requested_at": None,
    "chunk_id": UUID,
    "color": "#2F6F8F",
    "content": PASSAGE,
    "correlation_id": "4f1c2a9e0d7b4b0f8a53c6f1a2b3c4d5",
    "crashes": 0,
    "database": "personae",
    "degraded": False,
    "description": "Keeper of the lighthouse on Gull Rock",
    "doc_id": HASH,
    "document_hash": HASH,
    "embedding_model": "multilingual-e5-small",
    "entity": "personas",
    "error": None,
    "error_message": None,
    "expires_at": None,
    "external_id": "auth|1",
    "extra_data": {"citations": [{"number": 1, "chunk_id": UUID, "label": LABEL, "page": 3, "by": "marker"}]},
    "failed": 0,
    "file_name": "gull-rock-log.pdf",
    "is_stale": False,
    "key": "psk_…",
    "label": LABEL,
    "lease_until": None,
    "mime_type": "application/pdf",
    "name": "Elena Marsh",
    "next_retry": None,
    "offset": 0,
    "overall_progress": 100.0,
    "overall_status": "active",
    "progress": 100,
    "queue": "dialogue",
    "reason": None,
    "revoked_at": None,
    "retry": 0,
    "retries": 3,
    "score": 0.0328,
    "service": "personae",
    "slug": "elena-marsh",
    "source": "archive",
    "status_message": None,
    "template": "You are Elena Marsh, keeper of the lighthouse on Gull Rock.",
    "thinking": None,
    "title": "The Log of Gull Rock",
    "traceback": None,
    "uri": "https://example.org/letter.txt",
    "warnings": [],
    "worker_id": None,
}
FAULTS = {
    400: "the body is not valid JSON: Expecting value: line 1 column 1 (char 0)",
    401: "this needs an API key: Authorization: Bearer …, or X-API-Key",
    403: "this needs a key with the scope {scope}",
    404: "{what} not found",
    409: "there is a persona with the slug 'elena-marsh' already: choose another slug",
    413: "the body is over the limit of 52494336 bytes",
    415: "send the body as JSON, with the header Content-Type: application/json",
    422: "nmae: there is no such field, only name, …; did you mean name?",
    429: "192 requests are in work already, and PERSONAE_OWNER_REQUESTS allows no more: wait for one to end",
    502: "the chat server does not know the model",
    503: "the database is not available; try again shortly",
}
DETAILS: dict[int, Any] = {
    422: {"json": {"nmae": ["there is no such field, only name, …; did you mean name?"]}},
    429: {"limit": "PERSONAE_OWNER_REQUESTS", "value": 192},
}


def of(schema: Document, schemas: Document, name: str = "") -> Any:
    """Return an example of what a schema describes: its own, else one that is made of its parts."""
    schema = resolved(schema, schemas)
    if "examples" in schema:
        return schema["examples"][0]
    for value in [BY_NAME[name]] if name in BY_NAME else []:
        if _takes(schema, value, schemas):
            return value
    if "anyOf" in schema:
        return of(schema["anyOf"][0], schemas, name)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    return _of_type(schema, schemas, name)


def _of_type(schema: Document, schemas: Document, name: str) -> Any:
    kind = schema.get("type")
    if kind == "array":
        return [of(schema.get("items", {}), schemas, name.removesuffix("s"))]
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        key = of(schema["propertyNames"], schemas) if "propertyNames" in schema else "name"
        return {key: of(schema["additionalProperties"], schemas)}
    if kind == "object":
        return {field: of(each, schemas, field) for field, each in schema.get("properties", {}).items()}
    return BY_FORM.get(schema.get("format") or kind or "null")


def resolved(schema: Document, schemas: Document) -> Document:
    """Follow a reference."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    return schema


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _takes(schema: Document, value: Any, schemas: Document) -> bool:
    schema = resolved(schema, schemas)
    if "anyOf" in schema:
        return any(_takes(each, value, schemas) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    fits = isinstance(value, TYPES.get(schema.get("type", ""), (object,)))
    return fits and schema.get("format") in (None, "uuid" if value == UUID else None)


def of_error(status: int, **words: str) -> Document:
    """Return an example of an error."""
    said = FAULTS[status].format(**words) if words else FAULTS[status]
    return {
        "error": said,
        "error_type": type_of(status),
        "status_code": status,
        "timestamp": BY_FORM["date-time"],
        "correlation_id": BY_NAME["correlation_id"],
    } | ({"details": DETAILS[status]} if status in DETAILS else {})
