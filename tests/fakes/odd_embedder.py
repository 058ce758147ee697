"""Embedding servers that answer otherwise than they should, by what they are known to do wrong."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from deploy.model.http import JsonHandler, JsonServer
from shared.providers.embedding.client import word_vector
from tests.fakes.openai_server import serving

DIMENSIONS = 64
Items = list[dict[str, Any]]
Answer = tuple[int, str | bytes | dict[str, Any] | list[Any]]
Server = Callable[[dict[str, Any]], Answer]


def items_of(body: dict[str, Any]) -> Items:
    """Return what a good server answers."""
    return [{"index": index, "embedding": word_vector(text, DIMENSIONS)} for index, text in enumerate(body["input"])]


def changed(change: Callable[[Items], Items]) -> Server:
    """Spoil a good server's vectors."""
    return lambda body: (200, {"data": change(items_of(body))})


def each(change: Callable[[list[float]], Any]) -> Server:
    """Spoil each vector of a good server's."""
    return changed(lambda items: [item | {"embedding": change(item["embedding"])} for item in items])


def refusing(status: int, said: str, *, where: Callable[[dict[str, Any]], bool] = lambda body: True) -> Server:
    """Refuse some requests in OpenAI's shape; answer the others."""
    failure = {"error": {"message": said}}
    return lambda body: (status, failure) if where(body) else (200, {"data": items_of(body)})


def saying(status: int, said: str | bytes | dict[str, Any] | list[Any]) -> Server:
    """Answer every request with the same."""
    return lambda body: (status, said)


def large(numbers: list[float]) -> list[float]:
    """Return a vector as long as no half float can be."""
    return [number * 1e6 for number in numbers]


GOOD = changed(lambda items: items)
SPOILED: dict[str, Server] = {  # none of whose answers holds a vector that can be compared
    "NaN": each(lambda vector: [float("nan"), *vector[1:]]),
    "infinite": each(lambda vector: [float("inf"), *vector[1:]]),
    "beyond a float": each(lambda vector: [10**400, *vector[1:]]),
    "null in it": each(lambda vector: [None, *vector[1:]]),
    "null": each(lambda vector: None),
    "nested": each(lambda vector: [vector]),
    "texts in it": each(lambda vector: [str(number) for number in vector]),
    "base64": each(lambda vector: "AAAA" * 64),
    "true and false": each(lambda vector: [number > 0 for number in vector]),
    "empty": each(lambda vector: []),
    "zeros": each(lambda vector: [0.0] * DIMENSIONS),
    "too long to keep": each(lambda vector: vector * 300),
    "too few": changed(lambda items: items[:-1]),
    "too many": changed(lambda items: [*items, items[0]]),
    "no data": saying(200, {"object": "list"}),
    "a list": saying(200, [[0.1] * DIMENSIONS]),
    "nothing": saying(200, b""),
    "nested without end": saying(200, b"[" * 100_000),
    "no text": saying(200, b"\xff\xfe\x00"),
}


class _Handler(JsonHandler):
    def __init__(self, odd: "OddEmbedder", *arguments: Any) -> None:
        self.odd = odd
        super().__init__(*arguments)

    def routes(self) -> Mapping[str, Callable[[], None]]:
        """Return OpenAI's routes, and a chat that speaks of what it was told."""
        return {
            "GET /v1/models": lambda: self.send_json(200, {"data": []}),
            "POST /v1/embeddings": self.post_embeddings,
        }

    def post_embeddings(self) -> None:
        """Answer as the server of the moment."""
        body = self.read_json()
        self.odd.requests.append(body)
        status, answer = self.odd.server(body)
        if isinstance(answer, (dict, list)):
            self.send_json(status, answer)
            return
        payload = answer.encode() if isinstance(answer, str) else answer
        self.send_response(status)
        for name, value in (self.odd.headers | {"Content-Length": str(len(payload))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)


class OddEmbedder:
    """The server: whom it plays, what it was asked, and its headers where it answers bytes."""

    def __init__(self, server: Server = GOOD) -> None:
        self.server = server
        self.requests: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self._listening = JsonServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"{self._listening.url}/v1"

    @contextmanager
    def running(self) -> Iterator["OddEmbedder"]:
        """Serve until the end of the block."""
        with serving(self._listening):
            yield self

    def sizes(self) -> list[int]:
        """Return how many texts each request held."""
        return [len(body["input"]) for body in self.requests]
