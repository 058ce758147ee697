"""With an embedding server that answers nonsense, what was read is found by its words, and everyone is told so."""

import json

import pytest
from sqlalchemy import func, select

from gateway.readiness import Readiness
from gateway.routes.knowledge import search
from services.dialogue import reply as dialogue
from services.dialogue.tools import ReplyTools
from services.embedding import passages as embedding
from services.embedding import steps
from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.domain.template import BY_WORDS_ONLY
from shared.domain.workflow import WorkflowStepType
from shared.errors import PersonaeError, Rejected
from shared.models import Conversation, Embedding, EmbeddingModel, KnowledgeChunk, Persona, RunStep
from shared.providers.embedding.client import HttpEmbedding, connect_query_embedding, word_vector
from shared.providers.parsing.parser import FakeParser
from shared.providers.parsing.sniff import PLAIN
from shared.providers.storage.blobs import FakeBlobs
from shared.queries.dialogue import turns
from shared.queries.documents import documents, files
from shared.queries.knowledge import embeddings
from shared.queries.scope import DEFAULT_SCOPE
from shared.settings import get_settings
from tests.fakes.odd_embedder import DIMENSIONS, GOOD, SPOILED, OddEmbedder, each, refusing
from tests.integration.gateway.conftest import settings_for_tests
from tests.integration.gateway.test_asking import reply
from tests.integration.ingester import Ingester

MODEL = "multilingual-e5-small"
COIL = "The coil hummed all night in the workshop."
QUESTION = "What hummed in the workshop?"
ODD = SPOILED | {"of another length": each(lambda vector: [*vector, 0.1]), "shorter": each(lambda vector: vector[1:])}


@pytest.fixture(autouse=True)
def odd(stopped_broker, monkeypatch):
    search.embedding.cache_clear()
    with OddEmbedder().running() as server:
        monkeypatch.setenv("PERSONAE_EMBEDDING_URL", server.url)
        get_settings.cache_clear()
        yield server
        if search.embedding.cache_info().currsize:
            search.embedding().close()
        search.embedding.cache_clear()


@pytest.fixture
def persona(session):
    """A persona that has read one passage, which has its vector."""
    persona = Persona(name="Tesla")
    session.add_all([persona, EmbeddingModel(name=MODEL, dimensions=DIMENSIONS)])
    session.flush()
    read(session, persona, COIL, word_vector(COIL, DIMENSIONS))
    return persona


def read(session, persona, content, vector=None):
    chunk = KnowledgeChunk(source="upload", content=content, persona_id=persona.id, collection_type="works")
    session.add(chunk)
    session.flush()
    if vector is not None:
        session.add(Embedding(content_hash=chunk.content_hash, model=MODEL, vector=vector))
        session.flush()
    return chunk


@pytest.fixture
def found(client_of, persona):
    """Search, and return the answer, which must be JSON that any client reads."""

    def ask(query=QUESTION):
        answer = client_of("chat").post("/api/v1/search", json={"query": query, "persona_id": str(persona.id)})
        assert answer.status_code == 200
        return json.loads(answer.text, parse_constant=pytest.fail)

    return ask


def turn_of(session, persona):
    conversation = Conversation(persona_id=persona.id)
    session.add(conversation)
    session.flush()
    return turns.add(session, DEFAULT_SCOPE, conversation.id, QUESTION)


def recalled(session, persona):
    """Recall what a reply would be told."""
    context = turns.load(session, turn_of(session, persona), history=0)
    with connect_query_embedding(get_settings()) as server:
        return dialogue._recall(context, ReplyTools(get_settings(), None, server, None))


@pytest.mark.parametrize("kind", ODD)
def test_search_and_replies_go_on_in_words_and_say_why(odd, found, persona, session, kind):
    odd.server = ODD[kind]
    answer = found()
    passages, warnings = recalled(session, persona)
    assert [item["content"] for item in answer["items"]] == [each.content for each in passages] == [COIL]
    assert (answer["degraded"], [warning.message for warning in warnings]) == (True, [answer["reason"]])
    assert answer["reason"].startswith("searched by words only: the embedding server")


def test_the_lengths_of_vectors_that_do_not_fit_are_told(odd, found):
    odd.server = ODD["of another length"]
    assert f"answers {DIMENSIONS + 1} numbers" in found()["reason"]
    assert f"have {DIMENSIONS} here" in found()["reason"]


def test_with_a_good_server_nothing_is_degraded(found, persona, session):
    assert (found()["degraded"], recalled(session, persona)[1]) == (False, [])


def test_zeros_that_were_stored_before_hide_nobodys_words_and_are_embedded_again(found, persona, session):
    zeros = read(session, persona, "A coil that nobody knows hummed.", [0.0] * DIMENSIONS)
    assert {item["content"]: item["similarity"] for item in found("coil")["items"]}[zeros.content] is None
    embeddings.prune(session, keep=embeddings.FRESH, batch=10)
    assert session.scalars(select(Embedding.content_hash)).all() != []
    assert session.get(Embedding, (zeros.content_hash, MODEL)) is None
    assert "1 passage" in found()["reason"]


