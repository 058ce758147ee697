"""Documents and the URIs that lead to them (seed 004)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, delete, exists, func, select, union
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.errors import Conflict, NotFound
from shared.models import (
    Document,
    DocumentBatch,
    DocumentURI,
    DocumentURIHistory,
    KnowledgeChunk,
    RunGroup,
    WorkflowRun,
)
from shared.queries.rows import Slice, found, page_of_columns, removed
from shared.queries.scope import Scope, owned, owner_of
from shared.queries.work import locks
from shared.queries.workflows import advance, runs

PLACES = 2  # what tells a lock on a URI from one on a document, and on an owner


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
    many = register_many(session, scope, {uri: stored}, source=source, batch_id=batch_id, meta=meta)
    return many[uri]


def register_many(
    session: Session,
    scope: Scope,
    arriving: Mapping[str, Bytes],
    *,
    source: str,
    batch_id: int | None = None,
    meta: dict[str, Any] | None = None,
) -> dict[str, tuple[DocumentURI, bool]]:
    """Do as `register` for bytes at several URIs; two who send the same in other orders wait for each other, once."""
    known = _lock_arriving(session, scope, arriving, source)
    registered = {}
    for uri, stored in arriving.items():
        if uri in known:
            registered[uri] = known[uri], _next_version(session, known[uri], stored, batch_id=batch_id, meta=meta)
        else:
            about = {"uri": uri, "source": source, "batch_id": batch_id, "doc_meta": meta or {}}
            registered[uri] = _first_version(session, scope, stored, about), True
    session.flush()
    return registered


def _lock_arriving(
    session: Session, scope: Scope, arriving: Mapping[str, Bytes], source: str
) -> dict[str, DocumentURI]:
    """Lock all that these arrivals may share with others, in one order, and add their documents; return known URIs.

    First the hashes, then the URIs, those that are not there yet by their names, then the documents.
    """
    by_hash = {stored.doc_hash: stored for stored in arriving.values()}
    _lock_names(session, by_hash)
    _lock_names(session, (f"{scope.owner_id} {source} {uri}" for uri in arriving), of=PLACES)
    mine = owned(DocumentURI, scope).where(DocumentURI.uri.in_(arriving), DocumentURI.source == source)
    in_order = mine.order_by(*locks.PLACES).with_for_update()
    known = session.scalars(in_order, execution_options={"populate_existing": True}).all()
    values = [{"hash": each.doc_hash, "mime_type": each.mime_type, "file_size": each.size} for each in by_hash.values()]
    if len(keep(session, by_hash)) < len(by_hash):
        session.execute(insert(Document).values(values).on_conflict_do_nothing())
        keep(session, by_hash)
    return {location.uri: location for location in known}


def keep(session: Session, doc_hashes: Collection[str] | Select[str]) -> Sequence[str]:
    """Keep documents until the commit from whoever deletes their last URI; return which there are."""
    known = select(Document.hash).where(Document.hash.in_(doc_hashes)).order_by(Document.hash)
    return session.scalars(known.with_for_update(read=True, key_share=True)).all()


def _next_version(
    session: Session, known: DocumentURI, stored: Bytes, *, batch_id: int | None, meta: dict[str, Any] | None
) -> bool:
    changed = known.doc_hash != stored.doc_hash
    if changed:
        known.doc_hash = stored.doc_hash
        known.version += 1
        _add_history(session, known, "updated", batch_id)
    known.mime_type, known.doc_meta = stored.mime_type, meta or known.doc_meta
    known.batch_id = batch_id or known.batch_id
    return changed


def _first_version(session: Session, scope: Scope, stored: Bytes, about: dict[str, Any]) -> DocumentURI:
    added = DocumentURI(doc_hash=stored.doc_hash, mime_type=stored.mime_type, **about, **owner_of(scope))
    session.add(added)
    session.flush()
    _add_history(session, added, "created", added.batch_id)
    return added


def _lock_names(session: Session, names: Iterable[str], *, of: int = 0) -> None:
    keys = func.unnest(sorted(names), type_=Text).column_valued("key")
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(keys, of))))


def _lock_bytes(session: Session, doc_hash: str) -> None:
    """Let nobody register a document while its bytes are removed, nor the other way round, until the commit."""
    _lock_names(session, [doc_hash])


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
    location = get_uri(session, scope, uri, source)
    lock_with_runs(session, scope, [location])
    versions = hashes(session, [location])
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


def lock_with_runs(session: Session, scope: Scope, locations: Collection[DocumentURI]) -> None:
    """Lock URIs that are to be deleted and their documents, behind the steps of the scope's work on them.

    Raises NotFound where one is gone.
    """
    steps = runs.steps_of(runs_on(scope, select(DocumentURI).where(_is_one_of(locations))))
    locks.lock_work_then(session, [steps], lambda: lock_places(session, locations))


def runs_on(scope: Scope, locations: Select[DocumentURI]) -> Select[int]:
    """Select the scope's runs of every document that is or was found at some URIs."""
    now = locations.with_only_columns(DocumentURI.doc_hash)
    earlier = select(DocumentURIHistory.hash).where(
        DocumentURIHistory.doc_uri_id.in_(locations.with_only_columns(DocumentURI.id))
    )
    mine = select(WorkflowRun.id).join(RunGroup, RunGroup.id == WorkflowRun.run_group_id)
    return mine.where(RunGroup.owner_id == scope.owner_id, WorkflowRun.doc_id.in_(union(now, earlier)))


def lock_places(session: Session, locations: Collection[DocumentURI]) -> None:
    """Lock URIs, and then the documents that are or were found there; raises NotFound where one is gone."""
    these = select(DocumentURI).where(_is_one_of(locations)).order_by(*locks.PLACES).with_for_update()
    there = session.scalars(these, execution_options={"populate_existing": True}).all()
    for gone in {location.uri for location in locations} - {location.uri for location in there}:
        raise NotFound(f"document {gone} not found")
    _lock_documents(session, hashes(session, there))


def _is_one_of(locations: Iterable[DocumentURI]) -> ColumnElement[bool]:
    return DocumentURI.id.in_([location.id for location in locations])


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
    advance.end_finished(session, groups)  # or they, and what waits for them, would never end
    return deleted


def _delete_unreachable(session: Session, doc_hashes: Collection[str]) -> int:
    """Delete documents, their artifacts with them, but none that a URI, a run or a passage of anyone still refers to.

    A run and a passage of a version that is no longer found anywhere go with the URI whose version it was.
    """
    referring = (DocumentURI.doc_hash, WorkflowRun.doc_id, KnowledgeChunk.doc_hash)
    unreachable = [~exists().where(column == Document.hash) for column in referring]
    return removed(session, delete(Document).where(Document.hash.in_(doc_hashes), *unreachable))
