"""A document's versions: which of them is read, what a run knows of its own, and what is left of them all."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import NullPool, create_engine, select, text
from sqlalchemy.orm import Session

from shared.db import get_session
from shared.domain.lifecycle import RunStatus
from shared.domain.workflow import WorkflowStepType
from shared.models import Document, DocumentURI, KnowledgeChunk, RunGroup, RunStep, WorkflowRun
from shared.providers.embedding.client import FakeEmbedding
from shared.providers.parsing.parser import FakeParser, KreuzbergParser
from shared.providers.parsing.sniff import JSONL, PDF, PLAIN
from shared.providers.storage.blobs import FakeBlobs
from shared.queries.documents import documents, files
from shared.queries.scope import DEFAULT_SCOPE, Scope
from shared.queries.work import endings, engine
from shared.queries.workflows import advance, starts
from tests.fakes.documents import pdf
from tests.integration.ingester import Ingester
from tests.processes import until

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
    return files.ingest_one(session, scope, location, embedding_model="m", embedding_window=512)


def step_of(session: Session, group: RunGroup, step_type: WorkflowStepType) -> RunStep:
    steps = select(RunStep).join(WorkflowRun, WorkflowRun.id == RunStep.workflow_run_id)
    return session.scalars(steps.where(WorkflowRun.run_group_id == group.id, RunStep.step_type == step_type)).one()


def texts(session: Session) -> list[str]:
    return list(session.scalars(select(KnowledgeChunk.content).order_by(KnowledgeChunk.position)))


def test_a_document_is_cut_for_the_window_that_its_caller_gives(session: Session, ingester: Ingester):
    sizes = []
    for window in (128, 8192):
        location = register(session, ingester, OLD, uri=f"{window}.txt")
        group = files.ingest_one(session, DEFAULT_SCOPE, location, embedding_model="m", embedding_window=window)
        context = advance.context(session, step_of(session, group, WorkflowStepType.CHUNK))
        sizes.append(context.config["chunk_size"])
    assert sizes[0] < 128 < sizes[1]


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
    context = advance.context(session, step_of(session, group, WorkflowStepType.VALIDATE))
    assert (context.mime_type, context.doc_meta) == (JSONL, {"title": "May"})


def delete(session: Session, **where) -> dict[str, int]:
    return documents.delete_by_uri(session, DEFAULT_SCOPE, **{**WHERE, **where})


def known(session: Session) -> list[str]:
    return list(session.scalars(select(Document.hash)))


def test_with_a_uri_go_its_earlier_versions_and_what_was_made_of_them(session: Session, ingester: Ingester):
    for data in (OLD, NEW):
        start(session, ingester, data)
        ingester.drain(session)
    deleted = delete(session)
    assert (deleted["deleted_documents"], deleted["deleted_workflow_runs"]) == (2, 2)
    assert known(session) == texts(session) == list(session.scalars(select(WorkflowRun.id))) == []


def test_an_earlier_version_stays_where_another_uri_leads_to_it(session: Session, ingester: Ingester):
    other = register(session, ingester, OLD, uri="copy.txt")
    register(session, ingester, OLD)
    register(session, ingester, NEW)
    assert delete(session)["deleted_documents"] == 1
    assert known(session) == [other.doc_hash]


def test_what_another_owner_read_of_an_earlier_version_stays_until_they_delete_it(session: Session, ingester: Ingester):
    theirs = Scope("other")
    start(session, ingester, OLD, scope=theirs)
    ingester.drain(session)
    register(session, ingester, NEW, scope=theirs)
    register(session, ingester, OLD)
    assert delete(session)["deleted_documents"] == 0
    assert texts(session) == [OLD.decode()]
    assert documents.delete_by_uri(session, theirs, **WHERE)["deleted_documents"] == 2


def test_a_document_sent_again_after_its_deletion_keeps_what_it_says_of_itself(session: Session):
    ingester = Ingester(FakeBlobs(), KreuzbergParser(), FakeEmbedding("m"))
    for _ in range(2):
        delete_if_known(session)
        start(session, ingester, pdf(["A life.", "A death."], title="Tesla"), mime_type=PDF)
        ingester.drain(session)
    about = session.scalars(select(Document.doc_meta)).one()
    assert (about["title"], about["page_count"]) == ("Tesla", 2)
    assert set(session.scalars(select(KnowledgeChunk.title))) == {"Tesla"}


def delete_if_known(session: Session) -> None:
    if documents.find_uri(session, DEFAULT_SCOPE, **WHERE):
        delete(session)


def test_a_delete_waits_for_a_settlement_and_then_takes_all(database_url: str):
    with get_session() as session:
        start(session, Ingester(FakeBlobs(), FakeParser(), FakeEmbedding("m")), OLD)
        (claim,) = engine.claim(session, [RunStep], "ingestion", worker="w", lease=20, limit=1, suspects=True)
    with ThreadPoolExecutor() as pool:
        with get_session() as settling:
            rows = engine.settle(settling, RunStep, [(claim.id, claim.fence)], RunStatus.COMPLETED)
            deleting = pool.submit(delete_alone)
            until(lambda: count_waiting_for_locks(database_url), 10)
            advance.note_facts(settling, rows[0], {"document": {"is_valid": True}})
            endings.follow(settling, rows)
        assert deleting.result()["deleted_documents"] == 1


def test_a_file_sent_again_while_it_is_deleted_is_there_afterwards(database_url: str):
    blobs = Ingester(FakeBlobs(), FakeParser(), FakeEmbedding("m"))
    with get_session() as session:
        register(session, blobs, OLD)
    with ThreadPoolExecutor() as pool:
        with get_session() as deleting:
            documents.get_uri(deleting, DEFAULT_SCOPE, **WHERE)
            deleting.execute(select(DocumentURI.id).with_for_update())
            sending = pool.submit(register_alone, blobs)
            until(lambda: count_waiting_for_locks(database_url), 10)
            delete(deleting)
        sending.result()
    with get_session() as session:
        assert len(known(session)) == len(list(session.scalars(select(DocumentURI.id)))) == 1


def test_a_run_ends_without_waiting_for_the_steps_of_others_in_its_group(database_url: str):
    ingester = Ingester(FakeBlobs(), FakeParser(), FakeEmbedding("m"))
    with get_session() as session:
        group = starts.add_group(session, DEFAULT_SCOPE, "two")
        found = [register(session, ingester, data, uri=f"{data!r}") for data in (OLD, NEW)]
        files.add_runs(
            session, group, [files.Reading(location) for location in found], embedding_model="m", embedding_window=512
        )
        claims = engine.claim(session, [RunStep], "ingestion", worker="w", lease=20, limit=2, suspects=False)
        for claim in claims:
            advance.context(session, session.get_one(RunStep, claim.id))
    with get_session() as going_on:
        settle(going_on, claims[0], RunStatus.COMPLETED)
        with get_session() as ending:
            ending.execute(text("SET LOCAL lock_timeout = '1s'"))
            settle(ending, claims[1], RunStatus.FAILED)
            assert ending.get_one(RunStep, claims[1].id).status is RunStatus.FAILED


def settle(session: Session, claim: engine.Claim, status: RunStatus) -> None:
    endings.follow(session, engine.settle(session, RunStep, [(claim.id, claim.fence)], status))
    session.flush()


def delete_alone() -> dict[str, int]:
    with get_session() as session:
        return delete(session)


def register_alone(ingester: Ingester) -> None:
    with get_session() as session:
        register(session, ingester, OLD)


def count_waiting_for_locks(database_url: str) -> int:
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect() as connection:
        statement = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return connection.scalar(text(statement))
