"""Summaries and answers that hold nothing but what was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import extract
from shared.domain.prompt import Passage, Said, build, count_roughly, numbered
from shared.providers.chat import complete
from shared.providers.extractive import NOTHING_FOUND, NOTHING_FOUND_RO, Extractive
from shared.providers.thinking import Text
from shared.providers.wire import ChatMessage, End

TALK = [
    Said("user", "Hi!"),
    Said("assistant", "Good day."),
    Said("user", "My daughter Maria plays the violin. The violin was my father's."),
    Said("assistant", "Then the violin has a history. Does Maria play every day?"),
    Said("user", "Every day. It rains."),
]
lines = st.lists(st.builds(Said, st.sampled_from(["user", "assistant"]), st.text(max_size=120)), max_size=6)


@given(lines, st.integers(1, 200))
def test_a_summary_fits_and_repeats_what_was_said(talk: list[Said], limit: int) -> None:
    summary = extract.summarise(talk, limit)
    assert count_roughly(summary) <= limit + 1
    said = "\n".join(line.content for line in talk)
    assert all(line.partition(": ")[2].strip() in said for line in summary.split("\n") if ": " in line)


def test_a_summary_keeps_what_the_talk_was_about_and_who_said_it() -> None:
    summary = extract.summarise(TALK, 30)
    assert "User: My daughter Maria plays the violin." in summary
    assert "Good day" not in summary


def test_nothing_said_is_an_empty_summary() -> None:
    assert extract.summarise([Said("user", " … ")], 100) == extract.summarise([], 100) == ""


@pytest.mark.parametrize(
    ("question", "number"),
    [("Who built the coil?", 2), ("Unde s-a născut Tesla?", 3), ("unde s-a nascut tesla", 3)],
)
def test_an_answer_is_the_sentence_that_shares_the_rarest_words_with_its_number(question: str, number: int) -> None:
    passages = [
        (1, "Light is a wave. It was measured in Paris."),
        (2, "The coil was built in Colorado. It hummed."),
        (3, "Tesla s-a născut la Smiljan. Tatăl lui era preot."),
    ]
    assert f"[{number}]" in extract.answer(question, passages)


def test_without_a_common_word_the_best_passage_speaks() -> None:
    assert extract.answer("Why?", [(4, "Light is a wave. It is fast.")]) == "Light is a wave. [4]"
    assert extract.answer("Why?", []) == ""


@pytest.mark.capability("C27")
def test_the_extractive_model_reads_the_passages_of_the_prompt() -> None:
    found = [Passage("a", "Bobina a fost construită în Colorado.\n\nEra mare.", title="Jurnal (1899)", page=3)]
    prompt = build("You are Tesla.", "Unde a fost construită bobina?", passages=found, budget=800)
    assert numbered(prompt.messages[0].content) == [(1, found[0].content)]
    messages = [ChatMessage(said.role, said.content) for said in prompt.messages]
    reply = complete(Extractive(), messages)
    assert reply.text.startswith("Bobina a fost construită în Colorado. [1]")
    assert reply.end.finish_reason == "stop"


@pytest.mark.parametrize(
    ("question", "answer"),
    [("What is love?", NOTHING_FOUND), ("Ce este și unde se află?", NOTHING_FOUND_RO)],
)
def test_without_passages_it_says_so_in_the_language_of_the_question(question: str, answer: str) -> None:
    assert complete(Extractive(), [ChatMessage("user", question)]).text == answer


def test_it_streams_words_until_it_is_closed() -> None:
    with Extractive().stream([ChatMessage("user", "What?")]) as stream:
        events = iter(stream)
        assert next(events) == Text("I")
        stream.close()
        assert not [event for event in events if isinstance(event, Text | End)]
