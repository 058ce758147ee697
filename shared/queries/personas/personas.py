"""Personas (seeds 000, 001 and 002)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.domain.persona import PersonaStatus, slug_from
from shared.models import Conversation, DataSource, Persona
from shared.queries.documents import documents, files
from shared.queries.rows import Slice, found, page, refusing_duplicates, removed
from shared.queries.scope import Scope, owned, owner_of
from shared.queries.work import locks

TAKEN = "there is a persona with the slug {slug!r} already: choose another {what}"


def find(session: Session, scope: Scope, persona_id: UUID) -> Persona | None:
    """Return the persona, or None."""
    return session.scalar(owned(Persona, scope).where(Persona.id == persona_id))


def get(session: Session, scope: Scope, persona_id: UUID) -> Persona:
    """Return the persona; raises NotFound."""
    return found(find(session, scope, persona_id), "persona", persona_id)


def list_(
    session: Session,
    scope: Scope,
    *,
    status: str | None = None,
    mode: str | None = None,
    active_only: bool = False,
    listed_only: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> Slice[Persona]:
    """Return personas, newest first; of one status or mode, only active ones, or only those on offer, where asked."""
    statement = owned(Persona, scope).order_by(Persona.created_at.desc(), Persona.id)
    if status is not None:
        statement = statement.where(Persona.status == status)
    if mode is not None:
        statement = statement.where(Persona.mode == mode)
    if active_only:
        statement = statement.where(Persona.is_active)
    if listed_only:
        statement = statement.where(listed())
    return page(session, statement, limit=limit, offset=offset)


def listed() -> ColumnElement[bool]:
    """Say which personas are on offer: active ones whose ingestion succeeded, or that have nothing to ingest."""
    nothing_to_ingest = ~exists().where(DataSource.persona_id == Persona.id)
    ready = or_(Persona.status == PersonaStatus.ACTIVE, and_(Persona.status == PersonaStatus.DRAFT, nothing_to_ingest))
    return and_(Persona.is_active, ready)


def count(session: Session, scope: Scope) -> int:
    """Return how many personas the scope has."""
    return session.scalar(select(func.count()).select_from(owned(Persona, scope).subquery())) or 0


def add(session: Session, scope: Scope, values: Mapping[str, Any]) -> Persona:
    """Add a persona with the given columns; raises Conflict where a given slug is taken."""
    persona = Persona(**owner_of(scope), **values)
    with refusing_duplicates(session, about_taken(values)):
        session.add(persona)
    return persona


def about_taken(values: Mapping[str, Any]) -> str:
    """Say which slug is taken, and that it was made of the name where nobody gave it."""
    name, slug = values.get("name"), values.get("slug") or ""
    if name is None or slug != slug_from(name):
        return TAKEN.format(slug=slug, what="slug")
    return f"the name {name!r} makes the slug {slug!r}; " + TAKEN.format(slug=slug, what="name, or give a slug")


def update(session: Session, scope: Scope, persona_id: UUID, values: Mapping[str, Any]) -> Persona:
    """Change the given columns; raises NotFound, or Conflict where a given slug is taken."""
    persona = get(session, scope, persona_id)
    with refusing_duplicates(session, about_taken(values)):
        for column, value in values.items():
            setattr(persona, column, value)
    return persona


def delete_(session: Session, scope: Scope, persona_id: UUID, *, keep_files: bool = False) -> bool:
    """Delete a persona with its conversations, knowledge, ingestion and, unless they are kept, files.

    Says whether there was one.
    """
    persona = find(session, scope, persona_id)
    if persona is None:
        return False
    talks = select(Conversation.id).where(Conversation.persona_id == persona_id)
    work = [*locks.of_conversations(talks), files.steps_of(scope, persona)]
    locks.lock_work_then(session, work, lambda: _lock_parents(session, persona, talks))
    files.release(session, scope, persona, keep_files=keep_files)
    return removed(session, delete(Persona).where(Persona.id == persona_id), of=persona_id) > 0


def _lock_parents(session: Session, persona: Persona, talks: Select[UUID]) -> None:
    """Lock a persona with its files and conversations.

    At first without its key: an upload has locked its files when it refers to it, an ingestion changes it first.
    """
    this = select(Persona.id).where(Persona.id == persona.id)
    session.execute(this.with_for_update(key_share=True))
    documents.lock_places(session, files.locations(session, persona))
    session.execute(this.with_for_update())
    session.execute(talks.order_by(Conversation.id).with_for_update())
