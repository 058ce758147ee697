"""The prompt always fits, and says what it dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.prompt import CITE, PER_MESSAGE, Passage, Said, build, cited, count_roughly

texts = st.text(max_size=400)
passages = st.lists(st.builds(Passage, chunk_id=st.uuids().map(str), content=texts, title=texts), max_size=6)
histories = st.lists(st.builds(Said, role=st.sampled_from(["user", "assistant"]), content=texts), max_size=8)


@given(texts, texts, passages, histories, st.integers(200, 2000))
def test_any_template_passages_history_and_question_fit_the_budget(
    template: str, question: str, found: list[Passage], history: list[Said], budget: int
) -> None:
    assert build(template, question, passages=found, history=history, budget=budget).tokens <= budget


def test_what_fits_is_kept_whole_and_in_order() -> None:
    found = [Passage("a", "Ada wrote notes.", title="Life", page=3), Passage("b", "She knew Babbage.")]
    history = [Said("user", "Hello"), Said("assistant", "Good day")]
    prompt = build("You are Ada.", "Who knew you?", passages=found, history=history, budget=1000)
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]
    assert "[1] (Life, page 3) Ada wrote notes." in prompt.messages[0].content
    assert set(prompt.dropped.values()) == {0}


def test_the_oldest_history_goes_first_and_then_the_worst_passage() -> None:
    found = [Passage(str(number), "word " * 40) for number in range(4)]
    history = [Said("user", f"message {number} " * 20) for number in range(4)]
    prompt = build("You are Ada.", "Why?", passages=found, history=history, budget=420)
    assert [message.content for message in prompt.messages[1:-1]] == [history[-1].content]
    assert [passage.chunk_id for passage in prompt.passages] == ["0", "1", "2"]


def test_a_question_that_does_not_fit_loses_its_start_and_says_how_much() -> None:
    prompt = build("You are Ada.", "why " * 500, budget=400)
    assert prompt.messages[-1].content.endswith("why ")
    assert prompt.dropped["question"] == 2000 - len(prompt.messages[-1].content) > 0
    assert prompt.dropped["template"] == 0


def test_what_was_just_said_is_kept_however_much_was_read() -> None:
    found = [Passage(str(number), "word " * 40) for number in range(23)]
    history = [Said("user", f"message {number} " * 5) for number in range(20)]
    prompt = build("You are Ada.", "Why?", passages=found, history=history, budget=800)
    assert history[-1] in prompt.messages
    assert len(prompt.passages) >= 6


KNOWN = [
    Passage("a", "Ada Lovelace was born in London in 1815."),
    Passage("b", "Her favourite colour was ultramarine."),
    Passage("c", "Poeții români au scris despre mare și despre munți."),
]


@pytest.mark.parametrize(
    ("reply", "numbers"),
    [
        pytest.param("It was 1815 [1].", {1: "marker"}, id="a marker"),
        pytest.param("[3][1] and [1]", {1: "marker", 3: "marker"}, id="each once"),
        pytest.param("[9] and [0]", {}, id="numbers of no passage"),
        pytest.param("Her favourite colour was ultramarine!", {2: "words"}, id="the words of a passage"),
        pytest.param("Poetii romani au scris despre munti.", {3: "words"}, id="the same without diacritics"),
        pytest.param("Yes.", {}, id="too short to rest on anything"),
        pytest.param("I would rather speak about something else entirely.", {}, id="nobody's words"),
    ],
)
def test_cited(reply: str, numbers: dict[int, str]) -> None:
    assert cited(reply, KNOWN) == numbers


@given(st.text())
def test_the_rough_count_is_never_less_than_a_byte_pair_tokenizer_could_make_of_words(text: str) -> None:
    assert count_roughly(text) >= len(text.split()) / 2


@pytest.mark.capability("C99")
@pytest.mark.capability("C110")
def test_profile_comes_before_quotes_before_works_and_is_cited_by_its_place() -> None:
    found = [Passage(name, f"words of {name}", collection=name) for name in ("works", "other", "quotes", "profile")]
    built = build("You are Ada.", "Who?", passages=found, budget=1000)
    assert [passage.chunk_id for passage in built.passages] == ["profile", "quotes", "works", "other"]
    assert "[1] (untitled) words of profile" in built.messages[0].content


@pytest.mark.capability("C100")
@pytest.mark.parametrize(("collection", "longest"), [("profile", 1200), ("works", 600), ("quotes", 2000)])
def test_a_passage_is_cut_to_what_its_collection_may_have(collection: str, longest: int) -> None:
    built = build("", "?", passages=[Passage("a", "x" * 2000, collection=collection)], budget=5000)
    assert built.messages[0].content.count("x") == longest


def test_what_is_too_long_is_cut_to_what_fits_and_no_further() -> None:
    built = build("t" * 4010, "q", budget=400, count=len)
    whole = build("t" * 200, "q", budget=400, count=len)
    assert whole.dropped["template"] == 0
    assert len(built.messages[0].content) == 400 - 1 - 4 * PER_MESSAGE - len(CITE)
    assert len(build("", "q" * 4010, budget=400, count=len).messages[-1].content) == 200
