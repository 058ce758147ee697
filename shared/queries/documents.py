"""Documents and the URIs that lead to them (seed 004)."""

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import Session

from shared.models import Document, DocumentURI, DocumentURIHistory, KnowledgeChunk, RunGroup, WorkflowRun
from shared.queries import runs
from shared.queries.rows import found, removed
from shared.queries.scope import Scope, owned


def find_uri(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI | None:
    """Return where a source system keeps a document, or None."""
    return session.scalar(owned(DocumentURI, scope).where(DocumentURI.uri == uri, DocumentURI.source == source))


def get_uri(session: Session, scope: Scope, uri: str, source: str) -> DocumentURI:
    """Return where a source system keeps a document; raises NotFound."""
    return found(find_uri(session, scope, uri, source), "document", f"{uri} of {source}")


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
