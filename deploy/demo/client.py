"""Personae's REST API as the demo uses it: nothing but HTTP from outside."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx


class DemoFailed(Exception):
    """Something that the demo promises did not happen."""


class Event(NamedTuple):
    """One server-sent event."""

    kind: str
    data: dict[str, Any]


class Client:
    """A client with a key; every answer but 2xx raises DemoFailed with what the server said."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def find_or_add_persona(self, persona: dict[str, Any]) -> dict[str, Any]:
        """Return the demo's persona, made now or left by a cut run; another of that slug is a failure."""
        listed = self._call("GET", "/api/v1/personas", params={"limit": 500})["items"]
        known = (item for item in listed if all(item[field] == value for field, value in persona.items()))
        return next(known, None) or self._call("POST", "/api/v1/personas", json=persona)

    def remove_persona(self, persona_id: str) -> None:
        """Delete a persona with its conversations, its files and what it read of them."""
        self._call("DELETE", f"/api/v1/personas/{persona_id}")

    def upload(self, persona_id: str, collection: str, path: Path) -> None:
        """Give a persona a file."""
        url = f"/api/v1/personas/{persona_id}/upload/{collection}"
        with path.open("rb") as file:
            self._call("POST", url, files={"files": (path.name, file)})

    def ingest(self, persona_id: str) -> None:
        """Have the persona read its files."""
        self._call("POST", f"/api/v1/personas/{persona_id}/ingest", json={})

    def ingestion(self, persona_id: str) -> dict[str, Any]:
        """Return how far the reading has come."""
        return self._call("GET", f"/api/v1/personas/{persona_id}/ingestion/status")

    def search(self, persona_id: str, query: str) -> list[dict[str, Any]]:
        """Return the best passages."""
        body = {"query": query, "persona_id": persona_id, "limit": 3}
        found: list[dict[str, Any]] = self._call("POST", "/api/v1/search", json=body)["items"]
        return found

    def find_or_add_module(self, module: dict[str, Any]) -> str:
        """Have the module that templates refer to by this name; return its id."""
        listed = self._call("GET", "/api/v1/modules", params={"limit": 500})["items"]
        known = next((item for item in listed if item["name"] == module["name"]), None)
        return str((known or self._call("POST", "/api/v1/modules", json=module))["id"])

    def remove_module(self, module_id: str) -> None:
        """Delete a module."""
        self._call("DELETE", f"/api/v1/modules/{module_id}")

    def begin(self, persona_id: str, **values: Any) -> str:
        """Begin a conversation."""
        body = {"persona_id": persona_id, "title": "Demo", **values}
        return str(self._call("POST", "/api/v1/conversations", json=body)["id"])

    def import_messages(self, conversation_id: str, messages: list[dict[str, str]]) -> None:
        """Add what was said elsewhere."""
        self._call("POST", f"/api/v1/conversations/{conversation_id}/messages/import", json={"messages": messages})

    def memories(self, conversation_id: str) -> list[dict[str, Any]]:
        """Return what became of older messages."""
        found: list[dict[str, Any]] = self._call("GET", f"/api/v1/conversations/{conversation_id}/memories")["items"]
        return found

    def prompt_of(self, turn_id: int) -> str:
        """Return the system text that a reply was made from."""
        trace = self._call("GET", f"/api/v1/turns/{turn_id}/trace")["trace"]
        return str(trace["messages"][0]["content"])

    def say(self, conversation_id: str, content: str, **controls: Any) -> Iterator[Event]:
        """Say something, and yield the events of the reply, up to its message: what runs after it is not waited for."""
        url = f"/api/v1/conversations/{conversation_id}/messages"
        headers = {"Accept": "text/event-stream"}
        with self._http.stream("POST", url, json={"content": content, **controls}, headers=headers) as response:
            if response.status_code != 200:
                response.read()
                raise DemoFailed(f"{url} answered {response.status_code}: {response.text}")
            for event in _events(response.iter_lines()):
                yield event
                if event.kind == "message":
                    return

    def _call(self, method: str, url: str, **arguments: Any) -> dict[str, Any]:
        response = self._http.request(method, url, **arguments)
        if not response.is_success:
            raise DemoFailed(f"{method} {url} answered {response.status_code}: {response.text}")
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


def _events(lines: Iterator[str]) -> Iterator[Event]:
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield Event(kind, json.loads(value))


def flower_workers(flower: dict[str, Any]) -> list[str]:
    """Return the workers that Flower sees."""
    login = httpx.BasicAuth(flower["user"], flower["password"])
    response = httpx.get(f"{flower['url']}/api/workers", params={"refresh": 1}, auth=login, timeout=30)
    return sorted(response.raise_for_status().json())
