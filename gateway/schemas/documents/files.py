"""A persona's files, and their ingestion."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from apiflask.fields import UploadFile
from pydantic import BeforeValidator, Field

from gateway.schemas.base import Input, Output
from gateway.schemas.paging import Page, PageQuery
from gateway.schemas.workflows.workflow import FileProgressOut, ProgressOut
from shared.domain.persona import CollectionType, JobStatus, PersonaStatus


def require_some(files: Any) -> Any:
    """Return the parts of a form; raises ValueError where there are none of that name."""
    if not isinstance(files, list):
        raise ValueError("send one or more files, each in a part named files")
    return files


class FilesIn(Input):
    """Files to add to a collection; several parts are named `files`."""

    files: Annotated[list[UploadFile], BeforeValidator(require_some), Field(min_length=1)]


class FileQuery(PageQuery):
    """Which files."""

    collection: CollectionType | None = None


class FileOut(Output):
    """A file of a persona."""

    id: UUID
    file_name: str
    collection_type: CollectionType
    file_size_bytes: int | None
    document_hash: str = Field(validation_alias="file_path")
    created_at: datetime


class SkippedFile(Output):
    """A file that was not taken, and why."""

    file_name: str
    reason: str


class UploadOut(Output):
    """What became of the files of an upload."""

    uploaded: list[FileOut]
    skipped: list[SkippedFile]
    uploaded_count: int
    skipped_count: int


class FilePage(Page[FileOut]):
    """Files, oldest first."""


class JobOut(Output):
    """The ingestion of one collection; its run group does the work."""

    id: UUID
    collection_type: CollectionType
    status: JobStatus
    progress: int
    total_vectors: int | None
    error_message: str | None
    run_group_id: int | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class JobsOut(Output):
    """The jobs of an ingestion, one per collection."""

    jobs: list[JobOut]


class JobProgressOut(ProgressOut, JobOut):
    """The ingestion of one collection, file by file."""


class RetriedOut(JobsOut):
    """What is tried again, as it was before, and the jobs as they are now."""

    retried_count: int
    retried: list[FileProgressOut]


class IngestionOut(Output):
    """How far a persona's latest ingestion is, collection by collection and file by file."""

    jobs: list[JobProgressOut]
    overall_status: PersonaStatus
    overall_progress: float
    all_completed: bool
    any_failed: bool


class ClearedOut(Output):
    """How many ended jobs went."""

    deleted: int


class CollectionOut(Output):
    """What a persona holds of a collection; a passage whose text another has too is embedded once for both."""

    files: int
    passages: int
    vectors: int


class CollectionsOut(Output):
    """What a persona holds."""

    collections: dict[CollectionType, CollectionOut]
    total_vectors: int


class CollectionConfig(Output):
    """Tokens per passage, tokens shared with the one before, passages recalled per question."""

    chunk_size: int
    chunk_overlap: int
    top_k: int


class EffectiveConfig(Output):
    """What is asked for, by override or default, and what applies within the embedding model's window."""

    configured: CollectionConfig
    effective: CollectionConfig
    overridden: list[str]


class EffectiveConfigOut(Output):
    """How each collection of a persona is cut and recalled."""

    embedding_model: str
    collections: dict[CollectionType, EffectiveConfig]
