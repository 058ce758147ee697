"""Summaries and answers that hold nothing but what was said."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import extract
from shared.domain.prompt import Passage, Said
from shared.domain.sentences import paragraphs
from shared.domain.tokens import count_roughly
from shared.providers.chat.chat import complete
from shared.providers.chat.extractive import NOTHING_FOUND, NOTHING_FOUND_RO, Extractive, answer_from
from shared.providers.chat.thinking import Text
from shared.providers.chat.wire import ChatMessage, End

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
    assert extract.answer("Why?", [(4, "Light\n\nLight is a wave."), (5, "It is fast.")]) == "Light is a wave. [4]"
    assert extract.answer("Why?", []) == ""


@pytest.mark.capability("C27")
def test_the_extractive_model_reads_the_passages_of_the_prompt() -> None:
    found = [Passage("a", "Bobina a fost construită în Colorado.\n\nEra mare.", title="Jurnal (1899) II", page=3)]
    reply = complete(Extractive(found), [ChatMessage("user", "Unde a fost construită bobina?")])
    assert reply.text.startswith("Bobina a fost construită în Colorado. [1]")
    assert reply.end.finish_reason == "stop"


def test_what_is_nearest_in_meaning_speaks_and_not_the_profile_that_is_told_first() -> None:
    found = [
        Passage("p", "She is kind.", collection="profile", score=0.01),
        Passage("w", "Bobina era mare.", collection="works", score=0.02),
    ]
    assert answer_from("What hummed?", found) == "Bobina era mare. [2]"


CLOCK = """[Acasă](/) [![Logo](logo.png)](/) - [**Înapoi**](/inapoi)

# Orologiul din turn [5]

Orologiul din turn
------------------

![Turnul](turn.jpg) **Orologiul** a fost pornit de [meșterul Radu](radu.html) în anul în care orașul
a primit apă.[3] Clopotul tace.

* Orologiul are `două` cadrane.

| Parte | Vârstă |
|-------|--------|
"""


def test_an_answer_holds_sentences_and_nothing_of_markdown() -> None:
    started = "Orologiul a fost pornit de meșterul Radu în anul în care orașul a primit apă. [5]"
    assert extract.answer("Cine a pornit orologiul din turn?", [(5, CLOCK)]) == started
    assert extract.answer("Câte cadrane are?", [(5, CLOCK)]) == "Orologiul are două cadrane. [5]"


def test_neighbouring_passages_say_a_sentence_once() -> None:
    assert extract.answer("Who hummed?", [(1, "The coil hummed."), (2, "The coil hummed.")]) == "The coil hummed. [1]"


@pytest.mark.parametrize("text", ["coil, " * 400, "coil\n" * 400, "| coil | 7 |\n" * 300, "线圈" * 900])
def test_what_holds_no_sentences_is_not_told_whole(text: str) -> None:
    assert 0 < len(extract.answer("coil", [(1, text)])) < 1300


@pytest.mark.parametrize(
    "heading",
    ["# The coil [5]", "### The coil ###", "The coil\n========", "**The coil**", "<h2>The coil</h2>", "The coil"],
)
def test_a_heading_is_no_sentence(heading: str) -> None:
    assert extract.answer("The coil?", [(2, f"{heading}\n\nIn the workshop a coil hummed.")]) == (
        "In the workshop a coil hummed. [2]"
    )


def test_of_what_is_headings_alone_these_are_told() -> None:
    assert extract.answer("Which coil?", [(1, "# The coil of Colorado")]) == "The coil of Colorado [1]"


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


@pytest.mark.parametrize("piece", ["*a", "[](", "![", "<!--", "**a ", "`a", "> ", "_a_b", "[1", "a. ", "|"])
def test_a_text_made_to_be_slow_is_read_in_time(piece: str) -> None:
    started = time.process_time()
    extract.answer("a", [(1, piece * (100_000 // len(piece)))])
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Use items[0] for the first of all, like matrix[2][3].",
            "Use items[0] for the first of all, like matrix[2][3].",
        ),
        ("Call `find [1]` and read [2] it [^3].", "Call find [1] and read  it ."),
        ("The fog lifted.[4][5] It came back.[^6]", "The fog lifted. It came back."),
    ],
)
def test_notes_are_left_out_of_sentences_and_places_in_lists_are_not(text: str, told: str) -> None:
    assert paragraphs(text) == told
