"""OpenAI's chat wire: requests out of controls, replies out of the documents of an answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from shared.domain.text import make_storable
from shared.errors import Transient
from shared.providers.chat import answers
from shared.providers.chat.thinking import Piece, Thinking, ThinkSplitter

OPENING = "(The conversation begins.)"
BROKEN = "the chat server broke off in the middle of its reply"
REASONING_MODELS = re.compile(r"o1-|reasoning|think|\bo\d\b|\bgpt-5")  # seed 001's marks, and what came after them
THINKING_FIELDS = ("reasoning_content", "reasoning", "thinking", "reasoning_details", "thinking_blocks")
_THOUGHT_TYPES = ("think", "reason", "thought", "redacted")
LONGEST_SAID = 10_000  # characters of a refusal, or of the names of tools
LENGTH, FILTERED = "length", "content_filter"
REASONS = {  # why a reply ended, in words of others than OpenAI
    "max_tokens": LENGTH,
    "max_output_tokens": LENGTH,
    "model_length": LENGTH,
    "safety": FILTERED,
    "sensitive": FILTERED,
    "recitation": FILTERED,
    "prohibited_content": FILTERED,
}


class ChatMessage(NamedTuple):
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class ChatControls:
    """How to generate; None leaves it to the provider. `extra` goes into the request as it is."""

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: Sequence[str] = ()
    json_mode: bool = False
    json_schema: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class End(NamedTuple):
    """The reply is whole; token counts are None where the provider does not count."""

    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None
    model: str | None = None  # as the server names it
    refusal: str = ""
    tool: str = ""  # what the model called instead of replying
    left_out: tuple[str, ...] = ()  # controls that the model does not take


ChatEvent = Piece | End


def chat_request(messages: Sequence[ChatMessage], controls: ChatControls, model: str) -> dict[str, Any]:
    """Write a streaming request; reasoning models take their length and effort under other names (seed 001)."""
    name = controls.model or model
    reasons = REASONING_MODELS.search(name) is not None
    sampling = {
        "temperature": controls.temperature,
        "top_p": controls.top_p,
        "max_completion_tokens" if reasons else "max_tokens": controls.max_tokens,
        "presence_penalty": controls.presence_penalty,
        "frequency_penalty": controls.frequency_penalty,
        "seed": controls.seed,
        "stop": list(controls.stop) or None,
        "response_format": _response_format(controls),
        "reasoning_effort": controls.reasoning_effort if reasons else None,
    }
    return {
        "model": name,
        "messages": [message._asdict() for message in alternating(messages)],
        "stream": True,
        "stream_options": {"include_usage": True},
        **{option: value for option, value in sampling.items() if value is not None},
        **controls.extra,
    }


def alternating(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Return the messages as the strictest template takes them: none empty, user first, roles in turn."""
    kept: list[ChatMessage] = []
    for message in messages:
        if not message.content.strip():
            continue
        if message.role == "assistant" and all(before.role == "system" for before in kept):
            kept.append(ChatMessage("user", OPENING))
        if kept and kept[-1].role == message.role:
            kept[-1] = ChatMessage(message.role, f"{kept[-1].content}\n\n{message.content}")
        else:
            kept.append(message)
    return kept or list(messages)


def _response_format(controls: ChatControls) -> dict[str, Any] | None:
    if controls.json_schema is not None:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": controls.json_schema}}
    return {"type": "json_object"} if controls.json_mode else None


