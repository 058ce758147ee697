"""Seed 004, Soliplex Ingester: `from shared.api.ingester import Database, get_session, select`."""

from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from shared.api.schema import init_db
from shared.db import Session, close_engine, get_engine, get_session, use_database
from shared.domain.lifecycle import RunStatus
from shared.domain.workflow import ARTIFACTS, ArtifactType, LifeCycleEvent, WorkflowStepType
from shared.errors import NotFound
from shared.models import (
    ConfigSet,
    ConfigSetItem,
    Document,
    DocumentBatch,
    DocumentBytes,
    DocumentURI,
    DocumentURIHistory,
    LifecycleHistory,
    RunGroup,
    RunStep,
    StepConfig,
    WorkerCheckin,
    WorkflowRun,
)
from shared.queries.documents import documents
from shared.queries.scope import DEFAULT_SCOPE
from shared.queries.workflows import runs

Item = TypeVar("Item")
NotFoundError = NotFound


class DocumentURINotFoundError(NotFound):
    """No document is known under this URI in this source."""


class Database:
    """The seed's handle on this process's one engine."""

    @staticmethod
    def initialize(url: str | None = None) -> None:
        """Connect to the settings' database, or to the one a URL names, and migrate it."""
        use_database(url)
        init_db()

    @staticmethod
    def session() -> AbstractContextManager[Session]:
        """Return a session that commits at the end, or rolls back on an error."""
        return get_session()

    @staticmethod
    def close() -> None:
        """Close the connections; the next session opens new ones, to the settings' database."""
        close_engine()

    @staticmethod
    def reset(url: str | None = None) -> None:
        """Close the connections, and initialize again."""
        Database.initialize(url)


class DocumentInfo(BaseModel):
    """What is told about a document beside its run."""

    uri: str | None = None
    source: str | None = None
    file_size: int | None = None
    mime_type: str | None = None


class WorkflowRunWithDetails(BaseModel):
    """A run, and where asked for its steps and its document."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    workflow_run: WorkflowRun
    steps: list[RunStep] | None = None
    document_info: DocumentInfo | None = None


class PaginatedResponse(BaseModel, Generic[Item]):
    """One page, numbered from 1, of `rows_per_page` items."""

    items: list[Item]
    total: int
    page: int
    rows_per_page: int
    total_pages: int


def delete_run_group(run_group_id: int) -> dict[str, int]:
    """Delete a run group and all that hangs on it; return how much went; raises NotFoundError."""
    with get_session() as session:
        return runs.delete_group(session, DEFAULT_SCOPE, run_group_id)


def delete_document_uri_by_uri(uri: str, source: str) -> dict[str, int]:
    """Delete a document's URI, and the document with the last one; raises DocumentURINotFoundError."""
    try:
        with get_session() as session:
            return documents.delete_by_uri(session, DEFAULT_SCOPE, uri, source)
    except NotFound as error:
        raise DocumentURINotFoundError(str(error)) from error


__all__ = [
    "ARTIFACTS",
    "ArtifactType",
    "ConfigSet",
    "ConfigSetItem",
    "Database",
    "Document",
    "DocumentBatch",
    "DocumentBytes",
    "DocumentInfo",
    "DocumentURI",
    "DocumentURIHistory",
    "DocumentURINotFoundError",
    "LifeCycleEvent",
    "LifecycleHistory",
    "NotFoundError",
    "PaginatedResponse",
    "RunGroup",
    "RunStatus",
    "RunStep",
    "StepConfig",
    "WorkerCheckin",
    "WorkflowRun",
    "WorkflowRunWithDetails",
    "WorkflowStepType",
    "delete_document_uri_by_uri",
    "delete_run_group",
    "func",
    "get_engine",
    "get_session",
    "select",
]
