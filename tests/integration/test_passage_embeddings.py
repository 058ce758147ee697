"""Passages that no document brought get their vectors: once, from whatever door they came."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, func, select

from services.embedding import passages, steps
from services.embedding.tasks import others_wait
from services.upkeep.retention import PassageRounds
from shared.api import minipilot
from shared.domain.lifecycle import RunStatus
from shared.domain.text import content_hash
from shared.models import Embedding, KnowledgeChunk, PassageEmbedding
from shared.providers.embedding.client import FakeEmbedding
from shared.providers.storage.blobs import FakeBlobs
from shared.queries.knowledge import chunks as knowledge
from shared.queries.knowledge import embeddings, passage_embeddings
from shared.queries.scope import DEFAULT_SCOPE, Scope
from shared.queries.work import engine

MODEL = "fake-embedding"
FIRST = UUID(int=0)


def write(session, *contents, scope=DEFAULT_SCOPE):
    """Write passages and ask for their vectors; return the id of the work, if any."""
    chunks = [{"source": "s", "external_id": str(n), "content": content} for n, content in enumerate(contents)]
    written = knowledge.bulk_upsert(session, scope, chunks)
    return passage_embeddings.add(session, scope, {chunk.content_hash for chunk in written}, model=MODEL)


def claim(session):
    return engine.claim(session, [PassageEmbedding], "embedding", worker="w", lease=20, limit=8, suspects=True)


def perform(session):
    """Do what waits as a worker does; return the texts that were sent."""
    tools = steps.EmbeddingTools(FakeBlobs(), FakeEmbedding(MODEL), lambda *kept: steps.store(session, *kept))
    sent = []
    while claims := claim(session):
        for each in claims:
            lacking = passages.load(session, session.get_one(PassageEmbedding, each.id), tools)
            sent += lacking.texts.values()
            passages.work(lacking, tools)
            engine.settle(session, PassageEmbedding, [(each.id, each.fence)], RunStatus.COMPLETED)
    return sent


def rows(session):
    return session.scalar(select(func.count()).select_from(PassageEmbedding))


@pytest.mark.capability("C109")
def test_what_is_written_is_embedded_once(session):
    assert write(session, "One.", "Two.") is not None
    assert sorted(perform(session)) == ["One.", "Two."]
    assert write(session, "One.", "Two.") is None
    assert write(session, "One.", "Another.") is not None
    assert perform(session) == ["Another."]
    assert {*session.scalars(select(Embedding.content_hash))} == {*map(content_hash, ("One.", "Two.", "Another."))}


@pytest.mark.parametrize("status", [RunStatus.PENDING, RunStatus.ERROR])
def test_what_is_waited_for_is_not_waited_for_twice(session, status):
    write(session, "One.", "Two.")
    session.execute(PassageEmbedding.__table__.update().values(status=status))
    assert [write(session, "One.", "Two."), write(session, "Two.")] == [None, None]
    write(session, "One.", "Three.")
    assert rows(session) == 2


def test_another_owners_wait_is_not_ones_own(session):
    assert write(session, "One.") is not None
    assert write(session, "One.", scope=Scope("other")) is not None
    assert perform(session) == ["One."]


def test_a_row_that_is_claimed_is_not_counted_on_for_it_may_have_looked_already(session):
    write(session, "One.")
    assert len(claim(session)) == 1
    assert write(session, "One.") is not None


def test_a_text_that_nobody_holds_any_more_is_not_sent(session):
    write(session, "One.")
    write(session, "Two.")
    assert perform(session) == ["Two."]


def test_the_python_api_does_the_same(session):
    chunk = minipilot.upsert_knowledge_chunk(session, "s", "One.", "1")
    minipilot.bulk_upsert_knowledge_chunks(session, [{"source": "s", "content": "Two."}])
    hashes = [each for row in session.scalars(select(PassageEmbedding)) for each in row.hashes]
    assert sorted(hashes) == sorted([chunk.content_hash, content_hash("Two.")])


@pytest.mark.capability("C109")
def test_the_sweep_finds_what_came_by_other_ways_and_what_another_model_embedded(session):
    session.add_all([KnowledgeChunk(source="s", content="By the ORM."), KnowledgeChunk(source="s", content="Old.")])
    session.flush()
    steps.store(session, "old-model", {content_hash("Old."): [1.0]}, [])
    write(session, "Waited for.")
    rounds = PassageRounds()
    assert [rounds.embed_some(session, model=MODEL) for _ in range(3)] == [1, 0, 0]
    assert sorted(perform(session)) == ["By the ORM.", "Old.", "Waited for."]
    assert PassageRounds().embed_some(session, model=MODEL) == 0


def test_the_sweep_goes_on_where_it_stopped(session):
    session.add_all(KnowledgeChunk(source="s", content=f"Text {n}.") for n in range(3))
    session.flush()
    after, added = FIRST, []
    for _ in range(3):
        count, after = passage_embeddings.add_forgotten(session, model=MODEL, batch=2, after=after)
        added.append(count)
    assert (added, after) == ([1, 1, 0], FIRST)


def test_what_others_embedded_while_the_sweep_looked_is_not_counted(session, shared_engine):
    session.add_all(KnowledgeChunk(source="s", content=text, owner_id=text) for text in ("One.", "Two."))
    session.flush()
    steps.store(session, MODEL, {content_hash("Three."): [1.0]}, [])

    def embed_beside(connection, cursor, statement, *more):
        if "NOT (EXISTS" in statement:  # the sweep has read what lacks a vector
            given = (content_hash("One."), MODEL)
            connection.exec_driver_sql("INSERT INTO embeddings VALUES (%s, %s, '[1]') ON CONFLICT DO NOTHING", given)

    event.listen(shared_engine, "after_cursor_execute", embed_beside)
    added, _ = passage_embeddings.add_forgotten(session, model=MODEL, batch=10, after=FIRST)
    event.remove(shared_engine, "after_cursor_execute", embed_beside)
    assert added == 1 == rows(session)


def test_what_failed_is_tried_again_when_its_row_is_forgotten(session):
    write(session, "One.")
    ended = {"status": RunStatus.FAILED, "completed_date": func.clock_timestamp() - timedelta(hours=2)}
    session.execute(PassageEmbedding.__table__.update().values(**ended))
    assert PassageRounds().embed_some(session, model=MODEL) == 0
    assert passage_embeddings.prune(session, keep=timedelta(hours=3), batch=10) == 0
    assert passage_embeddings.prune(session, keep=timedelta(hours=1), batch=10) == 1
    assert PassageRounds().embed_some(session, model=MODEL) == 1


@pytest.mark.parametrize("again", [False, True], ids=["new", "waited for"])
def test_a_thousand_passages_are_waited_for_with_few_statements(session, shared_engine, again):
    sent, contents = [], [f"Text {n}." for n in range(1000)]
    if again:
        write(session, *contents)
    event.listen(shared_engine, "before_cursor_execute", note := lambda *given: sent.append(given[2]))
    write(session, *contents)
    event.remove(shared_engine, "before_cursor_execute", note)
    ours = [statement for statement in sent if not statement.startswith("SAVEPOINT")]  # the fixture's
    assert len(ours) <= 4  # the passages, their vectors, what waits for them, the row of work


def test_documents_make_room_for_passages_that_somebody_sent_but_not_for_what_the_sweep_found(session):
    assert others_wait() is False
    session.add(KnowledgeChunk(source="s", content="By the ORM."))
    session.flush()
    assert PassageRounds().embed_some(session, model=MODEL) == 1
    assert others_wait() is False
    write(session, "One.")
    session.commit()
    assert others_wait() is True


def test_a_text_that_several_passages_hold_is_sent_once(session):
    write(session, "One  text.", "One text.", "One\ntext.")
    assert len(perform(session)) == 1
    assert embeddings.known(session, MODEL, [content_hash("One text.")])