class Cleaner:
    """Cleans text in pieces: a character may be cut between its two surrogates."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """Return what is certain, and hold back a first surrogate; raises TypeError for what is no text."""
        text = self._half + piece
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return make_storable(text.removesuffix(self._half))

    def flush(self) -> str:
        """Return what is left of a character whose second half never came."""
        half, self._half = self._half, ""
        return make_storable(half)


class ReplyReader:
    """Turns the data of a stream into events of clean text, and knows when the reply is whole."""

    def __init__(self) -> None:
        self._splitter = ThinkSplitter()
        self._text, self._thought = Cleaner(), Cleaner()
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._refusal = self._tool = ""
        self._strange: dict[str, Any] | None = None
        self.is_reply = False

    def read(self, chunk: dict[str, Any]) -> Iterator[Piece]:
        """Read one chunk or a whole reply; raises AttributeError or TypeError for what only resembles one.

        Of several choices only the first is the reply.
        """
        if "choices" not in chunk:
            self._strange = self._strange or chunk
        self.is_reply = self.is_reply or "choices" in chunk
        self._usage = chunk.get("usage") or self._usage
        self._model = make_storable(chunk.get("model") or "") or self._model
        for choice in chunk.get("choices") or ():
            if not choice.get("index"):
                yield from self._read_choice(choice)

    def _read_choice(self, choice: dict[str, Any]) -> Iterator[Piece]:
        reason = make_storable(choice.get("finish_reason") or "")
        self._finish_reason = REASONS.get(reason.lower(), reason) or self._finish_reason
        yield from self._read_delta(choice.get("delta") or choice.get("message") or {})

    def finish(self) -> None:
        """Note that the server says that the reply is whole, whether it gave a reason or not."""
        self._finish_reason = self._finish_reason or "stop"

    def cut(self) -> None:
        """Note that the rest of the reply is not read."""
        self._finish_reason = LENGTH

    def _read_delta(self, delta: dict[str, Any]) -> Iterator[Piece]:
        self._refusal = (self._refusal + make_storable(delta.get("refusal") or ""))[:LONGEST_SAID]
        for call in delta.get("tool_calls") or ():
            self._tool = (self._tool + make_storable((call.get("function") or {}).get("name") or ""))[:LONGEST_SAID]
        yield from self._think(next((_plain(delta[name]) for name in THINKING_FIELDS if delta.get(name)), ""))
        for is_thought, text in _parts(delta.get("content") or ""):
            yield from self._think(text) if is_thought else self._splitter.feed(self._text.feed(text))

    def _think(self, thought: str) -> Iterator[Piece]:
        if thought := self._thought.feed(thought):
            self._splitter.has_thought = True
            yield Thinking(thought)

    def end(self) -> Iterator[ChatEvent]:
        """Yield what was held back, and the end; raises Transient when the stream broke off before it.

        An answer in which nothing resembled a reply raises what is wrong with it.
        """
        if self._strange is not None and not self.is_reply:
            raise answers.strange(self._strange)
        if self._finish_reason in (None, "error"):
            raise Transient(BROKEN if self.is_reply else answers.SILENT)
        if thought := self._thought.flush():
            yield Thinking(thought)
        yield from self._splitter.feed(self._text.flush())
        yield from self._splitter.flush()
        tokens = self._usage.get("prompt_tokens"), self._usage.get("completion_tokens")
        yield End(self._finish_reason, *tokens, self._model, self._refusal, self._tool)


def _parts(content: Any) -> Iterator[tuple[bool, str]]:
    """Yield the texts of a content, and whether they are thoughts: a string, or a list of parts (Mistral)."""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict):
            yield _is_thought(part), _plain(part)
        else:
            yield False, part


def _is_thought(part: dict[str, Any]) -> bool:
    """Say whether a part holds what the model thought: by its type, by Gemini's mark, or as it has no other text."""
    is_typed = str(part.get("type")).startswith(_THOUGHT_TYPES)
    has_thought = any(part.get(name) for name in THINKING_FIELDS)
    return is_typed or part.get("thought") is True or (has_thought and not part.get("text"))


def _plain(said: Any) -> str:
    """Return the text of a value that may be nested in parts."""
    if isinstance(said, list):
        return "".join(_plain(part) for part in said)
    if isinstance(said, dict):
        names = ("text", "content", "summary", *THINKING_FIELDS)
        return next((_plain(said[name]) for name in names if said.get(name)), "")
    return said if isinstance(said, str) else ""
