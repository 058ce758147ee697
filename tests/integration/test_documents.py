"""Deleting documents and run groups: all of one's own, nothing of another's."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.errors import NotFound
from shared.models import (
    Base,
    Document,
    DocumentBytes,
    DocumentURI,
    DocumentURIHistory,
    KnowledgeChunk,
    LifecycleHistory,
    RunGroup,
    RunStep,
    StepConfig,
    WorkflowRun,
)
from shared.queries.documents import documents, files
from shared.queries.scope import DEFAULT_SCOPE, Scope
from shared.queries.workflows import advance, runs

OTHER = Scope("other")


def add(session: Session, row: Base) -> Base:
    session.add(row)
    session.flush()
    return row


def bring_in(session: Session, uri: str, *, owner_id: str = "default", steps: int = 2) -> RunGroup:
    """Add a URI of the one document, with a version, a passage, and a run of some steps; return its group."""
    if session.get(Document, "sha256-1") is None:
        add(session, Document(hash="sha256-1", mime_type="text/plain"))
        add(session, DocumentBytes(hash="sha256-1", artifact_type="document", storage_root="db", file_bytes=b"text"))
    location = add(session, DocumentURI(doc_hash="sha256-1", uri=uri, source="disk", owner_id=owner_id))
    add(session, DocumentURIHistory(doc_uri_id=location.id, version=1, hash="sha256-1", action="created"))
    add(session, KnowledgeChunk(source="disk", content="text", doc_hash="sha256-1", owner_id=owner_id))
    group = add(session, RunGroup(workflow_definition_id="w", param_definition_id="p", owner_id=owner_id))
    add(session, LifecycleHistory(event="group_start", run_group_id=group.id))
    run = add(session, WorkflowRun(workflow_definition_id="w", run_group_id=group.id, doc_id="sha256-1"))
    for number in range(1, steps + 1):
        step = add(
            session,
            RunStep(
                workflow_run_id=run.id,
                workflow_step_number=number,
                workflow_step_name="parse",
                step_type="parse",
                step_config_id=add(session, StepConfig(step_type="parse")).id,
            ),
        )
        add(
            session,
            LifecycleHistory(event="step_end", run_group_id=group.id, workflow_run_id=run.id, step_id=step.id),
        )
    return group


def counts(session: Session, *models: type[Base]) -> list[int]:
    return [session.query(model).count() for model in models]


def test_with_the_last_uri_go_the_document_and_all_that_was_made_of_it(session: Session):
    bring_in(session, "a.txt")
    assert documents.delete_by_uri(session, DEFAULT_SCOPE, "a.txt", "disk") == {
        "deleted_document_uris": 1,
        "deleted_uri_history": 1,
        "deleted_documents": 1,
        "deleted_workflow_runs": 1,
        "deleted_run_steps": 2,
        "deleted_lifecycle_history": 2,
        "total_deleted": 8,
    }
    assert counts(session, Document, DocumentBytes, DocumentURI, WorkflowRun, KnowledgeChunk) == [0] * 5


def test_another_uri_of_ones_own_keeps_the_document_and_its_runs(session: Session):
    bring_in(session, "a.txt")
    add(session, DocumentURI(doc_hash="sha256-1", uri="b.txt", source="disk"))
    deleted = documents.delete_by_uri(session, DEFAULT_SCOPE, "a.txt", "disk")
    assert deleted["total_deleted"] == deleted["deleted_document_uris"] + deleted["deleted_uri_history"] == 2
    assert counts(session, Document, DocumentURI, WorkflowRun, KnowledgeChunk) == [1, 1, 1, 1]


def test_another_owners_uri_keeps_the_document_and_their_runs_but_not_ones_own(session: Session):
    bring_in(session, "a.txt")
    theirs = bring_in(session, "a.txt", owner_id="other")
    deleted = documents.delete_by_uri(session, DEFAULT_SCOPE, "a.txt", "disk")
    assert (deleted["deleted_documents"], deleted["deleted_workflow_runs"]) == (0, 1)
    assert [run.run_group_id for run in session.query(WorkflowRun)] == [theirs.id]
    assert [chunk.owner_id for chunk in session.query(KnowledgeChunk)] == ["other"]
    assert documents.delete_by_uri(session, OTHER, "a.txt", "disk")["deleted_documents"] == 1


def test_somebody_elses_uri_is_not_there(session: Session):
    bring_in(session, "a.txt", owner_id="other")
    with pytest.raises(NotFound):
        documents.delete_by_uri(session, DEFAULT_SCOPE, "a.txt", "disk")
    with pytest.raises(NotFound):
        documents.get_uri(session, DEFAULT_SCOPE, "a.txt", "disk")
    assert documents.get_uri(session, OTHER, "a.txt", "disk").owner_id == "other"


def test_a_group_goes_with_its_runs_steps_and_history(session: Session):
    group = bring_in(session, "a.txt", steps=3)
    bring_in(session, "b.txt")
    assert runs.delete_group(session, DEFAULT_SCOPE, group.id) == {
        "deleted_runsteps": 3,
        "deleted_lifecyclehistory": 4,
        "deleted_workflowruns": 1,
        "deleted_rungroups": 1,
        "total_deleted": 9,
    }
    assert counts(session, RunGroup, WorkflowRun, RunStep, LifecycleHistory, Document) == [1, 1, 2, 3, 1]


def test_somebody_elses_group_is_not_there(session: Session):
    group = bring_in(session, "a.txt")
    with pytest.raises(NotFound):
        runs.delete_group(session, OTHER, group.id)
    assert counts(session, RunGroup) == [1]


@pytest.mark.parametrize(
    ("step_type", "queue"), [("parse", "ingestion"), ("embed", "embedding"), ("store", "embedding")]
)
def test_a_step_waits_on_the_queue_of_its_type(session: Session, step_type: str, queue: str):
    bring_in(session, "a.txt", steps=0)
    step = add(
        session,
        RunStep(
            workflow_run_id=session.query(WorkflowRun).one().id,
            workflow_step_number=1,
            workflow_step_name=step_type,
            step_type=step_type,
            step_config_id=add(session, StepConfig(step_type=step_type)).id,
        ),
    )
    assert step.queue == queue


@pytest.mark.capability("C9")
def test_the_same_bytes_of_two_owners_share_neither_what_they_say_of_them_nor_what_they_take_them_for(session):
    contexts = [
        context_of_first_step(session, owner, name, mime_type, title)
        for owner, name, mime_type, title in (
            ("ana", "notes.txt", "text/plain", "What Ana calls it"),
            ("ben", "quotes.jsonl", "application/jsonl", None),
        )
    ]
    assert [(step.mime_type, step.doc_meta) for step in contexts] == [
        ("text/plain", {"title": "What Ana calls it"}),
        ("application/jsonl", {}),
    ]
    assert contexts[0].roots != contexts[1].roots


def context_of_first_step(session, owner, name, mime_type, title):
    scope = Scope(owner)
    stored = documents.Bytes(f"sha256-{'5' * 64}", mime_type, 10)
    meta = {"title": title} if title else None
    location, _ = documents.register(session, scope, stored, uri=name, source="test", meta=meta)
    group = files.ingest_one(session, scope, location, embedding_model="m", embedding_window=512)
    run = session.scalars(select(WorkflowRun).where(WorkflowRun.run_group_id == group.id)).one()
    first = session.scalars(select(RunStep).where(RunStep.workflow_run_id == run.id).order_by(RunStep.id)).first()
    return advance.context(session, first)
