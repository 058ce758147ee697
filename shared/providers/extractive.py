"""A chat model that invents nothing: it answers and summarises in sentences it was given. Needs no server."""

import re
import threading
from collections.abc import Iterator, Sequence
from typing import Self

from shared.domain import extract
from shared.domain.memory import within
from shared.domain.prompt import count_roughly, numbered
from shared.domain.text import fold
from shared.providers.chat import DEFAULTS
from shared.providers.thinking import Text
from shared.providers.wire import ChatControls, ChatEvent, ChatMessage, End

EXTRACTIVE = "extractive"  # the model's name, and the provider type that asks for it
NOTHING_FOUND = "I found nothing about this in what I have read."
NOTHING_FOUND_RO = "Nu am găsit nimic despre asta în ce am citit."
_ROMANIAN = re.compile(r"\b(acest|am|ati|ce|care|cand|cine|cum|despre|este|esti|in|nu|pe|sa|si|sunt|unde)\b")


class Extractive:
    """Answers the last question out of the prompt's numbered passages; safe to share between threads."""

    model = EXTRACTIVE

    def stream(self, messages: Sequence[ChatMessage], controls: ChatControls = DEFAULTS) -> "ExtractiveStream":
        """Prepare an answer; of the controls only `max_tokens` means something here."""
        question = next((said.content for said in reversed(messages) if said.role == "user"), "")
        told = "\n\n".join(said.content for said in messages if said.role == "system")
        answer = extract.answer(question, numbered(told)) or nothing_found(question)
        asked = sum(count_roughly(said.content) for said in messages)
        return ExtractiveStream(within(answer, controls.max_tokens or count_roughly(answer)), asked)


class ExtractiveStream:
    """An answer word by word."""

    def __init__(self, answer: str, input_tokens: int) -> None:
        self._answer = answer
        self._input_tokens = input_tokens
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration."""
        self._closed.set()

    def __iter__(self) -> Iterator[ChatEvent]:
        for word in re.findall(r"\s*\S+", self._answer):
            if self._closed.is_set():
                return
            yield Text(word)
        if not self._closed.is_set():
            yield End("stop", self._input_tokens, count_roughly(self._answer))


def nothing_found(question: str) -> str:
    """Say so, in Romanian to a question that has the little words of Romanian."""
    words = len(_ROMANIAN.findall(fold(question)))
    return NOTHING_FOUND_RO if words >= 2 else NOTHING_FOUND
