"""A reply that is less than was asked for: each way of it is told, and none is taken for a whole reply."""

from typing import Any

import pytest

from gateway.streaming.relay import TurnState, from_rows
from shared.domain.lifecycle import RunStatus
from shared.domain.prompt import Passage
from shared.errors import Rejected
from shared.providers.chat.chat import FakeChat, complete, shortfalls
from shared.providers.chat.extractive import NOTHING_FOUND, TOO_LONG, Extractive
from shared.providers.chat.wire import ChatControls, ChatMessage, End
from shared.scripting.asking import SideCall

ASKED = [ChatMessage("user", "What replaced the bell?")]
LONG = Passage("1", "The bell was replaced by a horn. " * 20)


@pytest.mark.parametrize(
    ("end", "kinds"),
    [
        (End("stop", 1, 1), []),
        (End("length", 1, 1), ["reply_cut"]),
        (End("content_filter", 1, 1), ["reply_filtered"]),
        (End("length", 1, 1, left_out=("temperature", "seed")), ["reply_cut", "options_left_out"]),
    ],
)
def test_what_a_reply_lacks_is_told_by_kind(end: End, kinds: list[str]) -> None:
    assert [kind for kind, _ in shortfalls(end)] == kinds


def test_the_words_say_what_to_set_and_what_was_left_out() -> None:
    cut, left = (words for _, words in shortfalls(End("length", 1, 1, left_out=("temperature", "seed"))))
    assert "PERSONAE_CHAT_MAX_TOKENS" in cut
    assert "temperature, seed" in left


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({"finish_reason": "length"}, {"finish_reason": "length"}),
        ({"finish_reason": "content_filter"}, {"finish_reason": "content_filter"}),
        ({"finish_reason": None}, {}),
        (None, {}),
    ],
)
def test_a_stream_ends_with_why_the_reply_did(kept: dict[str, Any] | None, told: dict[str, Any]) -> None:
    state = TurnState(1, RunStatus.COMPLETED, 1, None, {"content": "Cut in the mid", "extra_data": kept})
    *_, last = from_rows(lambda: state, state)
    assert last is not None
    assert (last.kind, last.data) == ("done", told)


@pytest.mark.parametrize(("tokens", "reason"), [(5, "length"), (400, "stop")])
def test_an_answer_out_of_passages_says_whether_it_was_cut(tokens: int, reason: str) -> None:
    assert complete(Extractive([LONG]), ASKED, ChatControls(max_tokens=tokens)).end.finish_reason == reason


@pytest.mark.parametrize(
    ("missed", "question", "answer"),
    [
        (0, "What replaced the bell?", NOTHING_FOUND),
        (2, "What replaced the bell?", TOO_LONG),
        (2, "Ce este despre clopot?", "Am găsit ceva"),
    ],
)
def test_what_was_found_and_does_not_fit_is_not_called_nothing(missed: int, question: str, answer: str) -> None:
    assert complete(Extractive(missed=missed), [ChatMessage("user", question)]).text.startswith(answer)


@pytest.mark.parametrize("reply", ["", "  "])
def test_a_side_call_without_text_is_no_answer(reply: str) -> None:
    call = SideCall(FakeChat(reply, thinking="hm"), lambda close: None)
    with pytest.raises(Rejected, match="said nothing"):
        call(ASKED, ChatControls())
