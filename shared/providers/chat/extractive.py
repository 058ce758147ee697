"""A chat model that invents nothing: it answers and summarises in sentences it was given. Needs no server."""

import re
import threading
from collections.abc import Iterator, Sequence
from typing import Self

from shared.domain import extract
from shared.domain.memory import within
from shared.domain.prompt import Passage
from shared.domain.text import fold
from shared.domain.tokens import count_roughly
from shared.providers.chat.chat import DEFAULTS
from shared.providers.chat.thinking import Text
from shared.providers.chat.wire import LENGTH, ChatControls, ChatEvent, ChatMessage, End

EXTRACTIVE = "extractive"  # the model's name, and the provider type that asks for it
NOTHING_FOUND = "I found nothing about this in what I have read."
NOTHING_FOUND_RO = "Nu am găsit nimic despre asta în ce am citit."
TOO_LONG = "I found something about this in what I have read, but it is longer than what I may be told at once."
TOO_LONG_RO = "Am găsit ceva despre asta în ce am citit, dar e mai lung decât mi se poate spune deodată."
_ROMANIAN = re.compile(r"\b(acest|am|ati|ce|care|cand|cine|cum|despre|este|esti|in|nu|pe|sa|si|sunt|unde)\b")
_SPACED_WORD = re.compile(r"(?<!\s)\s*+\S+")


class Extractive:
    """Answers the last question out of passages in the order of their numbers; safe to share between threads."""

    model = EXTRACTIVE

    def __init__(self, passages: Sequence[Passage] = (), *, missed: int = 0) -> None:
        self._passages = passages
        self._missed = missed  # passages that were found, and may not be told

    def stream(self, messages: Sequence[ChatMessage], controls: ChatControls = DEFAULTS) -> "ExtractiveStream":
        """Prepare an answer; of the controls only `max_tokens` means something here."""
        question = next((said.content for said in reversed(messages) if said.role == "user"), "")
        is_too_long = self._missed and not self._passages
        answer = too_long(question) if is_too_long else answer_from(question, self._passages)
        asked = sum(count_roughly(said.content) for said in messages)
        told = within(answer, controls.max_tokens or count_roughly(answer))
        return ExtractiveStream(told, asked, LENGTH if len(told) < len(answer) else "stop")


class ExtractiveStream:
    """An answer word by word."""

    def __init__(self, answer: str, input_tokens: int, reason: str) -> None:
        self._answer = answer
        self._reason = reason
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
        for word in _SPACED_WORD.findall(self._answer):
            if self._closed.is_set():
                return
            yield Text(word)
        if not self._closed.is_set():
            yield End(self._reason, self._input_tokens, count_roughly(self._answer))


def answer_from(question: str, passages: Sequence[Passage]) -> str:
    """Answer in sentences of passages, with their numbers from 1, or say that they hold nothing."""
    best_first = sorted(enumerate(passages, 1), key=lambda numbered: -numbered[1].score)
    return extract.answer(question, [(number, found.content) for number, found in best_first]) or nothing_found(
        question
    )


def nothing_found(question: str) -> str:
    """Say so, in Romanian to a question that has the little words of Romanian."""
    return NOTHING_FOUND_RO if _is_romanian(question) else NOTHING_FOUND


def too_long(question: str) -> str:
    """Say that what was found does not fit into a prompt."""
    return TOO_LONG_RO if _is_romanian(question) else TOO_LONG


def _is_romanian(question: str) -> bool:
    return len(_ROMANIAN.findall(fold(question))) >= 2
