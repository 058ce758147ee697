"""Seed 004's example records: each is stored and read back as documented."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from shared.models import (
    Base,
    Document,
    DocumentBatch,
    DocumentBytes,
    DocumentURI,
    DocumentURIHistory,
    RunGroup,
    RunStep,
    StepConfig,
    WorkerCheckin,
    WorkflowRun,
)

pytestmark = pytest.mark.capability("C183")

HASH = "sha256-a1b2c3d4e5f6..."

RECORDS: list[tuple[type[Base], dict[str, Any]]] = [
    (
        DocumentBatch,
        {
            "id": 1,
            "name": "Q4 Financial Reports",
            "source": "sharepoint",
            "start_date": "2025-01-15T10:00:00",
            "completed_date": "2025-01-15T12:30:00",
            "batch_params": {"department": "finance"},
            "duration": 9000.0,
        },
    ),
    (
        Document,
        {
            "hash": HASH,
            "mime_type": "application/pdf",
            "file_size": 1024000,
            "doc_meta": {"author": "John Doe", "title": "Q4 Report"},
        },
    ),
    (
        DocumentURI,
        {
            "id": 42,
            "doc_hash": HASH,
            "uri": "/sharepoint/finance/q4-report.pdf",
            "source": "sharepoint",
            "version": 2,
            "batch_id": 1,
        },
    ),
    (
        DocumentURIHistory,
        {
            "id": 100,
            "doc_uri_id": 42,
            "version": 1,
            "hash": "sha256-old-hash...",
            "process_date": "2025-01-10T10:00:00",
            "action": "created",
            "batch_id": 1,
            "histmeta": {"user": "importer"},
        },
    ),
    (
        DocumentBytes,
        {
            "hash": HASH,
            "artifact_type": "parsed_markdown",
            "storage_root": "db",
            "file_size": 3,
            "file_bytes": b"...",
        },
    ),
    (
        RunGroup,
        {
            "id": 5,
            "name": "Batch 1 Processing",
            "workflow_definition_id": "batch",
            "param_definition_id": "default",
            "batch_id": 1,
            "created_date": "2025-01-15T10:00:00",
            "start_date": "2025-01-15T10:01:00",
            "completed_date": None,
            "status": "RUNNING",
            "status_date": "2025-01-15T10:30:00",
            "status_message": "Processing documents",
            "status_meta": {},
        },
    ),
    (
        WorkflowRun,
        {
            "id": 100,
            "workflow_definition_id": "batch",
            "run_group_id": 5,
            "batch_id": 1,
            "doc_id": HASH,
            "priority": 0,
            "created_date": "2025-01-15T10:00:00",
            "start_date": "2025-01-15T10:01:00",
            "completed_date": None,
            "status": "RUNNING",
            "status_date": "2025-01-15T10:05:00",
            "status_message": "Processing step 3 of 5",
            "status_meta": {},
            "run_params": {},
            "duration": None,
        },
    ),
    (
        StepConfig,
        {
            "id": 10,
            "created_date": "2025-01-15T09:00:00",
            "step_type": "parse",
            "config_json": {"format": "markdown", "ocr_enabled": True},
            "cuml_config_json": '{"validate":{...},"parse":{...}}',
        },
    ),
    (
        RunStep,
        {
            "id": 500,
            "workflow_run_id": 100,
            "workflow_step_number": 2,
            "workflow_step_name": "parse",
            "step_config_id": 10,
            "step_type": "parse",
            "is_last_step": False,
            "created_date": "2025-01-15T10:01:00",
            "priority": 0,
            "start_date": "2025-01-15T10:02:00",
            "status_date": "2025-01-15T10:05:00",
            "completed_date": None,
            "retry": 0,
            "retries": 1,
            "status": "RUNNING",
            "status_message": "Parsing with Docling",
            "status_meta": {},
            "worker_id": "worker-abc-123",
            "duration": None,
        },
    ),
    (
        WorkerCheckin,
        {
            "id": "worker-abc-123",
            "first_checkin": "2025-01-15T10:00:00",
            "last_checkin": "2025-01-15T10:30:00",
        },
    ),
]
COMPUTED = {"duration"}


def documented(value: Any) -> Any:
    """Return a stored value as the document writes it: times in ISO text, without their zone."""
    return value.replace(tzinfo=None).isoformat() if isinstance(value, datetime) else value


def test_the_documented_records_are_stored_as_they_are_written(session: Session):
    rows = [model(**{name: record[name] for name in record.keys() - COMPUTED}) for model, record in RECORDS]
    for row in rows:
        session.add(row)
        session.flush()
    session.expire_all()
    for row, (_, record) in zip(rows, RECORDS, strict=True):
        assert {name: documented(getattr(row, name)) for name in record} == record


def test_the_size_of_bytes_is_counted_when_it_is_not_given(session: Session):
    session.add(Document(hash=HASH, mime_type="text/plain"))
    session.flush()
    stored = DocumentBytes(hash=HASH, artifact_type="document", storage_root="db", file_bytes=b"12345")
    session.add(stored)
    session.flush()
    assert stored.file_size == 5
