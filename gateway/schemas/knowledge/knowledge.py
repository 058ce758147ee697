"""Knowledge chunks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field, Json

from gateway.schemas.base import Input, Output, Source, example
from gateway.schemas.paging import Page, PageQuery
from shared.domain.persona import CollectionType

LARGEST_BATCH = 1000
LONGEST_CONTENT = 100_000  # characters; Postgres takes a megabyte of different words


class ChunkIn(Input):
    """A passage; one whose source and external id are known replaces the text."""

    source: Source
    content: str = Field(min_length=1, max_length=LONGEST_CONTENT)
    external_id: str | None = Field(default=None, min_length=1, max_length=500)
    title: str | None = Field(default=None, max_length=500)
    chunk_metadata: dict[str, Any] | None = None
    collection_type: CollectionType | None = None


class ChunksIn(Input):
    """Passages to write together, for one persona or for none."""

    model_config = example(
        persona_id="00000000-0000-0000-0000-000000000000",
        chunks=[{"source": "docs", "external_id": "install", "title": "Installation", "content": "Run make setup."}],
    )

    persona_id: UUID | None = None
    chunks: list[ChunkIn] = Field(min_length=1, max_length=LARGEST_BATCH)


class ChunkQuery(PageQuery):
    """Which chunks: of a source, and those whose metadata contain what is given as JSON, like `{"language": "ro"}`."""

    source: str | None = Field(default=None, max_length=255)
    chunk_metadata: Json[dict[str, Any]] | None = None


class ChunkOut(Output):
    """A passage that can be found and cited."""

    id: UUID
    persona_id: UUID | None
    collection_type: CollectionType | None
    source: str
    external_id: str | None
    title: str | None
    content: str
    chunk_metadata: dict[str, Any] | None
    page: int | None
    created_at: datetime
    updated_at: datetime


class ChunksOut(Output):
    """The passages as they are now, in the order given.

    They are found by their words at once, and by their meaning when `/work/passage_embeddings/{embedding_id}` is
    COMPLETED; without an id, none of them needs that.
    """

    items: list[ChunkOut]
    embedding_id: int | None


class ChunkPage(Page[ChunkOut]):
    """Passages, oldest first."""
