"""Documents and the URIs that lead to them (seed 004)."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.errors import Conflict
from shared.models import (
    Document,
    DocumentBatch,
    DocumentURI,
    DocumentURIHistory,
    KnowledgeChunk,
    RunGroup,
    WorkflowRun,
)
from shared.queries import audit, runs, workflows
from shared.queries.rows import Slice, found, page_of_columns, removed
from shared.queries.scope import Scope, owned, owner_of


def find_uri(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI | None:
    """Return where a source system keeps a document, or None."""
    return session.scalar(owned(DocumentURI, scope).where(DocumentURI.uri == uri, DocumentURI.source == source))


def get_uri(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI:
    """Return where a source system keeps a document; raises NotFound."""
    return found(find_uri(session, scope, uri, source), "document", f"{uri} of {source}")


def list_(
    session: Session, scope: Scope, *, source: str | None = None, batch_id: int | None = None, limit: int, offset: int
) -> Slice[Any]:
    """Return URIs of a source or a batch with what is found there, oldest first."""
    statement = (
        select(
            DocumentURI.id.label("uri_id"),
            DocumentURI.uri,
            DocumentURI.source,
            DocumentURI.version,
            DocumentURI.batch_id,
            DocumentURI.doc_hash.label("document_hash"),
            Document.mime_type,
            Document.file_size,
        )
        .join(Document, Document.hash == DocumentURI.doc_hash)
        .where(DocumentURI.owner_id == scope.owner_id)
        .order_by(DocumentURI.id)
    )
    if source is not None:
        statement = statement.where(DocumentURI.source == source)
    if batch_id is not None:
        statement = statement.where(DocumentURI.batch_id == batch_id)
    return page_of_columns(session, statement, limit=limit, offset=offset)


def require_open_batch(session: Session, scope: Scope, batch_id: int) -> None:
    """Pass when documents may be added to a batch; raises NotFound, or Conflict for one that is completed."""
    batch = found(session.scalar(owned(DocumentBatch, scope).where(DocumentBatch.id == batch_id)), "batch", batch_id)
    if batch.completed_date is not None:
        raise Conflict(f"batch {batch_id} is completed: it takes no more documents")


@dataclass(frozen=True)
class Bytes:
    """What was stored of a document: its hash, kind and size."""

    doc_hash: str
    mime_type: str
    size: int


def register(
    session: Session,
    scope: Scope,
    stored: Bytes,
    *,
    uri: str,
    source: str,
    batch_id: int | None = None,
    meta: dict[str, Any] | None = None,
) -> tuple[DocumentURI, bool]:
    """Say that these bytes are now what is found at a URI; return it, and whether that is news.

    The same bytes at many URIs are one document, of which all know the same; `meta`, and the kind that the bytes are
    taken for, are the URI's. Other bytes at a known URI are its next version, and go into the
    batch that brought them (seed 004 left them in their old one).
    """
    _lock_bytes(session, stored.doc_hash)
    known = _lock_uri(session, scope, uri, source)
    _add_document(session, stored)
    if known is None:
        return _first_version(session, scope, stored, uri=uri, source=source, batch_id=batch_id, meta=meta)
    changed = known.doc_hash != stored.doc_hash
    if changed:
        known.doc_hash = stored.doc_hash
        known.version += 1
        _add_history(session, known, "updated", batch_id)
    known.mime_type, known.doc_meta = stored.mime_type, meta or known.doc_meta
    known.batch_id = batch_id or known.batch_id
    session.flush()
    return known, changed


def _add_document(session: Session, stored: Bytes) -> None:
    """Add the document unless it is there, and keep it until the commit from whoever deletes its last URI."""
    values = {"hash": stored.doc_hash, "mime_type": stored.mime_type, "file_size": stored.size}
    added = insert(Document).values(values)
    session.execute(added.on_conflict_do_update(index_elements=["hash"], set_={"hash": added.excluded.hash}))


def _first_version(
    session: Session,
    scope: Scope,
    stored: Bytes,
    *,
    uri: str,
    source: str,
    batch_id: int | None,
    meta: dict[str, Any] | None,
) -> tuple[DocumentURI, bool]:
    about = {"doc_hash": stored.doc_hash, "mime_type": stored.mime_type, "doc_meta": meta or {}, "batch_id": batch_id}
    values = {"uri": uri, "source": source, **about, **owner_of(scope)}
    adding = insert(DocumentURI).values(values).on_conflict_do_nothing().returning(DocumentURI)
    added = session.scalar(adding, execution_options=audit.SILENT)
    if added is None:  # somebody else was first, a moment ago
        return register(session, scope, stored, uri=uri, source=source, batch_id=batch_id, meta=meta)
    audit.record(session, "create", DocumentURI.__tablename__, added.id)
    _add_history(session, added, "created", batch_id)
    session.flush()
    return added, True


def _lock_bytes(session: Session, doc_hash: str) -> None:
    """Let nobody register a document while its bytes are removed, nor the other way round, until the commit."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(doc_hash, 0))))


