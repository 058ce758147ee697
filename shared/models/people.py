"""Persons, what was said about them, and every version of the profile made from it (seed 002)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Identified, Owned, Timestamped


class Person(Identified, Timestamped, Owned, Base):
    """Somebody a persona is computed for."""

    __tablename__ = "persons"

    first_name: Mapped[str | None] = mapped_column(String(255))
    last_name: Mapped[str | None] = mapped_column(String(255))
    gender: Mapped[str | None] = mapped_column(String(50))


class PersonData(Identified, Base):
    """One submission of text about a person; never changed."""

    __tablename__ = "person_data"
    __table_args__ = (Index("ix_person_data_person_id_created_at", "person_id", "created_at", "id"),)

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"))
    raw_text: Mapped[str]
    source: Mapped[str] = mapped_column(String(255), default="api", server_default="api")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class PersonaVersion(Identified, Base):
    """A profile as it was made; the persona mirrors the newest."""

    __tablename__ = "persona_versions"
    __table_args__ = (
        UniqueConstraint("persona_id", "version"),
        CheckConstraint("version > 0", name="version_positive"),
    )

    persona_id: Mapped[UUID] = mapped_column(ForeignKey("personas.id", ondelete="CASCADE"))
    version: Mapped[int]
    raw_text: Mapped[str | None]
    profile: Mapped[dict[str, Any]]
    computed_from_data_ids: Mapped[list[UUID]] = mapped_column(
        ARRAY(Id), default=list, server_default=text("'{}'::uuid[]")
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
