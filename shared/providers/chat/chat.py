"""A chat model that streams, and that another thread can interrupt."""

import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from shared.domain import template
from shared.domain.template import CUT
from shared.errors import PersonaeError, Rejected
from shared.providers.chat.thinking import Revoked, Text, Thinking
from shared.providers.chat.wire import FILTERED, LENGTH, ChatControls, ChatEvent, ChatMessage, End

DEFAULTS = ChatControls()
MAX_REFUSAL = 300


class ChatStream(Protocol):
    """One reply as it comes: use as a context manager, and iterate once."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[ChatEvent]:
        """Yield Thinking, Text, then one End. After `close()` it stops without an End.

        Raises Transient, Unavailable or Rejected.
        """
        ...

    def close(self) -> None:
        """Give up, from any thread and at any time: the provider sees its connection closed at once."""
        ...


class Chat(Protocol):
    """A chat model; safe to share between threads."""

    model: str

    def stream(self, messages: Sequence[ChatMessage], controls: ChatControls = DEFAULTS) -> ChatStream:
        """Prepare a reply; nothing is sent before the iteration begins."""
        ...


class Reply(NamedTuple):
    """A whole reply."""

    text: str
    thinking: str
    end: End


def complete(
    chat: Chat,
    messages: Sequence[ChatMessage],
    controls: ChatControls = DEFAULTS,
    *,
    on_open: Callable[[Callable[[], None]], object] | None = None,
) -> Reply:
    """Return a whole reply; raises what the stream raises, and Rejected when it was closed before its end.

    `on_open` is given the function that closes the stream, for another thread to call.
    """
    said: dict[type, list[str]] = {Text: [], Thinking: []}
    with chat.stream(messages, controls) as stream:
        if on_open is not None:
            on_open(stream.close)
        for event in stream:
            if isinstance(event, End):
                return Reply("".join(said[Text]), "".join(said[Thinking]), event)
            if isinstance(event, Revoked):
                said = {Text: [], Thinking: [*said[Thinking], *said[Text]]}
            else:
                said[type(event)].append(event.text)
    raise Rejected("the reply was given up before its end")


def require_text(text: str, thinking: str, end: End) -> None:
    """Raise Rejected, with what a person can do about it, where a reply says nothing."""
    if text.strip():
        return
    if end.refusal:
        raise Rejected(f"the model refused: {end.refusal[:MAX_REFUSAL]}")
    if end.tool or end.finish_reason in {"tool_calls", "function_call"}:
        raise Rejected(f"the model called a tool, {end.tool or 'without a name'}, instead of replying: none is offered")
    if end.finish_reason == LENGTH:
        did = "thought until its limit" if thinking else "came to its limit"
        raise Rejected(f"the model {did} and said nothing: raise max_tokens, or PERSONAE_CHAT_MAX_TOKENS")
    if end.finish_reason == FILTERED:
        raise Rejected("the chat server's content filter withheld the reply")
    raise Rejected(f"the model {'thought and ' if thinking else ''}said nothing: ask again, or in other words")


def shortfalls(end: End) -> list[tuple[str, str]]:
    """Say in which ways a reply is less than was asked for, each by its kind and in words."""
    ended = {
        LENGTH: (CUT, "the reply was cut at its longest length: raise max_tokens, or PERSONAE_CHAT_MAX_TOKENS"),
        FILTERED: (template.FILTERED, "the chat server's content filter ended the reply before its end"),
    }
    told = [ended[end.finish_reason]] if end.finish_reason in ended else []
    options = ", ".join(end.left_out)
    return told + [(template.LEFT_OUT, f"the model does not take {options}: left out")] * bool(options)


class FakeChat:
    """Says each scripted reply once, the last one for ever; without a script it echoes the last message.

    A reply that is an error is raised. `hangs` sends the first piece and then nothing until closed.
    """

    def __init__(
        self, *replies: str | PersonaeError, model: str = "fake-chat", thinking: str = "", hangs: bool = False
    ):
        self.model = model
        self.asked: list[tuple[Sequence[ChatMessage], ChatControls]] = []
        self._replies = list(replies)
        self._thinking = thinking
        self._hangs = hangs
        self._lock = threading.Lock()

    def stream(self, messages: Sequence[ChatMessage], controls: ChatControls = DEFAULTS) -> "FakeStream":
        """Prepare the next scripted reply."""
        with self._lock:
            self.asked.append((messages, controls))
            if len(self._replies) > 1:
                reply = self._replies.pop(0)
            else:
                reply = self._replies[0] if self._replies else f"You said: {messages[-1].content}"
        words = sum(len(message.content.split()) for message in messages)
        return FakeStream(reply, self._thinking, input_tokens=words, hangs=self._hangs)


class FakeStream:
    """A reply word by word."""

    def __init__(self, reply: str | PersonaeError, thinking: str, *, input_tokens: int, hangs: bool) -> None:
        self._reply = reply
        self._thinking = thinking
        self._input_tokens = input_tokens
        self._hangs = hangs
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration."""
        self._closed.set()

    def __iter__(self) -> Iterator[ChatEvent]:
        if isinstance(self._reply, PersonaeError):
            raise self._reply
        pieces = self._reply.split(" ")
        if self._thinking:
            yield Thinking(self._thinking)
        for number, piece in enumerate(pieces):
            if self._closed.is_set():
                return
            yield Text(piece if number == 0 else f" {piece}")
            if self._hangs:
                self._closed.wait()
        if not self._closed.is_set():
            yield End("stop", self._input_tokens, len(pieces))
