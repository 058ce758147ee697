"""The routes as the OpenAPI document describes them, and how a tenant makes one of everything."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask.testing import FlaskClient

from gateway import create_app
from shared.db import get_session
from tests.integration.gateway.conftest import settings_for_tests
from tests.integration.gateway.worker import compress_windows, run_modules

DOCUMENT: dict[str, Any] = create_app(settings_for_tests()).spec
CHOICES = {"collection": "works", "kind": "steps"}  # what a path names without being an id
NO_ID = {"uuid": "00000000-0000-4000-8000-000000000000", "integer": "0"}  # by format or type


class Operation(NamedTuple):
    """One method of one path."""

    name: str
    method: str
    path: str
    spec: dict[str, Any]

    @property
    def public(self) -> bool:
        return self.spec["security"] == []

    @property
    def needs(self) -> str | None:
        return None if self.public else self.spec["security"][0]["bearer"][0]

    @property
    def parameters(self) -> list[str]:
        return [name for name in re.findall(r"{(\w+)}", self.path) if name not in CHOICES]

    @property
    def streams(self) -> bool:
        return "text/event-stream" in self.spec["responses"].get("200", {}).get("content", {})

    def url(self, ids: dict[str, str]) -> str:
        schemas = {parameter["name"]: parameter["schema"] for parameter in self.spec["parameters"]}
        known = {name: ids.get(name) or no_id(schemas[name]) for name in self.parameters}
        return self.path.format_map(known | CHOICES)

    def body(self) -> Any:
        """Return the documented example; without one a route cannot be tested, nor understood."""
        content = self.spec.get("requestBody", {}).get("content")
        if content is None or self.name in SENDERS:
            return None
        assert "application/json" in content, f"{self.name} takes no JSON: give it a sender in SENDERS"
        schema = content["application/json"]["schema"]
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert schema.get("examples"), f"give the body of {self.name} an example"
        return schema["examples"][0]


OPERATIONS = {
    spec["operationId"]: Operation(spec["operationId"], method, path, spec)
    for path, methods in DOCUMENT["paths"].items()
    for method, spec in methods.items()
}


def no_id(schema: dict[str, Any]) -> str:
    """Return an id of the right form that nothing has."""
    return NO_ID.get(schema.get("format") or schema["type"], "none")


@dataclass
class Tenant:
    """An owner who works through REST alone; every text it stores holds its mark."""

    client: FlaskClient
    mark: str
    ids: dict[str, str] = field(default_factory=dict)

    def send(self, name: str, ids: dict[str, str] | None = None) -> Any:
        """Send an operation's example, about the given ids or this tenant's own."""
        operation, ids = OPERATIONS[name], self.ids if ids is None else ids
        sender = SENDERS.get(name)
        if sender is not None:
            return sender(self.client, operation.url(ids))
        body = operation.body()
        arguments = {} if body is None else {"json": self.fill(body, ids)}
        return self.client.open(operation.url(ids), method=operation.method.upper(), **arguments)

    def fill(self, value: Any, ids: dict[str, str], name: str = "") -> Any:
        """Put ids in the place of ids, and the mark into texts that are read by people."""
        if isinstance(value, dict):
            return {key: self.fill(item, ids, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, ids) for item in value]
        if name.endswith("_id") and name != "external_id":
            return ids.get(name, value)
        return f"{value} {self.mark}" if name in MARKED else value

    def make_everything(self) -> None:
        """Make one of everything, in an order in which each finds what it needs."""
        for name, make in MAKERS.items():
            self.ids[name] = make(self)


MARKED = {"title", "content", "description", "first_message"}
Sender = Callable[[FlaskClient, str], Any]
# Routes that take no JSON: how to call each, given a client and the URL.
SENDERS: dict[str, Sender] = {
    "upload_files": lambda client, url: client.post(url, data={"files": [(io.BytesIO(b"Some words."), "words.txt")]}),
    "ingest_document": lambda client, url: client.post(
        url,
        data={"file": (io.BytesIO(b"Other words."), "other.txt"), "source_uri": "/other.txt", "source": "disk"},
    ),
}


def made_by(operation: str) -> Callable[[Tenant], str]:
    """Make by an operation whose answer holds the id."""

    def make(tenant: Tenant) -> str:
        response = tenant.send(operation)
        assert response.status_code in (200, 201, 202), response.text
        answered = response.json
        return str(answered["items"][0]["id"] if "items" in answered else answered["id"])

    return make


def found_in(operation: str, *place: str | int) -> Callable[[Tenant], str]:
    """Make by an operation that answers with the id further in."""

    def make(tenant: Tenant) -> str:
        value = tenant.send(operation).json
        for step in place:
            value = value[step]
        return str(value)

    return make


def batch_with_a_document(tenant: Tenant) -> str:
    """Open a batch and bring a document in."""
    batch_id = str(tenant.send("open_batch").json["id"])
    document = {"file": (io.BytesIO(b"A letter."), "letter.txt"), "source_uri": "/letter.txt", "source": "disk"}
    sent = tenant.client.post("/api/v1/document/ingest-document", data=document | {"batch_id": batch_id})
    assert sent.status_code == 201, sent.text
    return batch_id


def run(tenant: Tenant) -> str:
    """Ask for a run of the module, and have a worker do it."""
    path = OPERATIONS["run_module"].url(tenant.ids)
    sent = tenant.client.post(f"{path}?wait=false", json={"message": f"Hello {tenant.mark}"})
    assert sent.status_code == 202, sent.text
    with get_session() as session:
        run_modules(session)
    return str(sent.json["id"])


def fetched(tenant: Tenant) -> str:
    """Ask for a page, which nobody fetches."""
    form = {"input_uri": "http://page.example/", "source_uri": "/page", "source": f"web {tenant.mark}"}
    sent = tenant.client.post("/api/v1/document/ingest-document?wait=false", data=form)
    assert sent.status_code == 202, sent.text
    return str(sent.json["id"])


def remembered(tenant: Tenant) -> str:
    """Say enough for a window, and compress it as a worker does."""
    messages = [{"role": "user", "content": f"Message {number}"} for number in range(40)]
    path = f"/api/v1/conversations/{tenant.ids['conversation_id']}"
    assert tenant.client.post(f"{path}/messages/import", json={"messages": messages}).status_code == 201
    with get_session() as session:
        compress_windows(session, f"A summary {tenant.mark}")
    return str(tenant.client.get(f"{path}/memories").json["items"][0]["id"])


# Every id that occurs in a path: how a tenant comes by one.
MAKERS: dict[str, Callable[[Tenant], str]] = {
    "user_id": made_by("create_user"),
    "persona_id": made_by("create_persona"),
    "conversation_id": made_by("create_conversation"),
    "turn_id": made_by("send_message"),
    "message_id": made_by("list_messages"),
    "memory_id": remembered,
    "module_id": made_by("create_module"),
    "execution_id": run,
    "fetch_id": fetched,
    "file_id": found_in("upload_files", "uploaded", 0, "id"),
    "batch_id": batch_with_a_document,
    "run_group_id": found_in("ingest_persona", "jobs", 1, "run_group_id"),
    "run_id": found_in("get_run_group", "runs", 0, "id"),
    "work_id": found_in("get_run", "steps", 0, "id"),
    "chunk_id": made_by("upsert_chunks"),
    "key_id": made_by("create_key"),
}
