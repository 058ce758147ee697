"""Batches: documents that were brought in together, and how far their runs are (seed 004)."""

from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import RunStatus
from shared.errors import Conflict
from shared.logs import Correlation
from shared.models import DataSource, DocumentBatch, DocumentURI, Persona, RunGroup, WorkflowRun
from shared.queries.accounts import audit
from shared.queries.documents import documents, files
from shared.queries.rows import Slice, found, page
from shared.queries.scope import Scope, owned, owner_of
from shared.queries.workflows import starts


def add(session: Session, scope: Scope, *, name: str, source: str) -> DocumentBatch:
    """Open a batch."""
    batch = DocumentBatch(name=name, source=source, **owner_of(scope))
    session.add(batch)
    session.flush()
    return batch


def get(session: Session, scope: Scope, batch_id: int) -> DocumentBatch:
    """Return a batch of the scope's; raises NotFound."""
    return found(session.scalar(owned(DocumentBatch, scope).where(DocumentBatch.id == batch_id)), "batch", batch_id)


def list_(session: Session, scope: Scope, *, limit: int, offset: int) -> Slice[DocumentBatch]:
    """Return the scope's batches, newest first."""
    return page(session, owned(DocumentBatch, scope).order_by(DocumentBatch.id.desc()), limit=limit, offset=offset)


class Counts(NamedTuple):
    """How many documents a batch has, how many of them are read, and its runs by status."""

    documents: int
    parsed: int
    runs: dict[RunStatus, int]


def count(session: Session, batch: DocumentBatch) -> Counts:
    """Count a batch's documents and runs."""
    different = select(func.count(DocumentURI.doc_hash.distinct())).where(DocumentURI.batch_id == batch.id)
    by_status = dict(
        session.execute(
            select(WorkflowRun.status, func.count())
            .where(WorkflowRun.batch_id == batch.id)
            .group_by(WorkflowRun.status)
        ).all()
    )
    read = select(func.count(WorkflowRun.doc_id.distinct())).where(
        WorkflowRun.batch_id == batch.id, WorkflowRun.status == RunStatus.COMPLETED
    )
    return Counts(session.scalar(different) or 0, session.scalar(read) or 0, by_status)


def start(
    session: Session,
    scope: Scope,
    batch_id: int,
    *,
    embedding_model: str,
    embedding_window: int,
    priority: int = 0,
    meta: Correlation | None = None,
) -> tuple[RunGroup, int]:
    """Start a run for each document of a batch that has none but failed ones; return their group and their number.

    Raises NotFound, or Conflict when there is nothing to start.
    """
    located = select(DocumentURI.doc_hash).where(
        DocumentURI.batch_id == batch_id, DocumentURI.owner_id == scope.owner_id
    )
    documents.keep(session, located)  # before the batch, which the end of a group locks last
    batch = found(
        session.scalar(owned(DocumentBatch, scope).where(DocumentBatch.id == batch_id).with_for_update()),
        "batch",
        batch_id,
    )
    waiting = session.execute(_without_run(batch.id)).all()
    if not waiting:
        raise Conflict(f"batch {batch_id} has no document that waits for a run")
    group = starts.add_group(session, scope, batch.name, batch_id=batch.id)
    readings = [files.Reading(*row) for row in waiting]
    files.add_runs(
        session,
        group,
        readings,
        embedding_model=embedding_model,
        embedding_window=embedding_window,
        priority=priority,
        meta=meta,
    )
    audit.record(session, "start", DocumentBatch.__tablename__, batch.id)
    return group, len(waiting)


def _without_run(batch_id: int) -> Any:
    """Select a batch's documents that no run reads or has read, each once, with whose files they are."""
    good = select(WorkflowRun.id).where(
        WorkflowRun.batch_id == batch_id,
        WorkflowRun.doc_id == DocumentURI.doc_hash,
        WorkflowRun.status.not_in((RunStatus.FAILED, RunStatus.CANCELLED)),
    )
    return (
        select(DocumentURI, Persona, DataSource.collection_type)
        .outerjoin(DataSource, DataSource.document_uri_id == DocumentURI.id)
        .outerjoin(Persona, Persona.id == DataSource.persona_id)
        .where(DocumentURI.batch_id == batch_id, ~good.exists())
        .order_by(DocumentURI.id)
    )
