"""An HTTP client that remembers what it was answered, and reads streams of events."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import httpx

TIMEOUT = 60.0


class Event(NamedTuple):
    """One server-sent event; what the gateway tells out of the rows has no id."""

    id: str | None
    kind: str
    data: dict[str, Any]


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Read text/event-stream."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name] = value
        if not line and "event" in fields:
            yield Event(fields.get("id"), fields["event"], json.loads(fields["data"]))
        if not line:
            fields = {}


def text_of(events: Iterable[Event]) -> str:
    """Put the tokens together."""
    return "".join(event.data["text"] for event in events if event.kind == "token")


class Client:
    """A gateway as the holder of a key sees it."""

    def __init__(self, url: str, key: str) -> None:
        self.heard: list[str] = []
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request; paths that do not begin with a slash are under /api/v1."""
        response = self._http.request(method, _whole(path), **options)
        self.heard.append(f"{response.headers}\n{response.text}")
        return response

    def get(self, path: str, status: int = 200, **options: Any) -> Any:
        """Read something, and require the status."""
        return _body(self.ask("GET", path, **options), status)

    def post(self, path: str, body: Any = None, status: int = 201, **options: Any) -> Any:
        """Send something, and require the status."""
        return _body(self.ask("POST", path, json=body, **options), status)

    @contextmanager
    def streaming(self, method: str, path: str, after: str | None = None, **options: Any) -> Iterator[Iterator[Event]]:
        """Open a stream of events; leaving the context cuts the connection."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        with self._http.stream(method, _whole(path), headers=headers, **options) as response:
            assert response.status_code == 200, response.read()
            yield read_events(self._remembered(response.iter_lines()))

    def _remembered(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.heard.append(line)
            yield line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()


def _whole(path: str) -> str:
    return path if path.startswith("/") else f"/api/v1/{path}"


def _body(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, (response.request.url.path, response.status_code, response.text)
    return response.json() if response.content else None
