"""Personas: seeds 000, 001 and 002 in one table, each under its own names."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Connection, ForeignKey, Index, Numeric, String, UniqueConstraint, event, select
from sqlalchemy.orm import Mapped, Mapper, mapped_column, object_session, synonym

from shared.domain import persona as rules
from shared.domain.persona import PersonaMode, PersonaStatus
from shared.models.base import DEFAULT_OWNER, Audited, Base, Identified, Owned, Timestamped, enum_by_value, json_object


class Persona(Audited, Identified, Timestamped, Owned, Base):
    """A character with a voice, a prompt template and knowledge.

    `status` speaks of ingestion only. `raw_text` and `profile` mirror the current version.
    A name, a slug and a template that are not given are derived when the row is written.
    """

    __tablename__ = "personas"
    __table_args__ = (
        UniqueConstraint("owner_id", "slug"),
        CheckConstraint(
            "loop_frequency IS NULL OR (mode = 'autonomous' AND loop_frequency > 0)", name="loop_only_when_autonomous"
        ),
        Index("idx_personas_created_at", "created_at"),
        Index("idx_personas_updated_at", "updated_at"),
    )

    slug: Mapped[str] = mapped_column(String(120))
    persona_id: Mapped[str] = synonym("slug")
    name: Mapped[str] = mapped_column(String(255))
    display_name: Mapped[str] = synonym("name")
    description: Mapped[str | None]
    status: Mapped[PersonaStatus] = mapped_column(
        enum_by_value(PersonaStatus), default=PersonaStatus.DRAFT, server_default=PersonaStatus.DRAFT.value
    )
    is_active: Mapped[bool] = mapped_column(default=True, server_default="true")

    template: Mapped[str]
    mode: Mapped[PersonaMode] = mapped_column(
        enum_by_value(PersonaMode), default=PersonaMode.REACTIVE, server_default=PersonaMode.REACTIVE.value
    )
    loop_frequency: Mapped[float | None] = mapped_column(Numeric(10, 3, asdecimal=False))  # seconds; "5.0" is read too
    first_message: Mapped[str | None]
    image_path: Mapped[str | None] = mapped_column(String(500))
    extra_data: Mapped[dict[str, Any]] = json_object()

    birth_year: Mapped[int | None]
    death_year: Mapped[int | None]
    speaking_style: Mapped[str | None]
    key_themes: Mapped[str | None]
    voice_prompt: Mapped[str | None]
    representative_quotes: Mapped[str | None]  # a JSON array as text, as seed 000 documents it
    color: Mapped[str] = mapped_column(String(32), default="#666666", server_default="#666666")
    works_top_k: Mapped[int | None]
    quotes_top_k: Mapped[int | None]
    profile_top_k: Mapped[int | None]
    works_chunk_size: Mapped[int | None]
    works_chunk_overlap: Mapped[int | None]

    raw_text: Mapped[str | None]
    profile: Mapped[dict[str, Any] | None]
    persona: Mapped[dict[str, Any] | None] = synonym("profile")
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), unique=True)

    def get_quotes_list(self) -> list[str]:
        """Return the representative quotes; none where the text is no JSON array (seed 000)."""
        return rules.quotes_from(self.representative_quotes)


@event.listens_for(Persona, "before_insert")
def _derive_what_is_missing(mapper: Mapper[Persona], connection: Connection, persona: Persona) -> None:
    persona.name = persona.name or rules.name_from(persona.profile)
    persona.template = persona.template or rules.template_from(
        persona.name,
        voice_prompt=persona.voice_prompt,
        description=persona.description,
        speaking_style=persona.speaking_style,
    )
    if not persona.slug:
        slug = rules.slug_from(persona.name)
        persona.slug = rules.free_slug(slug, _stored_slugs(connection, persona, slug) | _unwritten_slugs(persona))


def _stored_slugs(connection: Connection, persona: Persona, slug: str) -> set[str]:
    owner_id = persona.owner_id or DEFAULT_OWNER
    like = Persona.slug.startswith(slug, autoescape=True)
    return set(connection.scalars(select(Persona.slug).where(Persona.owner_id == owner_id, like)))


def _unwritten_slugs(persona: Persona) -> set[str]:
    """Return the slugs of the same flush: all of it is prepared before any of it is written."""
    session = object_session(persona)
    pending = session.new if session is not None else ()
    return {other.slug for other in pending if isinstance(other, Persona) and other.slug}
