"""The files of a persona, by collection."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway import intake
from gateway.http import quotas
from gateway.http.auth import requires, scope
from gateway.http.limits import takes_upload
from gateway.schemas.documents.files import FilePage, FileQuery, FilesIn, UploadOut
from gateway.schemas.paging import page_of
from shared.db import get_session
from shared.domain.access import Permission
from shared.domain.persona import CollectionType
from shared.errors import NotFound
from shared.queries.documents import files
from shared.queries.personas import personas

bp = APIBlueprint("files", __name__, url_prefix="/api/v1/personas/<uuid:persona_id>")


@bp.post("/upload/<string:collection>")
@requires(Permission.WRITE)
@takes_upload
@bp.input(FilesIn, location="form_and_files")
@bp.output(UploadOut, 201)
def upload_files(persona_id: UUID, collection: str, form_and_files_data: FilesIn) -> dict[str, Any]:
    """Give a persona files.

    The second step: send one or more parts named `files` as multipart/form-data to the collection `works`, `quotes`
    or `profile`. A file that is not taken is in `skipped` with its reason and keeps no other out; where none is
    taken the answer is 422. Quotes are JSON lines, one object each, with the words under `text` or `quote`. Nothing
    is read until `ingest_persona`.
    """
    where = collection_named(collection)
    with get_session() as session:
        personas.get(session, scope(), persona_id)
    received = intake.receive_each(form_and_files_data.files, where)
    with intake.gone_if_refused(received.kept.values()), get_session() as session:
        persona = personas.get(session, scope(), persona_id)
        uploaded = files.add(session, scope(), persona, where, received.kept)
        for stored in received.kept.values():
            intake.require_stored(stored)
        quotas.require_space(session, sum(stored.size for stored in received.kept.values()))
    return {
        "uploaded": uploaded,
        "skipped": received.skipped,
        "uploaded_count": len(uploaded),
        "skipped_count": len(received.skipped),
    }


@bp.get("/files")
@requires(Permission.READ)
@bp.input(FileQuery, location="query")
@bp.output(FilePage)
def list_files(persona_id: UUID, query_data: FileQuery) -> dict[str, Any]:
    """List a persona's files, oldest first.

    The bytes are stored once under their hash, however many files lead to them.
    """
    with get_session() as session:
        persona = personas.get(session, scope(), persona_id)
        return page_of(files.list_(session, persona, **query_data.arguments()), query_data)


@bp.delete("/files/<uuid:file_id>")
@requires(Permission.WRITE)
@bp.output({}, 204)
def delete_file(persona_id: UUID, file_id: UUID) -> str:
    """Take a file from a persona.

    With it go its passages that no other file has.
    """
    with get_session() as session:
        doc_hashes = files.delete_(session, scope(), personas.get(session, scope(), persona_id), file_id)
    intake.forget(doc_hashes)
    return ""


def collection_named(name: str) -> CollectionType:
    """Return the collection of a path; raises NotFound for one that does not exist."""
    try:
        return CollectionType(name)
    except ValueError:
        raise NotFound(f"there is no collection {name}: there are {', '.join(CollectionType)}") from None
