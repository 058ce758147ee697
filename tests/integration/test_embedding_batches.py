"""Batches of documents that share texts: none waits for another, and a request costs a few statements."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from services.embedding import steps
from shared.db import get_session
from shared.domain.text import content_hash
from shared.models import Embedding
from shared.queries import embeddings

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
