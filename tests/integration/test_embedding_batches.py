"""Batches of documents that share texts: none waits for another, and a request costs a few statements."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, update

from services.embedding import steps
from services.embedding.line import Entry, Request
from shared.db import Session, get_session
from shared.domain.lifecycle import RunStatus
from shared.domain.text import content_hash
from shared.domain.workflow import WorkflowStepType
from shared.models import Embedding, RunStep
from shared.providers.parsing.sniff import PLAIN
from shared.providers.storage.blobs import FakeBlobs
from shared.queries.documents import documents, files
from shared.queries.knowledge import embeddings
from shared.queries.scope import DEFAULT_SCOPE
from shared.queries.workflows import progress, starts

MODEL = "fake-embedding"
ONE, TWO = content_hash("One."), content_hash("Two.")
KEPT = timedelta(hours=1)


@pytest.fixture
def old_vectors(database_url: str) -> None:
    """Vectors of two texts that nobody holds, older than they are kept."""
    with get_session() as session:
        steps.store(session, MODEL, {ONE: [1.0], TWO: [1.0]}, [])
        session.execute(update(Embedding).values(created_at=func.clock_timestamp() - 2 * KEPT))


def test_two_batches_ask_for_the_same_texts_in_any_order_and_neither_waits(old_vectors: None) -> None:
    with get_session() as batch, get_session() as beside:
        assert embeddings.known(batch, MODEL, [ONE]) == {ONE}
        assert embeddings.known(beside, MODEL, [TWO]) == {TWO}
        assert embeddings.known(batch, MODEL, [TWO]) == {TWO}
        assert embeddings.known(beside, MODEL, [ONE]) == {ONE}


def test_what_is_counted_on_is_not_deleted_meanwhile_nor_soon_after(old_vectors: None) -> None:
    with get_session() as batch, get_session() as upkeep:
        embeddings.known(batch, MODEL, [ONE])
        assert embeddings.prune(upkeep, keep=KEPT, batch=10)[0] == 1
    with get_session() as upkeep:
        assert embeddings.prune(upkeep, keep=KEPT, batch=10)[0] == 0
        assert upkeep.scalars(select(Embedding.content_hash)).all() == [ONE]


def test_what_is_counted_on_while_another_renews_it_is_not_deleted_either(old_vectors: None) -> None:
    with get_session() as upkeep, get_session() as batch:
        with get_session() as first:
            embeddings.known(first, MODEL, [ONE, TWO])
            embeddings.known(batch, MODEL, [TWO])
            first.rollback()
        assert embeddings.prune(upkeep, keep=KEPT, batch=10)[0] == 1


@pytest.fixture
def at_work(session: Session) -> list[RunStep]:
    """The steps of sixteen documents that are being embedded."""
    group = starts.add_group(session, DEFAULT_SCOPE, "sixteen")
    stored = [documents.Bytes(FakeBlobs().put(f"{number}".encode()).key, PLAIN, 1) for number in range(16)]
    found = [documents.register(session, DEFAULT_SCOPE, each, uri=each.doc_hash, source="disk")[0] for each in stored]
    readings = [files.Reading(location) for location in found]
    files.add_runs(session, group, readings, embedding_model=MODEL, embedding_window=512)
    session.execute(update(RunStep).values(status=RunStatus.RUNNING, fence=3))
    embed = select(RunStep).where(RunStep.step_type == WorkflowStepType.EMBED)
    return list(session.scalars(embed.order_by(RunStep.id.desc()), execution_options={"populate_existing": True}))


def advances(steps_: list[RunStep], done: int) -> list[progress.Advance]:
    return [progress.Advance(step.id, step.fence, 40, done, 0, 100.0) for step in steps_]


def facts_of(session: Session, steps_: list[RunStep]) -> list[dict[str, Any]]:
    session.expire_all()
    return [step.status_meta for step in steps_]


def test_a_request_for_sixteen_documents_is_kept_with_four_statements(
    session: Session, shared_engine: Engine, at_work: list[RunStep]
) -> None:
    parts = [(content_hash(f"Of {step.id}."), f"Of {step.id}.", step.id) for step in at_work]
    entries = [Entry(id, "default", {}, {key: 1}, fence=3) for key, _, id in parts]
    request = Request([(entry, key, text) for entry, (key, text, _) in zip(entries, parts, strict=True)])
    steps.store(session, MODEL, {ONE: [1.0]}, [])  # the model is known from now on
    sent: list[str] = []
    event.listen(shared_engine, "before_cursor_execute", note := lambda *given: sent.append(given[2]))
    steps.store(session, MODEL, {key: [1.0] for key in request.hashes}, request.advances())
    event.remove(shared_engine, "before_cursor_execute", note)
    ours = [statement for statement in sent if not statement.startswith("SAVEPOINT")]  # the fixture's
    assert len(ours) <= 4  # the model, the vectors, who is at work, how far they are


def test_each_document_keeps_how_far_it_is_itself_and_its_marks(session: Session, at_work: list[RunStep]) -> None:
    for done in (10, 20):
        each = [advance._replace(done=done + number) for number, advance in enumerate(advances(at_work, done))]
        progress.note(session, each)
    told = facts_of(session, at_work)
    assert [facts["passages_done"] for facts in told] == list(range(20, 36))
    assert [facts["marks"][0][1] for facts in told] == [0] * 16, "the first marks are kept"


def test_a_claim_that_is_over_tells_nothing_of_what_another_works_on(session: Session, at_work: list[RunStep]) -> None:
    progress.note(session, advances(at_work, 20))
    late, *others = at_work
    session.execute(update(RunStep).where(RunStep.id == late.id).values(fence=4))
    progress.note(session, [*(advance for advance in advances(others, 30)), advances([late], 30)[0]._replace(fence=3)])
    assert [facts["passages_done"] for facts in facts_of(session, at_work)] == [20] + [30] * 15
