"""The prompt always fits, and says what it dropped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.prompt import (
    CITE,
    PER_MESSAGE,
    ROOMY,
    Passage,
    Said,
    build,
    cited,
    marked,
    without_empty_marks,
)
from shared.domain.tokens import count_roughly

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
    prompt = build("You are Ada.", "Why?", passages=found, history=history, budget=500)
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
    prompt = build("You are Ada.", "Why?", passages=found, history=history, budget=950)
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


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("The coil hummed all night until the morning came.", 11, id="English"),
        pytest.param("Nu am găsit nimic despre asta în ce am citit.", 21, id="Romanian"),
        pytest.param("7c9e6679-7425-40de-944b-e07fc1f90ae7" * 3, 99, id="ids"),
        pytest.param("0 1 2 3 4 5 6 7 8 9 " * 20, 400, id="digits"),
        pytest.param("3.14159265358979323846", 22, id="a long number"),
        pytest.param("def f(x, y):\n    return {k: v for k, v in zip(x, y) if k != '__init__'}\n" * 5, 160, id="code"),
        pytest.param("for(int i=0;i<n;++i){a[i]=b[i]*c[i];if(a[i]>=MAX_LEN){break;}}\n" * 4, 176, id="dense code"),
        pytest.param("| a | 1 | 2.5 | x |\n|---|---|---|---|\n| b | 12 | 3.75 | y |\n" * 5, 200, id="a table"),
        pytest.param("1\t2\t3\t4\t5\n6\t7\t8\t9\t0\n" * 8, 160, id="columns"),
        pytest.param("自由是什么他说自由就是能够说二加二等于四。" * 4, 148, id="Chinese"),
        pytest.param("나는 고양이다. 이름은 아직 없다." * 4, 144, id="Korean"),
        pytest.param("Μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος" * 4, 144, id="Greek"),
        pytest.param("😀🚀🧪" * 8, 72, id="emoji"),
        pytest.param("!?.,;:-()[]{}" * 10, 80, id="signs"),
    ],
)
def test_the_rough_count_is_not_below_that_of_the_bundled_models_tokenizer(text: str, tokens: int) -> None:
    assert count_roughly(text) >= tokens


def test_the_rough_count_of_prose_is_not_far_above_either() -> None:
    assert count_roughly("The coil was built in Colorado, where it hummed all night. " * 20) < 20 * 30


@pytest.mark.capability("C170")
@pytest.mark.parametrize("kind", ["7", "7 ", "{}; ", "自由", "a1B2", "| 1 | 2 |\n"])
def test_a_prompt_of_what_makes_many_tokens_fits(kind: str) -> None:
    """A sign or a digit is a token each, to any tokenizer at most."""
    found = [Passage(str(number), kind * 300, collection="works") for number in range(40)]
    history = [Said("user", kind * 50)] * 20
    for budget in (800, 31_600):
        built = build(kind * 30, kind * 20, passages=found, history=history, budget=budget)
        signs = sum(len(message.content.replace(" ", "")) for message in built.messages)
        assert signs - 3 * len(built.passages) * 10 <= budget * (2 if kind == "a1B2" else 1)
        assert built.tokens <= budget


@pytest.mark.capability("C99")
@pytest.mark.capability("C110")
def test_profile_comes_before_quotes_before_works_and_is_cited_by_its_place() -> None:
    found = [Passage(name, f"words of {name}", collection=name) for name in ("works", "other", "quotes", "profile")]
    built = build("You are Ada.", "Who?", passages=found, budget=1000)
    assert [passage.chunk_id for passage in built.passages] == ["profile", "quotes", "works", "other"]
    assert "[1] (passage) words of profile" in built.messages[0].content


@pytest.mark.capability("C100")
@pytest.mark.parametrize(("collection", "longest"), [("profile", 1200), ("works", 600), ("quotes", 2000)])
def test_in_a_small_prompt_a_passage_is_cut_to_what_its_collection_may_have(collection: str, longest: int) -> None:
    built = build("", "?", passages=[Passage("a", "x" * 2000, collection=collection)], budget=ROOMY - 1)
    assert built.messages[0].content.count("x") == longest
    assert built.dropped["passage_ends"] == 2000 - longest


def test_a_cut_passage_ends_with_a_sentence_where_one_is_near() -> None:
    sentence = "The coil hummed in the workshop all night. "
    built = build("", "?", passages=[Passage("a", sentence * 30, collection="works")], budget=800)
    assert built.passages[0].content.endswith("all night.")
    assert 500 < len(built.passages[0].content) <= 600


def test_a_roomy_prompt_holds_passages_whole() -> None:
    found = [Passage(str(number), f"{number}: " + "word " * 380, collection="works") for number in range(11)]
    built = build("You are Ada.", "Why?", passages=found, budget=31_600)
    assert all(passage.content in built.messages[0].content for passage in found)
    assert set(built.dropped.values()) == {0}


def test_a_passage_too_long_for_what_is_left_is_cut_or_gives_way_to_the_next() -> None:
    long, quote, short = (
        Passage("a", "word " * 20_000, collection="works"),
        Passage("b", "word " * 20_000, collection="quotes"),
        Passage("c", "She knew Babbage."),
    )
    built = build("You are Ada.", "Why?", passages=[long, quote, short], budget=ROOMY)
    assert [passage.chunk_id for passage in built.passages] == ["a", "c"]
    assert (built.dropped["passages"], built.dropped["passage_ends"]) == (1, 100_000 - 600)


def test_what_is_too_long_is_cut_to_what_fits_and_no_further() -> None:
    built = build("t" * 4010, "q", budget=400, count=len)
    whole = build("t" * 200, "q", budget=400, count=len)
    assert whole.dropped["template"] == 0
    assert len(built.messages[0].content) == 400 - 1 - 4 * PER_MESSAGE - len(CITE)
    assert len(build("", "q" * 4010, budget=400, count=len).messages[-1].content) == 200


@pytest.mark.parametrize(
    ("reply", "numbers"),
    [
        ("It hums [2].", [2]),
        ("It hums [1][3]; it sings [2].", [1, 2, 3]),
        ("It hums [1, 3].", [1, 3]),
        ("It hums [1-3].", [1, 2, 3]),
        ("It hums [1–99999999].", [1, 2, 3]),  # noqa: RUF001
        ("It hums [4], [0] and [12].", []),
        ("See [1](https://example.com).", []),
        ("```\nx[1]\n``` and `y[2]`", []),
        ("The second is m[2].", []),
        ("The second is m[2], as said [2]; the first is m[1] [3].", [2, 3]),
        ("Take items[0], then items[2].", []),
        ("Take items[2] and argv[1] of them.", []),
        ("Take my_rows[2].", []),
        ("Take rows2[2], myRows[1].", []),
        ('Take rows["a"][1], find(x)[2], find()[3].', []),
        ("Set x = [1], y=[2].", []),
        ("The horn[1] replaced, of items[2][3] the last.", []),
        ("It hums[2].", [2]),
        ("It hums[1][3]; it sings[2]", [1, 2, 3]),
        ("It hums[2].[1] It sings.", [1, 2]),
        ("It was forty-two[2], in 1890[3] or the 1890s[1].", [1, 2]),
        ("It hums (loudly)[2]. \u201cIt sings\u201d[1].", [1, 2]),
        ("它嗡嗡作响[2]它", [2]),
    ],
)
def test_marked(reply: str, numbers: list[int]) -> None:
    assert marked(reply, 3) == numbers


CODE_IN_WORDS = (
    "Use items[0] for the first and items[12] for another, like matrix[2][3].",
    'Then find()[0], rows["a"][1], {1: 2}[1] and größe[2].',
    "Begin with x = [0], y=[7].",
)


@pytest.mark.parametrize(
    ("reply", "passages", "kept"),
    [
        ("It hums [1].", 0, "It hums."),
        ("[1] It hums.[2] It sings [1][2].", 0, "It hums. It sings."),
        ("It hums [1]. It sings [7].", 2, "It hums [1]. It sings."),
        ("It hums\n\n- [1] and sings [1]\n", 0, "It hums\n\n- and sings\n"),
        ("[1]", 0, "[1]"),
        ('{"found": [1]}', 0, '{"found": [1]}'),
        ("Use `x[1]` or\n```\ny [1]\n```", 0, "Use `x[1]` or\n```\ny [1]\n```"),
        ("See [1](https://example.com).", 0, "See [1](https://example.com)."),
        *((reply, 0, reply) for reply in CODE_IN_WORDS),
        ("Use items[0], as said [2].", 0, "Use items[0], as said."),
        ("它嗡嗡作响[7]。", 0, "它嗡嗡作响。"),
        ("It hums [1][7]; m[2][3] sings.[4][5]", 2, "It hums [1]; m[2][3] sings."),
        ("From 0 to 1: [0, 1]. In [1899] too.", 0, "From 0 to 1: [0, 1]. In [1899] too."),
    ],
)
def test_a_mark_that_cites_nothing_goes_and_nothing_else(reply: str, passages: int, kept: str) -> None:
    assert without_empty_marks(reply, passages) == kept


def test_marks_that_were_asked_for_stay() -> None:
    assert without_empty_marks("As you say in [1].", 0, "What do I say in [1] and [2]?") == "As you say in [1]."


@pytest.mark.parametrize("piece", ["[", "[1 ", "[1,", " ", "9", "`"])
def test_a_reply_of_any_shape_is_read(piece: str) -> None:
    reply = f"[{piece * 50_001}]"
    assert without_empty_marks(reply, 0) == reply
    assert marked(reply, 3) == []


@pytest.mark.parametrize(
    ("passage", "label"),
    [
        (Passage("7", "", "Log", "upload", 3), "Log, page 3"),
        (Passage("7", "", " ", "log.txt"), "log.txt"),
        (Passage("7", "", None, ""), "passage"),
        (Passage("7", "", "Log", page=3, also=("copy.txt", "old.txt")), "Log, page 3; also in copy.txt, old.txt"),
    ],
)
def test_a_label_names_what_holds_the_passage(passage: Passage, label: str) -> None:
    assert passage.label() == label
