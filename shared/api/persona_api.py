"""Seed 002, Persona-API: `from shared.api.persona_api import get_persona_repository, PersonaCreate`."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.db import get_session
from shared.errors import NotFound, PersonaeError
from shared.models import Persona
from shared.queries.personas import personas
from shared.queries.scope import DEFAULT_SCOPE

APIError = PersonaeError  # the name under which the seed's examples catch what the database refuses


class PersonaCreate(BaseModel):
    """A persona to store: the text, and the profile made from it."""

    raw_text: str = Field(min_length=1)
    persona: dict[str, Any]


class PersonaUpdate(BaseModel):
    """What to change; what is left out stays."""

    raw_text: str | None = Field(default=None, min_length=1)
    persona: dict[str, Any] | None = None


class PersonaRepository:
    """The seed's repository; each call is a transaction of its own."""

    def create(self, data: PersonaCreate) -> Persona:
        """Store a persona and return it; raises ValueError for data of another form."""
        with get_session() as session:
            return personas.add(session, DEFAULT_SCOPE, PersonaCreate.model_validate(data).model_dump())

    def read(self, persona_id: UUID) -> Persona | None:
        """Return the persona, or None."""
        with get_session() as session:
            return personas.find(session, DEFAULT_SCOPE, persona_id)

    def read_all(self, limit: int = 10, offset: int = 0) -> tuple[list[Persona], int]:
        """Return a page of personas, newest first, and how many there are in all."""
        with get_session() as session:
            found = personas.list_(session, DEFAULT_SCOPE, limit=limit, offset=offset)
            return found, personas.count(session, DEFAULT_SCOPE)

    def update(self, persona_id: UUID, data: PersonaUpdate) -> Persona | None:
        """Change what is given and return the persona, or None where there is none."""
        changes = PersonaUpdate.model_validate(data).model_dump(exclude_none=True)
        try:
            with get_session() as session:
                return personas.update(session, DEFAULT_SCOPE, persona_id, changes)
        except NotFound:
            return None

    def delete(self, persona_id: UUID) -> bool:
        """Delete a persona; say whether there was one."""
        with get_session() as session:
            return personas.delete_(session, DEFAULT_SCOPE, persona_id)

    def count(self) -> int:
        """Return how many personas there are."""
        with get_session() as session:
            return personas.count(session, DEFAULT_SCOPE)


def get_persona_repository() -> PersonaRepository:
    """Return the repository of the default owner's personas."""
    return PersonaRepository()


__all__ = [
    "APIError",
    "Persona",
    "PersonaCreate",
    "PersonaRepository",
    "PersonaUpdate",
    "get_persona_repository",
]
