"""A question to a persona: asked once, answered with the reply however often it is sent."""

import pytest
from sqlalchemy import delete, func, select

from gateway.routes.knowledge import search
from shared.domain.lifecycle import RunStatus
from shared.domain.template import BY_WORDS_ONLY, CUT, FILTERED, NONE_FITS
from shared.models import Conversation, KnowledgeChunk, Persona, Turn
from shared.queries.dialogue import turns
from shared.settings import get_settings
from tests.fakes.openai_server import FakeOpenAI
from tests.integration.gateway.worker import settle, take

QUESTION = {"query": "What hummed in the workshop?"}
KEY = {"Idempotency-Key": "question-1"}
NOTHING = "I found nothing about this in what I have read."
COIL = "The coil hummed all night."


@pytest.fixture(autouse=True)
def models(stopped_broker, monkeypatch):
    """The embedding server of these tests."""
    search.embedding.cache_clear()
    with FakeOpenAI() as server:
        monkeypatch.setenv("PERSONAE_EMBEDDING_URL", server.url)
        get_settings.cache_clear()
        yield server
        if search.embedding.cache_info().currsize:
            search.embedding().close()
        search.embedding.cache_clear()


@pytest.fixture
def persona(session):
    persona = Persona(name="Tesla")
    session.add(persona)
    session.flush()
    return persona


@pytest.fixture
def passage(session, persona):
    """What the persona has read."""
    chunk = KnowledgeChunk(source="upload", title="Coils", content=COIL, persona_id=persona.id, collection_type="works")
    session.add(chunk)
    session.flush()
    return chunk


def chunk_of(persona, content, collection):
    return KnowledgeChunk(source="upload", content=content, persona_id=persona.id, collection_type=collection)


@pytest.fixture
def asked(client_of, persona):
    """Send the question, and return the answer."""
    client, path = client_of("chat"), f"/api/v1/personas/{persona.id}/ask"
    return lambda **arguments: client.post(path, json=QUESTION, **arguments)


def reply(session, text, chunk_ids=(), **trace):
    """Save a reply to the question, as a worker does."""
    claim = take(session, Turn, "dialogue")
    turn = session.get_one(Turn, claim.id)
    given = {"chunk_ids": [str(id) for id in chunk_ids]}
    message = turns.Message(conversation_id=turn.conversation_id, role="assistant", content=text, extra_data=given)
    settle(session, claim)
    turns.save_reply(session, turn, message, trace)
    session.flush()


@pytest.mark.capability("C99")
def test_a_persona_that_has_read_nothing_says_so_and_nobody_is_asked(asked, session, models):
    answer = asked().json
    assert (answer["answer"], answer["degraded"], answer["sources"]) == (NOTHING, False, [])
    assert (answer["conversation_id"], answer["turn_id"]) == (None, None)
    assert (session.scalar(select(func.count()).select_from(Turn)), models.embedding.calls) == (0, 0)


@pytest.mark.capability("C99")
def test_until_there_is_a_reply_the_answer_is_what_was_read(leaving, asked, passage):
    answer = asked().json
    assert (answer["degraded"], answer["reason"]) == (True, "the reply is still on its way")
    assert [source["content"] for source in answer["sources"]] == [COIL]
    assert answer["answer"] == f"{COIL} [1]"
    assert answer["sources"][0]["cited"]


@pytest.mark.capability("C99")
def test_without_a_reply_the_answer_is_sentences_and_only_their_passages_are_cited(
    leaving, asked, passage, persona, session
):
    books = ["# Pigeons\n\n[Home](/) [Next](/2)\n\nPigeons lived in the workshop. " + "They cooed. " * 100, "Fire!"]
    for place, content in enumerate(books):
        session.add(chunk_of(persona, content, "works" if place else "profile"))
    session.flush()
    answer = asked().json
    assert answer["answer"] == f"{COIL} [2] Pigeons lived in the workshop. [1]"
    assert {source["number"] for source in answer["sources"] if source["cited"]} == {1, 2}


@pytest.mark.capability("C99")
def test_cited_is_what_the_reply_marks(leaving, asked, passage, persona, session):
    other = chunk_of(persona, COIL + " It sang.", "works")
    session.add(other)
    asked(headers=KEY)
    reply(session, "The coil hummed all night, as I said [2].", [passage.id, other.id])
    sources = asked(headers=KEY).json["sources"]
    assert [(source["number"], source["cited"]) for source in sources] == [(1, False), (2, True)]


@pytest.mark.capability("C186")
def test_a_question_that_is_sent_again_is_answered_with_its_reply(leaving, asked, passage, session, models):
    first = asked(headers=KEY)
    reply(session, "The coil did [1].", [passage.id])
    calls = models.embedding.calls
    again = asked(headers=KEY)
    assert (again.json["answer"], again.json["degraded"], again.json["reason"]) == ("The coil did [1].", False, None)
    assert [source["content"] for source in again.json["sources"]] == [COIL]
    assert (again.json["turn_id"], again.headers["Idempotent-Replayed"]) == (first.json["turn_id"], "true")
    assert session.scalar(select(func.count()).select_from(Conversation)) == 1
    assert models.embedding.calls == calls, "the worker has searched already"


@pytest.mark.capability("C186")
def test_what_was_answered_at_once_is_repeated_though_the_persona_is_gone(asked, persona, session):
    first = asked(headers=KEY)
    session.delete(persona)
    session.flush()
    assert (asked(headers=KEY).status_code, asked(headers=KEY).json) == (200, first.json)


@pytest.mark.capability("C186")
def test_a_reply_that_went_with_its_persona_is_not_found(leaving, asked, passage, persona, session):
    turn_id = asked(headers=KEY).json["turn_id"]
    reply(session, "The coil did.")
    session.execute(delete(Persona).where(Persona.id == persona.id))
    session.expire_all()
    again = asked(headers=KEY)
    assert (again.status_code, again.json["error"]) == (404, f"turn {turn_id} not found")


@pytest.mark.capability("C99")
def test_a_turn_that_failed_is_answered_with_what_was_read_and_why(leaving, asked, passage, session):
    asked(headers=KEY)
    settle(session, take(session, Turn, "dialogue"), RunStatus.FAILED, "no model")
    again = asked(headers=KEY).json
    assert (again["degraded"], again["reason"]) == (True, "no model")
    assert COIL in again["answer"]


@pytest.mark.capability("C99")
@pytest.mark.parametrize("kind", [CUT, FILTERED])
def test_an_answer_that_is_not_whole_is_told(leaving, asked, passage, session, kind):
    asked(headers=KEY)
    reply(session, COIL, [passage.id], warnings=[{"warning_type": kind, "message": "it was cut"}])
    again = asked(headers=KEY).json
    assert (again["answer"], again["degraded"], again["reason"]) == (COIL, True, "it was cut")


@pytest.mark.capability("C99")
@pytest.mark.parametrize("kind", [BY_WORDS_ONLY, NONE_FITS])
def test_a_search_that_may_have_missed_something_is_told(leaving, asked, passage, session, kind):
    asked(headers=KEY)
    warning = {"warning_type": kind, "message": "the embedding server is away"}
    reply(session, NOTHING, warnings=[warning])
    again = asked(headers=KEY).json
    assert (again["answer"], again["degraded"], again["reason"]) == (NOTHING, True, warning["message"])
