"""Search over REST: the same that replies use."""

from collections import Counter

import pytest

from gateway.routes.knowledge import search
from shared.models import Embedding, EmbeddingModel, KnowledgeChunk, Persona
from shared.queries.knowledge import search as queries
from shared.queries.knowledge.search import Question
from shared.queries.scope import DEFAULT_SCOPE
from shared.settings import get_settings
from tests.fakes.openai_server import FakeOpenAI

PATH = "/api/v1/search"
MODEL = "multilingual-e5-small"
COIL, LIGHT = "The coil hummed all night.", "Lightning is loud."


@pytest.fixture(autouse=True)
def fresh_connections(stopped_broker):
    search.embedding.cache_clear()
    yield
    if search.embedding.cache_info().currsize:
        search.embedding().close()
    search.embedding.cache_clear()


@pytest.fixture
def models(monkeypatch):
    with FakeOpenAI() as server:
        monkeypatch.setenv("PERSONAE_EMBEDDING_URL", server.url)
        get_settings.cache_clear()
        yield server


@pytest.fixture
def nobody_embeds(monkeypatch):
    monkeypatch.setenv("PERSONAE_EMBEDDING_URL", "http://127.0.0.1:1/v1")
    get_settings.cache_clear()


@pytest.fixture
def persona(session):
    persona = Persona(name="Tesla")
    session.add_all([persona, EmbeddingModel(name=MODEL, dimensions=384)])
    session.flush()
    return persona


@pytest.fixture
def passages(session, persona, models):
    chunks = [
        KnowledgeChunk(source="upload", title="Coils", page=3, content=COIL, persona_id=persona.id),
        KnowledgeChunk(source="web", title="Weather", content=LIGHT, collection_type="works"),
        KnowledgeChunk(source="upload", content="The coil of another.", owner_id="other"),
    ]
    session.add_all(chunks)
    session.flush()
    for chunk in chunks:
        vector = models.embedding.embed_passages([chunk.content])[0]
        session.add(Embedding(content_hash=chunk.content_hash, model=MODEL, vector=vector))
    session.flush()
    return chunks


@pytest.fixture
def chatter(client_of):
    return client_of("chat")


@pytest.mark.capability("C111")
def test_passages_are_ranked_with_what_a_citation_needs(chatter, passages):
    answer = chatter.post(PATH, json={"query": "which coil hummed?"}).json
    best = answer["items"][0]
    assert (best["chunk_id"], best["content"]) == (str(passages[0].id), COIL)
    assert (best["label"], best["page"]) == ("Coils, page 3", 3)
    assert [item["score"] for item in answer["items"]] == sorted(
        (item["score"] for item in answer["items"]), reverse=True
    )
    assert (answer["degraded"], answer["reason"]) == (False, None)


@pytest.mark.capability("C111")
def test_the_query_is_embedded_as_a_query(chatter, passages, models):
    chatter.post(PATH, json={"query": "which coil hummed?"})
    assert models.requests[-1]["body"]["input_type"] == "query"


@pytest.mark.capability("C109")
@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"sources": ["web"]}, [LIGHT]),
        ({"collection": "works"}, [LIGHT]),
        ({"limit": 1}, [COIL]),
        ({"sources": ["nothing"]}, []),
    ],
)
def test_filters_leave_the_others_out(chatter, passages, where, found):
    answer = chatter.post(PATH, json={"query": "the coil and the lightning hummed"} | where).json
    assert [item["content"] for item in answer["items"]] == found


@pytest.mark.capability("C111")
def test_a_personas_passages_are_hers(chatter, passages, persona):
    answer = chatter.post(PATH, json={"query": "lightning", "persona_id": str(persona.id)}).json
    assert [item["content"] for item in answer["items"]] == [COIL]


@pytest.mark.capability("C86", "C111")
def test_of_each_collection_as_many_are_found_as_the_persona_recalls(chatter, models, persona, session):
    collections = ["works"] * 10 + ["quotes"] * 12 + ["profile"] * 7
    session.add_all(
        KnowledgeChunk(source="upload", content=f"Coil {n}.", persona_id=persona.id, collection_type=collection)
        for n, collection in enumerate(collections)
    )
    persona.quotes_top_k = 2
    session.flush()
    body = {"query": "coil", "persona_id": str(persona.id), "limit": 50}
    found = Counter(item["collection"] for item in chatter.post(PATH, json=body).json["items"])
    assert found == {"works": 8, "quotes": 2, "profile": 5}


@pytest.mark.capability("C86", "C111")
@pytest.mark.parametrize("embeds", [True, False], ids=["by vector", "by words only"])
def test_a_long_book_crowds_out_neither_what_is_known_of_the_persona_nor_itself(session, persona, embeds):
    for n in range(120):
        add_passage(session, persona, f"Coil coil coil {n}.", "works", [1.0, n / 1e6])
    for n in range(3):
        add_passage(session, persona, f"Who wound the coil was patient, quiet and kind: {n}.", "profile", [0.5, 1.0])
    persona.works_top_k = 70
    question = Question("coil", [1.0, 0.0] if embeds else None, MODEL)
    found = queries.hybrid(session, DEFAULT_SCOPE, question, queries.of_persona(persona))
    assert Counter(passage.collection for passage in found) == {"works": 70, "profile": 3}


def add_passage(session, persona, content, collection, vector):
    chunk = KnowledgeChunk(source="upload", content=content, persona_id=persona.id, collection_type=collection)
    session.add(chunk)
    session.flush()
    session.add(Embedding(content_hash=chunk.content_hash, model=MODEL, vector=vector))
    session.flush()


@pytest.mark.capability("C9")
def test_nobody_finds_what_is_anothers(client_of, passages, persona):
    other = client_of("chat", owner="other")
    found = other.post(PATH, json={"query": "coil"}).json["items"]
    assert [item["content"] for item in found] == ["The coil of another."]
    assert other.post(PATH, json={"query": "coil", "persona_id": str(persona.id)}).status_code == 404


@pytest.mark.capability("C111")
def test_without_the_embedding_server_words_are_searched_and_that_is_said(chatter, passages, nobody_embeds):
    answer = chatter.post(PATH, json={"query": "coil"}).json
    assert [item["content"] for item in answer["items"]] == [COIL]
    assert answer["degraded"] is True
    assert "by words only" in answer["reason"]


@pytest.mark.capability("C109", "C111")
def test_passages_without_a_vector_are_counted(client_of, chatter, passages, persona):
    """As those are which were written over REST, or whose text has changed."""
    writer = client_of("write")
    chunk = {"source": "rest", "external_id": "1", "content": "The feline slept."}
    for content in ("The feline slept.", "The feline woke."):
        writer.post("/api/v1/knowledge/chunks", json={"chunks": [chunk | {"content": content}]})
        answer = chatter.post(PATH, json={"query": "cat napping"}).json
        assert (answer["degraded"], answer["reason"]) == (
            True,
            "searched by words only, for want of a vector: 1 passage",
        )
    answer = chatter.post(PATH, json={"query": "cat napping", "persona_id": str(persona.id)}).json
    assert (answer["degraded"], answer["reason"]) == (False, None)
