"""Personas."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint

from gateway import intake
from gateway.http.auth import requires, scope
from gateway.http.idempotency import idempotent, once
from gateway.schemas.paging import page_of
from gateway.schemas.personas.personas import (
    PersonaChange,
    PersonaDeletion,
    PersonaIn,
    PersonaOut,
    PersonaPage,
    PersonaQuery,
    PersonaSaved,
)
from shared.db import Session, get_session
from shared.domain.access import Permission
from shared.models import Persona
from shared.queries.documents import documents, files
from shared.queries.personas import modules, personas

bp = APIBlueprint("personas", __name__, url_prefix="/api/v1/personas")


@bp.post("")
@requires(Permission.WRITE)
@idempotent
@bp.input(PersonaIn)
@bp.output(PersonaSaved, 201)
def create_persona(json_data: PersonaIn) -> PersonaSaved:
    """Add a persona.

    The first step of the job: the persona gets files by `upload_files`, reads them after `ingest_persona`, and is
    talked to in a conversation. The slug is made of the name where none is given; `warnings` names modules that the
    template refers to and that there are not.
    """
    with once() as work:
        persona = personas.add(work.session, scope(), json_data.given())
        return work.keep(saved(work.session, persona), 201)


@bp.get("")
@requires(Permission.READ)
@bp.input(PersonaQuery, location="query")
@bp.output(PersonaPage)
def list_personas(query_data: PersonaQuery) -> dict[str, Any]:
    """List personas, newest first.

    `listed_only=true` leaves those that can be talked to: what they have is read.
    """
    with get_session() as session:
        return page_of(personas.list_(session, scope(), **query_data.arguments()), query_data)


@bp.get("/<uuid:persona_id>")
@requires(Permission.READ)
@bp.output(PersonaOut)
def get_persona(persona_id: UUID) -> Persona:
    """Read a persona.

    Its `status` says how far it is: `draft`, `processing` while it reads, then `active` or `failed`.
    """
    with get_session() as session:
        return personas.get(session, scope(), persona_id)


@bp.patch("/<uuid:persona_id>")
@requires(Permission.WRITE)
@bp.input(PersonaChange)
@bp.output(PersonaSaved)
def change_persona(persona_id: UUID, json_data: PersonaChange) -> PersonaSaved:
    """Change what is sent of a persona.

    What is not sent stays as it is; null empties a field that may be empty.
    """
    with get_session() as session:
        return saved(session, personas.update(session, scope(), persona_id, json_data.given()))


@bp.delete("/<uuid:persona_id>")
@requires(Permission.WRITE)
@bp.input(PersonaDeletion, location="query")
@bp.output({}, 204)
def delete_persona(persona_id: UUID, query_data: PersonaDeletion) -> str:
    """Delete a persona with its conversations, knowledge and files.

    `keep_files=true` keeps the documents that its files lead to. There is no way back.
    """
    with get_session() as session:
        found = files.locations(session, personas.get(session, scope(), persona_id))
        doc_hashes = documents.hashes(session, found)
        personas.delete_(session, scope(), persona_id, keep_files=query_data.keep_files)
    intake.forget(doc_hashes)
    return ""


def saved(session: Session, persona: Persona) -> PersonaSaved:
    """Answer with a persona, and warn where its template refers to a module that there is not."""
    session.flush()
    warnings = modules.template_warnings(session, scope(), persona.template)
    return PersonaSaved.model_validate(persona).model_copy(update={"warnings": warnings})
