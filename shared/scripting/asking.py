"""A side call to the model that ends in time, whoever must end it."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from shared.background import later
from shared.errors import Rejected
from shared.providers.chat.chat import Chat, Reply, require_text
from shared.providers.chat.thinking import Revoked, Text
from shared.providers.chat.wire import ChatControls, ChatMessage, End

LONGEST_SECONDS = 30.0


@dataclass(frozen=True)
class SideCall:
    """Asks the chat model; `closes` hears how to end a call, for a cancel that comes during it."""

    chat: Chat
    closes: Callable[[Callable[[], Any]], Any]

    def __call__(self, messages: Sequence[ChatMessage], controls: ChatControls) -> Reply:
        """Return the reply; raises Transient while the model is away, Rejected for good, or for one without text."""
        text = thinking = ""
        with self.chat.stream(messages, replace(controls, model=controls.model or self.chat.model)) as stream:
            self.closes(stream.close)
            with _closing_late(stream.close):
                for event in stream:
                    match event:
                        case End():
                            require_text(text, thinking, event)
                            return Reply(text.strip(), thinking, event)
                        case Text(piece):
                            text += piece
                        case Revoked():
                            text = ""
                        case _:
                            thinking += event.text
        raise Rejected(f"the model was given {LONGEST_SECONDS:g} seconds, or the work was told to stop")


@contextmanager
def _closing_late(close: Callable[[], Any]) -> Any:
    timer = later("ending what a script waits for", LONGEST_SECONDS, close)
    try:
        yield
    finally:
        timer.cancel()
