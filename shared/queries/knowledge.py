"""Knowledge chunks: written once per source and external id, however often and by however many (seed 003)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Text, case, column, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.selectable import TableValuedAlias

from shared.domain.text import content_hash, fold
from shared.errors import Invalid
from shared.models import KnowledgeChunk
from shared.models.knowledge import DEFAULT_LANGUAGE, search_vector
from shared.queries.rows import Slice, found, page, removed
from shared.queries.scope import Scope, owned, owner_of

NEEDED = ("source", "content")
OPTIONAL = (
    "title",
    "chunk_metadata",
    "collection_type",
    "doc_hash",
    "document_uri_id",
    "position",
    "start_offset",
    "end_offset",
    "page",
)
REPLACED = ("content", "content_hash", "language")
WRITTEN = ("id", "owner_id", "persona_id", "source", "external_id", *OPTIONAL, *REPLACED)
ROWS_PER_STATEMENT = 1000

Identity = tuple[str, str, str]


def find(session: Session, scope: Scope, chunk_id: UUID) -> KnowledgeChunk | None:
    """Return the chunk, or None."""
    return session.scalar(owned(KnowledgeChunk, scope).where(KnowledgeChunk.id == chunk_id))


def get(session: Session, scope: Scope, chunk_id: UUID) -> KnowledgeChunk:
    """Return the chunk; raises NotFound."""
    return found(find(session, scope, chunk_id), "knowledge chunk", chunk_id)


def find_by_external_id(
    session: Session, scope: Scope, external_id: str, *, source: str | None = None
) -> KnowledgeChunk | None:
    """Return the oldest chunk with this external id, of one source where it is given, or None."""
    statement = owned(KnowledgeChunk, scope).where(KnowledgeChunk.external_id == external_id)
    if source is not None:
        statement = statement.where(KnowledgeChunk.source == source)
    return session.scalar(statement.order_by(KnowledgeChunk.created_at, KnowledgeChunk.id).limit(1))


def list_(
    session: Session, scope: Scope, *, source: str | None = None, limit: int = 100, offset: int = 0
) -> Slice[KnowledgeChunk]:
    """Return chunks, oldest first; of one source where it is given."""
    statement = owned(KnowledgeChunk, scope).order_by(KnowledgeChunk.created_at, KnowledgeChunk.id)
    if source is not None:
        statement = statement.where(KnowledgeChunk.source == source)
    return page(session, statement, limit=limit, offset=offset)


def upsert(
    session: Session, scope: Scope, chunk: Mapping[str, Any], *, persona_id: UUID | None = None
) -> KnowledgeChunk:
    """Write one chunk as `bulk_upsert` does."""
    return bulk_upsert(session, scope, [chunk], persona_id=persona_id)[0]


def bulk_upsert(
    session: Session, scope: Scope, chunks: Sequence[Mapping[str, Any]], *, persona_id: UUID | None = None
) -> list[KnowledgeChunk]:
    """Write chunks, one statement per thousand, and return their rows in the order given.

    Each needs `source` and `content`, and may have `external_id`, `title` and the other columns. One whose source and
    external id are known replaces text and language; what else it leaves out stays. The last of several with the same
    ones wins. The persona and the documents must be the scope's own.
    """
    given = [{"id": uuid4()} | _given(chunk) for chunk in chunks]
    merged = _merge(given)
    stored: dict[Identity, KnowledgeChunk] = {}
    for identities in _batches(sorted(merged)):  # sorted: two writers of the same chunks lock them in the same order
        rows = [_row(scope, persona_id, merged[identity]) for identity in identities]
        for row in session.scalars(_upserting(rows), execution_options={"populate_existing": True}):
            stored[_identity(row.source, row.external_id, row.id)] = row
    return [stored[_identity_of(chunk)] for chunk in given]


def delete_(session: Session, scope: Scope, chunk_id: UUID) -> bool:
    """Delete a chunk; say whether there was one."""
    mine = delete(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id, KnowledgeChunk.id == chunk_id)
    return removed(session, mine) > 0


def _given(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given; raises Invalid for a column that there is not, or a needed one that is missing."""
    if unknown := set(chunk) - {*NEEDED, *OPTIONAL, "external_id", "language"}:
        raise Invalid(f"a knowledge chunk has no {', '.join(sorted(unknown))}")
    if missing := [column for column in NEEDED if chunk.get(column) is None]:
        raise Invalid(f"a knowledge chunk needs {' and '.join(missing)}")
    return {column: value for column, value in chunk.items() if value is not None}


def _identity(source: str, external_id: str | None, chunk_id: UUID) -> Identity:
    return (source, "", str(chunk_id)) if external_id is None else (source, external_id, "")


def _identity_of(chunk: Mapping[str, Any]) -> Identity:
    return _identity(chunk["source"], chunk.get("external_id"), chunk["id"])


def _merge(chunks: Iterable[dict[str, Any]]) -> dict[Identity, dict[str, Any]]:
    """One statement may not write a row twice, so the same chunk given twice is merged first."""
    merged: dict[Identity, dict[str, Any]] = {}
    for chunk in chunks:
        identity = _identity_of(chunk)
        merged[identity] = merged.get(identity, {}) | chunk
    return merged


def _batches(identities: list[Identity]) -> Iterator[list[Identity]]:
    for start in range(0, len(identities), ROWS_PER_STATEMENT):
        yield identities[start : start + ROWS_PER_STATEMENT]


def _row(scope: Scope, persona_id: UUID | None, chunk: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chunk as JSON-ready values, with those that only Python can make of its text."""
    return {
        **chunk,
        **owner_of(scope),
        "id": str(chunk["id"]),
        "persona_id": None if persona_id is None else str(persona_id),
        "language": chunk.get("language", DEFAULT_LANGUAGE),
        "content_hash": content_hash(chunk["content"]),
        "folded_title": fold(chunk.get("title", "")),
        "folded_content": fold(chunk["content"]),
    }


def _upserting(rows: list[dict[str, Any]]) -> ReturningInsert[KnowledgeChunk]:
    """Return the one statement that writes the rows, which travel as one JSON value: it is compiled once for all."""
    incoming = _incoming(rows).c
    words = search_vector(incoming.language, incoming.folded_title, incoming.folded_content)
    statement = insert(KnowledgeChunk).from_select(
        [*WRITTEN, "tsv"], select(*(incoming[name] for name in WRITTEN), words)
    )
    new = statement.excluded
    kept = {name: func.coalesce(new[name], getattr(KnowledgeChunk, name)) for name in OPTIONAL}
    words_of_the_old_title = func.ts_filter(KnowledgeChunk.tsv, text("'{a}'"))
    return statement.on_conflict_do_update(
        index_elements=["owner_id", "persona_id", "source", "external_id"],
        index_where=KnowledgeChunk.external_id.is_not(None),
        set_={
            **kept,
            **{name: new[name] for name in REPLACED},
            "tsv": case((new.title.is_(None), words_of_the_old_title.op("||")(new.tsv)), else_=new.tsv),
            "updated_at": func.clock_timestamp(),
        },
    ).returning(KnowledgeChunk)


def _incoming(rows: list[dict[str, Any]]) -> TableValuedAlias:
    table = KnowledgeChunk.__table__.columns
    columns = [column(name, table[name].type) for name in WRITTEN]
    folded = [column("folded_title", Text()), column("folded_content", Text())]
    records = func.jsonb_to_recordset(literal(rows, JSONB)).table_valued(*columns, *folded)
    return records.render_derived(name="incoming", with_types=True)
