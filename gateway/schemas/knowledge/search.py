"""Search in what personas have read."""

from typing import Any
from uuid import UUID

from pydantic import Field

from gateway.schemas.base import Input, Output, example
from shared.domain.persona import CollectionType

LARGEST_LIMIT = 50


class SearchIn(Input):
    """What is sought, and where; without a persona in all of one's own passages.

    With `chunk_metadata`, only in passages whose own contains it: each name with its value, and of a list each item.
    """

    model_config = example(query="alternating current", limit=5)

    query: str = Field(min_length=1, max_length=10_000)
    persona_id: UUID | None = None
    collection: CollectionType | None = None
    sources: list[str] | None = Field(default=None, min_length=1, max_length=100)
    chunk_metadata: dict[str, Any] | None = None
    limit: int = Field(default=10, ge=1, le=LARGEST_LIMIT)


class PassageOut(Output):
    """A passage that was found; a higher score is better, and comparable within one answer.

    `similarity` is the cosine of its vector to the query's, comparable between answers; null where either has none.
    Left out is what is found by its meaning alone and less similar than `PERSONAE_MIN_SIMILARITY`, or, without one,
    hardly nearer to the query than anything is, in whatever language.
    """

    chunk_id: str
    score: float
    similarity: float | None
    label: str
    content: str
    title: str | None
    source: str | None
    page: int | None
    collection: str | None


class SearchOut(Output):
    """Passages, best first; `degraded` says that all or some could be found by words only, `reason` why."""

    items: list[PassageOut]
    degraded: bool
    reason: str | None
