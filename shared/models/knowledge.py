"""Knowledge: searchable passages, and the vectors of their texts (seed 003 and ours)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    String,
    case,
    cast,
    event,
    func,
    inspect,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, REGCONFIG, TSVECTOR
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from shared.domain import queues
from shared.domain.lexemes import as_vector
from shared.domain.persona import CollectionType
from shared.domain.text import content_hash, fold
from shared.models.base import Audited, Base, Identified, Owned, Timestamped, Work, enum_by_value

DEFAULT_LANGUAGE = "simple"


class EmbeddingState(StrEnum):
    """The life of an embedding model: its index is built, it serves, it is kept no longer."""

    BUILDING = "building"
    SERVING = "serving"
    RETIRED = "retired"


class KnowledgeChunk(Audited, Identified, Timestamped, Owned, Base):
    """A passage that can be found and cited.

    With an `external_id` there is one row per owner, persona (or none) and source; without, always a new row.
    `content_hash` leads to the embedding; it and `tsv` follow the text when written through the ORM.
    """

    __tablename__ = "knowledge_chunks"
    __table_args__ = (
        Index(
            "uq_knowledge_chunks_external_id",
            "owner_id",
            "persona_id",
            "source",
            "external_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        CheckConstraint("start_offset <= end_offset", name="offsets_in_order"),
        Index("ix_knowledge_chunks_tsv", "tsv", postgresql_using="gin"),
        Index("ix_knowledge_chunks_persona_id_collection_type", "persona_id", "collection_type"),
        Index("idx_knowledge_source", "source"),
        Index("idx_knowledge_external_id", "external_id"),
        Index("idx_knowledge_created", "created_at"),
    )

    persona_id: Mapped[UUID | None] = mapped_column(ForeignKey("personas.id", ondelete="CASCADE"))
    collection_type: Mapped[CollectionType | None] = mapped_column(enum_by_value(CollectionType))
    source: Mapped[str] = mapped_column(String(255))
    external_id: Mapped[str | None] = mapped_column(String(500))
    title: Mapped[str | None] = mapped_column(String(500))
    content: Mapped[str]
    chunk_metadata: Mapped[dict[str, Any] | None]
    doc_hash: Mapped[str | None] = mapped_column(ForeignKey("document.hash", ondelete="CASCADE"), index=True)
    document_uri_id: Mapped[int | None] = mapped_column(ForeignKey("documenturi.id", ondelete="CASCADE"), index=True)
    position: Mapped[int | None]  # the passage's ordinal in its document
    start_offset: Mapped[int | None]  # characters of the parsed document
    end_offset: Mapped[int | None]
    page: Mapped[int | None]
    content_hash: Mapped[str] = mapped_column(String(64), index=True)
    language: Mapped[str] = mapped_column(REGCONFIG, default=DEFAULT_LANGUAGE, server_default=DEFAULT_LANGUAGE)
    tsv: Mapped[Any] = mapped_column(TSVECTOR, deferred=True)


def search_vector(language: Any, title: Any, content: Any, lexemes: Any) -> ColumnElement[Any]:
    """Return the SQL for what a passage is found by: its lexemes as written out, and the stems of its language, if any.

    Title and content are folded, values or columns; what the title has weighs `A`.
    """
    of_title = func.setweight(func.to_tsvector(language, title), "A")
    stems = of_title.op("||")(func.strip(func.to_tsvector(language, content)))
    own = cast(lexemes, TSVECTOR)
    return case((language == cast(DEFAULT_LANGUAGE, REGCONFIG), own), else_=own.op("||")(stems))


@event.listens_for(KnowledgeChunk, "before_insert")
@event.listens_for(KnowledgeChunk, "before_update")
def _make_searchable(mapper: Mapper[KnowledgeChunk], connection: Connection, chunk: KnowledgeChunk) -> None:
    attributes = inspect(chunk).attrs
    if any(attributes[name].history.has_changes() for name in ("title", "content", "language")):
        language = cast(chunk.language or DEFAULT_LANGUAGE, REGCONFIG)
        chunk.content_hash = content_hash(chunk.content)
        title, content = chunk.title or "", chunk.content
        chunk.tsv = search_vector(language, fold(title), fold(content), as_vector(title, content))


class EmbeddingModel(Base):
    """A model whose vectors are kept."""

    __tablename__ = "embedding_models"
    __table_args__ = (CheckConstraint("dimensions > 0", name="dimensions_positive"),)

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    dimensions: Mapped[int]
    state: Mapped[EmbeddingState] = mapped_column(
        enum_by_value(EmbeddingState), default=EmbeddingState.BUILDING, server_default=EmbeddingState.BUILDING.value
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Embedding(Base):
    """One text's vector under one model: a text is embedded once for all who hold it."""

    __tablename__ = "embeddings"

    content_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(ForeignKey("embedding_models.name", ondelete="CASCADE"), primary_key=True)
    vector: Mapped[Any] = mapped_column(HALFVEC)  # no dimension: each model has its own
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class PassageEmbedding(Owned, Work):
    """The embedding of passages that no document brought: those of one request, by the hashes of their texts."""

    __tablename__ = "passage_embeddings"

    queue: Mapped[str] = mapped_column(String(32), default=queues.EMBEDDING, server_default=queues.EMBEDDING)
    hashes: Mapped[list[str]] = mapped_column(ARRAY(String(64)))

    @classmethod
    def work_table_args(cls) -> tuple[Any, ...]:
        """Add how a text is found among those that wait, and what has ended."""
        return (
            *super().work_table_args(),
            Index("ix_passage_embeddings_hashes", "hashes", postgresql_using="gin"),
            Index("ix_passage_embeddings_completed_date", "completed_date"),
        )
