"""The model server: `python -m deploy.model.server --host 127.0.0.1 --port N`."""

import argparse
import base64
import json
import logging
import os
import signal
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from deploy.model.chat import MODEL_ID as CHAT_ID
from deploy.model.chat import ChatAbsent, ChatModel, Chunk, find_weights
from deploy.model.embedding import DIMENSIONS, EmbeddingModel, lacks_avx2, read_input_type, read_inputs
from deploy.model.embedding import MODEL_ID as EMBEDDING_ID
from deploy.model.http import BadRequest, JsonHandler, JsonServer
from deploy.model.turns import Busy, Presence
from shared.background import begin

NO_AVX2 = (
    "this CPU has no AVX2, which the bundled embedding model needs: "
    "set PERSONAE_EMBEDDING_URL and PERSONAE_CHAT_URL to a server elsewhere"
)
log = logging.getLogger("personae.model")


@dataclass
class Models:
    """What is loaded so far; `chat` stays None, with the reason, where its wheels are absent."""

    embedding: EmbeddingModel | None = None
    chat: ChatModel | None = None
    chat_absent: str = ""

    @property
    def are_loaded(self) -> bool:
        """Whether everything that will ever be loaded is."""
        return self.embedding is not None and bool(self.chat or self.chat_absent)

    def load(self) -> None:
        """Load both models; raises what the embedding model raises, for without it there is no server."""
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        people = Presence()  # who waits for an answer now; passages can wait
        self.embedding = EmbeddingModel(threads=processors, people=people)
        try:
            self.chat = ChatModel(find_weights(), prompt_threads=min(processors, 4), people=people)
        except ChatAbsent as absent:
            self.chat_absent = str(absent)
            log.warning("no chat model: %s", absent)


class ModelHandler(JsonHandler):
    """OpenAI's three routes and a health check over the loaded models."""

    def __init__(self, models: Models, *arguments: Any) -> None:
        self.models = models
        super().__init__(*arguments)

    def routes(self) -> Mapping[str, Callable[[], None]]:
        """Return the four routes."""
        return {
            "GET /health": self.get_health,
            "GET /v1/models": self.get_models,
            "POST /v1/embeddings": self.post_embeddings,
            "POST /v1/chat/completions": self.post_chat,
        }

    def get_health(self) -> None:
        """Say 200 once every model can answer."""
        ready = self.models.are_loaded
        chat = self.models.chat_absent or CHAT_ID
        body = {"status": "ok" if ready else "loading", "embedding": EMBEDDING_ID, "chat": chat}
        self.send_json(200 if ready else 503, body)

    def get_models(self) -> None:
        """List the models, the chat model labelled a demo."""
        listed = [{"id": EMBEDDING_ID, "object": "model", "created": 0, "owned_by": "personae"}]
        if not self.models.chat_absent:
            listed.append({"id": CHAT_ID, "object": "model", "created": 0, "owned_by": "personae-demo"})
        self.send_json(200, {"object": "list", "data": listed})

    def post_embeddings(self) -> None:
        """Embed the texts as queries or, by default, as passages."""
        body = self.read_json()
        texts, kind = read_inputs(body), read_input_type(body)
        if body.get("dimensions", DIMENSIONS) != DIMENSIONS:
            raise BadRequest(f"{EMBEDDING_ID} has {DIMENSIONS} dimensions and no other number")
        if self.models.embedding is None:
            self.send_failure(503, "the embedding model is still loading", Retry_After="1")
            return
        try:
            vectors, tokens = self.models.embedding.embed(texts, kind, is_gone=self.client_is_gone)
        except Busy as error:
            self.send_failure(503, str(error), Retry_After="2")
            return
        write = encode_base64 if body.get("encoding_format") == "base64" else decode_floats
        data = [{"object": "embedding", "index": i, "embedding": write(v)} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self.send_json(200, {"object": "list", "model": EMBEDDING_ID, "data": data, "usage": usage})

    def post_chat(self) -> None:
        """Generate a reply, whole or as a stream."""
        body = self.read_json()
        chat = self.models.chat
        if chat is None:
            self.send_failure(503, self.models.chat_absent or "the chat model is still loading", Retry_After="1")
            return
        reply = ChatReply(self)
        chat.generate(body, reply.give, is_gone=reply.is_gone)
        reply.end()


class ChatReply:
    """Sends chunks as they come: the status line waits for the first, which may be an error."""

    def __init__(self, handler: ModelHandler) -> None:
        self._handler = handler
        self._is_open = False
        self._is_gone = False

    def is_gone(self) -> bool:
        """Say whether the client has left."""
        self._is_gone = self._is_gone or self._handler.client_is_gone()
        return self._is_gone

    def give(self, chunk: Chunk) -> None:
        """Send one chunk, the whole answer, or an error."""
        try:
            self._send(chunk)
        except OSError:
            self._is_gone = True

    def _send(self, chunk: Chunk) -> None:
        if "error" in chunk and not self._is_open:
            self._handler.send_failure(int(chunk["error"].get("code", 500)), str(chunk["error"].get("message")))
        elif chunk.get("object") == "chat.completion":
            self._handler.send_json(200, chunk)
        else:
            self._send_event(chunk)

    def _send_event(self, chunk: Chunk) -> None:
        if not self._is_open:
            self._handler.begin_events()
            self._is_open = True
        # A comment while the prompt is read: clients skip it, and proxies see life.
        event = ": reading the prompt" if "prompt_progress" in chunk else f"data: {json.dumps(chunk)}"
        self._handler.send_bytes(event.encode() + b"\n\n")

    def end(self) -> None:
        """Close the stream, or the connection of a client that left."""
        if self._is_gone:
            self._handler.close_connection = True
        elif self._is_open:
            self._handler.send_bytes(b"data: [DONE]\n\n")
            self._handler.end_events()


def encode_base64(vector: bytes) -> str:
    """Write a vector as OpenAI's base64 of little-endian float32."""
    return base64.b64encode(vector).decode()


def decode_floats(vector: bytes) -> list[float]:
    """Write a vector as a list of numbers."""
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def serve(host: str, port: int) -> None:
    """Answer health checks at once, load the models, and stay until SIGTERM or SIGINT."""
    models = Models()
    server = JsonServer((host, port), partial(ModelHandler, models))
    begin("serving", server.serve_forever)
    started = time.monotonic()
    models.load()
    log.info("ready at %s after %.1f s; %s is a demo model", server.url, time.monotonic() - started, CHAT_ID)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8020)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if lacks_avx2():
        raise SystemExit(NO_AVX2)
    # Blocked before any thread starts, so that sigwait is the only one to see them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    serve(arguments.host, arguments.port)
    os._exit(0)  # the model library's threads do not end by themselves


if __name__ == "__main__":
    main()
