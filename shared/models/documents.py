"""Documents by hash, the places they come from, and what was made of them (seed 004)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, func
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from shared.domain.workflow import ArtifactType, DocumentFacts
from shared.models.base import Audited, Base, Numbered, Owned, Timed, enum_by_value, json_object


class DocumentBatch(Audited, Numbered, Timed, Owned, Base):
    """Documents that were brought in together."""

    __tablename__ = "documentbatch"

    name: Mapped[str] = mapped_column(String(500))
    source: Mapped[str] = mapped_column(String(255))
    start_date: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    batch_params: Mapped[dict[str, Any]] = json_object()


class Document(Base):
    """Bytes known by their hash, `sha256-…`; shared by everyone who has a URI that leads to them."""

    __tablename__ = "document"

    hash: Mapped[str] = mapped_column(String(128), primary_key=True)
    mime_type: Mapped[str] = mapped_column(String(255))
    file_size: Mapped[int | None] = mapped_column(BigInteger)
    doc_meta: Mapped[DocumentFacts] = json_object()


class DocumentURI(Audited, Numbered, Owned, Base):
    """Where a document is found in its source system, and how often it has changed there."""

    __tablename__ = "documenturi"
    __table_args__ = (UniqueConstraint("owner_id", "uri", "source"), Index("idx_documenturi_source", "source"))

    doc_hash: Mapped[str] = mapped_column(ForeignKey("document.hash", ondelete="RESTRICT"), index=True)
    uri: Mapped[str] = mapped_column(String(2000))
    source: Mapped[str] = mapped_column(String(255))
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    mime_type: Mapped[str | None] = mapped_column(String(255))  # what its sender takes it for; else the document's
    doc_meta: Mapped[dict[str, Any]] = json_object()  # what its sender says of it, for nobody else to see
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("documentbatch.id", ondelete="SET NULL"), index=True)


class DocumentURIHistory(Numbered, Base):
    """One version of what was found at a URI; `hash` may outlive its document."""

    __tablename__ = "documenturihistory"

    doc_uri_id: Mapped[int] = mapped_column(ForeignKey("documenturi.id", ondelete="CASCADE"), index=True)
    version: Mapped[int]
    hash: Mapped[str] = mapped_column(String(128))
    process_date: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    action: Mapped[str] = mapped_column(String(50))
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("documentbatch.id", ondelete="SET NULL"), index=True)
    histmeta: Mapped[dict[str, Any]] = json_object()


def _size_of_bytes(context: DefaultExecutionContext) -> int:
    parameters = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return len(parameters["file_bytes"])


class DocumentBytes(Base):
    """A document's bytes or an artifact made from them; `storage_root` is "db" or the step config that made it."""

    __tablename__ = "documentbytes"

    hash: Mapped[str] = mapped_column(ForeignKey("document.hash", ondelete="CASCADE"), primary_key=True)
    artifact_type: Mapped[ArtifactType] = mapped_column(enum_by_value(ArtifactType), primary_key=True)
    storage_root: Mapped[str] = mapped_column(String(255), primary_key=True)
    file_size: Mapped[int | None] = mapped_column(BigInteger, default=_size_of_bytes)
    file_bytes: Mapped[bytes] = mapped_column(LargeBinary)
