"""Batches of documents: opened, started, watched (seed 004)."""

from typing import Any

from apiflask import APIBlueprint
from flask import current_app

from gateway.http.auth import requires, scope
from gateway.http.idempotency import idempotent, once
from gateway.http.quotas import adds_work
from gateway.schemas.documents.batches import (
    BatchIn,
    BatchOut,
    BatchPage,
    BatchQuery,
    BatchStart,
    BatchStarted,
    BatchStatus,
)
from gateway.schemas.paging import PageQuery, page_of
from shared.db import get_session
from shared.domain.access import Permission
from shared.logs import correlation
from shared.queries.documents import batches

bp = APIBlueprint("batches", __name__, url_prefix="/api/v1/batch")


@bp.post("/")
@requires(Permission.WRITE)
@idempotent
@bp.input(BatchIn)
@bp.output(BatchOut, 201)
def open_batch(json_data: BatchIn) -> BatchOut:
    """Open a batch.

    Documents are brought into it with `ingest_document` and its `batch_id`; `start_batch` begins their runs.
    """
    with once() as once_:
        batch = batches.add(once_.session, scope(), name=json_data.name, source=json_data.source)
        return once_.keep(BatchOut.model_validate(batch), 201)


@bp.get("/")
@requires(Permission.READ)
@bp.input(PageQuery, location="query")
@bp.output(BatchPage)
def list_batches(query_data: PageQuery) -> dict[str, Any]:
    """List batches, newest first.

    A batch is completed when each of its documents has had a run and none is unfinished.
    """
    with get_session() as session:
        return page_of(batches.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/<int:batch_id>")
@requires(Permission.READ)
@bp.output(BatchStatus)
def get_batch(batch_id: int) -> dict[str, Any]:
    """Say how far a batch is.

    Its documents, those that are parsed, and its runs by status.
    """
    return status_of(batch_id)


@bp.get("/status")
@requires(Permission.READ)
@bp.input(BatchQuery, location="query")
@bp.output(BatchStatus)
def get_batch_status(query_data: BatchQuery) -> dict[str, Any]:
    """Say how far a batch is, asked by parameter.

    As `get_batch`.
    """
    return status_of(query_data.batch_id)


@bp.post("/start-workflows")
@requires(Permission.WRITE)
@adds_work
@idempotent
@bp.input(BatchStart)
@bp.output(BatchStarted, 201)
def start_batch(json_data: BatchStart) -> BatchStarted:
    """Begin the runs of a batch.

    Of its documents that have had none; watch them at `get_run_group`.
    """
    with once() as once_:
        settings = current_app.config["SETTINGS"]
        group, runs = batches.start(
            once_.session,
            scope(),
            json_data.batch_id,
            embedding_model=settings.embedding_model,
            embedding_window=settings.embedding_window,
            priority=json_data.priority,
            meta=correlation(),
        )
        started = BatchStarted(message=f"started {runs} runs", workflows=runs, run_group=group.id)
        return once_.keep(started, 201)


def status_of(batch_id: int) -> dict[str, Any]:
    """Return a batch as it is now, with seed 004's counters."""
    with get_session() as session:
        batch = batches.get(session, scope(), batch_id)
        counts = batches.count(session, batch)
    return BatchOut.model_validate(batch).model_dump() | {
        "document_count": counts.documents,
        "parsed": counts.parsed,
        "remaining": counts.documents - counts.parsed,
        "workflow_count": counts.runs,
    }
