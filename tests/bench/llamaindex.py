"""LlamaIndex's IngestionPipeline over a folder of documents; runs in an environment of its own (`make bench-peers`).

It splits with our splitter, asks the same server in batches of the same size, and keeps all in memory. The last line
printed is JSON: seconds of wall clock and of CPU from the first byte read to the last vector in its store.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import httpx
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.node_parser import TextSplitter
from llama_index.core.schema import Document
from llama_index.core.vector_stores import SimpleVectorStore
from pydantic import PrivateAttr

from shared.providers.parsing.chunker import chunk


class Splitter(TextSplitter):
    """Ours, where LlamaIndex has its own."""

    size: int
    overlap: int

    def split_text(self, text: str) -> list[str]:
        """Return the passages of a document."""
        return [passage.text for passage in chunk(text, self.size, self.overlap)]


class Server(BaseEmbedding):
    """The server that both ask, with the client that both use."""

    url: str
    _client: httpx.Client = PrivateAttr(default_factory=httpx.Client)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        body = {"model": self.model_name, "input": texts, "encoding_format": "float"}
        answer = self._client.post(f"{self.url}/embeddings", json=body)
        return [item["embedding"] for item in answer.raise_for_status().json()["data"]]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def ingest(folder: Path, splitter: Splitter, server: Server) -> dict[str, Any]:
    """Bring a folder's documents into a new store; return what it took."""
    store = SimpleVectorStore()
    pipeline = IngestionPipeline(transformations=[splitter, server], vector_store=store)
    cpu, wall = time.process_time(), time.perf_counter()
    pipeline.run(documents=[Document(text=path.read_text()) for path in sorted(folder.iterdir())])
    spent = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return {**spent, "vectors": len(store.data.embedding_dict)}


def main() -> None:
    """Ingest a few documents first, so that nothing is imported or connected on the clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warm_up", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", required=True)
    for name in ("size", "overlap", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    splitter = Splitter(size=given.size, overlap=given.overlap)
    server = Server(url=given.url, model_name="bench-embedding", embed_batch_size=given.batch)
    ingest(given.warm_up, splitter, server)
    print(json.dumps(ingest(given.folder, splitter, server)))


if __name__ == "__main__":
    main()
