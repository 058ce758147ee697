"""Documents, and where they come from (seed 004)."""

import json
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from apiflask.fields import UploadFile
from pydantic import BeforeValidator, Field, model_validator

from gateway.schemas.base import AS_KEPT, Input, Output, Source, Uri
from gateway.schemas.paging import Page, PageQuery
from shared.domain.files import ArrivalAnswer
from shared.domain.lifecycle import RunStatus
from shared.domain.persona import CollectionType
from shared.errors import Refused
from shared.queries.intake.arrivals import Arrival

LARGEST_ID = 2**63 - 1


def json_object_from(text: Any) -> Any:
    """Read a form field that holds a JSON object; raises Refused for anything else."""
    if not isinstance(text, str):
        return text
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise Refused("doc_meta is not valid JSON") from None
    if not isinstance(value, dict):
        raise Refused("doc_meta must be a JSON object")
    return value


class DocumentIn(Input):
    """A document to bring in: a `file`, or an `input_uri` that leads to it."""

    file: UploadFile | None = None
    input_uri: str | None = Field(default=None, min_length=1, max_length=2000)
    source_uri: Uri
    source: Source
    batch_id: int | None = Field(default=None, ge=1, le=LARGEST_ID)
    doc_meta: Annotated[dict[str, Any], BeforeValidator(json_object_from)] = Field(default_factory=dict)
    mime_type: str | None = Field(default=None, max_length=255)
    priority: int = Field(default=0, ge=-100, le=100)
    persona_id: UUID | None = None
    collection: CollectionType | None = None
    start: bool = False

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if (self.file is None) == (self.input_uri is None):
            raise ValueError("send either a file or an input_uri")
        if (self.persona_id is None) != (self.collection is None):
            raise ValueError("persona_id and collection go together")
        return self

    def arrival(self) -> Arrival:
        """Return what is said of the document, as the queries take it."""
        said = self.model_dump(exclude={"file", "input_uri"})
        return Arrival(**said)


class DocumentOut(Output):
    """A document as it was brought in; `run_group_id` leads to its run where one was started."""

    document_uri: str
    document_hash: str
    source: str
    uri_id: int
    batch_id: int | None
    run_group_id: int | None


class FetchOut(Output):
    """A document that a worker fetches; `answer` is what the upload of it would have answered, once it is there."""

    id: int
    url: str
    status: RunStatus
    status_message: str | None
    created_date: datetime
    completed_date: datetime | None
    answer: Annotated[ArrivalAnswer, AS_KEPT]


class DocumentQuery(PageQuery):
    """Which documents: of a source, of a batch, or both."""

    source: str | None = Field(default=None, min_length=1, max_length=255)
    batch_id: int | None = Field(default=None, ge=1, le=LARGEST_ID)

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.source is None and self.batch_id is None:
            raise ValueError("ask by source or by batch_id")
        return self


class LocationQuery(Input):
    """Which URI of which source."""

    uri: Uri
    source: Source


class LocationOut(Output):
    """What is found at a URI."""

    uri_id: int
    uri: str
    source: str
    version: int
    batch_id: int | None
    document_hash: str
    mime_type: str
    file_size: int | None


class DocumentPage(Page[LocationOut]):
    """URIs, oldest first."""


class VersionOut(Output):
    """One version of what was found at a URI."""

    version: int
    hash: str
    action: str
    process_date: datetime
    batch_id: int | None


class HistoryOut(Output):
    """The versions of what was found at a URI, oldest first."""

    items: list[VersionOut]


class DeletedOut(Output):
    """How many rows of each kind went (seed 004)."""

    deleted_document_uris: int
    deleted_uri_history: int
    deleted_documents: int
    deleted_workflow_runs: int
    deleted_run_steps: int
    deleted_lifecycle_history: int
    total_deleted: int
