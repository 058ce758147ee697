"""A document's passages as rows that can be searched: replaced whole, so that reading twice adds nothing."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from shared.domain.files import title_of
from shared.models import DocumentURI, KnowledgeChunk
from shared.queries.knowledge import chunks
from shared.queries.scope import Scope


class PassageText(NamedTuple):
    """One passage: its text, its place in the parsed document, its page."""

    content: str
    start: int
    end: int
    page: int | None


def replace(
    session: Session,
    scope: Scope,
    location: DocumentURI,
    texts: Sequence[PassageText],
    *,
    doc_hash: str,
    title: str | None = None,
    persona_id: UUID | None = None,
    collection: str | None = None,
) -> None:
    """Replace all passages of a URI, whose row the caller has locked."""
    session.execute(delete(KnowledgeChunk).where(KnowledgeChunk.document_uri_id == location.id))
    called = title_of(title, PurePosixPath(location.uri).name)[:500]
    rows = [
        {
            "source": location.source,
            "external_id": f"{location.id}#{position}",
            "title": called,
            "content": text.content,
            "collection_type": collection,
            "doc_hash": doc_hash,
            "document_uri_id": location.id,
            "position": position,
            "start_offset": text.start,
            "end_offset": text.end,
            "page": text.page,
        }
        for position, text in enumerate(texts)
    ]
    chunks.write(session, scope, rows, persona_id=persona_id)
