"""What has nothing to do with a question is not found, however near it is among what is there."""

import pytest
from sqlalchemy import event, update

from shared.domain.persona import CollectionType
from shared.models import Embedding, EmbeddingModel, KnowledgeChunk
from shared.queries.knowledge import recall, search
from shared.queries.knowledge.search import Filter, Question
from shared.queries.scope import DEFAULT_SCOPE
from shared.settings import Settings

MODEL = "model"
LEAST = 0.8
LAMP, BELL, FOG = "The keeper lit the lamp of the tower.", "A siren replaced the bell in Peru.", "Fog rings ERR-4711."
TEXTS = {LAMP: [1.0, 0.0], BELL: [0.75, 0.66], FOG: [0.0, 1.0]}  # beside the question [1, 0]: 1, 0.75 and 0


@pytest.fixture(autouse=True)
def texts(session):
    session.add(EmbeddingModel(name=MODEL, dimensions=2))
    for content, vector in TEXTS.items():
        chunk = KnowledgeChunk(source="s", content=content)
        session.add(chunk)
        session.flush()
        session.add(Embedding(content_hash=chunk.content_hash, model=MODEL, vector=vector))
    session.flush()


def found(session, text, vector, least=LEAST):
    passages = search.hybrid(session, DEFAULT_SCOPE, Question(text, vector, MODEL, least), Filter())
    return {passage.content: passage.similarity for passage in passages}


@pytest.mark.capability("C111")
def test_each_passage_says_how_similar_it_is(session):
    assert found(session, "dusk", [1.0, 0.0], -1.0) == pytest.approx({LAMP: 1.0, BELL: 0.75, FOG: 0.0}, abs=0.01)
    assert found(session, "bell", None) == {BELL: None}


@pytest.mark.capability("C111")
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param("roast a duck", {LAMP}, id="by meaning"),
        pytest.param("roast a duck in Peru", {LAMP}, id="one word of three is chance"),
        pytest.param("of the in a", {LAMP}, id="grammar is nothing"),
        pytest.param("which siren replaced it?", {LAMP, BELL}, id="words that tell"),
        pytest.param("how do I roast a duck with ERR-4711", {LAMP, FOG}, id="a code"),
    ],
)
def test_what_is_less_similar_needs_words_that_tell_or_a_code(session, asked, expected):
    assert set(found(session, asked, [1.0, 0.0])) == expected


@pytest.mark.capability("C111")
@pytest.mark.parametrize("asked", ["roast a duck in Peru", "how do I roast a duck in Peru?", "a the of in"])
def test_a_question_about_something_else_finds_nothing(session, asked):
    assert found(session, asked, [-1.0, 0.0]) == {}


def test_a_passage_without_a_vector_is_found_by_any_word(session):
    session.add(KnowledgeChunk(source="s", content="Ducks of Peru."))
    session.flush()
    assert found(session, "roast a duck in Peru", [-1.0, 0.0]) == {"Ducks of Peru.": None}


def test_near_is_what_is_near_to_the_aim_where_there_is_one(session):
    aimed = Question("dusk", [1.0, 0.0], MODEL, LEAST, aim=[0.0, 3.0])
    passages = search.hybrid(session, DEFAULT_SCOPE, aimed, Filter())
    assert {passage.content: passage.similarity for passage in passages} == {FOG: 0.0}, "it is told as it is"


def test_a_vector_of_zeros_is_as_none(session):
    session.execute(update(Embedding).values(vector=[0.0, 0.0]))
    assert found(session, "roast a siren", [1.0, 0.0]) == {BELL: None}
    assert found(session, "roast a duck", [1.0, 0.0]) == {}


def asked(vector, **settings):
    return recall.question("?", vector, None, Settings(_env_file=None, **settings))


def test_the_limit_is_the_operators_or_was_measured_for_the_model():
    vector = [1.0] + [0.0] * 383
    measured, another = asked(vector), asked(vector, embedding_model="another")
    assert (measured.aim is not None, another.aim, another.least) == (True, None, -1)
    assert (asked(vector, min_similarity=0.3).aim, asked(vector, min_similarity=0.3).least) == (None, 0.3)
    assert (asked([1.0, 0.0]).aim, asked(None).aim) == (None, None), "what the background was not measured for"


@pytest.fixture
def statements(shared_engine):
    sent = []
    event.listen(shared_engine, "before_cursor_execute", listener := lambda *given: sent.append(given[2]))
    yield sent
    event.remove(shared_engine, "before_cursor_execute", listener)


def add_copies(session, count, content=LAMP, collection=None):
    for number in range(count):
        title = f"copy{number}.txt"
        session.add(KnowledgeChunk(source="s", title=title, content=content, collection_type=collection))
    session.flush()


@pytest.mark.capability("C111")
@pytest.mark.parametrize("vector", [[1.0, 0.0], None], ids=["fused", "by words"])
def test_a_text_in_several_files_is_found_once_and_names_them(session, statements, vector):
    question = Question("the lamp of the tower, the siren in Peru, fog", vector, MODEL)
    search.hybrid(session, DEFAULT_SCOPE, question, Filter())
    asked = len(statements)
    add_copies(session, 120)
    statements.clear()
    together = search.hybrid(session, DEFAULT_SCOPE, question, Filter())
    assert sorted(passage.content for passage in together) == sorted(TEXTS)
    assert len(statements) == asked
    first = next(passage for passage in together if passage.content == LAMP)
    assert first.label().count(".txt") >= 2
    assert "untitled" not in first.label()


def test_a_text_in_several_files_takes_one_of_the_places_that_are_recalled(session):
    add_copies(session, 9, LAMP, CollectionType.WORKS)
    add_copies(session, 1, BELL, CollectionType.WORKS)
    where = Filter(collection=CollectionType.WORKS, top_k={CollectionType.WORKS: 2})
    found = search.hybrid(session, DEFAULT_SCOPE, Question("the lamp, the siren", [1.0, 0.0], MODEL), where)
    assert {passage.content for passage in found} == {LAMP, BELL}
