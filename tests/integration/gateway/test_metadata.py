"""Passages by their metadata, in search and in the list."""

import json

import pytest

from gateway.routes.knowledge import search
from shared.settings import get_settings

CHUNKS, SEARCH = "/api/v1/knowledge/chunks", "/api/v1/search"
TEXTS = {
    "A lamp.": {"language": "en", "tags": ["light", "sea"], "at": {"page": 3}},
    "O lampa, lamp.": {"language": "ro", "tags": ["light"]},
    "The lamp without metadata.": None,
}


@pytest.fixture
def client(client_of):
    client = client_of("write", "read", "chat")
    chunks = [{"source": "s", "content": text, "chunk_metadata": given} for text, given in TEXTS.items()]
    assert client.post(CHUNKS, json={"chunks": chunks}).status_code == 200
    return client


@pytest.fixture(autouse=True)
def nobody_embeds(monkeypatch, stopped_broker):
    monkeypatch.setenv("PERSONAE_EMBEDDING_URL", "http://127.0.0.1:1/v1")
    get_settings.cache_clear()
    search.embedding.cache_clear()
    yield
    search.embedding.cache_clear()


@pytest.mark.capability("C109")
@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"language": "ro"}, {"O lampa, lamp."}),
        ({"tags": ["sea"]}, {"A lamp."}),
        ({"tags": ["light"]}, {"A lamp.", "O lampa, lamp."}),
        ({"at": {"page": 3}, "language": "en"}, {"A lamp."}),
        ({"language": "fr"}, set()),
        ({"language": None}, set()),
        ({}, {"A lamp.", "O lampa, lamp."}),
    ],
)
def test_only_what_contains_the_metadata_is_found_and_listed(client, metadata, expected):
    found = client.post(SEARCH, json={"query": "lamp", "chunk_metadata": metadata})
    listed = client.get(CHUNKS, query_string={"chunk_metadata": json.dumps(metadata)})
    assert {item["content"] for item in found.json["items"]} == expected
    assert ({item["content"] for item in listed.json["items"]}, listed.json["total"]) == (expected, len(expected))


@pytest.mark.parametrize("given", ["language=ro", "[1]", "3", "{", '{"a": NaN}'])
def test_what_is_no_object_of_json_is_refused_in_words(client, given):
    answer = client.get(CHUNKS, query_string={"chunk_metadata": given})
    assert answer.status_code == 422
    assert "chunk_metadata" in answer.text or "NaN" in given
    assert client.post(SEARCH, json={"query": "lamp", "chunk_metadata": given}).status_code == 422
