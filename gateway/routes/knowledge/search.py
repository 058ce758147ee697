"""The search that replies use, for people to try."""

from dataclasses import asdict, replace
from functools import cache
from typing import Any

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.schemas.knowledge.search import SearchIn, SearchOut
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.prompt import Passage
from shared.providers.embedding.client import HttpEmbedding, connect_query_embedding, try_query
from shared.queries.knowledge import recall, search
from shared.queries.knowledge.search import Filter, Question
from shared.queries.personas import personas
from shared.settings import get_settings

bp = APIBlueprint("search", __name__, url_prefix="/api/v1/search")


@cache
def embedding() -> HttpEmbedding:
    """Return the process's connections to the embedding server."""
    return connect_query_embedding(get_settings())


@bp.post("")
@requires(Permission.CHAT)
@bp.input(SearchIn)
@bp.output(SearchOut)
def search_passages(json_data: SearchIn) -> dict[str, Any]:
    """Search what personas have read.

    By words and by meaning, in all languages that were read; without `persona_id` in all of one's own passages. The
    best come first. `degraded` says that only words were compared because no vector was to be had.
    """
    where = place(json_data)
    question = ask(json_data.query)
    with get_session() as session:
        passages, reason = recall.find(session, scope(), question, where, limit=json_data.limit)
    return {"items": [as_found(passage) for passage in passages], "degraded": reason is not None, "reason": reason}


def place(asked: SearchIn) -> Filter:
    """Return where to search: in what a persona recalls, or in all of one's own passages; raises NotFound."""
    if asked.persona_id is None:
        return Filter(None, asked.collection, asked.sources, chunk_metadata=asked.chunk_metadata)
    with get_session() as session:
        persona = personas.get(session, scope(), asked.persona_id)
    where = search.of_persona(persona, asked.collection, asked.sources)
    return replace(where, chunk_metadata=asked.chunk_metadata)


def ask(query: str) -> Question:
    """Return the question with its vector; without one, and why, while the embedding server is of no help."""
    vector, reason = try_query(embedding(), query)
    return recall.question(query, vector, reason, get_settings())


def as_found(passage: Passage) -> dict[str, Any]:
    """Return a passage with its label."""
    return asdict(passage) | {"label": passage.label()}
