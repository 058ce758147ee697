"""Seed 000's ingestion: one job per collection of a persona, and the files it came from."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, func
from sqlalchemy.orm import Mapped, backref, mapped_column, relationship

from shared.domain.persona import CollectionType, JobStatus
from shared.models.base import Audited, Base, Identified, enum_by_value
from shared.models.personas import Persona


class IngestionJob(Identified, Base):
    """The ingestion of one collection; the run group does the work and its progress is the job's."""

    __tablename__ = "ingestion_jobs"
    __table_args__ = (CheckConstraint("progress BETWEEN 0 AND 100", name="progress_percent"),)

    persona_id: Mapped[UUID] = mapped_column(ForeignKey("personas.id", ondelete="CASCADE"), index=True)
    collection_type: Mapped[CollectionType] = mapped_column(enum_by_value(CollectionType))
    status: Mapped[JobStatus] = mapped_column(
        enum_by_value(JobStatus), default=JobStatus.PENDING, server_default=JobStatus.PENDING.value
    )
    progress: Mapped[int] = mapped_column(default=0, server_default="0")
    total_vectors: Mapped[int | None]
    error_message: Mapped[str | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    run_group_id: Mapped[int | None] = mapped_column(ForeignKey("rungroup.id", ondelete="SET NULL"), index=True)

    persona: Mapped[Persona] = relationship(
        backref=backref("ingestion_jobs", cascade="all, delete-orphan", passive_deletes=True)
    )


class DataSource(Audited, Identified, Base):
    """A file given to a persona; `document_uri_id` leads to its bytes and versions."""

    __tablename__ = "data_sources"

    persona_id: Mapped[UUID] = mapped_column(ForeignKey("personas.id", ondelete="CASCADE"), index=True)
    collection_type: Mapped[CollectionType] = mapped_column(enum_by_value(CollectionType))
    file_name: Mapped[str] = mapped_column(String(500))
    file_path: Mapped[str]
    file_size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    document_uri_id: Mapped[int | None] = mapped_column(ForeignKey("documenturi.id", ondelete="SET NULL"), index=True)

    persona: Mapped[Persona] = relationship(
        backref=backref("data_sources", cascade="all, delete-orphan", passive_deletes=True)
    )
