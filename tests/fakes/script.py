"""What the fake model says, and in which of OpenAI's words."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Rule:
    """What to answer when the last user message matches; `times` uses it that often, then passes on to the next.

    `refuses` is what a request may not hold: it is then answered with `status`, and any other with a reply. `body` is
    sent as it is, under `headers`, and `missing` bytes fewer than these promise.
    """

    match: str = ""
    text: str | None = None
    tokens: list[str] | None = None
    reasoning: str | None = None
    reasoning_field: str = "reasoning_content"
    first_delay: float | None = None
    token_delay: float | None = None
    status: int = 200
    error: str = "scripted failure"
    retry_after: str | None = None
    cut_after: int | None = None
    hang_after: int | None = None
    splits_characters: bool = False
    finish_reason: str = "stop"
    refuses: str | None = None
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    times: int | None = None

    def fails(self, body: dict[str, Any]) -> bool:
        """Say whether a request is answered with a failure."""
        if self.refuses is not None:
            return re.search(self.refuses, json.dumps(body)) is not None
        return self.status != 200 and self.body is None

    def pieces(self, message: str) -> list[str]:
        """The reply's tokens: those given, or the text's words, or an echo of the message."""
        if self.tokens is not None:
            return self.tokens
        return re.findall(r"\s*\S+\s*?", self.text if self.text is not None else f"You said: {message}")


@dataclass
class Reply:
    """One reply in OpenAI's words."""

    rule: Rule
    pieces: list[str]
    body: dict[str, Any]

    def usage(self) -> dict[str, int]:
        """Count words as tokens."""
        asked = sum(len(str(message.get("content")).split()) for message in self.body.get("messages", []))
        return {"prompt_tokens": asked, "completion_tokens": len(self.pieces), "total_tokens": asked + len(self.pieces)}

    def events(self) -> Iterator[dict[str, Any]]:
        """The chunks that carry thinking and text."""
        if self.rule.reasoning:
            for word in re.findall(r"\s*\S+", self.rule.reasoning):
                yield self.chunk({self.rule.reasoning_field: word})
        for piece in self.pieces:
            yield self.chunk({"content": piece})

    def closing(self) -> Iterator[dict[str, Any]]:
        """The finish reason, and the usage where asked for."""
        yield self.chunk({}, self.rule.finish_reason)
        if (self.body.get("stream_options") or {}).get("include_usage"):
            yield self.envelope("chat.completion.chunk", []) | {"usage": self.usage()}

    def whole(self) -> dict[str, Any]:
        """The answer to a request without `stream`."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.pieces)}
        if self.rule.reasoning:
            message[self.rule.reasoning_field] = self.rule.reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.rule.finish_reason}
        return self.envelope("chat.completion", [choice]) | {"usage": self.usage()}

    def chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        """One chunk of a stream."""
        choice = {"index": 0, "delta": {"role": "assistant"} | delta, "finish_reason": finish_reason}
        return self.envelope("chat.completion.chunk", [choice])

    def envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """What surrounds the choices."""
        model = self.body.get("model", "fake-chat")
        return {"id": "chatcmpl-fake", "object": kind, "created": 0, "model": model, "choices": choices}
