"""Knowledge chunks: written once per source and external id, however often and by however many (seed 003)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Executable, Text, bindparam, case, column, delete, exists, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TableValuedAlias

from shared.domain.lexemes import as_vector
from shared.domain.text import content_hash, fold
from shared.errors import Invalid
from shared.models import KnowledgeChunk, Persona
from shared.models.knowledge import DEFAULT_LANGUAGE, search_vector
from shared.queries.accounts import audit
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
# Whether a persona, whose table the statement selects from, has any passages.
HAS_READ = exists().where(KnowledgeChunk.persona_id == Persona.id, KnowledgeChunk.owner_id == Persona.owner_id)
ROWS_PER_STATEMENT = 1000
FRESH = {"populate_existing": True, **audit.SILENT}

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
    session: Session,
    scope: Scope,
    *,
    source: str | None = None,
    chunk_metadata: Mapping[str, Any] | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Slice[KnowledgeChunk]:
    """Return chunks, oldest first; where it is given, of one source, and those whose metadata contain some."""
    statement = owned(KnowledgeChunk, scope).order_by(KnowledgeChunk.created_at, KnowledgeChunk.id)
    if source is not None:
        statement = statement.where(KnowledgeChunk.source == source)
    if chunk_metadata is not None:
        statement = statement.where(KnowledgeChunk.chunk_metadata.contains(chunk_metadata))
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
    if persona_id is not None:  # before its passages, as whoever deletes it
        session.execute(select(Persona.id).where(Persona.id == persona_id).with_for_update(read=True, key_share=True))
    stored: dict[Identity, KnowledgeChunk] = {}
    for rows in _batches(scope, persona_id, given):
        written = session.scalars(_upserting_and_returning(), {"rows": rows}, execution_options=FRESH)
        stored |= {_identity(row.source, row.external_id, row.id): row for row in written}
    audit.record(session, "upsert", KnowledgeChunk.__tablename__, _only(stored.values()))
    return [stored[_identity_of(chunk)] for chunk in given]


def _only(chunks: Collection[KnowledgeChunk]) -> UUID | None:
    return next(iter(chunks)).id if len(chunks) == 1 else None


def write(
    session: Session, scope: Scope, chunks: Iterable[Mapping[str, Any]], *, persona_id: UUID | None = None
) -> None:
    """Write chunks as `bulk_upsert` does, and read none of them back."""
    for rows in _batches(scope, persona_id, [{"id": uuid4()} | _given(chunk) for chunk in chunks]):
        session.execute(_upserting(), {"rows": rows})


def delete_(session: Session, scope: Scope, chunk_id: UUID) -> bool:
    """Delete a chunk; say whether there was one."""
    mine = delete(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id, KnowledgeChunk.id == chunk_id)
    return removed(session, mine, of=chunk_id) > 0


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


def _batches(scope: Scope, persona_id: UUID | None, given: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows to write, sorted: two writers of the same chunks lock them in the same order."""
    merged = _merge(given)
    identities = sorted(merged)
    for start in range(0, len(identities), ROWS_PER_STATEMENT):
        yield [_row(scope, persona_id, merged[each]) for each in identities[start : start + ROWS_PER_STATEMENT]]


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
        "lexemes": as_vector(chunk.get("title", ""), chunk["content"]),
    }


@cache
def _upserting() -> Insert:
    """Return the one statement that writes rows, which travel as one JSON value: it is made once for all."""
    incoming = _incoming().c
    words = search_vector(incoming.language, incoming.folded_title, incoming.folded_content, incoming.lexemes)
    # The table's: with values of its own, the class's would be a bulk insert.
    statement = insert(KnowledgeChunk.metadata.tables[KnowledgeChunk.__tablename__]).from_select(
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
    )


@cache
def _upserting_and_returning() -> Executable:
    written = _upserting().returning(*KnowledgeChunk.__table__.columns)
    return select(KnowledgeChunk).from_statement(written)


def _incoming() -> TableValuedAlias:
    table = KnowledgeChunk.__table__.columns
    columns = [column(name, table[name].type) for name in WRITTEN]
    made = [column(name, Text()) for name in ("folded_title", "folded_content", "lexemes")]
    records = func.jsonb_to_recordset(bindparam("rows", type_=JSONB)).table_valued(*columns, *made)
    return records.render_derived(name="incoming", with_types=True)
