"""Documents by hash, and the places they come from (seed 004)."""

from functools import partial
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, url_for

from gateway import intake
from gateway.http import quotas
from gateway.http.auth import requires, scope
from gateway.http.idempotency import begun, idempotent, once
from gateway.http.limits import takes_upload
from gateway.http.quotas import adds_work
from gateway.routes.answers import as_json
from gateway.schemas.dialogue.executions import WaitQuery
from gateway.schemas.documents.documents import (
    DeletedOut,
    DocumentIn,
    DocumentOut,
    DocumentPage,
    DocumentQuery,
    FetchOut,
    HistoryOut,
    LocationQuery,
)
from gateway.schemas.paging import page_of
from gateway.streaming.waiting import LONGEST_LOOK, error_of, wait_until_ended
from shared.db import Session, get_session
from shared.domain.access import Permission
from shared.domain.lifecycle import TERMINAL, RunStatus
from shared.logs import correlation
from shared.models import Fetch
from shared.providers.intake import is_on_the_web
from shared.queries.documents import documents
from shared.queries.documents.documents import Bytes
from shared.queries.intake import arrivals, fetches
from shared.queries.intake.arrivals import Arrival, BroughtIn

bp = APIBlueprint("documents", __name__, url_prefix="/api/v1/document")

NOT_YET: dict[int, Any] = {
    202: {
        "description": "A page that a worker has not fetched within 30 seconds: `Location` will tell what became of it",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/FetchOut"}}},
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}


@bp.post("/ingest-document")
@requires(Permission.WRITE)
@adds_work
@idempotent
@takes_upload
@bp.input(WaitQuery, location="query")
@bp.input(DocumentIn, location="form_and_files")
@bp.output(DocumentOut, 201)
@bp.doc(responses=NOT_YET)
def ingest_document(query_data: WaitQuery, form_and_files_data: DocumentIn) -> Any:
    """Bring in a document.

    A `file`, or an `input_uri` that leads to it, under a `source_uri` and a `source`; the same place again is its
    next version. `start=true` begins its run at once, else `start_batch` does. A page of the web is fetched by a
    worker: after 30 seconds, or at once with `wait=false`, the answer is 202 and `Location` tells what became of it.
    """
    asked = form_and_files_data
    if asked.input_uri is not None and is_on_the_web(asked.input_uri):
        return fetch_document(asked.input_uri, asked.arrival(), wait=query_data.wait)
    stored = receive(asked)
    with intake.gone_if_refused([stored]), once() as once_:
        brought = bring_in(once_.session, asked.arrival(), stored)
        quotas.require_space(once_.session, stored.size)
        return once_.keep(DocumentOut(**brought.as_json()), 201)


@bp.get("/fetches/<int:fetch_id>")
@requires(Permission.READ)
@bp.output(FetchOut)
def get_fetch(fetch_id: int) -> Fetch:
    """Say what became of a page that was to be fetched.

    `answer` is what `POST /document/ingest-document` would have answered, once `status` is COMPLETED.
    """
    with get_session() as session:
        return fetches.get(session, scope(), fetch_id)


@bp.get("/")
@requires(Permission.READ)
@bp.input(DocumentQuery, location="query")
@bp.output(DocumentPage)
def list_documents(query_data: DocumentQuery) -> dict[str, Any]:
    """List what is found where, oldest first.

    Of a source, of a batch, or both.
    """
    with get_session() as session:
        return page_of(documents.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/history")
@requires(Permission.READ)
@bp.input(LocationQuery, location="query")
@bp.output(HistoryOut)
def get_document_history(query_data: LocationQuery) -> dict[str, Any]:
    """List the versions of what was found at a place.

    Oldest first.
    """
    with get_session() as session:
        location = documents.get_uri(session, scope(), query_data.uri, query_data.source)
        return {"items": documents.history(session, location)}


@bp.delete("/by-uri")
@requires(Permission.WRITE)
@bp.input(LocationQuery, location="query")
@bp.output(DeletedOut)
def delete_document(query_data: LocationQuery) -> dict[str, int]:
    """Delete a place with its documents.

    The answer counts the rows of each kind that went.
    """
    with get_session() as session:
        location = documents.get_uri(session, scope(), query_data.uri, query_data.source)
        doc_hashes = documents.hashes(session, [location])
        deleted = documents.delete_by_uri(session, scope(), query_data.uri, query_data.source)
    intake.forget(doc_hashes)
    return deleted


def receive(asked: DocumentIn) -> Bytes:
    """Store the bytes that were sent or that the URI leads to, before the transaction, which must not wait for them."""
    if asked.file is not None:
        return intake.receive_upload(asked.file, collection=asked.collection, given=asked.mime_type)
    found = intake.open_uri(asked.input_uri or "")
    with found.file:
        return intake.receive(found.file, found.name, collection=asked.collection, given=asked.mime_type)


def bring_in(session: Session, arrival: Arrival, stored: Bytes) -> BroughtIn:
    """Register the document, and start its run where one is asked for."""
    return arrivals.bring_in(
        session,
        scope(),
        arrival,
        stored,
        require_stored=intake.require_stored,
        embedding_model=current_app.config["SETTINGS"].embedding_model,
        embedding_window=current_app.config["SETTINGS"].embedding_window,
        meta=correlation(),
    )


def fetch_document(url: str, arrival: Arrival, *, wait: bool) -> Response:
    """Have a worker fetch the document; answer as for an upload, or after 30 seconds with where the answer will be."""
    intake.require_fetchable(url)
    told = begun(FetchOut, lambda session: fetches.add(session, scope(), url, arrival, meta=correlation()))
    row = wait_until_ended(partial(read_fetch, told.id), LONGEST_LOOK if wait else 0)
    if row.status not in TERMINAL:
        where = url_for("documents.get_fetch", fetch_id=row.id)
        return as_json(FetchOut, row, 202, {"Location": where})
    if row.status is not RunStatus.COMPLETED:
        raise error_of(row, fetch_id=row.id)
    return as_json(DocumentOut, row.answer, 201)


def read_fetch(fetch_id: int) -> Fetch:
    with get_session() as session:
        return fetches.get(session, scope(), fetch_id)
