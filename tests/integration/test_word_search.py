"""Passages are found by what a question names: codes, addresses, versions, words of any script."""

import pytest

from shared.models import Embedding, EmbeddingModel, KnowledgeChunk, Persona
from shared.queries.knowledge import chunks, search
from shared.queries.knowledge.search import Filter, Question
from shared.queries.scope import DEFAULT_SCOPE

MODEL = "model"
TOKENS = {
    "config.yaml": "The setting lives in config.yaml near the top.",
    "2.14.3": "Release 2.14.3 fixed the pump.",
    "keeper@example.org": "Write to keeper@example.org for the tide tables.",
    "/usr/local/etc/lamp.conf": "Edit /usr/local/etc/lamp.conf first.",
    "AB-12/C": "Part AB-12/C is brass.",
    "3.75": "The bolt is 3.75 inches long.",
    "-40": "Oil that flows at -40 degrees.",
    "192.168.7.20": "The lamp answers at 192.168.7.20 only.",
    "report_final.pdf": "Sign report_final.pdf, then send it.",
    "v1.2-beta": "Nobody runs v1.2-beta any more.",
    "www.harbour.example": "Look at https://www.harbour.example/tides?day=1 for the tides.",
    "12-34-56": "The sort code is 12-34-56.",
    "灯台": "古い灯台の光。",
    "등대": "오래된 등대는 밝다.",
    "seamanship": "Old sea\u200bman\u00adship of the north.",
}
NEAR = [
    "Config and yaml.",
    "AB 12 or C.",
    "12, 34, 56, 75 and 3.",
    "灯油の台。",
    "2 of 14 bolts, 3 of 40.",
    "Version 1 beta 2.",
]

ANYWHERE = Filter()


def store(session, contents):
    chunks.write(session, DEFAULT_SCOPE, [{"source": "manual", "content": content} for content in contents])


def found(session, text, where=ANYWHERE, vector=None):
    passages = search.hybrid(session, DEFAULT_SCOPE, Question(text, vector, MODEL), where)
    return [passage.content for passage in passages]


def fault(code):
    return f"Fault ERR-{code}: a worn brush at station {code % 7}. Restart after the check."


@pytest.fixture
def codes(session):
    """Sixty passages that differ in their codes; a vector puts that of 4700 first for any question."""
    session.add(EmbeddingModel(name=MODEL, dimensions=2))
    store(session, [fault(code) for code in range(4700, 4760)])
    for number, chunk in enumerate(session.query(KnowledgeChunk).order_by(KnowledgeChunk.content)):
        session.add(Embedding(content_hash=chunk.content_hash, model=MODEL, vector=[1.0, number / 100]))
    session.flush()


@pytest.mark.parametrize(
    "asked", ["ERR-{}", "What does ERR-{} mean?", "{}", '"err-{}"', "Station fault ERR\u2011{}, after restart"]
)
@pytest.mark.parametrize("vector", [None, [1.0, 0.0]], ids=["by words", "fused"])
@pytest.mark.usefixtures("codes")
def test_each_of_sixty_codes_is_first(session, asked, vector):
    firsts = [found(session, asked.format(code), vector=vector)[0] for code in range(4700, 4760)]
    assert firsts == [fault(code) for code in range(4700, 4760)]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("ERR-4711", "ERR4711"),
        ("ERR4711", "err-4711"),
        ("v2.14.3", "2.14.3"),
        ("2.14.3", "v2.14.3"),
        ("AB/12", "AB-12"),
    ],
)
def test_a_code_is_found_in_its_other_spelling(session, written, asked):
    store(session, ["Version 2.14.9 or 2.15.3.", f"Look for {written} here.", "ERR-4712 and ERR4713, AB 13."])
    assert found(session, f"what is {asked}?")[0] == f"Look for {written} here."


@pytest.mark.parametrize("token", TOKENS)
def test_what_is_written_literally_is_found_and_first(session, token):
    store(session, NEAR + list(TOKENS.values()))
    assert found(session, token)[0] == TOKENS[token]


def test_a_rare_word_weighs_more_than_words_that_all_passages_hold(session):
    store(session, [f"The station needs a check and a restart, part {n}." for n in range(30)] + ["A kumquat."])
    assert found(session, "check station restart kumquat")[0] == "A kumquat."


def test_rarity_is_counted_where_one_searches(session):
    persona = Persona(name="Ada")
    session.add(persona)
    session.flush()
    store(session, ["A pump."] * 40)
    mine = ["Valve one and a pump.", "Valve two.", "Valve three."]
    rows = [{"source": "manual", "content": content} for content in mine]
    chunks.write(session, DEFAULT_SCOPE, rows, persona_id=persona.id)
    assert found(session, "valve pump", Filter(persona.id))[0] == mine[0]


def test_a_number_that_many_passages_hold_is_no_sure_sign(session):
    store(session, [f"In 1890 ship {n} came home." for n in range(20)] + ["A bell was cast for the tower."])
    assert found(session, "which bell was cast for the tower in 1890?")[0] == "A bell was cast for the tower."


def test_a_word_is_found_by_its_stem_and_as_it_is_written(session):
    chunks.upsert(session, DEFAULT_SCOPE, {"source": "s", "content": "Running dogs.", "language": "english"})
    assert [found(session, word) for word in ("running", "run", "dog")] == [["Running dogs."]] * 3
