"""OpenAI's chat wire: requests out of controls, events out of bytes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from shared.errors import Transient

MAX_EVENT_BYTES = 4 << 20
REASONING_MODELS = re.compile(r"o1-|reasoning|think|\bo\d\b|\bgpt-5")  # seed 001's marks, and what came after them
THINKING_FIELDS = ("reasoning_content", "reasoning")
OPEN, CLOSE = "<think>", "</think>"


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


class Text(NamedTuple):
    """A piece of the reply."""

    text: str


class Thinking(NamedTuple):
    """A piece of what the model thinks before it replies."""

    text: str


class End(NamedTuple):
    """The reply is whole; token counts are None where the provider does not count."""

    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None


ChatEvent = Text | Thinking | End


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
        "messages": [message._asdict() for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        **{option: value for option, value in sampling.items() if value is not None},
        **controls.extra,
    }


def _response_format(controls: ChatControls) -> dict[str, Any] | None:
    if controls.json_schema is not None:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": controls.json_schema}}
    return {"type": "json_object"} if controls.json_mode else None


def read_events(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield each event's data; chunks may end anywhere, inside a character too. Raises Transient when one is endless.

    Lines end in LF only: str.splitlines would cut JSON at U+2028.
    """
    buffer = b""
    for chunk in chunks:
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip().decode("utf-8", "replace")
        if len(buffer) > MAX_EVENT_BYTES:
            raise Transient("the chat server sends an event without end")


def clean(text: str) -> str:
    """Return text that can be stored and sent: no NUL, surrogate pairs joined, lone surrogates as U+FFFD."""
    return text.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Cleaner:
    """Cleans text in pieces: a character may be cut between its two surrogates."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, piece: str) -> str:
        """Return what is certain, and hold back a first surrogate; raises TypeError for what is no text."""
        text = self._half + piece
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return clean(text.removesuffix(self._half))

    def flush(self) -> str:
        """Return what is left of a character whose second half never came."""
        half, self._half = self._half, ""
        return clean(half)


class ReplyReader:
    """Turns the data of a stream into events of clean text, and knows when the reply is whole."""

    def __init__(self) -> None:
        self._splitter = ThinkSplitter()
        self._text, self._thought = Cleaner(), Cleaner()
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}

    def read(self, chunk: dict[str, Any]) -> Iterator[Text | Thinking]:
        """Read one `chat.completion.chunk`; raises AttributeError or TypeError for what only resembles one."""
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            self._finish_reason = clean(choice.get("finish_reason") or "") or self._finish_reason
            yield from self._read_delta(choice.get("delta") or {})

    def _read_delta(self, delta: dict[str, Any]) -> Iterator[Text | Thinking]:
        thought = next((delta[name] for name in THINKING_FIELDS if delta.get(name)), None)
        if isinstance(thought, str) and (thought := self._thought.feed(thought)):
            yield Thinking(thought)
        if delta.get("content") and (text := self._text.feed(delta["content"])):
            yield from self._splitter.feed(text)

    def end(self) -> Iterator[ChatEvent]:
        """Yield what was held back, and the end; raises Transient when the stream broke off before it."""
        if self._finish_reason is None:
            raise Transient("the chat server broke off in the middle of its reply")
        if thought := self._thought.flush():
            yield Thinking(thought)
        yield from self._splitter.feed(self._text.flush())
        yield from self._splitter.flush()
        yield End(self._finish_reason, self._usage.get("prompt_tokens"), self._usage.get("completion_tokens"))


class ThinkSplitter:
    """Takes a leading `<think>…</think>` out of the text, however it is cut into pieces."""

    def __init__(self) -> None:
        self._state: Literal["start", "opened", "thinking", "gap", "text"] = "start"
        self._held = ""

    def feed(self, piece: str) -> Iterator[Text | Thinking]:
        """Yield what is certain, and hold back what may be the beginning of a tag."""
        self._held += piece
        if self._state == "start":
            self._leave_start()
        if self._state == "opened":
            self._skip_space(then="thinking")
        if self._state == "thinking":
            yield from self._think()
        if self._state == "gap":
            self._skip_space(then="text")
        if self._state == "text" and self._held:
            yield Text(self._take(len(self._held)))

    def flush(self) -> Iterator[Text | Thinking]:
        """Yield what is still held back when the reply ends."""
        if self._held:
            rest = self._take(len(self._held))
            yield Thinking(rest) if self._state == "thinking" else Text(rest)

    def _leave_start(self) -> None:
        said = self._held.lstrip()
        if said.startswith(OPEN):
            self._held, self._state = said[len(OPEN) :], "opened"
        elif not OPEN.startswith(said):
            self._state = "text"

    def _skip_space(self, *, then: Literal["thinking", "text"]) -> None:
        self._held = self._held.lstrip()
        if self._held:
            self._state = then

    def _think(self) -> Iterator[Thinking]:
        thought, closing, rest = self._held.partition(CLOSE)
        if closing:
            self._held, self._state = rest, "gap"
        else:
            kept = _overlap(thought, CLOSE)
            thought, self._held = thought[: len(thought) - kept], thought[len(thought) - kept :]
        if thought:
            yield Thinking(thought)

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken


def _overlap(text: str, tag: str) -> int:
    """Return how many of the text's last characters may begin the tag."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
