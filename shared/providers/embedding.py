"""Text to unit vectors, as queries or as passages."""

import hashlib
import math
import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol, Self

import httpx

from shared.errors import Rejected, Transient
from shared.providers import faults
from shared.settings import Settings

Vector = list[float]
InputType = Literal["query", "passage"]
QUERY_PATIENCE = 5.0  # seconds for the one query that somebody waits for; a search by words is better than none
_WORD = re.compile(r"\w+")


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
        self._server = faults.name_server("embedding", url)
        self._client = client or httpx.Client(timeout=httpx.Timeout(timeout, connect=3.0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def embed_passages(self, texts: Sequence[str]) -> list[Vector]:
        """Embed in requests of `batch` texts each."""
        starts = range(0, len(texts), self._batch)
        return [vector for i in starts for vector in self._embed(texts[i : i + self._batch], "passage")]

    def embed_query(self, text: str) -> Vector:
        """Embed one query."""
        return self._embed([text], "query")[0]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _embed(self, texts: Sequence[str], kind: InputType) -> list[Vector]:
        body: dict[str, Any] = {"model": self.model, "input": list(texts), "encoding_format": "float"}
        if self._says_input_type:
            body["input_type"] = kind
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        with faults.translated(self._server):
            response = self._client.post(self._url, json=body, headers=headers)
        if response.status_code >= 300:
            raise faults.of_response(self._server, response, secret=self._api_key)
        return self._read(response, len(texts))

    def _read(self, response: httpx.Response, expected: int) -> list[Vector]:
        try:
            items = sorted(response.json()["data"], key=lambda item: int(item["index"]))
            vectors = [[float(number) for number in item["embedding"]] for item in items]
        except (ValueError, TypeError, KeyError) as error:
            raise Rejected(f"{self._server} does not answer in OpenAI's form: check the URL") from error
        if len(vectors) != expected:
            raise Rejected(f"{self._server} sent {len(vectors)} vectors for {expected} texts")
        return vectors


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


def check_embedding(settings: Settings, patience: float) -> None:
    """Have one word embedded: that tries the server, the key and the model. Raises what a search would meet."""
    with connect_embedding(settings.model_copy(update={"embedding_timeout": patience})) as embedding:
        embedding.embed_query("ready?")


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
