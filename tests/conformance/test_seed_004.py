"""Seed 004, Soliplex Ingester: its examples, word for word but for the import lines, `await` and `async` dropped."""

import inspect
from enum import Enum
from typing import Generic, TypeVar

import pydantic
import pytest
from pydantic import ConfigDict

from shared import api, db
from shared.api.ingester import (
    Database,
    Document,
    DocumentInfo,
    DocumentURI,
    DocumentURIHistory,
    DocumentURINotFoundError,
    LifecycleHistory,
    NotFoundError,
    RunGroup,
    RunStatus,
    RunStep,
    StepConfig,
    WorkerCheckin,
    WorkflowRun,
    delete_document_uri_by_uri,
    delete_run_group,
    func,
    get_engine,
    get_session,
    select,
)
from tests.conformance.inventory import example

pytestmark = pytest.mark.capability("C183")

T = TypeVar("T")


class BaseModel(pydantic.BaseModel):
    """Pydantic's, admitting table classes, as SQLModel's are by nature."""

    model_config = ConfigDict(arbitrary_types_allowed=True)


def members(of):
    return {member.name: member.value for member in of}


def fields(model):
    return {name: field.default for name, field in model.model_fields.items()}


@pytest.fixture
def report(session):
    """A document at one URI, with group 5 of one failed run of one step; returns the group."""
    session.add(Document(hash="sha256-a1", mime_type="application/pdf"))
    session.flush()
    uri = DocumentURI(doc_hash="sha256-a1", uri="/documents/report.pdf", source="filesystem")
    group = RunGroup(id=5, workflow_definition_id="batch", param_definition_id="default")
    config = StepConfig(step_type="parse")
    session.add_all([uri, group, config])
    session.flush()
    run = WorkflowRun(
        workflow_definition_id="batch", run_group_id=group.id, doc_id="sha256-a1", status=RunStatus.FAILED
    )
    session.add_all([run, DocumentURIHistory(doc_uri_id=uri.id, version=1, hash="sha256-a1", action="created")])
    session.flush()
    step = RunStep(
        workflow_run_id=run.id,
        workflow_step_number=1,
        workflow_step_name="parse",
        step_config_id=config.id,
        step_type="parse",
    )
    session.add_all([step, LifecycleHistory(event="group_start", run_group_id=group.id)])
    session.flush()
    session.add(
        LifecycleHistory(event="step_start", run_group_id=group.id, workflow_run_id=run.id, step_id=step.id)
    )
    session.commit()
    return group


@example("004", 1)
def test_database_manager(empty_database_url, empty_database):
    url = empty_database()

    # Initialize once at application startup
    Database.initialize()

    # Or with custom URL (for testing)
    Database.initialize(url)

    # Get sessions anywhere in the app
    with Database.session() as session:
        result = session.exec(select(Document))
        # Transaction auto-commits on success, rollback on exception

    assert result.all() == []
    assert get_engine().url.database == url.rpartition("/")[2]

    # Cleanup at shutdown
    Database.close()

    # Reset and reinitialize (primarily for testing)
    Database.reset(url)

    assert get_engine().url.database == url.rpartition("/")[2]


@example("004", 2)
def test_backwards_compatible_functions(database_url):
    with get_session() as session:
        result = session.exec(select(Document))

    engine = get_engine()

    assert result.all() == []
    assert engine is db.get_engine()


@example("004", 3)
def test_run_status():
    class RunStatus(str, Enum):
        PENDING = "PENDING"      # Not yet started
        RUNNING = "RUNNING"      # Currently executing
        COMPLETED = "COMPLETED"  # Finished successfully
        ERROR = "ERROR"          # Failed but still retrying
        FAILED = "FAILED"        # Permanently failed

    assert members(api.RunStatus) == members(RunStatus) | {"CANCELLED": "CANCELLED"}  # ours


@example("004", 4)
def test_workflow_step_type():
    class WorkflowStepType(str, Enum):
        INGEST = "ingest"
        VALIDATE = "validate"
        PARSE = "parse"
        CHUNK = "chunk"
        EMBED = "embed"
        STORE = "store"
        ENRICH = "enrich"
        ROUTE = "route"

    assert members(api.WorkflowStepType) == members(WorkflowStepType)


@example("004", 5)
def test_artifact_type():
    class ArtifactType(Enum):
        DOC = "document"
        PARSED_MD = "parsed_markdown"
        PARSED_JSON = "parsed_json"
        CHUNKS = "chunks"
        EMBEDDINGS = "embeddings"
        RAG = "rag"

    assert members(api.ArtifactType) == members(ArtifactType)


@example("004", 6)
def test_life_cycle_event():
    class LifeCycleEvent(str, Enum):
        GROUP_START = "group_start"
        GROUP_END = "group_end"
        ITEM_START = "item_start"
        ITEM_END = "item_end"
        ITEM_FAILED = "item_failed"
        STEP_START = "step_start"
        STEP_END = "step_end"
        STEP_FAILED = "step_failed"

    assert members(api.LifeCycleEvent) == members(LifeCycleEvent)


