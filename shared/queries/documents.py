"""Documents and the URIs that lead to them (seed 004)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.models import Document, DocumentURI, DocumentURIHistory, KnowledgeChunk, RunGroup, WorkflowRun
from shared.queries import runs
from shared.queries.rows import found, removed
from shared.queries.scope import Scope, owned, owner_of


def find_uri(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI | None:
    """Return where a source system keeps a document, or None."""
    return session.scalar(owned(DocumentURI, scope).where(DocumentURI.uri == uri, DocumentURI.source == source))


def get_uri(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI:
    """Return where a source system keeps a document; raises NotFound."""
    return found(find_uri(session, scope, uri, source), "document", f"{uri} of {source}")


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

    The same bytes at many URIs are one document. Other bytes at a known URI are its next version, and go into the
    batch that brought them (seed 004 left them in their old one).
    """
    values = {"hash": stored.doc_hash, "mime_type": stored.mime_type, "file_size": stored.size, "doc_meta": meta or {}}
    session.execute(insert(Document).values(values).on_conflict_do_nothing())
    location = owned(DocumentURI, scope).where(DocumentURI.uri == uri, DocumentURI.source == source)
    known = session.scalar(location.with_for_update())
    if known is None:
        return _first_version(session, scope, stored, uri=uri, source=source, batch_id=batch_id)
    changed = known.doc_hash != stored.doc_hash
    if changed:
        known.doc_hash = stored.doc_hash
        known.version += 1
        _add_history(session, known, "updated", batch_id)
    known.batch_id = batch_id or known.batch_id
    session.flush()
    return known, changed


def _first_version(
    session: Session, scope: Scope, stored: Bytes, *, uri: str, source: str, batch_id: int | None
) -> tuple[DocumentURI, bool]:
    values = {"doc_hash": stored.doc_hash, "uri": uri, "source": source, "batch_id": batch_id} | owner_of(scope)
    added = session.scalar(insert(DocumentURI).values(values).on_conflict_do_nothing().returning(DocumentURI))
    if added is None:  # somebody else was first, a moment ago
        return register(session, scope, stored, uri=uri, source=source, batch_id=batch_id)
    _add_history(session, added, "created", batch_id)
    session.flush()
    return added, True


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
    return runs.delete_runs(session, mine.where(RunGroup.owner_id == scope.owner_id, WorkflowRun.doc_id == doc_hash))


def _delete_unreachable(session: Session, doc_hash: str) -> int:
    """Delete the document, its artifacts with it, unless a URI of anyone still leads there."""
    if _leads_to(session, doc_hash):
        return 0
    return removed(session, delete(Document).where(Document.hash == doc_hash))
