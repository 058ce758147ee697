"""Text to unit vectors, as queries or as passages."""

import hashlib
import logging
import math
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal, Protocol, Self

import httpx

from shared.domain.text import make_storable
from shared.errors import Rejected, Transient, Unavailable
from shared.providers.embedding.refusals import Refusals, parsed
from shared.providers.embedding.vectors import Unusable, Vector, read_vectors
from shared.providers.network import faults
from shared.settings import Settings

InputType = Literal["query", "passage"]
QUERY_PATIENCE = 5.0  # seconds for the one query that somebody waits for; a search by words is better than none
MOST_BYTES = 128 << 20  # of an answer
TRIALS = ("ready?", "The keeper lit the lamp.")
_WORD = re.compile(r"\w+")

log = logging.getLogger(__name__)


class Embedding(Protocol):
    """A model that maps texts to vectors; safe to share between threads."""

    model: str

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Embed what is to be found, in the order given; raises Transient, Unavailable or Rejected."""
        ...

    def embed_query(self, text: str) -> Vector:
        """Embed what is looked for; raises Transient, Unavailable or Rejected."""
        ...


class HttpEmbedding:
    """An OpenAI-compatible `/v1/embeddings`, over connections that are kept."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        batch: int = 16,
        says_input_type: bool = True,
        timeout: float = 120.0,
        client: httpx.Client | None = None,
    ) -> None:
        self.model = model
        self._url = url.rstrip("/") + "/embeddings"
        self._api_key = api_key
        self._batch = batch
        self._says_input_type = says_input_type
        self._timeout = timeout
        self._server = faults.name_server("embedding", url)
        self._refusals = Refusals(self._server, says_input_type, api_key)
        self._client = client or httpx.Client(timeout=httpx.Timeout(timeout, connect=3.0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Embed in requests of `batch` texts each, or of as many as the server takes."""
        vectors: list[Vector] = []
        while len(vectors) < len(texts):
            vectors += self._embed_in_parts(texts[len(vectors) : len(vectors) + self._batch])
        return vectors

    def embed_query(self, text: str) -> Vector:
        """Embed one query."""
        return self._embed([text], "query")[0]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _embed_in_parts(self, texts: Sequence[str]) -> list[Vector]:
        """Embed in halves what is refused as a whole; if they are taken, no more are asked for at once from then on."""
        try:
            return self._embed(texts, "passage")
        except Rejected as error:
            if len(texts) == 1 or not error.details.get("of_texts"):
                raise
        half = len(texts) // 2
        vectors = self._embed_in_parts(texts[:half]) + self._embed_in_parts(texts[half:])
        self._batch = min(self._batch, max(half, 1))
        log.warning("the embedding server takes fewer texts at once", extra={"texts": self._batch})
        return vectors

    def _embed(self, texts: Sequence[str], kind: InputType) -> list[Vector]:
        body: dict[str, Any] = {
            "model": self.model,
            "input": [make_storable(text) for text in texts],
            "encoding_format": "float",
        }
        if self._says_input_type:
            body["input_type"] = kind
        response = self._send(body)
        if response.status_code >= 300:
            raise self._refusals.of_response(response)
        answer = parsed(response)
        try:
            return read_vectors(answer, len(texts))
        except Unusable as why:
            told = Rejected(f"{self._server} {why}", of_texts=True)
            raise self._refusals.of_answer(response, answer) or told from why

    def _send(self, body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        with (
            faults.translated(self._server),
            _sendable(self._server),
            self._client.stream("POST", self._url, json=body, headers=headers) as response,
        ):
            content = b"".join(self._in_time(response))
        kept = {name: response.headers[name] for name in ("Content-Type", "Retry-After") if name in response.headers}
        return httpx.Response(response.status_code, headers=kept, content=content)

    def _in_time(self, response: httpx.Response) -> Iterator[bytes]:
        """Read an answer that has an end: each part of it may come in time, and the whole never."""
        until, size = time.monotonic() + self._timeout, 0
        for part in response.iter_bytes():
            size += len(part)
            if time.monotonic() > until:
                raise Transient(f"{self._server} did not answer in time", timed_out=True)
            if size > MOST_BYTES:
                raise Rejected(f"{self._server} answers without end")
            yield part


@contextmanager
def _sendable(server: faults.Server) -> Iterator[None]:
    """Translate what is no error of the way there and back."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise Rejected(f"{server} has a URL that cannot be understood: check PERSONAE_EMBEDDING_URL") from error
    except UnicodeError as error:
        raise Rejected(f"{server} has a URL or an API key with a character that cannot be sent") from error


def connect_embedding(settings: Settings) -> HttpEmbedding:
    """Return the embedding server that the settings name."""
    key = settings.embedding_api_key
    return HttpEmbedding(
        settings.embedding_url or settings.model_url,
        settings.embedding_model,
        api_key=key.get_secret_value() if key else None,
        batch=settings.embedding_batch,
        says_input_type=settings.embedding_input_type,
        timeout=settings.embedding_timeout,
    )


def connect_query_embedding(settings: Settings) -> HttpEmbedding:
    """Return the same server for single queries: it has seconds to answer, not minutes."""
    timeout = min(settings.embedding_timeout, QUERY_PATIENCE)
    return connect_embedding(settings.model_copy(update={"embedding_timeout": timeout}))


def check_embedding(settings: Settings, patience: float) -> int:
    """Have a few words embedded, which tries the server, the key and the model; return the length of its vectors.

    Raises what a search or a document would meet; a server that is busy with passages is well.
    """
    with connect_embedding(settings.model_copy(update={"embedding_timeout": patience})) as embedding:
        asked = embedding.embed_query(TRIALS[0])
        try:
            _require_same_space(asked, embedding.embed_passages(TRIALS))
        except Unavailable:
            raise
        except Transient:
            pass
    return len(asked)


def _require_same_space(asked: Vector, told: Sequence[Vector]) -> None:
    if len(asked) != len(told[0]):
        raise Rejected(f"the embedding server gives questions {len(asked)} numbers and passages {len(told[0])}")
    if told[0] == told[1]:
        raise Rejected("the embedding server gives different texts the same vector: check PERSONAE_EMBEDDING_MODEL")


def try_query(embedding: Embedding, text: str) -> tuple[Vector | None, str | None]:
    """Embed what is looked for; without a vector, and with the reason, while the server is of no help."""
    try:
        return embedding.embed_query(text), None
    except (Transient, Rejected) as error:
        return None, f"searched by words only: {error}"


class FakeEmbedding:
    """Deterministic unit vectors in which shared words make neighbours; counts what it is asked."""

    def __init__(self, model: str = "fake-embedding", dimensions: int = 384) -> None:
        self.model = model
        self.dimensions = dimensions
        self.calls = 0
        self.texts = 0
        self._lock = threading.Lock()

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Embed without a model; one call, whatever the number of texts."""
        with self._lock:
            self.calls += 1
            self.texts += len(texts)
        return [word_vector(text, self.dimensions) for text in texts]

    def embed_query(self, text: str) -> Vector:
        """Embed a query as it would a passage."""
        return self.embed_passages([text])[0]


def word_vector(text: str, dimensions: int) -> Vector:
    """Sum a few signed dimensions per word and scale to length 1; text without words points one fixed way."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [""]:
        for place, sign in _places(word, dimensions):
            vector[place] += sign
    length = math.sqrt(sum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]


@lru_cache(maxsize=65536)
def _places(word: str, dimensions: int) -> tuple[tuple[int, float], ...]:
    digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
    pairs = zip(digest[::3], digest[1::3], strict=False)
    return tuple(((high * 256 + low) % dimensions, 1.0 if low & 1 else -1.0) for high, low in pairs)
