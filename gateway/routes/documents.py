"""Documents by hash, and the places they come from (seed 004)."""

from typing import Any

from apiflask import APIBlueprint
from flask import current_app

from gateway import intake
from gateway.auth import requires, scope
from gateway.idempotency import idempotent, once
from gateway.limits import takes_upload
from gateway.schemas.documents import (
    DeletedOut,
    DocumentIn,
    DocumentOut,
    DocumentPage,
    DocumentQuery,
    HistoryOut,
    LocationQuery,
)
from gateway.schemas.paging import page_of
from shared.db import Session, get_session
from shared.domain.access import Permission
from shared.domain.files import plain_name
from shared.logs import correlation
from shared.models import DocumentURI, Persona, RunGroup
from shared.queries import documents, files, personas
from shared.queries.documents import Bytes
from shared.tasks import PREPARE_DOCUMENT

bp = APIBlueprint("documents", __name__, url_prefix="/api/v1/document")


@bp.post("/ingest-document")
@requires(Permission.WRITE)
@idempotent
@takes_upload
@bp.input(DocumentIn, location="form_and_files")
@bp.output(DocumentOut, 201)
def ingest_document(form_and_files_data: DocumentIn) -> DocumentOut:
    """Bring in a document.

    A `file`, or an `input_uri` that leads to it, under a `source_uri` and a `source`; the same place again is its
    next version. `start=true` begins its run at once, else `start_batch` does.
    """
    asked = form_and_files_data
    stored = receive(asked)
    with once() as once_:
        location, group = register(once_.session, asked, stored)
        answer = once_.keep(as_answer(location, group), 201)
    if group is not None:
        PREPARE_DOCUMENT.ring(f"of run group {group.id}")
    return answer


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


def register(session: Session, asked: DocumentIn, stored: Bytes) -> tuple[DocumentURI, RunGroup | None]:
    """Write where the document is found, whose file it is, and the run that reads it, where one is asked for."""
    if asked.batch_id is not None:
        documents.require_open_batch(session, scope(), asked.batch_id)
    persona = personas.get(session, scope(), asked.persona_id) if asked.persona_id else None
    location, _ = documents.register(
        session,
        scope(),
        stored,
        uri=asked.source_uri,
        source=asked.source,
        batch_id=asked.batch_id,
        meta=asked.doc_meta,
    )
    intake.require_stored(stored)
    if persona is not None and asked.collection is not None:
        name = plain_name(asked.source_uri)
        files.attach(session, persona, asked.collection, name, location, size=stored.size)
    return location, start(session, asked, location, persona)


def start(session: Session, asked: DocumentIn, location: DocumentURI, persona: Persona | None) -> RunGroup | None:
    """Start the document's run, for a persona or where it is asked for."""
    if persona is None and not asked.start:
        return None
    return files.ingest_one(
        session,
        scope(),
        location,
        persona=persona,
        collection=asked.collection,
        embedding_model=current_app.config["SETTINGS"].embedding_model,
        priority=asked.priority,
        meta=correlation(),
    )


def as_answer(location: DocumentURI, group: RunGroup | None) -> DocumentOut:
    """Return what seed 004 answers."""
    return DocumentOut(
        document_uri=location.uri,
        document_hash=location.doc_hash,
        source=location.source,
        uri_id=location.id,
        batch_id=location.batch_id,
        run_group_id=group.id if group else None,
    )