@pytest.mark.capability("C99")
def test_ask_says_what_search_says_of_passages_without_a_vector(client_of, leaving, found, persona, session):
    read(session, persona, "Pigeons cooed.")
    said = found()["reason"]
    client, path, key = client_of("chat"), f"/api/v1/personas/{persona.id}/ask", {"Idempotency-Key": "q"}
    client.post(path, json={"query": QUESTION}, headers=key)
    _, warnings = recalled(session, persona)
    chunk_ids = session.scalars(select(KnowledgeChunk.id)).all()
    reply(session, "The coil [1].", chunk_ids, warnings=[warning._asdict() for warning in warnings])
    answer = client.post(path, json={"query": QUESTION}, headers=key).json
    assert (answer["degraded"], answer["reason"]) == (True, said)
    assert (warnings[0].warning_type, said) == (
        BY_WORDS_ONLY,
        "searched by words only, for want of a vector: 1 passage",
    )


@pytest.mark.parametrize("kind", ODD)
def test_ready_names_what_the_server_does(odd, database_url, kind):
    with get_session() as session:
        session.add(EmbeddingModel(name=MODEL, dimensions=DIMENSIONS))
    odd.server = ODD[kind]
    settings = settings_for_tests(database_url=database_url, embedding_url=odd.url)
    assert "the embedding server" in Readiness(settings).ask().degraded["embedding"]


def embedded(session):
    return session.scalar(select(func.count()).select_from(Embedding))


def embed_all(session, odd, texts):
    """Do what a worker does for the passages of one request."""
    with HttpEmbedding(odd.url, MODEL) as server:
        tools = steps.EmbeddingTools(FakeBlobs(), server, lambda *kept: steps.store(session, *kept))
        embedding.work(embedding.Lacking(1, "default", {str(n): text for n, text in enumerate(texts)}), tools)


@pytest.mark.parametrize(
    "said",
    ["maximum context length is 256 tokens", "never said before", "batch size exceeded"],
)
def test_one_text_that_is_refused_keeps_its_neighbours_from_nothing(odd, session, said):
    odd.server = refusing(400, said, where=lambda body: any("long" in text for text in body["input"]))
    texts = [f"a long one {n}" if n in (3, 40) else f"passage {n}" for n in range(50)]
    with pytest.raises(Rejected, match=r"2 of 50 passages have no vector: .*PERSONAE_EMBEDDING_"):
        embed_all(session, odd, texts)
    assert embedded(session) == 48


@pytest.mark.parametrize("kind", ODD)
def test_passages_keep_their_words_where_no_vector_is_any(odd, persona, session, kind):
    odd.server = ODD[kind]
    with pytest.raises(PersonaeError, match="the embedding server"):
        embed_all(session, odd, [f"passage {n}" for n in range(3)])
    assert embedded(session) == 1, "that of the passage before"


def test_what_a_server_that_is_good_again_answers_is_stored(odd, persona, session):
    odd.server = GOOD
    embed_all(session, odd, ["One.", "Two."])
    assert embedded(session) == 3


DOCUMENT = b"\n\n".join(b"Paragraph %d is about a coil. " % number * 60 for number in range(5))


def ingest(session, odd, blobs):
    """Read a document as workers do; return the ends of its steps, with what they say."""
    stored = documents.Bytes(blobs.put(DOCUMENT).key, PLAIN, len(DOCUMENT))
    location = documents.register(session, DEFAULT_SCOPE, stored, uri="coils.txt", source="disk")[0]
    files.ingest_one(session, DEFAULT_SCOPE, location, embedding_model=MODEL, embedding_window=512)
    with HttpEmbedding(odd.url, MODEL) as server:
        Ingester(blobs, FakeParser(), server).drain(session)
    rows = session.scalars(select(RunStep).order_by(RunStep.id)).all()
    return [(row.step_type, row.status_message) for row in rows if row.status is RunStatus.FAILED], passages_of(session)


def passages_of(session):
    return session.scalar(select(func.count()).where(KnowledgeChunk.source == "disk"))


@pytest.mark.parametrize("kind", ODD)
def test_a_document_fails_with_the_reason_and_is_never_read_by_half(odd, persona, session, kind):
    odd.server, blobs = ODD[kind], FakeBlobs()
    ((step, said),), stored = ingest(session, odd, blobs)
    assert (step, stored) == (WorkflowStepType.EMBED, 0)
    assert "the embedding server" in said


def test_a_document_is_read_by_a_server_that_takes_fewer_texts_than_are_asked(odd, persona, session):
    odd.server = refusing(413, "batch too large", where=lambda body: len(body["input"]) > 1)
    failed, stored = ingest(session, odd, FakeBlobs())
    assert (failed, stored > 1, odd.sizes()[-1]) == ([], True, 1)
