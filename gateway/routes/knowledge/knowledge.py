"""Knowledge chunks."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway.http.auth import requires, scope
from gateway.http.quotas import adds_work
from gateway.routes.answers import existed
from gateway.schemas.knowledge.knowledge import ChunkOut, ChunkPage, ChunkQuery, ChunksIn, ChunksOut
from gateway.schemas.paging import page_of
from shared.db import Session, get_session
from shared.domain.access import Permission
from shared.logs import correlation
from shared.models import KnowledgeChunk
from shared.queries.knowledge import chunks, passage_embeddings
from shared.queries.personas import personas
from shared.settings import get_settings

bp = APIBlueprint("knowledge", __name__, url_prefix="/api/v1/knowledge/chunks")


@bp.post("")
@requires(Permission.WRITE)
@adds_work
@bp.input(ChunksIn)
@bp.output(ChunksOut)
def upsert_chunks(json_data: ChunksIn) -> dict[str, Any]:
    """Write passages.

    Knowledge that comes from no file: found and cited as what was read. One whose source and external id are known
    replaces the text.
    """
    with get_session() as session:
        if json_data.persona_id is not None:
            personas.get(session, scope(), json_data.persona_id)
        given = [chunk.model_dump(exclude_unset=True) for chunk in json_data.chunks]
        written = chunks.bulk_upsert(session, scope(), given, persona_id=json_data.persona_id)
        embedding_id = _embed(session, written)
    return {"items": written, "embedding_id": embedding_id}


def _embed(session: Session, written: Sequence[KnowledgeChunk]) -> int | None:
    hashes, model = {chunk.content_hash for chunk in written}, get_settings().embedding_model
    return passage_embeddings.add(session, scope(), hashes, model=model, meta=correlation())


@bp.get("")
@requires(Permission.READ)
@bp.input(ChunkQuery, location="query")
@bp.output(ChunkPage)
def list_chunks(query_data: ChunkQuery) -> dict[str, Any]:
    """List passages, oldest first.

    Of one source where it is asked for.
    """
    with get_session() as session:
        return page_of(chunks.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/<uuid:chunk_id>")
@requires(Permission.READ)
@bp.output(ChunkOut)
def get_chunk(chunk_id: UUID) -> KnowledgeChunk:
    """Read a passage.

    Replies name it in their citations.
    """
    with get_session() as session:
        return chunks.get(session, scope(), chunk_id)


@bp.delete("/<uuid:chunk_id>")
@requires(Permission.WRITE)
@bp.output({}, 204)
def delete_chunk(chunk_id: UUID) -> str:
    """Delete a passage.

    It is found no more; earlier replies keep their words.
    """
    with get_session() as session:
        existed(chunks.delete_(session, scope(), chunk_id), "knowledge chunk", chunk_id)
    return ""
