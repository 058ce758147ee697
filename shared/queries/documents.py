"""Documents and the URIs that lead to them (seed 004)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, select
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
from shared.queries import runs, workflows
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
    _add_document(session, stored)
    location = owned(DocumentURI, scope).where(DocumentURI.uri == uri, DocumentURI.source == source)
    known = session.scalar(location.with_for_update())
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
    added = session.scalar(insert(DocumentURI).values(values).on_conflict_do_nothing().returning(DocumentURI))
    if added is None:  # somebody else was first, a moment ago
        return register(session, scope, stored, uri=uri, source=source, batch_id=batch_id, meta=meta)
    _add_history(session, added, "created", batch_id)
    session.flush()
    return added, True


def _lock_bytes(session: Session, doc_hash: str) -> None:
    """Let nobody register a document while its bytes are removed, nor the other way round, until the commit."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(doc_hash, 0))))


def purge(session: Session, doc_hash: str, remove: Callable[[str], object]) -> bool:
    """Have `remove` take away the bytes of a document that no row knows; say whether it did."""
    _lock_bytes(session, doc_hash)
    if session.scalar(select(exists().where(Document.hash == doc_hash))):
        return False
    remove(doc_hash)
    return True


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
    and its artifacts.
    """
    lock_runs(session, scope, [get_uri(session, scope, uri, source).doc_hash])
    location = _lock(session, scope, uri, source)
    history = removed(session, delete(DocumentURIHistory).where(DocumentURIHistory.doc_uri_id == location.id))
    uris = removed(session, delete(DocumentURI).where(DocumentURI.id == location.id))
    made = runs.Deleted(0, 0, 0)
    if not _leads_to(session, location.doc_hash, DocumentURI.owner_id == scope.owner_id):
        made = _delete_what_was_made(session, scope, location.doc_hash)
    counters = {
        "deleted_document_uris": uris,
        "deleted_uri_history": history,
        "deleted_documents": _delete_unreachable(session, location.doc_hash),
        "deleted_workflow_runs": made.workflow_runs,
        "deleted_run_steps": made.run_steps,
        "deleted_lifecycle_history": made.lifecycle_history,
    }
    return counters | {"total_deleted": sum(counters.values())}


def lock_runs(session: Session, scope: Scope, doc_hashes: Collection[str]) -> None:
    """Wait for the settlements of the scope's work on documents, and let none begin."""
    mine = select(WorkflowRun.id).join(RunGroup, RunGroup.id == WorkflowRun.run_group_id)
    runs.lock_steps(session, mine.where(RunGroup.owner_id == scope.owner_id, WorkflowRun.doc_id.in_(doc_hashes)))


def _lock(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI:
    """Return the URI; until the commit nobody changes it, or adds another that leads to its document."""
    mine = owned(DocumentURI, scope).where(DocumentURI.uri == uri, DocumentURI.source == source)
    location = found(session.scalar(mine.with_for_update()), "document", f"{uri} of {source}")
    session.execute(select(Document.hash).where(Document.hash == location.doc_hash).with_for_update())
    return location


def _leads_to(session: Session, doc_hash: str, *conditions: ColumnElement[bool]) -> bool:
    return bool(session.scalar(select(exists().where(DocumentURI.doc_hash == doc_hash, *conditions))))


def _delete_what_was_made(session: Session, scope: Scope, doc_hash: str) -> runs.Deleted:
    session.execute(
        delete(KnowledgeChunk).where(KnowledgeChunk.owner_id == scope.owner_id, KnowledgeChunk.doc_hash == doc_hash)
    )
    mine = select(WorkflowRun.id).join(RunGroup, RunGroup.id == WorkflowRun.run_group_id)
    mine = mine.where(RunGroup.owner_id == scope.owner_id, WorkflowRun.doc_id == doc_hash)
    groups = session.scalars(mine.with_only_columns(WorkflowRun.run_group_id).distinct()).all()
    deleted = runs.delete_runs(session, mine)
    workflows.end_finished(session, groups)  # or they, and what waits for them, would never end
    return deleted


def _delete_unreachable(session: Session, doc_hash: str) -> int:
    """Delete the document, its artifacts with it, unless a URI of anyone still leads there."""
    if _leads_to(session, doc_hash):
        return 0
    return removed(session, delete(Document).where(Document.hash == doc_hash))