def purge(session: Session, doc_hash: str, remove: Callable[[str], bool]) -> bool:
    """Have `remove` take away the bytes of a document that no row knows; say whether it did."""
    _lock_bytes(session, doc_hash)
    return not session.scalar(select(exists().where(Document.hash == doc_hash))) and remove(doc_hash)


def _add_history(session: Session, location: DocumentURI, action: str, batch_id: int | None) -> None:
    session.add(
        DocumentURIHistory(
            doc_uri_id=location.id,
            version=location.version,
            hash=location.doc_hash,
            action=action,
            batch_id=batch_id,
        )
    )


def history(session: Session, location: DocumentURI) -> list[DocumentURIHistory]:
    """Return the versions of what was found at a URI, oldest first."""
    mine = select(DocumentURIHistory).where(DocumentURIHistory.doc_uri_id == location.id)
    return list(session.scalars(mine.order_by(DocumentURIHistory.id)))


def delete_by_uri(session: Session, scope: Scope, uri: str, source: str) -> dict[str, int]:
    """Delete a URI with its history, and what nobody else's URI leads to; return seed 004's counters; raises NotFound.

    With an owner's last URI of a document go the owner's runs and knowledge of it; with the last of all, the document
    and its artifacts. The documents of the URI's earlier versions go in the same way.
    """
    lock_runs(session, scope, hashes(session, [get_uri(session, scope, uri, source)]))
    location = found(_lock_uri(session, scope, uri, source), "document", f"{uri} of {source}")
    versions = hashes(session, [location])
    _lock_documents(session, versions)
    history = removed(session, delete(DocumentURIHistory).where(DocumentURIHistory.doc_uri_id == location.id))
    uris = removed(session, delete(DocumentURI).where(DocumentURI.id == location.id), of=location.id)
    mine = select(DocumentURI.doc_hash).where(
        DocumentURI.doc_hash.in_(versions), DocumentURI.owner_id == scope.owner_id
    )
    made = _delete_what_was_made(session, scope, set(versions).difference(session.scalars(mine)))
    counters = {
        "deleted_document_uris": uris,
        "deleted_uri_history": history,
        "deleted_documents": _delete_unreachable(session, versions),
        "deleted_workflow_runs": made.workflow_runs,
        "deleted_run_steps": made.run_steps,
        "deleted_lifecycle_history": made.lifecycle_history,
    }
    return counters | {"total_deleted": sum(counters.values())}


def hashes(session: Session, locations: Iterable[DocumentURI]) -> list[str]:
    """Return every document that is or was found at the URIs, in the order in which they are locked."""
    of_them = {location.id: location.doc_hash for location in locations}
    earlier = select(DocumentURIHistory.hash).where(DocumentURIHistory.doc_uri_id.in_(of_them))
    return sorted({*of_them.values(), *session.scalars(earlier)})


def lock_runs(session: Session, scope: Scope, doc_hashes: Collection[str]) -> None:
    """Wait for the settlements of the scope's work on documents, and let none begin."""
    mine = select(WorkflowRun.id).join(RunGroup, RunGroup.id == WorkflowRun.run_group_id)
    runs.lock_steps(session, mine.where(RunGroup.owner_id == scope.owner_id, WorkflowRun.doc_id.in_(doc_hashes)))


def _lock_uri(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI | None:
    """Return the URI as it is, for nobody else to change; before its documents, as every writer of both locks them."""
    mine = owned(DocumentURI, scope).where(DocumentURI.uri == uri, DocumentURI.source == source)
    return session.scalar(mine.with_for_update(), execution_options={"populate_existing": True})


def _lock_documents(session: Session, doc_hashes: Collection[str]) -> None:
    """Let nobody add a URI that leads to these documents until the commit."""
    known = select(Document.hash).where(Document.hash.in_(doc_hashes))
    session.execute(known.order_by(Document.hash).with_for_update())


def _delete_what_was_made(session: Session, scope: Scope, doc_hashes: Collection[str]) -> runs.Deleted:
    """Delete an owner's runs and knowledge of documents; what another URI holds of an earlier version is its own."""
    chunks = delete(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id)
    session.execute(chunks.where(KnowledgeChunk.doc_hash.in_(doc_hashes), KnowledgeChunk.document_uri_id.is_(None)))
    mine = select(WorkflowRun.id).join(RunGroup, RunGroup.id == WorkflowRun.run_group_id)
    mine = mine.where(RunGroup.owner_id == scope.owner_id, WorkflowRun.doc_id.in_(doc_hashes))
    groups = session.scalars(mine.with_only_columns(WorkflowRun.run_group_id).distinct()).all()
    deleted = runs.delete_runs(session, mine)
    workflows.end_finished(session, groups)  # or they, and what waits for them, would never end
    return deleted


def _delete_unreachable(session: Session, doc_hashes: Collection[str]) -> int:
    """Delete documents, their artifacts with them, but none that a URI, a run or a passage of anyone still refers to.

    A run and a passage of a version that is no longer found anywhere go with the URI whose version it was.
    """
    referring = (DocumentURI.doc_hash, WorkflowRun.doc_id, KnowledgeChunk.doc_hash)
    unreachable = [~exists().where(column == Document.hash) for column in referring]
    return removed(session, delete(Document).where(Document.hash.in_(doc_hashes), *unreachable))