@example("004", 7)
def test_document_info():
    class DocumentInfo(BaseModel):
        uri: str | None = None
        source: str | None = None
        file_size: int | None = None
        mime_type: str | None = None

    assert fields(api.DocumentInfo) == fields(DocumentInfo)


@example("004", 8)
def test_workflow_run_with_details(session, report):
    class WorkflowRunWithDetails(BaseModel):
        workflow_run: WorkflowRun
        steps: list[RunStep] | None = None
        document_info: DocumentInfo | None = None

    assert fields(api.WorkflowRunWithDetails) == fields(WorkflowRunWithDetails)
    run = session.exec(select(WorkflowRun)).one()
    assert api.WorkflowRunWithDetails(workflow_run=run, steps=[]).workflow_run is run


@example("004", 9)
def test_paginated_response():
    class PaginatedResponse(BaseModel, Generic[T]):
        items: list[T]
        total: int
        page: int
        rows_per_page: int
        total_pages: int

    assert fields(api.PaginatedResponse) == fields(PaginatedResponse)
    page = api.PaginatedResponse[int](items=[1], total=1, page=1, rows_per_page=10, total_pages=1)
    assert page.items == [1]


@example("004", 10)
def test_programmatic_initialization(empty_database_url, empty_database):
    # Initialize with default URL from settings
    Database.initialize()

    # Or with custom URL
    Database.initialize(empty_database())

    with Database.session() as session:
        assert session.exec(select(func.count(Document.hash))).one() == 0


@example("004", 11, 12, 13)
def test_delete_run_group(session, report, capsys):
    assert str(inspect.signature(delete_run_group)) == "(run_group_id: int) -> dict[str, int]"

    # Delete a run group and all dependent records
    result = delete_run_group(run_group_id=5)

    print(f"Deleted {result['deleted_rungroups']} run group(s)")
    print(f"Deleted {result['deleted_workflowruns']} workflow run(s)")
    print(f"Deleted {result['deleted_runsteps']} run step(s)")
    print(f"Deleted {result['deleted_lifecyclehistory']} lifecycle history record(s)")
    print(f"Total records deleted: {result['total_deleted']}")

    documented = {
        "deleted_runsteps": 150,
        "deleted_lifecyclehistory": 45,
        "deleted_workflowruns": 10,
        "deleted_rungroups": 1,
        "total_deleted": 206
    }
    assert result.keys() == documented.keys()
    assert list(result.values()) == [1, 2, 1, 1, 5]
    with pytest.raises(NotFoundError):
        delete_run_group(run_group_id=5)


@example("004", 14, 15, 16)
def test_delete_document_uri_by_uri(session, report, capsys):
    assert str(inspect.signature(delete_document_uri_by_uri)) == "(uri: str, source: str) -> dict[str, int]"

    for _ in range(2):
        try:
            stats = delete_document_uri_by_uri(
                uri="/documents/report.pdf",
                source="filesystem"
            )
            print(f"Total deleted: {stats['total_deleted']}")
        except DocumentURINotFoundError as e:
            print(f"Error: {e}")

    documented = {
        "deleted_document_uris": 1,
        "deleted_uri_history": 3,
        "deleted_documents": 1,
        "deleted_workflow_runs": 2,
        "deleted_run_steps": 10,
        "deleted_lifecycle_history": 6,
        "total_deleted": 23
    }
    assert stats.keys() == documented.keys()
    assert list(stats.values()) == [1, 1, 1, 1, 1, 1, 6]
    assert capsys.readouterr().out == (
        "Total deleted: 6\nError: document /documents/report.pdf of filesystem not found\n"
    )


@example("004", 17)
def test_find_failed_workflows(report):
    with get_session() as session:
        query = select(WorkflowRun).where(WorkflowRun.status == RunStatus.FAILED)
        results = session.exec(query)
        failed_runs = results.all()

    assert [run.run_group_id for run in failed_runs] == [report.id]


@example("004", 18)
def test_get_batch_statistics(session, report):
    batch = api.DocumentBatch(name="Q4 Financial Reports", source="sharepoint")
    session.add(batch)
    session.flush()
    batch_id = batch.id
    session.exec(select(WorkflowRun)).one().batch_id = batch_id
    session.commit()

    with get_session() as session:
        query = select(
            func.count(WorkflowRun.id).label("total"),
            WorkflowRun.status
        ).where(
            WorkflowRun.batch_id == batch_id
        ).group_by(WorkflowRun.status)

        results = session.exec(query)
        stats = {row.status: row.total for row in results}

    assert stats == {RunStatus.FAILED: 1}


@example("004", 19)
def test_find_stale_workers(session):
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    session.add(WorkerCheckin(id="fresh", last_checkin=now + timedelta(days=1)))
    session.add(WorkerCheckin(id="stale", last_checkin=now - timedelta(days=2)))
    session.commit()

    cutoff = datetime.now() - timedelta(seconds=600)
    query = select(WorkerCheckin).where(WorkerCheckin.last_checkin < cutoff)
    stale_workers = session.exec(query)

    assert [worker.id for worker in stale_workers] == ["stale"]
