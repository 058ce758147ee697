"""Passages that are written over REST: found by their words at once, and by their meaning soon, as they are now."""

from typing import Any
from uuid import uuid4

import pytest

from tests.processes import eventually
from tests.system import library
from tests.system.client import Client

CAT, ENGINE = "The feline slept upon the rug all afternoon.", "Diesel engines need clean fuel filters."
ENDED = ("COMPLETED", "FAILED", "CANCELLED")


def write(client: Client, persona: str, *contents: str) -> dict[str, Any]:
    """Write passages of a persona's, and wait until nothing is under way; return the answer."""
    chunks = [
        {"source": "s", "external_id": str(number), "content": content, "collection_type": "works"}
        for number, content in enumerate(contents)
    ]
    answer = client.post("knowledge/chunks", {"persona_id": persona.rpartition("/")[2], "chunks": chunks}, 200)
    if answer["embedding_id"] is not None:
        path = f"work/passage_embeddings/{answer['embedding_id']}"
        done = eventually(lambda: client.get(path), lambda row: row["status"] in ENDED)
        assert done["status"] == "COMPLETED", done
    return answer


@pytest.mark.capability("C109")
def test_passages_over_rest_are_found_by_their_meaning_whenever_their_text_changes(client: Client) -> None:
    persona = library.add_persona(client)
    mark = uuid4().hex  # a text that nobody has embedded before
    texts = [f"{CAT} {mark}", f"{ENGINE} {mark}"]
    write(client, persona, *texts)
    texts[0] = f"A tabby dozed {mark}"
    write(client, persona, *texts)
    answer = client.post("search", {"query": "cat napping on carpet", "persona_id": persona.rpartition("/")[2]}, 200)
    assert (answer["degraded"], answer["reason"]) == (False, None)
    assert sorted(item["content"] for item in answer["items"]) == sorted(texts)
    stored = client.get(f"{persona}/collections")["collections"]
    assert (stored["works"]["passages"], stored["works"]["vectors"]) == (2, 2)
    assert write(client, persona, *texts)["embedding_id"] is None
