"""The prompt always fits, and says what it dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.prompt import Passage, Said, build, cited, count_roughly

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
    assert prompt.dropped == {"passages": 0, "history": 0}


def test_the_oldest_history_goes_first_and_then_the_worst_passage() -> None:
    found = [Passage(str(number), "word " * 40) for number in range(4)]
    history = [Said("user", f"message {number} " * 20) for number in range(4)]
    prompt = build("You are Ada.", "Why?", passages=found, history=history, budget=300)
    assert prompt.dropped["history"] == 4
    assert [passage.chunk_id for passage in prompt.passages] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("reply", "numbers"),
    [
        pytest.param("It was 1843 [2].", [2], id="one"),
        pytest.param("[1][3] and [1]", [1, 3], id="each once"),
        pytest.param("[9] and [0]", [], id="numbers of no passage"),
    ],
)
def test_cited(reply: str, numbers: list[int]) -> None:
    assert cited(reply, [Passage(str(n), "") for n in range(3)]) == numbers


@given(st.text())
def test_the_rough_count_is_never_less_than_a_byte_pair_tokenizer_could_make_of_words(text: str) -> None:
    assert count_roughly(text) >= len(text.split()) / 2
