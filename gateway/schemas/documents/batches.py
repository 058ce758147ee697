"""Batches of documents (seed 004)."""

from datetime import datetime

from pydantic import Field

from gateway.schemas.base import Input, Output, example
from gateway.schemas.documents.documents import LARGEST_ID
from gateway.schemas.paging import Page
from shared.domain.lifecycle import RunStatus


class BatchIn(Input):
    """A batch to open."""

    model_config = example(name="Letters of 1899", source="archive")

    name: str = Field(min_length=1, max_length=500)
    source: str = Field(min_length=1, max_length=255)


class BatchOut(Output):
    """Documents that were brought in together; completed when each has had a run and none is unfinished."""

    id: int
    name: str
    source: str
    start_date: datetime
    completed_date: datetime | None
    duration: float | None


class BatchPage(Page[BatchOut]):
    """Batches, newest first."""


class BatchStatus(BatchOut):
    """A batch, and how far its runs are."""

    document_count: int
    parsed: int
    remaining: int
    workflow_count: dict[RunStatus, int]


class BatchStart(Input):
    """Which batch to start the runs of."""

    model_config = example(batch_id=999_999_999)

    batch_id: int = Field(ge=1, le=LARGEST_ID)
    priority: int = Field(default=0, ge=-100, le=100)


class BatchStarted(Output):
    """How many runs were started, and their group."""

    message: str
    workflows: int
    run_group: int


class BatchQuery(Input):
    """Which batch."""

    batch_id: int = Field(ge=1, le=LARGEST_ID)
