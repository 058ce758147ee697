"""A scripted OpenAI-compatible server: in a thread for tests, `python -m tests.fakes.openai_server` for benches."""

import argparse
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from functools import partial
from typing import Any, Self

from deploy.model.http import BadRequest, JsonHandler, JsonServer
from shared.providers.embedding.client import FakeEmbedding
from tests.fakes.script import Reply, Rule

HANG_POLL_SECONDS = 0.01


@contextmanager
def serving(server: JsonServer) -> Iterator[None]:
    """Serve in a thread until the end of the block."""
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class FakeOpenAI:
    """The server; its rules, and what it was asked. Delays are seconds."""

    def __init__(self, *, port: int = 0, first_delay: float = 0.0, token_delay: float = 0.0) -> None:
        self.first_delay = first_delay
        self.token_delay = token_delay
        self.rules: list[Rule] = []
        self.requests: list[dict[str, Any]] = []
        self.open_streams = 0
        self.left_streams = 0
        self.embeddings_now = self.most_embeddings = 0
        self.embedding = FakeEmbedding("multilingual-e5-small")
        self._lock = threading.Lock()
        self._serving = ExitStack()
        self._server = JsonServer(("127.0.0.1", port), partial(_Handler, self))

    @property
    def root(self) -> str:
        """The server's address."""
        return self._server.url

    @property
    def url(self) -> str:
        """The base URL that an OpenAI client takes."""
        return f"{self.root}/v1"

    def __enter__(self) -> Self:
        self._serving.enter_context(serving(self._server))
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.close()

    def serve_forever(self) -> None:
        """Serve in this thread."""
        self._server.serve_forever()

    def script(self, *rules: Rule) -> None:
        """Replace the rules; the first that matches answers."""
        with self._lock:
            self.rules = list(rules)

    def rule_for(self, message: str) -> Rule:
        """Return the first matching rule that is not used up."""
        with self._lock:
            for rule in self.rules:
                if rule.times != 0 and re.search(rule.match, message):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return Rule()

    def record(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        """Remember a request."""
        with self._lock:
            self.requests.append({"path": path, "headers": headers, "body": body})

    def state(self) -> dict[str, int]:
        """Count streams and embeddings."""
        return {
            "open_streams": self.open_streams,
            "left_streams": self.left_streams,
            "embedding_calls": self.embedding.calls,
            "embedded_texts": self.embedding.texts,
        }

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Note how many requests for embeddings are under way at most."""
        with self._lock:
            self.embeddings_now += 1
            self.most_embeddings = max(self.most_embeddings, self.embeddings_now)
        try:
            yield
        finally:
            with self._lock:
                self.embeddings_now -= 1

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count an open stream, and whether its client left before the end."""
        with self._lock:
            self.open_streams += 1
        left = 0
        try:
            yield
        except ConnectionError:
            left = 1
            raise
        finally:
            with self._lock:
                self.open_streams -= 1
                self.left_streams += left


class _Handler(JsonHandler):
    def __init__(self, fake: FakeOpenAI, *arguments: Any) -> None:
        self.fake = fake
        super().__init__(*arguments)

    def routes(self) -> Mapping[str, Callable[[], None]]:
        """Return OpenAI's routes, and those by which a test in another process reads and scripts."""
        return {
            "GET /health": lambda: self.send_json(200, {"status": "ok"}),
            "GET /_requests": lambda: self.send_json(200, self.fake.requests),
            "DELETE /_requests": self.delete_requests,
            "GET /_state": lambda: self.send_json(200, self.fake.state()),
            "POST /_script": self.post_script,
            "GET /v1/models": self.get_models,
            "POST /v1/embeddings": self.post_embeddings,
            "POST /v1/chat/completions": self.post_chat,
        }

    def get_models(self) -> None:
        """List one model of each kind."""
        names = ("fake-chat", self.fake.embedding.model)
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "fake"} for name in names]
        self.send_json(200, {"object": "list", "data": models})

    def delete_requests(self) -> None:
        """Forget the requests."""
        self.fake.requests.clear()
        self.send_json(200, {})

    def post_script(self) -> None:
        """Replace the rules: `{"rules": [...], "first_delay": s, "token_delay": s}`."""
        body = self.read_json()
        known = {field.name for field in fields(Rule)}
        self.fake.script(*(Rule(**{k: v for k, v in rule.items() if k in known}) for rule in body.get("rules", [])))
        self.fake.first_delay = body.get("first_delay", self.fake.first_delay)
        self.fake.token_delay = body.get("token_delay", self.fake.token_delay)
        self.send_json(200, {"rules": [asdict(rule) for rule in self.fake.rules]})

    def post_embeddings(self) -> None:
        """Embed with the fake embedding; rules match the first text."""
        body = self.read_recorded()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        rule = self.fake.rule_for(texts[0])
        if rule.status != 200:
            headers = {"Retry_After": rule.retry_after} if rule.retry_after else {}
            self.send_failure(rule.status, rule.error, **headers)
            return
        with self.fake.at_once():
            time.sleep(rule.first_delay or 0)
        vectors = self.fake.embedding.embed_passages(texts)
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self.send_json(200, {"object": "list", "model": body.get("model"), "data": data, "usage": usage})

    def post_chat(self) -> None:
        """Reply to the last user message."""
        body = self.read_recorded()
        message = last_user_message(body)
        rule = self.fake.rule_for(message)
        reply = Reply(rule, rule.pieces(message), body)
        self.pause(rule.first_delay, self.fake.first_delay)
        if rule.fails(body):
            headers = {"Retry_After": rule.retry_after} if rule.retry_after else {}
            self.send_failure(rule.status, rule.error, **headers)
        elif rule.body is not None:
            self.send_raw(rule, rule.body.encode(errors="surrogateescape"))
        elif body.get("stream"):
            with self.fake.streaming():
                self.stream(reply)
        else:
            self.send_json(200, reply.whole())

    def send_raw(self, rule: Rule, body: bytes) -> None:
        """Send a scripted body as it is, and leave where some of it is missing."""
        self.send_response(rule.status)
        for name, value in (rule.headers | {"Content-Length": str(len(body) + rule.missing)}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(rule.missing)

    def read_recorded(self) -> dict[str, Any]:
        """Read the body and remember the request."""
        body = self.read_json()
        self.fake.record(self.path, dict(self.headers.items()), body)
        return body

    def stream(self, reply: Reply) -> None:
        """Send the reply's events, or leave off as scripted."""
        self.begin_events()
        for count, event in enumerate(reply.events()):
            if count == reply.rule.cut_after:
                self.cut()
            if count == reply.rule.hang_after:
                self.hang()
            if count:
                self.pause(reply.rule.token_delay, self.fake.token_delay)
            self.send_event(event, splits=reply.rule.splits_characters)
        for event in reply.closing():
            self.send_event(event, splits=False)
        self.send_bytes(b"data: [DONE]\n\n")
        self.end_events()

    def send_event(self, event: dict[str, Any], *, splits: bool) -> None:
        """Send one event, in two chunks cut inside its first wide character where asked; `\\udcc3` is the byte c3."""
        payload = f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode(errors="surrogateescape")
        wide = next((place for place, byte in enumerate(payload) if byte >= 0x80), None)
        if splits and wide is not None:
            self.send_bytes(payload[: wide + 1])
            time.sleep(0.005)
            payload = payload[wide + 1 :]
        self.send_bytes(payload)

    def pause(self, scripted: float | None, default: float) -> None:
        """Wait as the rule says, or as the server does by default."""
        seconds = default if scripted is None else scripted
        if seconds:
            time.sleep(seconds)

    def cut(self) -> None:
        """Break the connection with a reset, as a dying server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise ConnectionAbortedError

    def hang(self) -> None:
        """Send nothing until the client leaves."""
        while not self.client_is_gone():
            time.sleep(HANG_POLL_SECONDS)
        raise ConnectionResetError


def last_user_message(body: dict[str, Any]) -> str:
    """Return the text that rules are matched against; raises BadRequest without messages."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise BadRequest("`messages` must be a list")
    said = [message.get("content") for message in messages if message.get("role") == "user"]
    return str(said[-1]) if said else ""


def main() -> None:
    """Serve with the delays of the benches: 60 ms to the first token, 20 ms between tokens, 20 tokens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8021)
    parser.add_argument("--first-delay", type=float, default=0.06)
    parser.add_argument("--token-delay", type=float, default=0.02)
    parser.add_argument("--tokens", type=int, default=20)
    arguments = parser.parse_args()
    fake = FakeOpenAI(port=arguments.port, first_delay=arguments.first_delay, token_delay=arguments.token_delay)
    fake.script(Rule(tokens=[f"word{number} " for number in range(arguments.tokens)]))
    fake.serve_forever()


if __name__ == "__main__":
    main()
