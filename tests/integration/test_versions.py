"""A document's versions: which of them is read, what a run knows of its own, and what is left of them all."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.domain.lifecycle import RunStatus
from shared.domain.workflow import WorkflowStepType
from shared.models import KnowledgeChunk, RunGroup, RunStep, WorkflowRun
from shared.providers.blobs import FakeBlobs
from shared.providers.embedding import FakeEmbedding
from shared.providers.parser import FakeParser
from shared.providers.sniff import JSONL, PLAIN
from shared.queries import documents, files, workflows
from shared.queries.scope import DEFAULT_SCOPE, Scope
from tests.integration.ingester import Ingester

WHERE = {"uri": "notes.txt", "source": "disk"}
OLD, NEW = b"What was thought in May.", b"What was thought in June."


@pytest.fixture
def ingester() -> Ingester:
    return Ingester(FakeBlobs(), FakeParser(), FakeEmbedding("m"))


def register(session: Session, ingester: Ingester, data: bytes, *, scope: Scope = DEFAULT_SCOPE, **about):
    """Say that these bytes are found at the URI now."""
    stored = documents.Bytes(ingester.blobs.put(data).key, about.pop("mime_type", PLAIN), len(data))
    return documents.register(session, scope, stored, **{**WHERE, **about})[0]


def start(session: Session, ingester: Ingester, data: bytes, *, scope: Scope = DEFAULT_SCOPE, **about) -> RunGroup:
    """Register the bytes, and start their run."""
    location = register(session, ingester, data, scope=scope, **about)
    return files.ingest_one(session, scope, location, embedding_model="m")


def step_of(session: Session, group: RunGroup, step_type: WorkflowStepType) -> RunStep:
    steps = select(RunStep).join(WorkflowRun, WorkflowRun.id == RunStep.workflow_run_id)
    return session.scalars(steps.where(WorkflowRun.run_group_id == group.id, RunStep.step_type == step_type)).one()


def texts(session: Session) -> list[str]:
    return list(session.scalars(select(KnowledgeChunk.content).order_by(KnowledgeChunk.position)))


def test_an_old_version_read_late_does_not_replace_a_newer_one(session: Session, ingester: Ingester):
    late = start(session, ingester, OLD)
    start(session, ingester, NEW)
    step = step_of(session, late, WorkflowStepType.STORE)
    ingester.drain(session)
    session.refresh(step)
    assert texts(session) == [NEW.decode()]
    assert (step.status, step.status_meta["superseded"]) == (RunStatus.COMPLETED, True)


def test_a_run_keeps_the_kind_and_the_facts_that_it_was_started_with(session: Session, ingester: Ingester):
    group = start(session, ingester, b'{"text": "May"}', mime_type=JSONL, meta={"title": "May"})
    register(session, ingester, NEW, meta={"title": "June"})
    context = workflows.context(session, step_of(session, group, WorkflowStepType.VALIDATE))
    assert (context.mime_type, context.doc_meta) == (JSONL, {"title": "May"})
